package trunk

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"github.com/pincall/pincall/internal/phone"
)

// Format is how numbers are written to the carrier.
type Format string

// The formats.
const (
	PlusE164 Format = "+e164"    // +819012345678, the default
	E164     Format = "e164"     // 819012345678
	National Format = "national" // 09012345678: as inside its country
)

// Numbering is how the called number is written: in a Format, without Strip where
// it begins with that, behind Prefix.
type Numbering struct {
	Format Format // zero: PlusE164
	Strip  string
	Prefix string
}

// check says what is wrong. National numbers of two countries cannot be told
// apart.
func (n Numbering) check(countries []string) error {
	switch n.Format {
	case "", PlusE164, E164:
	case National:
		if len(countries) != 1 {
			return errors.New("number_format: national wants exactly one country in countries")
		}
	default:
		return errors.New("number_format: choose +e164, e164 or national")
	}
	if !dialable(n.Strip) || !dialable(n.Prefix) {
		return errors.New("strip and prefix: write digits, +, * and # only")
	}
	return nil
}

// dialable says that a text has nothing but what stands in a dialled number.
func dialable(s string) bool { return strings.Trim(s, "0123456789+*#") == "" }

// dial is a number as the carrier wants it.
func (n Numbering) dial(to phone.Number) string {
	text := to.E164()
	switch n.Format {
	case E164:
		text = strings.TrimPrefix(text, "+")
	case National:
		text = national(text)
	}
	return n.Prefix + strings.TrimPrefix(text, n.Strip)
}

// national writes a number as inside its country, with the trunk prefix where
// people write one.
func national(e164 string) string {
	p, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return e164 // it was parsed before
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phonenumbers.Format(p, phonenumbers.NATIONAL))
}

// CallerID is a number that the person is shown.
type CallerID struct {
	// Number is written as the carrier wants it: as a rule with + and the country
	// code, which is what carriers sign (STIR/SHAKEN).
	Number string
	// Countries whose phones are shown it; empty: those that no other names.
	Countries []string
}

// anonymous is who calls where nothing else is configured (RFC 3323 4.1.1.3).
const anonymous = "anonymous"

// callerIDs chooses caller IDs. It is safe for concurrent use.
type callerIDs struct {
	all      []CallerID
	fallback string // where there are none; zero: anonymous
	mu       sync.Mutex
	turns    map[string]int // by country; "" for the general pool
}

func newCallerIDs(all []CallerID) (*callerIDs, error) {
	for _, id := range all {
		digits := strings.TrimPrefix(id.Number, "+")
		if digits == "" || len(digits) > 20 || strings.Trim(digits, "0123456789") != "" {
			return nil, errors.New("caller_ids: write a number with or without +, and digits only")
		}
		if slices.ContainsFunc(id.Countries, func(c string) bool { return !phone.IsCountry(c) }) {
			return nil, errors.New("caller_ids: countries: write ISO 3166 codes in capitals, such as JP or GB")
		}
	}
	return &callerIDs{all: all, turns: map[string]int{}}, nil
}

// pick takes the next of a country's caller IDs, in turn; else the next of those
// for every country. False: there are caller IDs, and none is for this country.
func (c *callerIDs) pick(country string) (string, bool) {
	if len(c.all) == 0 {
		if c.fallback != "" {
			return c.fallback, true
		}
		return anonymous, true
	}
	pool, key := c.pool(country), country
	if len(pool) == 0 {
		pool, key = c.pool(""), ""
	}
	if len(pool) == 0 {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.turns[key]
	c.turns[key] = n + 1
	return pool[n%len(pool)].Number, true
}

// pool are the caller IDs of a country; of "", those that name none.
func (c *callerIDs) pool(country string) (out []CallerID) {
	for _, id := range c.all {
		if country == "" && len(id.Countries) == 0 || slices.Contains(id.Countries, country) {
			out = append(out, id)
		}
	}
	return out
}
