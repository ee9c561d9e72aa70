// Package sphinx is a listener: Debian's pocketsphinx, used to the telephone and
// to the voices that it hears, as a person is after a greeting, and to none of
// their digits. It writes down digits, however many there are; it does not know
// what was said.
package sphinx

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pincall/pincall/bench/ear/line"
)

// What may be said in a readout, by whether there is a word before each digit,
// which a listener knows from the first. The number of digits is free.
const (
	carried = `#JSGF V1.0;
grammar readout;
public <readout> = [ <lead> ] ( number <digit> )+;
<lead> = [ i repeat | once more | again ] your ( code | pin | one time code ) is;
<digit> = zero | one | two | three | four | five | six | seven | eight | nine;
`
	bare = `#JSGF V1.0;
grammar readout;
public <readout> = [ <lead> ] <digit>+;
<lead> = [ i repeat | once more | again ] your ( code | pin | one time code ) is;
<digit> = zero | one | two | three | four | five | six | seven | eight | nine;
`
)

// insertion is the penalty of a word. The recognizer's own, 0.65, hears digits in
// breaths; a smaller one loses digits that are.
const insertion = "1e-3"

var digits = map[string]byte{
	"zero": '0', "one": '1', "two": '2', "three": '3', "four": '4',
	"five": '5', "six": '6', "seven": '7', "eight": '8', "nine": '9',
}

// Listener is a model made by Adapt.
type Listener struct {
	Model string
	// Bare: the digits have no word before them.
	Bare bool
}

// Hear writes down the digits of each readout, which are at line.Rate. All go
// through one process: it takes longer to start than to hear one.
func (l Listener) Hear(ctx context.Context, readouts [][]int16) ([]string, error) {
	dir, err := os.MkdirTemp("", "ear-sphinx-")
	if err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	defer os.RemoveAll(dir)
	rng := rand.New(rand.NewPCG(3, 4))
	var ids strings.Builder
	for i, sound := range readouts {
		fmt.Fprintf(&ids, "r%06d\n", i)
		if err := line.WriteWAV(filepath.Join(dir, fmt.Sprintf("r%06d.wav", i)), 2*line.Rate, line.Widen(sound, rng)); err != nil {
			return nil, fmt.Errorf("sphinx: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ids"), []byte(ids.String()), 0o644); err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	grammar := carried
	if l.Bare {
		grammar = bare
	}
	if err := os.WriteFile(filepath.Join(dir, "code.gram"), []byte(grammar), 0o644); err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	err = line.Run(ctx, "pocketsphinx_batch", "-hmm", l.Model, "-dict", spelt, "-jsgf", dir+"/code.gram", "-wip", insertion,
		"-samprate", "16000", "-adcin", "yes", "-adchdr", "44", "-cepdir", dir, "-cepext", ".wav", "-ctl", dir+"/ids",
		"-hyp", dir+"/hyp", "-logfn", "/dev/null")
	if err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	hyp, err := os.ReadFile(dir + "/hyp")
	if err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	return parse(string(hyp), len(readouts))
}

// aHypothesis is a line of what was heard: words, then the file and a score.
var aHypothesis = regexp.MustCompile(`^(.*)\(r(\d{6}) `)

func parse(hyp string, n int) ([]string, error) {
	out := make([]string, n)
	heard := 0
	for l := range strings.Lines(hyp) {
		m := aHypothesis.FindStringSubmatch(l)
		if m == nil {
			return nil, fmt.Errorf("sphinx: no hypothesis: %q", l)
		}
		var i int
		if _, err := fmt.Sscanf(m[2], "%06d", &i); err != nil || i >= n {
			return nil, fmt.Errorf("sphinx: no such readout: %q", l)
		}
		var code []byte
		for _, w := range strings.Fields(m[1]) {
			// A word's second pronunciation is written zero(2).
			w, _, _ = strings.Cut(w, "(")
			if d, ok := digits[w]; ok {
				code = append(code, d)
			}
		}
		out[i] = string(code)
		heard++
	}
	if heard != n {
		return nil, fmt.Errorf("sphinx: %d hypotheses for %d readouts", heard, n)
	}
	return out, nil
}
