package script

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxName is the longest brand or payee, in letters (Unicode code points).
const maxName = 40

// CheckBrand refuses a brand that cannot be spoken or that abuses the call: an
// empty one, more than 40 letters, control characters, a web address, a phone
// number. Surrounding space does not count. The error does not repeat it.
func CheckBrand(s string) error { return prefixed("brand", checkName(s)) }

// CheckPayee refuses a payee by the rules of CheckBrand.
func CheckPayee(s string) error { return prefixed("payee", checkName(s)) }

func prefixed(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// NormalizePayee is the form of a payee that is stored, compared and spoken:
// Unicode NFC, without surrounding space, inner space as single spaces.
func NormalizePayee(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}

func checkName(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("want valid UTF-8")
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	switch {
	case !strings.ContainsFunc(s, speakable):
		return errors.New("want at least one letter or digit")
	case utf8.RuneCountInString(s) > maxName:
		return fmt.Errorf("want at most %d letters", maxName)
	case strings.ContainsFunc(s, unprintable):
		return errors.New("want no control characters")
	case hasURL(s):
		return errors.New("want no web address")
	case hasPhone(s):
		return errors.New("want no phone number")
	}
	return nil
}

func speakable(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// unprintable holds control and format characters (line breaks, zero-width and
// direction marks), and private, unassigned and surrogate code points.
func unprintable(r rune) bool { return !unicode.Is(unicode.Zs, r) && !unicode.IsPrint(r) }

// hasURL finds "://", "www." and anything like a domain: a dot between a letter
// or digit and two letters.
func hasURL(s string) bool {
	s = strings.ToLower(norm.NFKC.String(s))
	if strings.Contains(s, "://") || strings.Contains(s, "www.") {
		return true
	}
	r := []rune(s)
	for i := 1; i+2 < len(r); i++ {
		dot := r[i] == '.' || r[i] == '。'
		if dot && speakable(r[i-1]) && unicode.IsLetter(r[i+1]) && unicode.IsLetter(r[i+2]) {
			return true
		}
	}
	return false
}

// maxDigits is how many digits in a row a name may have: more may be a number
// to call back, or pass for the code.
const maxDigits = 4

// hasPhone finds a plus before a digit, or more than maxDigits digits with
// nothing but separators between them.
func hasPhone(s string) bool {
	s = norm.NFKC.String(s)
	run, plus := 0, false
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			if run++; run > maxDigits || plus {
				return true
			}
		case r == '+':
			plus = true
		case unicode.IsSpace(r) || strings.ContainsRune("-.()/‐‑–,", r):
		default:
			run, plus = 0, false
		}
	}
	return false
}
