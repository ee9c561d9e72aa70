package script

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/pincall/pincall/internal/secret"
)

// Problem is why a script or a text is refused. Neither field holds a digit of
// the code.
type Problem struct {
	Place  string // where: "part 7", "readout 2", "text"
	Reason string // what is wrong, for the person who wrote it
}

// String is "place: reason".
func (p Problem) String() string { return p.Place + ": " + p.Reason }

// Reasons that both linters give.
const (
	tooFew      = "the code must be read at least twice"
	noWarning   = "the warning not to share the code must come before the code"
	noPause     = "a pause must stand before the first digit"
	together    = "two digits of the code stand together"
	sticking    = "a space is missing before a digit"
	differs     = "a readout is not the code"
	wrongSpeech = "the words are not in this language"
)

// minPause is the shortest silence that sets the code off from the words before.
const minPause = 500 * time.Millisecond

// commonWanted is how many of its common words a text of a language has at least.
const commonWanted = 2

// Lint judges a script, and its renderings as text, SSML and TwiML. No problem
// means that a person has a fair chance to hear the code, and was warned
// before. A script of announcements has no code and is judged by its words only.
func Lint(s Script) []Problem {
	if l := catalog()[s.Lang]; l == nil {
		return []Problem{{"language", "is not known"}}
	}
	found := lintParts(s)
	if isAnnouncement(s) {
		return found
	}
	digits, more := lintReadouts(s)
	found = append(found, more...)
	found = append(found, lintOrder(s)...)
	if len(digits) < shortest {
		return found
	}
	spoken := s.AfterGate()
	for _, r := range []struct{ place, text string }{
		{"text", s.Text()}, {"ssml", s.SSML()}, {"twiml", spoken.TwiML()},
	} {
		if r.place != "text" {
			plain, err := content(r.text)
			if err != nil {
				found = append(found, Problem{r.place, "is not well-formed"})
				continue
			}
			r.text = plain
		}
		for _, p := range catalog()[s.Lang].judge(r.text, digits) {
			p.Place = r.place
			found = append(found, p)
		}
	}
	return found
}

func isAnnouncement(s Script) bool {
	text := false
	for _, p := range s.Parts {
		if p.Kind == KindDigit {
			return false
		}
		text = text || p.Kind == KindText
	}
	return text
}

// lintParts wants words in every part that speaks, and the language's own word
// for every digit.
func lintParts(s Script) []Problem {
	l := catalog()[s.Lang]
	var found []Problem
	for i, p := range s.Parts {
		place := fmt.Sprintf("part %d", i+1)
		switch {
		case p.Kind == KindSilence:
			continue
		case strings.TrimSpace(p.Words) == "":
			found = append(found, Problem{place, "misses its words"})
		case p.Kind == KindDigit && !l.says(p):
			found = append(found, Problem{place, "is not this language's word for the digit"})
		}
		if p.Kind == KindDigit && i > 0 && s.Parts[i-1].Kind == KindDigit {
			found = append(found, Problem{place, together})
		}
	}
	return found
}

// says tells whether the words of a digit part are the digit's.
func (l *lexicon) says(p Part) bool {
	if p.Digit < '0' || p.Digit > '9' {
		return false
	}
	return p.Words == l.digit(p.Digit, true).Words || p.Words == l.digit(p.Digit, false).Words
}

// lintReadouts wants two readouts or more, all of the same code, which it returns.
// Readouts are told apart by Part.Readout, so digits of a template that sets none
// count as one.
func lintReadouts(s Script) (string, []Problem) {
	read := map[int]string{}
	for _, p := range s.Parts {
		if p.Kind == KindDigit {
			read[p.Readout] += string(rune(p.Digit))
		}
	}
	var found []Problem
	if len(read) < 2 {
		found = append(found, Problem{"script", tooFew})
	}
	first := ""
	for _, p := range s.Parts {
		if p.Kind == KindDigit {
			first = read[p.Readout]
			break
		}
	}
	for n := range 10 {
		if digits, ok := read[n]; ok && digits != first {
			found = append(found, Problem{fmt.Sprintf("readout %d", n), differs})
		}
	}
	return first, found
}

// lintOrder wants warning and gate before the first digit, and a silence right
// before it.
func lintOrder(s Script) []Problem {
	var found []Problem
	warned, read := false, false
	for i, p := range s.Parts {
		place := fmt.Sprintf("part %d", i+1)
		switch {
		case p.Section == SectionWarning && p.Words != "":
			warned = true
		case p.Kind == KindGate && read:
			found = append(found, Problem{place, "the gate must come before the code"})
		case p.Kind == KindDigit && !read:
			read = true
			if !warned {
				found = append(found, Problem{place, noWarning})
			}
			if i == 0 || s.Parts[i-1].Kind != KindSilence || s.Parts[i-1].Silence < minPause {
				found = append(found, Problem{place, noPause})
			}
		}
	}
	return found
}

// LintText judges a finished message as a text-to-speech carrier gets it: in
// the right language, the warning before the code, a pause before the first
// digit, the code read at least twice, and never two of its digits together.
func LintText(text, lang string, code secret.Code) []Problem {
	tag, err := Match(lang)
	if err != nil {
		return []Problem{{"language", "is not known"}}
	}
	if code.IsZero() {
		return []Problem{{"code", "is missing"}}
	}
	return catalog()[tag].judge(text, code.Reveal())
}

// judge is LintText for digits. What stands before the warning belongs to the
// sender (a brand may be called Seven Nine, an amount may have numerals), so only
// runs as long as a code are judged there; behind it every word is.
func (l *lexicon) judge(text, digits string) []Problem {
	var found []Problem
	add := func(place, reason string) { found = append(found, Problem{place, reason}) }
	if !l.isSpokenIn(text) {
		add("language", wrongSpeech)
	}
	warned := l.warnedAt(text)
	first, times := -1, 0
	for i, r := range l.listen(text) {
		place := fmt.Sprintf("run of digits %d", i+1)
		code := len(r.digits) >= shortest
		switch {
		case r.digits == digits:
			times++
		case code && r.start > warned:
			add(place, differs)
		}
		if code && first < 0 {
			first = r.start
		}
		if (code || len(r.digits) > 1 && warned >= 0 && r.start > warned) && r.noPause {
			add(place, together)
		}
		if code && r.noSpace {
			add(place, sticking)
		}
	}
	if times < 2 {
		add("code", tooFew)
	}
	if first >= 0 && (warned < 0 || warned > first) {
		add("warning", noWarning)
	}
	if first >= 0 && !pauses(text[:first]) {
		add("code", noPause)
	}
	return append(found, l.lintTokens(text, digits, warned)...)
}

// lintTokens refuses the code as a numeral anywhere, and behind the warning
// every word in which digits are written together.
func (l *lexicon) lintTokens(text, digits string, warned int) []Problem {
	var found []Problem
	for _, t := range tokens(text) {
		switch {
		case strings.Contains(t.word, digits):
			found = append(found, Problem{"code", "is written as a numeral"})
		case t.start > warned && warned >= 0 && l.glued(t.word):
			found = append(found, Problem{"code", together + " or a word sticks to another"})
		}
	}
	return found
}

// isSpokenIn tells whether enough of the language's common words are there.
// Languages written without spaces are searched, others compared by word.
func (l *lexicon) isSpokenIn(text string) bool {
	words := map[string]bool{}
	for _, t := range tokens(text) {
		words[t.word] = true
	}
	n := 0
	for _, w := range l.Listen.Common {
		if words[w] || l.Marks.Space == "" && strings.Contains(text, w) {
			n++
		}
	}
	return n >= commonWanted
}

// warnedAt is where the warning begins, in bytes, or -1.
func (l *lexicon) warnedAt(text string) int {
	at := -1
	lower := strings.ToLower(text)
	for _, w := range l.Listen.Warnings {
		for _, w := range []string{w, strings.ReplaceAll(w, "'", "’")} {
			if i := strings.Index(lower, w); i >= 0 && (at < 0 || i < at) {
				at = i
			}
		}
	}
	return at
}

// pauses tells whether a text ends in a pause: an ellipsis, or two marks, or a
// line of its own. One comma or stop is too short to fetch a pencil.
func pauses(before string) bool {
	n := 0
	tail := before[len(strings.TrimRightFunc(before, func(r rune) bool { return isPauseMark(r) || unicode.IsSpace(r) })):]
	for _, r := range tail {
		switch {
		case r == '…' || r == '\n':
			return true
		case isPauseMark(r):
			n++
		}
	}
	return n >= 2
}

// content is the character data of an XML document. A closed sentence stays one:
// elements become spaces.
func content(doc string) (string, error) {
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		t, err := d.Token()
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			if t.Name.Local == "Say" {
				b.WriteByte(' ')
			}
		}
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", fmt.Errorf("read markup: %w", err)
		}
	}
}
