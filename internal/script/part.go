package script

import (
	"errors"
	"time"
	"unicode"
)

// Kind tells what a part is; it decides which fields of a [Part] are set. The zero
// value is none. (A script has dozens of parts, of which each call makes new ones:
// they are small.)
type Kind uint8

// The kinds of parts.
const (
	KindSay     Kind = iota + 1 // a phrase of the language, or a piece of one
	KindBrand                   // the tenant's name
	KindAmount                  // an amount of money, in words
	KindPayee                   // who is paid
	KindDigit                   // one digit of the code
	KindSilence                 // nothing, for a while
	KindGate                    // a prompt; nothing further is said before the right keys
	KindMenu                    // a prompt; keys are welcome and not required
	KindText                    // an announcement's free text
)

var kinds = [...]string{"", "say", "brand", "amount", "payee", "digit", "silence", "gate", "menu", "text"}

// String names the kind.
func (k Kind) String() string { return kinds[k] }

// Section tells which step of the call a part belongs to. A replay says the
// parts of one readout again and nothing else. The zero value is none.
type Section uint8

// The sections, in the order they are said.
const (
	SectionIntro   Section = iota + 1 // who calls, and why; amount and payee
	SectionGate                       // the prompt for the gate's keys
	SectionWarning                    // do not share this code
	SectionReadout                    // the code, once; Part.Readout counts from 1
	SectionMenu                       // again, or report
	SectionBye                        // thanks and good-bye; also every aside
)

var sections = [...]string{"", "intro", "gate", "warning", "readout", "menu", "bye"}

// String names the section.
func (s Section) String() string { return sections[s] }

// Gate is what must be keyed before the code is read.
type Gate string

// The gates.
const (
	GateNone         Gate = "none"          // the code is read at once
	GateAnyKey       Gate = "any_key"       // one key, whichever
	GateScreenDigits Gate = "screen_digits" // the two digits the person's screen shows
)

// The keys of the menu.
const (
	KeyAgain  = '1' // hear the code again
	KeyReport = '9' // I did not ask for this call
)

// ParseGate reads a gate's name. Its error does not repeat the input.
func ParseGate(s string) (Gate, error) {
	switch g := Gate(s); g {
	case GateNone, GateAnyKey, GateScreenDigits:
		return g, nil
	}
	return "", errors.New("gate: want none, any_key or screen_digits")
}

// keys is how many keys open the gate.
func (g Gate) keys() int {
	switch g {
	case GateAnyKey:
		return 1
	case GateScreenDigits:
		return 2
	}
	return 0
}

// Part is one step of a script. It is data: walk over Script.Parts and look at
// Kind. It masks itself in fmt, slog and JSON wherever it is reached as a value
// or through exported fields. The unexported fields of other structs are out of
// its reach, as fmt prints those without asking: a type that keeps a Script in
// one must mask itself too.
type Part struct {
	Kind    Kind
	Section Section
	Digit   byte   // '0' to '9' for KindDigit, otherwise 0
	Again   byte   // the key that replays, for KindMenu
	Report  byte   // the key that reports, for KindMenu
	Readout int    // 1, 2 or 3 in SectionReadout, otherwise 0
	Lang    string // the language of Words, as Languages names it
	Phrase  string // which phrase of the language file this is; "greeting.1" is a first piece; empty for what is not a phrase

	Words string // what is spoken, as plain text; empty for a silence
	After string // punctuation and space that follow Words in running text; not spoken

	Silence time.Duration // for KindSilence
	Gate    Gate          // for KindGate
}

// What a person is given beyond the words themselves, in estimates.
const (
	gateWait = 8 * time.Second // to find the key after the gate's prompt
	menuWait = 5 * time.Second // to decide after the menu
)

// Duration estimates how long the part lasts: words by the letters and stops of
// their language, a gate or menu with the time a person needs to press a key.
// It errs on the long side; nothing but the cap of a call is decided by it.
func (p Part) Duration() time.Duration {
	switch p.Kind {
	case KindSilence:
		return p.Silence
	case KindGate:
		return speaking(p.Lang, p.Words) + gateWait
	case KindMenu:
		return speaking(p.Lang, p.Words) + menuWait
	default:
		return speaking(p.Lang, p.Words)
	}
}

// speaking estimates the time to say words in a language; one that is not known
// is taken to be as slow as the slowest.
func speaking(lang, words string) time.Duration {
	letter, stop := 150*time.Millisecond, 300*time.Millisecond
	if l := catalog()[lang]; l != nil {
		letter = time.Duration(l.Pace.LetterMS) * time.Millisecond
		stop = time.Duration(l.Pace.StopMS) * time.Millisecond
	}
	var d time.Duration
	for _, r := range words {
		switch {
		case isPauseMark(r):
			d += stop
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSpace(r):
			d += letter
		}
	}
	return d
}
