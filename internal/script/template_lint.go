package script

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pincall/pincall/internal/secret"
)

// The longest phrase and the longest text message of a template, in letters.
const (
	maxPhrase = 200
	maxSMS    = 300
)

// LintTemplate judges a template: each phrase and the text message by itself,
// and then scripts composed with it, for several codes, gates and payments, by
// [Lint]. Place is the phrase's key, "sms", or the place in a composed script.
// Letters that mean something in markup are no problem: renderers escape them.
func LintTemplate(t Template) []Problem {
	l := catalog()[t.Lang]
	if l == nil {
		return []Problem{{"lang", "is not known"}}
	}
	if found := l.lintWords(t); len(found) > 0 {
		return found // Compose would refuse it
	}
	return lintComposed(t)
}

// lintWords judges what can be told without composing; Compose does so too.
func (l *lexicon) lintWords(t Template) []Problem {
	var found []Problem
	for _, name := range slices.Sorted(maps.Keys(t.Phrases)) {
		vars, ok := templateVars()[name]
		if !ok {
			found = append(found, Problem{name, "is not known"})
			continue
		}
		text := single(t.Phrases[name])
		limits := textLimits{letters: maxPhrase, once: vars, known: vars}
		for _, reason := range l.lintPhrase(text, limits) {
			found = append(found, Problem{name, reason})
		}
		if name == "warning" && l.warnedAt(text) < 0 {
			found = append(found, Problem{name, "must say not to share the code: " + strings.Join(l.Listen.Warnings, " / ")})
		}
	}
	if t.SMS != "" {
		limits := textLimits{letters: maxSMS, lines: true, once: []string{"code"}, known: []string{"code", "brand", "minutes"}}
		for _, reason := range l.lintPhrase(single(t.SMS), limits) {
			found = append(found, Problem{"sms", reason})
		}
	}
	return found
}

// textLimits is what a text may hold.
type textLimits struct {
	letters int
	lines   bool     // line breaks are allowed
	once    []string // placeholders that must be there once
	known   []string // all placeholders
}

// lintPhrase gives the reasons to refuse a text.
func (l *lexicon) lintPhrase(text string, limits textLimits) []string {
	var reasons []string
	check := func(bad bool, reason string) {
		if bad {
			reasons = append(reasons, reason)
		}
	}
	check(!utf8.ValidString(text), "is not UTF-8")
	check(utf8.RuneCountInString(text) > limits.letters, fmt.Sprintf("is longer than %d letters", limits.letters))
	rest := text
	for _, v := range limits.once {
		check(strings.Count(text, "{"+v+"}") != 1, "wants {"+v+"} once")
	}
	for _, v := range limits.known {
		rest = strings.ReplaceAll(rest, "{"+v+"}", " ")
	}
	check(strings.Contains(rest, "{code}"), "must not hold the code: it is read by itself, after the warning")
	check(strings.ContainsAny(strings.ReplaceAll(rest, "{code}", ""), "{}"), "has an unknown placeholder or a lone brace")
	check(len(limits.known) == 0 && !strings.ContainsFunc(rest, speakable), "misses its words")
	check(strings.ContainsFunc(rest, func(r rune) bool {
		return unprintable(r) && !(limits.lines && r == '\n')
	}), "has a control character")
	check(hasURL(splitSentences(rest)), "has a web address")
	check(hasPhone(rest), "has a phone number")
	check(l.hasCode(rest), "has digits that may pass for a code")
	return reasons
}

// hasCode tells whether a listener or reader would take part of a text for a
// code: as many digits or digit words in a row as the shortest one has.
func (l *lexicon) hasCode(text string) bool {
	for _, r := range l.listen(text) {
		if len(r.digits) >= shortest {
			return true
		}
	}
	run := 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			if run++; run >= shortest {
				return true
			}
		case unicode.IsLetter(r):
			run = 0
		}
	}
	return false
}

// splitSentences puts a space behind each ideographic full stop that ends a
// sentence; between two ASCII letters it may be the dot of a domain.
func splitSentences(text string) string {
	r := []rune(text)
	for i := range r {
		if r[i] == '。' && (i == 0 || i+1 == len(r) || r[i-1] > unicode.MaxASCII || r[i+1] > unicode.MaxASCII) {
			r[i] = ' '
		}
	}
	return string(r)
}

// lintComposed composes scripts with a template and judges them. The longest
// code, names and payment must fit the default cap.
func lintComposed(t Template) []Problem {
	var found []Problem
	add := func(p Problem) {
		if !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	for _, digits := range []string{"0000", "9729", "111111", "482913", "0123456789"} {
		code, err := secret.ParseCode(digits)
		if err != nil {
			panic(fmt.Sprintf("script: lint template: %v", err)) // the codes stand above
		}
		for _, m := range sampleMessages() {
			m.Lang, m.Code, m.Template = t.Lang, code, &t
			s, err := Compose(m)
			switch {
			case errors.Is(err, ErrTooLong):
				add(Problem{"script", fmt.Sprintf("two readouts of a code of %d digits do not fit %d s", len(digits), defaultLongest/time.Second)})
				continue
			case err != nil:
				add(Problem{"script", "cannot be composed"})
				continue
			}
			for _, p := range Lint(s) {
				add(Problem{"script, " + p.Place, p.Reason})
			}
		}
	}
	return found
}

// sampleMessages use every phrase of a template once at least.
func sampleMessages() []Message {
	const name = "Abracadabra Books and Records of Utopia" // about as long as a name can be
	amount := &Money{Minor: 99_999_900, Currency: "EUR"}
	return []Message{
		{Brand: name, Amount: amount, Payee: name, Gate: GateAnyKey, Menu: true},
		{Brand: "Acme", Payee: "Book Shop", Gate: GateScreenDigits},
		{Amount: amount, Menu: true},
	}
}
