package phone

import (
	"errors"
	"fmt"
	"unique"

	"github.com/nyaruka/phonenumbers"
)

const (
	minDigits    = 7  // country code included; shorter ones are short codes, which E.164 does not know
	maxDigits    = 15 // ITU-T E.164, 6.1
	prefixDigits = 6
)

// What Country answers where there is no country.
const (
	World   = "001" // a calling code of no country: satellite, toll-free and premium services (UN M.49 "World")
	Unknown = "ZZ"  // a calling code shared by several countries, and the tables do not say which
)

// ErrInvalid is in every error of Parse, followed by what to do. The number itself is never told.
var ErrInvalid = errors.New("invalid phone number")

// Number is a valid E.164 number. It can be compared with ==, masks itself wherever it is printed, and gives its digits to
// E164 alone. The zero value is no number.
type Number struct {
	// E.164 with its "+". A handle is a pointer to a string: fmt, which calls no methods on unexported fields of other types,
	// prints an address there, and two handles are equal where the strings are. The other fields follow from it.
	e164    unique.Handle[string]
	country string
	calling int
	kind    phonenumbers.PhoneNumberType
}

// Parse reads strict E.164: a "+", then 7 to 15 digits and nothing else, valid in the numbering plan of its country. It refuses
// a number that the plan would write differently, such as one that kept its national trunk 0: it would ring nobody, or somebody
// else. Errors are ErrInvalid with one line that says what to do, without the number.
func Parse(s string) (Number, error) {
	if err := shape(s); err != nil {
		return Number{}, err
	}
	p, national := planFor(s[1:])
	if p == nil {
		return Number{}, invalid("no country has this calling code: check the digits after the +")
	}
	if p.prefix != nil && p.prefix.MatchString(national) {
		if err := written(s); err != nil {
			return Number{}, err
		}
	}
	code, kind := p.judge(national)
	if kind == phonenumbers.UNKNOWN {
		return Number{}, invalid("its country has no such number: check its length and area code")
	}
	return Number{e164: unique.Make(s), country: country(p.calling, code), calling: p.calling, kind: kind}, nil
}

// written refuses a number that its plan would write differently. It is asked
// where the national number begins like one that kept its prefix.
func written(s string) error {
	p, err := phonenumbers.Parse(s, "")
	if err != nil {
		return invalid("no numbering plan has such a number: check its digits")
	}
	if phonenumbers.Format(p, phonenumbers.E164) != s {
		return invalid("write it as E.164 without the trunk 0 or any other prefix that is dialled only inside the country")
	}
	return nil
}

// shape checks what E.164 says of any number, before a table is asked.
func shape(s string) error {
	if s == "" || s[0] != '+' {
		return invalid("write it as E.164: a + and the country code first, then digits only")
	}
	digits := s[1:]
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return invalid("write only digits after the +, without spaces, dashes or brackets")
		}
	}
	if len(digits) < minDigits || len(digits) > maxDigits {
		return invalid(fmt.Sprintf("an E.164 number has %d to %d digits, country code included", minDigits, maxDigits))
	}
	return nil
}

func invalid(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }

func country(calling int, region string) string {
	if worldwide(calling) {
		return World
	}
	if region != "" {
		return region
	}
	return Unknown
}

// worldwide says whether a calling code belongs to no country (ITU-T E.164, list of assigned country codes). Fraud likes these:
// satellite and premium calls cost the most. It does not rest on the tables, which could give one of them to a country.
func worldwide(calling int) bool {
	switch calling {
	case 800, 808, // freephone, shared cost
		870, 878, // Inmarsat, universal personal numbers
		881, 882, 883, // satellite systems, international networks
		888, 979, 991: // relief work, premium rate, trials
		return true
	}
	return false
}

// IsZero says whether n holds no number.
func (n Number) IsZero() bool { return n == Number{} }

// E164 is the number with its "+": to be dialled, sealed or indexed, never logged. It is the only way out; "" for the zero
// value.
func (n Number) E164() string {
	if n.IsZero() {
		return ""
	}
	return n.e164.Value()
}

// Country is the ISO 3166-1 alpha-2 code of the number's country (with the reserved AC, TA and XK, as libphonenumber has them),
// World for a calling code of no country, or Unknown; "" for the zero value. Policy denies what it does not list.
func (n Number) Country() string { return n.country }

// CallingCode is the country calling code, such as 81; 0 for the zero value.
func (n Number) CallingCode() int { return n.calling }

// Prefix is the first six digits, country code included and without "+": what rules over ranges of numbers count by.
func (n Number) Prefix() string {
	if n.IsZero() {
		return ""
	}
	return n.E164()[1 : 1+prefixDigits]
}

// Landline says that the number is certainly a fixed line: it cannot take SMS. False where the plan does not tell fixed from
// mobile, as in North America.
func (n Number) Landline() bool { return !n.IsZero() && n.kind == phonenumbers.FIXED_LINE }

// Premium says that the number is of a kind that may cost more than a call to a person, or pay the one called: premium rate,
// shared cost, personal numbers (+44 70), pagers and voicemail services. A person's own phone is none of these.
func (n Number) Premium() bool {
	switch n.kind {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER,
		phonenumbers.VOICEMAIL:
		return true
	}
	return false
}

// IsCountry says whether iso is a country that numbers can belong to: ISO 3166
// alpha-2, in capitals.
func IsCountry(iso string) bool { return phonenumbers.GetSupportedRegions()[iso] }
