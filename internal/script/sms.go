package script

import (
	"errors"
	"strconv"
	"strings"
)

// maxHost is the longest host name, maxLabel the longest of its labels (RFC 1035).
const (
	maxHost  = 253
	maxLabel = 63
)

// SMS writes the message as text, with the code in clear and in one piece, as
// phones pick it up: brand, amount and payee, code, warning, validity. With
// m.Domain the last line is "@example.com #123456", which lets a phone fill the
// code in on that site only (WICG, Origin-bound one-time codes delivered via
// SMS). A language that is not known is English, and a domain or template that
// does not hold is left out, as Compose has refused them before.
func SMS(m Message) string {
	tag, err := Match(m.Lang)
	if err != nil {
		tag = DefaultLanguage
	}
	l := catalog()[tag]
	text := l.sms(m)
	if m.Domain != "" && CheckDomain(m.Domain) == nil {
		text += "\n@" + m.Domain + " #" + m.Code.Reveal()
	}
	return text
}

// sms is the text above the domain's line.
func (l *lexicon) sms(m Message) string {
	vars := l.smsValues(m)
	t := l.fitting(m.Template)
	if t != nil && vars["brand"] == "" && strings.Contains(t.SMS, "brand}") {
		t = nil // a text with a hole where the brand should stand: our own words
	}
	var names []string
	if vars["brand"] != "" && (t == nil || t.SMS == "") {
		names = append(names, "head")
	}
	if name := m.payment(); name != "" {
		names = append(names, name)
	}
	if t == nil || t.SMS == "" {
		names = append(names, "code", "warning", "valid")
	}
	var sentences []string
	for _, name := range names {
		sentences = append(sentences, fill(l.SMS[name], vars))
	}
	if t != nil && t.SMS != "" {
		sentences = append(sentences, fill(single(t.SMS), vars))
	}
	return strings.Join(sentences, l.Marks.Space)
}

// smsValues are the values of the variables of a text message.
func (l *lexicon) smsValues(m Message) map[string]string {
	valid := m.Valid
	if valid == 0 {
		valid = defaultValid
	}
	minutes := max(1, int64(valid.Minutes()))
	vars := map[string]string{
		"brand":   NormalizePayee(m.Brand),
		"payee":   NormalizePayee(m.Payee),
		"code":    m.Code.Reveal(),
		"minutes": fill(l.pick(l.Minutes, minutes), map[string]string{"n": strconv.FormatInt(minutes, 10)}),
	}
	if m.Amount != nil {
		vars["amount"] = l.written(*m.Amount)
	}
	return vars
}

// CheckDomain refuses what is not a host name as it stands in a text message:
// lower-case letters, digits and hyphens (internationalised names as xn--), two
// labels at least, the last not a number; no scheme, port, path, user or
// trailing dot (RFC 1123). The error does not repeat it.
func CheckDomain(s string) error {
	refused := errors.New("domain: want a host name in lower case, such as example.com")
	labels := strings.Split(s, ".")
	if len(s) > maxHost || len(labels) < 2 || allDigits(labels[len(labels)-1]) {
		return refused
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return refused
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return refused
		}
	}
	return nil
}
