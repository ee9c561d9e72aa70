package script

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/pincall/pincall/internal/secret"
)

// Message is what is to be told. The zero value of every field but Lang and
// Code is a working default.
type Message struct {
	Lang  string // BCP 47; see Match
	Brand string // who calls; empty: the greeting names no one
	Code  secret.Code

	Gate Gate // empty: GateNone
	Menu bool // offer to replay and to report; only where keys can be taken

	Amount *Money // what is paid, spoken before the code; nil: no payment
	Payee  string // who is paid; empty: not named

	PlainDigits bool          // say "nine", not "number nine"
	Longest     time.Duration // the call's cap; zero: 120 s
	Valid       time.Duration // how long the code counts, for SMS; zero: 10 minutes

	Domain   string    // the host a text message's code is for; see CheckDomain; empty: any
	Template *Template // the tenant's own words, used if they are of this language; nil: ours
}

const (
	defaultLongest = 120 * time.Second
	defaultValid   = 10 * time.Minute
)

// Errors of Compose that a caller may want to tell apart.
var (
	ErrNoCode  = errors.New("the message has no code")
	ErrTooLong = errors.New("two readouts do not fit the longest call")
	ErrName    = errors.New("a brand or payee sounds like a code")
)

// Compose makes the default script: silence, greeting, amount and payee, gate,
// warning, the code two or three times, menu, good-bye. The third readout, and
// the menu with its replay, are there only if they fit m.Longest; if two
// readouts do not fit, the error is ErrTooLong.
func Compose(m Message) (Script, error) {
	c, err := newComposer(m)
	if err != nil {
		return Script{}, fmt.Errorf("compose script: %w", err)
	}
	longest := m.Longest
	if longest == 0 {
		longest = defaultLongest
	}
	// In order of preference: the menu can report abuse and replay the code, so
	// it is worth more than a third readout.
	for _, try := range []struct {
		readouts int
		menu     bool
	}{{3, true}, {2, true}, {3, false}, {2, false}} {
		if try.menu && !m.Menu {
			continue
		}
		s := c.script(try.readouts, try.menu)
		need := s.Duration()
		if try.menu {
			need += s.readoutDuration(1)
		}
		if need <= longest {
			return s, nil
		}
	}
	return Script{}, fmt.Errorf("compose script: %w", ErrTooLong)
}

// composer holds a message that was checked: its gate is named, its brand and
// payee are normalised, and digits are those of its code.
type composer struct {
	lex    *lexicon
	m      Message
	digits string
}

func newComposer(m Message) (*composer, error) {
	tag, err := Match(m.Lang)
	if err != nil {
		return nil, err
	}
	if m.Code.IsZero() {
		return nil, ErrNoCode
	}
	if m.Gate == "" {
		m.Gate = GateNone
	}
	if _, err := ParseGate(string(m.Gate)); err != nil {
		return nil, err
	}
	if m.Amount != nil {
		if err := m.Amount.check(); err != nil {
			return nil, err
		}
	}
	if m.Domain != "" {
		if err := CheckDomain(m.Domain); err != nil {
			return nil, err
		}
	}
	lex, err := catalog()[tag].with(m.Template)
	if err != nil {
		return nil, err
	}
	c := &composer{lex: lex, m: m, digits: m.Code.Reveal()}
	c.m.Brand, c.m.Payee = NormalizePayee(m.Brand), NormalizePayee(m.Payee)
	return c, c.checkNames()
}

// checkNames refuses names by the rules of CheckBrand, and those that a
// listener would write down as a code.
func (c *composer) checkNames() error {
	if c.m.Brand != "" {
		if err := CheckBrand(c.m.Brand); err != nil {
			return err
		}
	}
	if c.m.Payee != "" {
		if err := CheckPayee(c.m.Payee); err != nil {
			return err
		}
	}
	for _, name := range []string{c.m.Brand, c.m.Payee} {
		for _, r := range c.lex.listen(name) {
			if len(r.digits) >= shortest {
				return ErrName
			}
		}
	}
	return nil
}

// usualParts is about how many parts a script has beside its readouts.
const usualParts = 12

// script lays out the parts.
func (c *composer) script(readouts int, menu bool) Script {
	parts := append(make([]Part, 0, usualParts+readouts*(2*len(c.digits)+3)), c.silence(SectionIntro, time.Second))
	parts = c.intro(parts)
	if c.m.Gate != GateNone {
		parts = append(parts, c.lex.gate(c.m.Gate), c.silence(SectionWarning, 500*time.Millisecond))
	}
	parts = c.say(parts, SectionWarning, "warning", nil)
	parts = append(parts, c.silence(SectionWarning, 300*time.Millisecond))
	for n := 1; n <= readouts; n++ {
		parts = c.readout(parts, n)
	}
	if menu {
		parts = append(parts, c.lex.menu())
	}
	return Script{Lang: c.lex.Tag, Parts: c.say(parts, SectionBye, "bye", nil)}
}

// intro says who calls and, where something is paid, what and to whom.
func (c *composer) intro(parts []Part) []Part {
	var vars map[string]Part
	if c.m.Brand != "" || c.m.payment() != "" {
		vars = map[string]Part{
			"brand": {Kind: KindBrand, Words: c.m.Brand},
			"payee": {Kind: KindPayee, Words: c.m.Payee},
		}
	}
	greeting := "greeting"
	if c.m.Brand == "" {
		greeting = "greeting_plain"
	}
	parts = c.say(parts, SectionIntro, greeting, vars)
	if c.m.Amount != nil {
		vars["amount"] = Part{Kind: KindAmount, Words: c.lex.spoken(*c.m.Amount)}
	}
	if name := c.m.payment(); name != "" {
		parts = c.say(parts, SectionIntro, name, vars)
	}
	return append(parts, c.silence(SectionIntro, 300*time.Millisecond))
}

// payment is the name of the phrase for what the message tells of a payment.
func (m Message) payment() string {
	switch {
	case m.Amount != nil && m.Payee != "":
		return "payment"
	case m.Amount != nil:
		return "payment_amount"
	case m.Payee != "":
		return "payment_payee"
	}
	return ""
}

// readout reads the code for the n-th time: its introduction, a silence, and
// the digits with silences between them.
func (c *composer) readout(parts []Part, n int) []Part {
	begin := len(parts)
	parts = c.say(parts, SectionReadout, readoutPhrase(n), nil)
	parts = append(parts, c.silence(SectionReadout, beforeDigits(n)))
	for i := range len(c.digits) {
		parts = append(parts, c.lex.digit(c.digits[i], c.m.PlainDigits))
		if i+1 < len(c.digits) {
			parts = append(parts, c.silence(SectionReadout, gap(n, i+1, len(c.digits))))
		}
	}
	parts = append(parts, c.silence(SectionReadout, 500*time.Millisecond))
	for i := range parts[begin:] {
		parts[begin+i].Readout = n
	}
	return parts
}

// readoutPhrase is what introduces the n-th readout.
func readoutPhrase(n int) string {
	switch n {
	case 1:
		return "code"
	case 2:
		return "repeat"
	}
	return "once_more"
}

// beforeDigits is the silence before the first digit of the n-th readout.
func beforeDigits(n int) time.Duration {
	if n == 1 {
		return 700 * time.Millisecond
	}
	return 400 * time.Millisecond
}

// gap is the silence after the i-th of total digits in the n-th readout. The
// readouts differ, because a fault that depends on timing (a burst of loss, a
// voice activity detector) would otherwise hit the same digit each time: the
// first goes by threes, the second is slow and even, the third goes by pairs.
// Between 300 and 700 ms the length makes no difference to what is heard; these
// let both readouts of six digits end some 26 s after the answer.
func gap(n, i, total int) time.Duration {
	base, group := 300*time.Millisecond, 3
	switch n {
	case 2:
		return 400 * time.Millisecond
	case 3:
		base, group = 300*time.Millisecond, 2
	}
	// A group takes in a digit that would be left alone at the end.
	if total > shortest+1 || n == 3 {
		if i%group == 0 && total-i >= 2 {
			return base + 300*time.Millisecond
		}
	}
	return base
}

func (c *composer) silence(s Section, d time.Duration) Part {
	return Part{Kind: KindSilence, Section: s, Lang: c.lex.Tag, Silence: d}
}

// say splits a phrase at its variables into parts, which it adds.
func (c *composer) say(parts []Part, s Section, name string, vars map[string]Part) []Part {
	begin := len(parts)
	parts = c.lex.split(parts, name, vars)
	for i := range parts[begin:] {
		parts[begin+i].Section = s
	}
	return parts
}

// maxText is the longest announcement, in letters.
const maxText = 1500

// ComposeText makes the script of an announcement: a silence, and the text as
// it is. It refuses an empty text, one of more than 1500 letters and one with
// control characters; line breaks and tabs become spaces.
func ComposeText(lang, text string) (Script, error) {
	tag, err := Match(lang)
	if err != nil {
		return Script{}, fmt.Errorf("compose text: %w", err)
	}
	if !utf8.ValidString(text) {
		return Script{}, errors.New("compose text: want valid UTF-8")
	}
	text = strings.Join(strings.Fields(norm.NFC.String(text)), " ")
	switch {
	case !strings.ContainsFunc(text, speakable):
		return Script{}, errors.New("compose text: want at least one letter or digit")
	case utf8.RuneCountInString(text) > maxText:
		return Script{}, fmt.Errorf("compose text: want at most %d letters", maxText)
	case strings.ContainsFunc(text, unicode.IsControl):
		return Script{}, errors.New("compose text: want no control characters")
	}
	return Script{Lang: tag, Parts: []Part{
		{Kind: KindSilence, Section: SectionIntro, Lang: tag, Silence: time.Second},
		{Kind: KindText, Section: SectionIntro, Lang: tag, Words: text},
	}}, nil
}
