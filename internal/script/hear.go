package script

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// shortest is the shortest code: fewer digits in a row are words of a sentence
// ("press one") or of a name.
const shortest = 4

// ReadBack listens to a plain text as a person would and writes down every
// readout of an n-digit code, in order. Digits are the language's digit words,
// or single numerals, alone or behind the carrier word, with nothing but
// punctuation and space between them. It is an error if there is no readout, or
// if one has another length; the error holds no digits.
func ReadBack(text, lang string, n int) ([]string, error) {
	tag, err := Match(lang)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	var all []string
	for _, r := range catalog()[tag].listen(text) {
		switch {
		case len(r.digits) == n:
			all = append(all, r.digits)
		case len(r.digits) >= shortest:
			return nil, fmt.Errorf("read back: a readout of %d digits, want %d", len(r.digits), n)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("read back: no readout of the code")
	}
	return all, nil
}

// token is a run of letters and digits in a text.
type token struct {
	word       string // folded: see fold
	start, end int    // bytes
}

// fold makes words comparable: compatibility forms (full-width letters and
// numerals) and case do not count.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// tokens cuts a text into words. An apostrophe between letters is part of one.
func tokens(text string) []token {
	var all []token
	start := -1
	for i, r := range text + " " {
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		case start >= 0 && isApostrophe(r) && letterAt(text, i+len(string(r))):
		case start >= 0:
			all = append(all, token{fold(text[start:i]), start, i})
			start = -1
		}
	}
	return all
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' || r == 'ʼ' }

func letterAt(text string, i int) bool {
	for _, r := range text[i:] {
		return unicode.IsLetter(r)
	}
	return false
}

// heard is a run of digits with nothing but punctuation and space between them.
type heard struct {
	digits     string
	start, end int  // bytes, the carrier word of the first digit included
	noPause    bool // two of the digits have no mark between them
	noSpace    bool // a digit or its carrier word sticks to the mark before it
}

// listen finds the runs of digits in a text, in order. A word that is neither a
// digit nor a carrier word before one ends a run: "seven. I repeat. Seven" is
// two runs. A carrier word belongs to the digit behind it, so a sentence may use
// the word itself ("this number").
func (l *lexicon) listen(text string) []heard {
	var runs []heard
	toks := tokens(text)
	open := false
	for i := 0; i < len(toks); i++ {
		from := toks[i]
		if l.carrier != "" && from.word == l.carrier && i+1 < len(toks) && l.digitOf(toks[i+1].word) != 0 {
			i++
		}
		d := l.digitOf(toks[i].word)
		if d == 0 {
			open = false
			continue
		}
		if !open {
			runs = append(runs, heard{start: from.start, noSpace: l.sticks(text[:from.start])})
			open = true
		}
		r := &runs[len(runs)-1]
		if r.digits != "" {
			gap := text[r.end:from.start]
			r.noPause = r.noPause || !strings.ContainsFunc(gap, isPauseMark)
			r.noSpace = r.noSpace || l.sticks(gap)
		}
		r.digits += string(rune(d))
		r.end = toks[i].end
	}
	return runs
}

// digitOf is the digit that a folded word stands for, or 0. One numeral alone is
// a digit, because every engine reads it so; two together are a number.
func (l *lexicon) digitOf(word string) byte {
	if d, ok := l.hear[word]; ok {
		return d
	}
	if len(word) == 1 && word[0] >= '0' && word[0] <= '9' {
		return word[0]
	}
	return 0
}

// sticks tells whether the text before a word ends without the space that the
// language puts there. Brackets and quotes may stand between.
func (l *lexicon) sticks(before string) bool {
	if l.Marks.Space == "" {
		return false
	}
	before = strings.TrimRightFunc(before, func(r rune) bool {
		return unicode.In(r, unicode.Ps, unicode.Pi) || r == '"'
	})
	return before != "" && strings.TrimRightFunc(before, unicode.IsSpace) == before
}

// glued tells whether a word consists of two digit words or more, or of several
// numerals, or ends in the carrier word without being it.
func (l *lexicon) glued(word string) bool {
	if numerals(word) > 1 {
		return true
	}
	if c := l.carrier; c != "" && word != c && strings.HasSuffix(word, c) {
		return true
	}
	return l.hear[word] == 0 && word != l.carrier && l.onlyDigits(word)
}

// numerals counts the decimal digits of a word.
func numerals(word string) int {
	n := 0
	for _, r := range word {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// onlyDigits tells whether a word is digit words, or carrier words and digit
// words, written together.
func (l *lexicon) onlyDigits(word string) bool {
	if word == "" {
		return true
	}
	if c := l.carrier; c != "" && strings.HasPrefix(word, c) && l.onlyDigits(word[len(c):]) {
		return true
	}
	for w := range l.hear {
		if strings.HasPrefix(word, w) && l.onlyDigits(word[len(w):]) {
			return true
		}
	}
	return false
}
