package xoxzo

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
	"unicode"
)

// withheld stands for a text that repeats what it must not.
const withheld = "(text withheld: it repeats the request)"

// scrubber makes foreign text fit to be read by anyone who reads errors.
type scrubber struct {
	secrets []string // the token, the Authorization value and the request's values, as they are
	echo    string   // the letters and digits of the message, lower case
	digits  []string // the digit groups of the message, separators dropped, 3 digits or more
}

func (c *Client) scrubber(r request) scrubber {
	token, header := c.credentials()
	secrets := []string{token, strings.TrimPrefix(header, "Basic ")}
	for _, value := range r.values {
		if len(value) >= 3 { // less is a part of any word
			secrets = append(secrets, value)
		}
	}
	return scrubber{
		secrets: secrets,
		echo:    letters(r.text),
		digits:  digitGroups(r.text),
	}
}

// clean shortens s, drops control characters, masks numbers, and withholds s whole where it repeats a secret or a
// part of the message.
func (s scrubber) clean(text string) string {
	if s.repeats(text) {
		return withheld
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	text = maskDigits(text)
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText]) + "..."
	}
	return text
}

// echoWindow is how many letters and digits in a row count as repeating the message. Shorter messages count whole.
const echoWindow = 8

func (s scrubber) repeats(text string) bool {
	for _, secret := range s.secrets {
		if secret != "" && strings.Contains(text, secret) {
			return true
		}
	}
	plain := letters(text)
	for _, group := range s.digits {
		if strings.Contains(plain, group) {
			return true
		}
	}
	if s.echo == "" {
		return false
	}
	echo := []rune(s.echo)
	if len(echo) <= echoWindow {
		return strings.Contains(plain, s.echo)
	}
	windows := make(map[string]bool, len(echo))
	for i := range len(echo) - echoWindow + 1 {
		windows[string(echo[i:i+echoWindow])] = true
	}
	heard := []rune(plain)
	for i := range len(heard) - echoWindow + 1 {
		if windows[string(heard[i:i+echoWindow])] {
			return true
		}
	}
	return false
}

// letters keeps the letters and digits of s, lower case, so that other punctuation or spacing does not hide a repetition.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// separator reports whether r may stand between the digits of one number: "+81 80-5469-5209", "1,,2,,3,,4".
func separator(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("-.,()/:;_", r) }

// digitRuns calls visit for every run of digits, separators inside included, with the runes' indices and its digits.
func digitRuns(runes []rune, visit func(from, to int, digits string)) {
	for i := 0; i < len(runes); i++ {
		if !unicode.IsDigit(runes[i]) {
			continue
		}
		from, to := i, i+1
		var digits strings.Builder
		for ; i < len(runes) && (unicode.IsDigit(runes[i]) || separator(runes[i])); i++ {
			if unicode.IsDigit(runes[i]) {
				digits.WriteRune(runes[i])
				to = i + 1
			}
		}
		visit(from, to, digits.String())
	}
}

func digitGroups(s string) []string {
	var groups []string
	digitRuns([]rune(s), func(_, _ int, digits string) {
		if len(digits) >= 3 {
			groups = append(groups, digits)
		}
	})
	return groups
}

// maskDigits replaces the digits of every run of five or more by stars.
func maskDigits(s string) string {
	runes := []rune(s)
	digitRuns(runes, func(from, to int, digits string) {
		if len([]rune(digits)) < 5 {
			return
		}
		for i := from; i < to; i++ {
			if unicode.IsDigit(runes[i]) {
				runes[i] = '*'
			}
		}
	})
	return string(runes)
}

// maskNumber hides all of a telephone number but its last two digits.
func maskNumber(number string) string {
	if len(number) < 5 {
		return "***"
	}
	return "***" + number[len(number)-2:]
}

// hidden is a cause whose text is masked. errors.Is looks through it; nothing else does, because the causes of net/http
// may quote what a server sent.
type hidden struct {
	text  string
	cause func() error // a function, so that printing by reflection stops here
}

func hide(err error, scrub scrubber) error {
	h := hidden{cause: func() error { return err }}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // the operation is named already
	}
	h.text = scrub.clean(err.Error())
	if dialling(err) && !scrub.repeats(err.Error()) {
		h.text = err.Error() // written on this machine: its digits are addresses, not telephone numbers
	}
	return h
}

// dialling reports whether err says that no connection was made.
func dialling(err error) bool {
	var dns *net.DNSError
	var dial *net.OpError
	return errors.As(err, &dns) || errors.As(err, &dial) && dial.Op == "dial"
}

// Error is the masked text.
func (h hidden) Error() string { return h.text }

// Is looks for target among the causes.
func (h hidden) Is(target error) bool { return errors.Is(h.cause(), target) }

// Timeout reports whether the cause was a time-out, as net.Error has it.
func (h hidden) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(h.cause(), &t) && t.Timeout()
}

func jsonString(s string) ([]byte, error) { return json.Marshal(s) }
