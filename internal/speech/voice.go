package speech

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// unit is one recording, ready for the line.
type unit struct {
	clip *audio.Clip
	wide []int16 // 16 kHz; nil unless the Speaker keeps it
}

func (u *unit) samples(rate int) []int16 {
	if rate == wideRate && u.wide != nil {
		return u.wide
	}
	return u.clip.Samples()
}

// voice is what can be said in one language without an engine. It never changes.
type voice struct {
	phrases map[string][]*unit // by script.Part.Phrase
	digits  map[form][10][]*unit
	plain   [10]string // the words of the digits without their carrier word
}

// form is how a digit is said; it is also the name of its files.
type form string

// The forms of a digit.
const (
	plainForm   form = "digit"  // "nine"
	carrierForm form = "number" // "number nine", in the languages that have the word
)

// digit is the renditions of a digit part.
func (v *voice) digit(p script.Part) []*unit {
	if p.Digit < '0' || p.Digit > '9' {
		return nil
	}
	return v.digits[v.form(p)][p.Digit-'0']
}

func (v *voice) form(p script.Part) form {
	if p.Words == v.plain[p.Digit-'0'] {
		return plainForm
	}
	return carrierForm
}

// has tells whether the voice can say the phrases and digits of a script, and
// the asides that may end its call.
func (v *voice) has(sc script.Script) bool {
	for _, a := range []script.Aside{script.AsideCanceled, script.AsideGateMissed, script.AsideReported} {
		if len(v.phrases[string(a)]) == 0 {
			return false
		}
	}
	for _, p := range sc.Parts {
		ok := true
		switch {
		case p.Kind == script.KindDigit:
			ok = len(v.digit(p)) > 0
		case p.Kind == script.KindText:
			ok = len(v.digits[plainForm][0]) > 0 // digits come in tens
		case p.Kind != script.KindSilence && !freeWords(p):
			ok = len(v.phrases[p.Phrase]) > 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// language is what is known of one language: where its recordings are, and the
// voice that was made of them.
type language struct {
	tag     string
	names   map[string]script.Part // units by name
	order   []string               // the names, in the order of script.Units
	plain   [10]string
	rate    int
	sources []*source // the best first
	own     bool      // has recordings of the operator

	once  sync.Once
	voice *voice
	err   error

	making singleflight.Group
	made   atomic.Pointer[voice] // with what engines had to add
}

func newLanguage(tag string, rate int) (*language, error) {
	parts, err := script.Units(tag)
	if err != nil {
		return nil, err
	}
	l := &language{tag: tag, names: map[string]script.Part{}, rate: rate}
	for _, p := range parts {
		name := p.Phrase
		if p.Kind == script.KindDigit {
			// The plain form of a digit comes first.
			f := plainForm
			if l.plain[p.Digit-'0'] != "" {
				f = carrierForm
			}
			if f == plainForm {
				l.plain[p.Digit-'0'] = p.Words
			}
			name = f.file(p.Digit)
		}
		l.names[name] = p
		l.order = append(l.order, name)
	}
	return l, nil
}

// file is the name of a digit's files, without rendition and ending.
func (f form) file(digit byte) string { return string(f) + "-" + string(rune(digit)) }

// forms are the forms a language's digits have.
func (l *language) forms() []form {
	if _, ok := l.names[carrierForm.file('0')]; ok {
		return []form{carrierForm, plainForm}
	}
	return []form{plainForm}
}

// complete tells from the names of files alone whether recordings have it all.
func (l *language) complete() bool {
	for name, p := range l.names {
		has := func(s *source) bool { return len(s.files[name]) > 0 }
		if p.Kind == script.KindDigit {
			has = func(s *source) bool { return s.form(l.formOf(name)) != "" }
		}
		if !slices.ContainsFunc(l.sources, has) {
			return false
		}
	}
	return true
}

func (l *language) formOf(name string) form {
	f, _, _ := strings.Cut(name, "-")
	return form(f)
}

// recorded is the voice of the recordings, which may lack units. It reads them
// at its first call.
func (l *language) recorded() (*voice, error) {
	l.once.Do(func() { l.voice, l.err = l.read() })
	return l.voice, l.err
}

// read takes each phrase from the best source that has it, and the ten digits of
// a form all from one: two voices in one code would confuse a listener.
func (l *language) read() (*voice, error) {
	v := &voice{phrases: map[string][]*unit{}, digits: map[form][10][]*unit{}, plain: l.plain}
	for name, p := range l.names {
		if p.Kind == script.KindDigit {
			continue
		}
		for _, s := range l.sources {
			if len(s.files[name]) == 0 {
				continue
			}
			units, err := s.read(name, rest(p.Words), l.rate)
			if err != nil {
				return nil, fmt.Errorf("speech: %s: %w", l.tag, err)
			}
			v.phrases[name] = units
			break
		}
	}
	for _, f := range l.forms() {
		for _, s := range l.sources {
			from := s.form(f)
			if from == "" {
				continue
			}
			ten, err := s.ten(from, l.rate)
			if err != nil {
				return nil, fmt.Errorf("speech: %s: %w", l.tag, err)
			}
			v.digits[f] = ten
			break
		}
	}
	return v, nil
}

// missing are the names of the units that a voice lacks, in the fixed order of
// script.Units. Digits are missing all ten or not at all.
func (l *language) missing(v *voice) []string {
	return slices.DeleteFunc(slices.Clone(l.order), func(name string) bool {
		if p := l.names[name]; p.Kind == script.KindDigit {
			return len(v.digits[l.formOf(name)][p.Digit-'0']) > 0
		}
		return len(v.phrases[name]) > 0
	})
}

// with is the voice with more units.
func (v *voice) with(l *language, more map[string][]*unit) *voice {
	own := &voice{phrases: maps.Clone(v.phrases), digits: maps.Clone(v.digits), plain: v.plain}
	for name, units := range more {
		p := l.names[name]
		if p.Kind != script.KindDigit {
			own.phrases[name] = units
			continue
		}
		ten := own.digits[l.formOf(name)]
		ten[p.Digit-'0'] = units
		own.digits[l.formOf(name)] = ten
	}
	return own
}

// byRendition sorts files by the number in their name.
func byRendition(a, b recording) int {
	return cmp.Or(cmp.Compare(a.rendition, b.rendition), cmp.Compare(a.file, b.file))
}
