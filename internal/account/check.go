package account

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// The bounds of a service's settings.
const (
	MinCodeLength  = 4
	MaxCodeLength  = 10
	MinValidity    = 2 * time.Minute
	MaxValidity    = 10 * time.Minute
	MaxTries       = 10 // of guesses, and of sends
	MaxSteps       = 5
	MinStepTimeout = 5 * time.Second
	MaxStepTimeout = 10 * time.Minute
	MaxLabel       = 64 // characters
)

// maxLabelDigits keeps phone numbers out of labels, which are shown and logged; a
// date is eight digits.
const maxLabelDigits = 8

// Fault is what is wrong with one setting. It does not hold the setting's value.
type Fault struct {
	Field  string // as the API calls it, such as workflow[0].timeout_seconds
	Reason string // what is wanted
}

// Faults is an error: settings that were refused.
type Faults []Fault

// Error gives the first one.
func (f Faults) Error() string {
	if len(f) == 0 {
		return "account: refused"
	}
	return f[0].Field + ": " + f[0].Reason
}

func (f *Faults) add(bad bool, field, reason string) {
	if bad {
		*f = append(*f, Fault{field, reason})
	}
}

// CheckLabel judges the name of an account, a service or a key: at most 64
// printable characters, at most 8 digits and no API key. The error does not
// repeat it.
func CheckLabel(s string) error {
	digits := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	lower := strings.ToLower(s)
	switch {
	case !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxLabel || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("want at most %d printable characters", MaxLabel)
	case digits > maxLabelDigits:
		return fmt.Errorf("want at most %d digits: a name is no place for a phone number", maxLabelDigits)
	case strings.Contains(lower, KeyPrefix+"_") || strings.Contains(lower, "pct_"):
		return errors.New("a name is no place for a key or a token")
	}
	return nil
}

// Check judges all settings but the templates, which script.LintTemplate does,
// and lists every fault. Zero values are defaults, but for the name.
func (s Service) Check() Faults {
	var f Faults
	f.add(strings.TrimSpace(s.Name) == "", "name", "want a name")
	if err := CheckLabel(s.Name); err != nil {
		f.add(true, "name", err.Error())
	}
	f.add(outside(s.CodeLength, MinCodeLength, MaxCodeLength), "code_length", "want 4 to 10 digits")
	f.add(outside(s.Validity, MinValidity, MaxValidity) || s.Validity%time.Second != 0, "validity_seconds", "want 120 to 600 seconds")
	f.add(outside(s.MaxGuesses, 1, MaxTries), "max_guesses", "want 1 to 10")
	f.add(outside(s.MaxSends, 1, MaxTries), "max_sends", "want 1 to 10")
	f.add(s.Gate != "" && !known(s.Gate, script.ParseGate), "gate", "want any_key, screen_digits or none")
	f.add(!slices.Contains([]GatePolicy{"", GateRequire, GatePrefer}, s.GatePolicy), "gate_policy", "want require or prefer")
	f.add(s.Domain != "" && script.CheckDomain(s.Domain) != nil, "domain", "want a host name in lower case, such as example.com")
	if _, err := script.Match(s.Language); s.Language != "" && err != nil {
		f.add(true, "language", "want one of "+strings.Join(script.Languages(), ", "))
	}
	f.add(len(s.Countries) > maxCountries, "countries", fmt.Sprintf("want at most %d", maxCountries))
	for i, c := range s.Countries[:min(len(s.Countries), maxCountries)] {
		f.add(!phone.IsCountry(c), fmt.Sprintf("countries[%d]", i), "want ISO 3166 codes in capitals, such as JP or GB")
	}
	f.checkWorkflow(s.Workflow)
	if len(f) == 0 && s.Brand != "" { // what is composed needs the other settings
		f.checkBrand(s)
	}
	return f
}

// maxCountries is more than there are.
const maxCountries = 300

// outside says that a value is not the default, and not within its bounds.
func outside[T int | time.Duration](v, low, high T) bool { return v != 0 && (v < low || v > high) }

func known[T ~string](v T, parse func(string) (T, error)) bool {
	_, err := parse(string(v))
	return err == nil
}

func (f *Faults) checkWorkflow(steps []Step) {
	f.add(len(steps) > MaxSteps, "workflow", fmt.Sprintf("want at most %d steps", MaxSteps))
	for i, s := range steps[:min(len(steps), MaxSteps)] {
		at := fmt.Sprintf("workflow[%d].", i)
		f.add(!known(s.Channel, phone.ParseChannel), at+"channel", "want voice or sms")
		f.add(outside(s.Timeout, MinStepTimeout, MaxStepTimeout), at+"timeout_seconds", "want 5 to 600 seconds")
	}
}

// checkBrand has the brand said once in each language that a call may be in:
// what the listener may take for a code must not wait until the phone rings.
func (f *Faults) checkBrand(s Service) {
	if err := script.CheckBrand(s.Brand); err != nil {
		f.add(true, "brand", strings.TrimPrefix(err.Error(), "brand: "))
		return
	}
	s = s.WithDefaults()
	code, err := secret.ParseCode(strings.Repeat("0", s.CodeLength))
	if err != nil {
		panic("account: zeros are no code: " + err.Error()) // 4 to 10 of them are
	}
	languages := script.Languages()
	if s.Language != "" {
		languages = []string{s.Language}
	}
	for _, lang := range languages {
		_, err := script.Compose(script.Message{Lang: lang, Brand: strings.TrimSpace(s.Brand), Code: code, Gate: s.Gate, Menu: true, PlainDigits: s.PlainDigits})
		if err != nil {
			f.add(true, "brand", "cannot be said: use a name that does not sound like a code, and a shorter one")
			return
		}
	}
}
