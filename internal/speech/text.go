package speech

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// betweenDigits is the silence behind each digit in free text.
const betweenDigits = 250 * time.Millisecond

// announcement is free text as one sound. It may hold another system's code:
// numerals are said one by one from the voice's own digits, and only the words
// between them go to an engine. Nothing of it is kept.
func (s *Speaker) announcement(ctx context.Context, v *voice, p script.Part) (*unit, error) {
	joined := &joiner{rate: s.rate}
	said := 0
	for _, piece := range cutDigits(p.Words) {
		for _, d := range []byte(piece.digits) {
			ten := v.digits[plainForm][d-'0']
			joined.add(ten[said%len(ten)])
			joined.rest(betweenDigits)
			said++
		}
		if piece.words == "" {
			continue
		}
		u, err := s.synth.once(ctx, p.Lang, piece.words, rest(piece.words))
		if err != nil {
			return nil, err
		}
		joined.add(u)
		if rest(piece.words) == 0 {
			joined.rest(clauseRest)
		}
	}
	return joined.unit(), nil
}

// piece of a text: digits '0' to '9' or words.
type piece struct{ digits, words string }

// cutDigits separates numerals of every script from the words around them; what
// is neither a letter nor a digit is left out where it stands alone.
func cutDigits(text string) []piece {
	var all []piece
	words, digits := "", ""
	flush := func() {
		switch {
		case digits != "":
			all = append(all, piece{digits: digits})
		case audible(clean(words)):
			all = append(all, piece{words: clean(words)})
		}
		words, digits = "", ""
	}
	for _, r := range text {
		found := digitsOf(r)
		if (found != "") != (digits != "") {
			flush()
		}
		if found != "" {
			digits += found
		} else {
			words += string(r)
		}
	}
	flush()
	return all
}

// audible tells whether an engine has something to say for a text.
func audible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) || strings.ContainsRune("%&@#", r)
	})
}

// digitsOf are the digits that a numeral stands for, as '0' to '9': full-width,
// circled and Arabic-Indic ones, too. "" for what is none.
func digitsOf(r rune) string {
	if n, ok := circled(r); ok {
		return strconv.Itoa(n)
	}
	digits := ""
	for _, r := range norm.NFKC.String(string(r)) {
		value, ok := decimal(r)
		switch {
		case ok:
			digits += string('0' + value)
		case !unicode.IsPunct(r): // brackets and stops surround enclosed numbers
			return ""
		}
	}
	return digits
}

// circled is the number of a black or double circle, of which NFKC knows nothing.
func circled(r rune) (n int, ok bool) {
	for _, in := range []struct {
		first, last rune
		n           int // of the first
	}{
		{'\u24eb', '\u24f4', 11}, {'\u24f5', '\u24fe', 1}, {'\u24ff', '\u24ff', 0},
		{'\u2776', '\u277f', 1}, {'\u2780', '\u2789', 1}, {'\u278a', '\u2793', 1},
		{'\U0001f10b', '\U0001f10b', 0}, {'\U0001f10c', '\U0001f10c', 0},
	} {
		if r >= in.first && r <= in.last {
			return in.n + int(r-in.first), true
		}
	}
	return 0, false
}

// decimal is the value of a decimal digit (Unicode category Nd, whose ranges all
// begin with a zero and go by tens).
func decimal(r rune) (rune, bool) {
	if r >= '0' && r <= '9' {
		return r - '0', true
	}
	for _, in := range unicode.Nd.R16 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return (r - rune(in.Lo)) % 10, true
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return (r - rune(in.Lo)) % 10, true
		}
	}
	return 0, false
}

// joiner puts units one after the other, at every rate that is kept.
type joiner struct {
	rate       int
	line, wide []int16
}

func (j *joiner) add(u *unit) {
	j.line = append(j.line, u.clip.Samples()...)
	j.wide = append(j.wide, u.wide...)
}

func (j *joiner) rest(d time.Duration) {
	j.line = append(j.line, audio.Silence(d)...)
	if j.rate == wideRate {
		j.wide = append(j.wide, make([]int16, samplesIn(d, wideRate))...)
	}
}

func (j *joiner) unit() *unit { return &unit{clip: audio.NewClip(j.line), wide: j.wide} }
