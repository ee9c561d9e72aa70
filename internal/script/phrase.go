package script

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// digit is one digit as this language says it.
func (l *lexicon) digit(d byte, plain bool) Part {
	words := l.carried[d-'0']
	if plain {
		words = l.Digits[d-'0']
	}
	return Part{Kind: KindDigit, Section: SectionReadout, Lang: l.Tag, Words: words, Digit: d}
}

// menuWords is the prompt with its two keys, named by their digit words.
func (l *lexicon) menuWords() string {
	return fill(l.Phrases["menu"], map[string]string{
		"again":  l.key(KeyAgain),
		"report": l.key(KeyReport),
	})
}

// menu is the prompt that offers keys.
func (l *lexicon) menu() Part {
	return Part{
		Kind: KindMenu, Section: SectionMenu, Lang: l.Tag, Phrase: l.named("menu"),
		Words: l.offer, After: l.Marks.Space, Again: KeyAgain, Report: KeyReport,
	}
}

// key is the name of a key of the phone.
func (l *lexicon) key(d byte) string {
	if w := l.Keys[int(d-'0')]; w != "" {
		return w
	}
	return l.Digits[d-'0']
}

// named is the name under which a voice has recorded a phrase; a template's
// words have none, or ours would be heard in their place.
func (l *lexicon) named(name string) string {
	if l.custom[name] {
		return ""
	}
	return name
}

// split cuts a phrase at its variables, and adds the pieces to parts. Space and punctuation between a
// variable and the words beside it become After of the part before them, so a
// part never consists of punctuation alone.
func (l *lexicon) split(all []Part, name string, vars map[string]Part) []Part {
	begin, pieces := len(all), 0
	for rest := l.Phrases[name]; rest != ""; {
		literal, tail, found := strings.Cut(rest, "{")
		rest = ""
		core := literal
		if len(all) > begin {
			core = strings.TrimLeftFunc(literal, func(r rune) bool { return !speakable(r) })
			last := &all[len(all)-1]
			last.After = joined(last.Words, literal[:len(literal)-len(core)])
		}
		if words := strings.TrimRightFunc(core, unicode.IsSpace); words != "" {
			pieces++
			all = append(all, Part{Kind: KindSay, Phrase: piece(name, pieces), Words: words, After: core[len(words):]})
		}
		if found {
			var v string
			v, rest, _ = strings.Cut(tail, "}")
			all = append(all, vars[v])
		}
	}
	parts := all[begin:]
	for i := range parts {
		parts[i].Lang = l.Tag
	}
	if len(parts) == 1 {
		parts[0].Phrase = name
	}
	if l.custom[name] {
		for i := range parts {
			parts[i].Phrase = ""
		}
	}
	parts[len(parts)-1].After += l.Marks.Space
	return all
}

// piece names the n-th piece of a phrase that is cut.
func piece(name string, n int) string { return name + "." + strconv.Itoa(n) }

// joined is the punctuation after words, less a full stop that would double
// theirs ("Acme Inc.").
func joined(words, after string) string {
	last, _ := utf8.DecodeLastRuneInString(words)
	first, size := utf8.DecodeRuneInString(after)
	if isSentenceEnd(last) && isSentenceEnd(first) {
		return after[size:]
	}
	return after
}

// Aside is something short that is said instead of the rest of a script.
type Aside string

// The asides.
const (
	AsideCanceled   Aside = "canceled"    // the verification ended while the call was up
	AsideGateMissed Aside = "gate_missed" // the gate was not passed
	AsideReported   Aside = "reported"    // the person did not ask for this call
)

// ComposeAside makes the script of one short phrase with its good-bye.
func ComposeAside(lang string, a Aside) (Script, error) {
	tag, err := Match(lang)
	if err != nil {
		return Script{}, fmt.Errorf("compose aside: %w", err)
	}
	switch a {
	case AsideCanceled, AsideGateMissed, AsideReported:
	default:
		return Script{}, errors.New("compose aside: unknown aside")
	}
	parts := catalog()[tag].split(nil, string(a), nil)
	for i := range parts {
		parts[i].Section = SectionBye
	}
	return Script{Lang: tag, Parts: parts}, nil
}

// gate is the prompt of a gate.
func (l *lexicon) gate(g Gate) Part {
	name := "gate_" + string(g)
	return Part{
		Kind: KindGate, Section: SectionGate, Lang: l.Tag, Phrase: l.named(name),
		Words: l.Phrases[name], After: l.Marks.Space, Gate: g,
	}
}

// Units are the parts of a language that a voice must have recorded to say any
// script but brands, amounts, payees and free text: every phrase or piece of
// one, the prompts, and the ten digits, behind the carrier word and plain. The
// order is fixed; Section and Readout are not set.
func Units(lang string) ([]Part, error) {
	tag, err := Match(lang)
	if err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	l := catalog()[tag]
	var units []Part
	for _, name := range slices.Sorted(maps.Keys(l.Phrases)) {
		if name == "menu" || strings.HasPrefix(name, "gate_any") || strings.HasPrefix(name, "gate_screen") {
			continue
		}
		for _, p := range l.split(nil, name, nil) {
			if p.Kind == KindSay {
				units = append(units, p)
			}
		}
	}
	units = append(units, l.gate(GateAnyKey), l.gate(GateScreenDigits), l.menu())
	for d := byte('0'); d <= '9'; d++ {
		units = append(units, l.digit(d, true))
		if l.Carrier != "" {
			units = append(units, l.digit(d, false))
		}
	}
	for i := range units {
		units[i].Section = 0
	}
	return units, nil
}
