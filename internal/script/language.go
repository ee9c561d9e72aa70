package script

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

//go:embed lang/*.yaml
var languageFiles embed.FS

// languageFile is one file of lang/. Every entry is required unless it says
// otherwise; an unknown one is an error.
type languageFile struct {
	Tag       string   `yaml:"tag"`       // BCP 47, also the file's name
	Voice     string   `yaml:"voice"`     // BCP 47 with the region carriers want
	Countries []string `yaml:"countries"` // ISO 3166-1 alpha-2, where the language dominates; optional

	Pace struct {
		LetterMS int `yaml:"letter_ms"` // to speak one letter or space
		StopMS   int `yaml:"stop_ms"`   // to rest at one mark
	} `yaml:"pace"`

	Marks struct {
		Space string `yaml:"space"` // between sentences and words; optional
		Short string `yaml:"short"` // makes a short pause between digits
		Stop  string `yaml:"stop"`  // ends a sentence
		Pause string `yaml:"pause"` // makes a long pause before the digits
	} `yaml:"marks"`
	Decimal string `yaml:"decimal"` // the decimal mark of written amounts

	Carrier string   `yaml:"carrier"` // the word before every digit; optional
	Digits  []string `yaml:"digits"`  // zero to nine, as one word of letters each

	// Keys are the names of keys 1 and 9 of the phone where a menu names them
	// otherwise than a code does its digits; optional.
	Keys map[int]string `yaml:"keys"`

	Phrases map[string]string `yaml:"phrases"` // what is spoken; see phraseVars
	SMS     map[string]string `yaml:"sms"`     // what is written; see smsVars

	Minutes    forms               `yaml:"minutes"`    // {n} minutes, written
	Amount     string              `yaml:"amount"`     // joins {major} and {minor}
	Currencies map[string]currency `yaml:"currencies"` // by ISO 4217 code

	Numbers rules            `yaml:"numbers"` // whole numbers in words; optional: without them amounts are numerals
	Genders map[string]rules `yaml:"genders"` // the rules that differ in a gender, as units name it; optional
	Joins   map[string]rules `yaml:"joins"`   // how a remainder is put to what stands before it; optional

	Listen struct {
		Digits   map[string]int `yaml:"digits"`   // other words that people take for a digit, lower case; optional
		Warnings []string       `yaml:"warnings"` // how a message may say "do not share", lower case
		Common   []string       `yaml:"common"`   // words that most messages have, lower case
	} `yaml:"listen"`
}

// forms are one noun in its plural forms by CLDR category; other is required.
// The form "millions" goes with whole millions, where a language puts a
// preposition between them and the noun ("un millón de euros").
type forms map[string]string

// currency names the units of a currency; minor is empty where it has none.
type currency struct {
	Major forms `yaml:"major"`
	Minor forms `yaml:"minor"`

	// Gender names the rules of Genders by which each unit is counted; empty:
	// as Numbers has it.
	Gender struct {
		Major string `yaml:"major"`
		Minor string `yaml:"minor"`
	} `yaml:"gender"`
}

// lexicon is a language that was loaded and found complete. It is immutable.
type lexicon struct {
	languageFile
	tag     language.Tag
	carrier string          // Carrier, folded as heard words are
	carried [10]string      // digit words behind the carrier word, where there is one
	hear    map[string]byte // digit words, folded, to '0'..'9'
	custom  map[string]bool // the phrases that are a template's
	offer   string          // the menu, with its keys named
}

// catalog is every language by its tag, read once. It panics on a file that is
// not complete: the files are compiled in, so that is a programmer's mistake,
// and the first test to run finds it.
var catalog = sync.OnceValue(func() map[string]*lexicon {
	entries, err := languageFiles.ReadDir("lang")
	if err != nil {
		panic(fmt.Sprintf("script: languages: %v", err))
	}
	all := make(map[string]*lexicon, len(entries))
	for _, e := range entries {
		b, err := languageFiles.ReadFile("lang/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("script: languages: %v", err))
		}
		l, err := parseLanguage(b)
		if err != nil {
			panic(fmt.Sprintf("script: languages: %s: %v", e.Name(), err))
		}
		if l.Tag+".yaml" != path.Base(e.Name()) {
			panic(fmt.Sprintf("script: languages: %s: its tag is %s", e.Name(), l.Tag))
		}
		all[l.Tag] = l
	}
	return all
})

// phraseVars are the phrases of a language and the variables each one must hold.
func phraseVars() map[string][]string {
	return map[string][]string{
		"greeting":           {"brand"},
		"greeting_plain":     nil,
		"payment":            {"amount", "payee"},
		"payment_amount":     {"amount"},
		"payment_payee":      {"payee"},
		"gate_any_key":       nil,
		"gate_screen_digits": nil,
		"warning":            nil,
		"code":               nil,
		"repeat":             nil,
		"once_more":          nil,
		"menu":               {"again", "report"},
		"bye":                nil,
		"canceled":           nil,
		"gate_missed":        nil,
		"reported":           nil,
	}
}

// smsVars are the sentences of a text message and the variables of each.
func smsVars() map[string][]string {
	return map[string][]string{
		"head":           {"brand"},
		"payment":        {"amount", "payee"},
		"payment_amount": {"amount"},
		"payment_payee":  {"payee"},
		"code":           {"code"},
		"warning":        nil,
		"valid":          {"minutes"},
	}
}

// parseLanguage reads a language file and refuses one that misses anything.
func parseLanguage(b []byte) (*lexicon, error) {
	l := new(lexicon)
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&l.languageFile); err != nil {
		return nil, fmt.Errorf("parse language: %w", err)
	}
	tag, err := language.Parse(l.Tag)
	if err != nil || tag.String() != l.Tag {
		return nil, fmt.Errorf("parse language: tag is not canonical BCP 47")
	}
	l.tag = tag
	if _, err := language.Parse(l.Voice); err != nil {
		return nil, fmt.Errorf("parse language: voice: %w", err)
	}
	for _, check := range []func() error{l.checkWords, l.checkDigits, l.checkTemplates, l.checkAmounts} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("parse language: %w", err)
		}
	}
	l.offer = l.menuWords()
	return l, nil
}

// checkWords looks at the small entries.
func (l *lexicon) checkWords() error {
	for name, v := range map[string]string{
		"marks.short": l.Marks.Short, "marks.stop": l.Marks.Stop, "marks.pause": l.Marks.Pause,
		"decimal": l.Decimal, "amount": l.Amount, "minutes.other": l.Minutes["other"],
	} {
		if v == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if l.Pace.LetterMS <= 0 || l.Pace.StopMS <= 0 {
		return fmt.Errorf("pace is missing")
	}
	if len(l.Listen.Warnings) == 0 || len(l.Listen.Common) < commonWanted {
		return fmt.Errorf("listen is missing")
	}
	return nil
}

// checkDigits wants ten different words, none of which is the carrier word.
func (l *lexicon) checkDigits() error {
	if len(l.Digits) != 10 {
		return fmt.Errorf("digits: want 10 words, have %d", len(l.Digits))
	}
	l.carrier, l.hear = fold(l.Carrier), make(map[string]byte, 10)
	for i, w := range l.Digits {
		if l.carried[i] = w; l.Carrier != "" {
			l.carried[i] = l.Carrier + " " + w
		}
	}
	for i, w := range l.Digits {
		if t := tokens(w); len(t) != 1 || t[0].end-t[0].start != len(w) {
			return fmt.Errorf("digits: %d is not one word", i)
		}
		l.hear[fold(w)] = '0' + byte(i)
	}
	if _, clash := l.hear[l.carrier]; clash || len(l.hear) != 10 {
		return fmt.Errorf("digits: two of the words are the same")
	}
	for w, d := range l.Listen.Digits {
		if l.hear[w] != 0 || fold(w) != w || d < 0 || d > 9 {
			return fmt.Errorf("listen.digits: want other words, lower case, for 0 to 9")
		}
		l.hear[w] = '0' + byte(d)
	}
	for key := range l.Keys {
		if key != 1 && key != 9 {
			return fmt.Errorf("keys: want 1 and 9")
		}
	}
	return nil
}

// checkTemplates wants every phrase, with its variables and no others.
func (l *lexicon) checkTemplates() error {
	if err := checkSet("phrases", l.Phrases, phraseVars()); err != nil {
		return err
	}
	return checkSet("sms", l.SMS, smsVars())
}

func checkSet(set string, have map[string]string, want map[string][]string) error {
	for name := range have {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("%s: %s is not known", set, name)
		}
	}
	for name, vars := range want {
		text := have[name]
		if strings.TrimSpace(text) == "" {
			return fmt.Errorf("%s: %s is missing", set, name)
		}
		if !utf8.ValidString(text) || norm.NFC.String(text) != text {
			return fmt.Errorf("%s: %s is not in NFC", set, name)
		}
		rest := text
		for _, v := range vars {
			if strings.Count(text, "{"+v+"}") != 1 {
				return fmt.Errorf("%s: %s wants {%s} once", set, name, v)
			}
			rest = strings.Replace(rest, "{"+v+"}", "", 1)
		}
		if strings.ContainsAny(rest, "{}") {
			return fmt.Errorf("%s: %s has an unknown variable", set, name)
		}
	}
	return nil
}

// checkAmounts wants complete names for every currency listed.
func (l *lexicon) checkAmounts() error {
	for code, c := range l.Currencies {
		digits, err := currencyDigits(code)
		if err != nil {
			return err
		}
		if c.Major["other"] == "" || (digits > 0) != (c.Minor["other"] != "") {
			return fmt.Errorf("currencies: %s wants the form other of each of its units", code)
		}
		for _, gender := range []string{c.Gender.Major, c.Gender.Minor} {
			if gender != "" && l.Genders[gender] == nil {
				return fmt.Errorf("currencies: %s has an unknown gender", code)
			}
		}
	}
	return l.checkNumbers()
}

// fill replaces the variables of a template in one pass: a value that looks
// like a variable stays as it is.
func fill(template string, vars map[string]string) string {
	return expand(template, "{", "}", func(name string) (string, bool) {
		v, known := vars[name]
		return v, known
	})
}

// expand replaces what stands between open and end by its value; what has none stays
// as it is.
func expand(text, open, end string, value func(string) (v string, known bool)) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, open)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(rest, end)
		if v, known := value(name); known && closed {
			out.WriteString(v)
			text = after
			continue
		}
		out.WriteString(open)
		text = rest
	}
}
