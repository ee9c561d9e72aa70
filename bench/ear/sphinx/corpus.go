package sphinx

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pincall/pincall/bench/ear/line"
)

// Utterance is sound of the line with the words that are said in it.
type Utterance struct {
	Words string
	Sound []int16 // at line.Rate
}

//go:embed texts.txt
var texts string

//go:embed prompts.txt
var prompts string

// promptFolder is where Debian's asterisk-core-sounds-en-wav puts them.
const promptFolder = "/usr/share/asterisk/sounds/en_US_f_Allison"

// digitWords must not be in what a listener is adapted to: it shall hear the
// digits of these voices for the first time when it is asked for them. Words that
// hold the sound of a digit ("to", "for") are ordinary and stay.
var digitWords = regexp.MustCompile(`\b(zero|oh|one|two|three|four|five|six|seven|eight|nine)\b`)

// corpus puts together what the listener is adapted to: texts read by Debian's
// synthetic voices, Asterisk's prompts if they are installed, and what the caller
// brings, several times each.
func corpus(ctx context.Context, own []Utterance, times int) ([]Utterance, error) {
	var all []Utterance
	for i, text := range content(texts) {
		// Each text is read by three of the six voices.
		for k := range 3 {
			v := readers[(i+2*k)%len(readers)]
			sound, err := v.Read(ctx, text)
			if err != nil {
				return nil, err
			}
			all = append(all, Utterance{text, sound})
		}
	}
	for _, p := range content(prompts) {
		name, words, _ := strings.Cut(p, " ")
		sound, _, err := line.ReadWAV(filepath.Join(promptFolder, name+".wav"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("prompt: %w", err)
		}
		all = append(all, Utterance{words, sound})
	}
	for _, u := range own {
		for range times {
			all = append(all, u)
		}
	}
	return all, nil
}

// content is the lines of an embedded file that are not notes.
func content(file string) []string {
	var out []string
	for s := bufio.NewScanner(strings.NewReader(file)); s.Scan(); {
		if l := strings.TrimSpace(s.Text()); l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	return out
}

// words are a text's words as the dictionary spells them.
func words(text string) []string {
	return strings.Fields(notSpelt.ReplaceAllString(strings.ToLower(strings.ReplaceAll(text, "-", " ")), " "))
}

var notSpelt = regexp.MustCompile(`[^a-z']+`)

// among puts an utterance among silence, 0.3 to 1.5 s on either side. A readout is
// silent for half of its time; the listener takes the mean of all it hears off the
// sound, so it must know how that is.
func among(sound []int16, rng *rand.Rand) []int16 {
	rest := func() []int16 { return make([]int16, line.Rate*3/10+rng.IntN(line.Rate*12/10)) }
	return slices.Concat(rest(), sound, rest())
}

// roughen is the line of one utterance: a quarter hears noise at 5 to 22 dB, a
// sixth loses 6 % of the frames, the rest is clean.
func roughen(sound []int16, rng *rand.Rand) []int16 {
	sound = among(sound, rng)
	switch p := rng.Float64(); {
	case p < 0.25:
		return line.Hiss(sound, 5+17*rng.Float64(), rng)
	case p < 0.40:
		return line.Lose(sound, 0.06, rng)
	}
	return sound
}

// Key names what a listener is made of; another key, another listener.
func Key(own []Utterance) string {
	h := sha256.New()
	io.WriteString(h, recipe+texts+prompts)
	for _, u := range own {
		io.WriteString(h, u.Words)
		binary.Write(h, binary.LittleEndian, u.Sound)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// recipe changes when the way in which a listener is made does.
const recipe = "2"
