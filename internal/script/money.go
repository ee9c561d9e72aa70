package script

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	isocurrency "golang.org/x/text/currency"
)

// Money is an amount to be confirmed, more than zero.
type Money struct {
	Minor    int64  // in minor units: 1250 is 12.50 EUR and 1250 JPY
	Currency string // ISO 4217, upper case
}

// maxMinor keeps amounts in the range that a person can follow by ear.
const maxMinor = 999_999_999_999

// ErrAmount and ErrCurrency are what ParseMoney refuses with; they hold nothing
// of the input.
var (
	ErrAmount   = errors.New("amount: want a positive decimal number such as 12.50, with no more decimals than the currency has")
	ErrCurrency = errors.New("currency: want an ISO 4217 code such as EUR")
)

// ParseMoney reads an amount such as "12.50" exactly: digits, and at most as
// many decimals after one point as the currency has (JPY none, KWD three).
// Signs, exponents, spaces and thousands separators are refused.
func ParseMoney(amount, currency string) (Money, error) {
	code := strings.ToUpper(currency)
	digits, err := currencyDigits(code)
	if err != nil {
		return Money{}, err
	}
	whole, decimals, point := strings.Cut(amount, ".")
	if !allDigits(whole) || len(whole) > len(strconv.Itoa(maxMinor)) {
		return Money{}, ErrAmount
	}
	if point && (!allDigits(decimals) || len(decimals) > digits) {
		return Money{}, ErrAmount
	}
	decimals += strings.Repeat("0", digits-len(decimals))
	minor, err := strconv.ParseInt(whole+decimals, 10, 64)
	if err != nil || minor <= 0 || minor > maxMinor {
		return Money{}, ErrAmount
	}
	return Money{Minor: minor, Currency: code}, nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// currencyDigits is how many decimals a currency has. Metals, test codes and
// drawing rights are no currencies one pays in.
func currencyDigits(code string) (int, error) {
	switch code {
	case "XXX", "XTS", "XAU", "XAG", "XPD", "XPT", "XBA", "XBB", "XBC", "XBD", "XDR", "XSU", "XUA":
		return 0, ErrCurrency
	}
	if len(code) != 3 {
		return 0, ErrCurrency
	}
	unit, err := isocurrency.ParseISO(code)
	if err != nil {
		return 0, ErrCurrency
	}
	scale, _ := isocurrency.Standard.Rounding(unit)
	return scale, nil
}

// check tells whether a Money could have come from ParseMoney.
func (m Money) check() error {
	if _, err := currencyDigits(m.Currency); err != nil {
		return err
	}
	if m.Minor <= 0 || m.Minor > maxMinor {
		return ErrAmount
	}
	return nil
}

// Decimal is the amount as ParseMoney reads it: "12.50".
func (m Money) Decimal() string {
	digits, err := currencyDigits(m.Currency)
	if err != nil || digits == 0 {
		return strconv.FormatInt(m.Minor, 10)
	}
	s := fmt.Sprintf("%0*d", digits+1, m.Minor)
	return s[:len(s)-digits] + "." + s[len(s)-digits:]
}

// written is the amount for a text message: "12.50 EUR".
func (l *lexicon) written(m Money) string {
	return strings.Replace(m.Decimal(), ".", l.Decimal, 1) + " " + m.Currency
}

// spoken is the amount in words, "twelve euros and fifty cents"; a currency the
// language has no name for is written.
func (l *lexicon) spoken(m Money) string {
	names, ok := l.Currencies[m.Currency]
	digits, err := currencyDigits(m.Currency)
	if !ok || err != nil {
		return l.written(m)
	}
	unit := power(digits)
	major, minor := m.Minor/unit, m.Minor%unit
	switch {
	case minor == 0:
		return l.count(names.Major, names.Gender.Major, major)
	case major == 0:
		return l.count(names.Minor, names.Gender.Minor, minor)
	}
	return fill(l.Amount, map[string]string{
		"major": l.count(names.Major, names.Gender.Major, major),
		"minor": l.count(names.Minor, names.Gender.Minor, minor),
	})
}

// power is ten to the n.
func power(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
