package script

import "strconv"

// SMS writes the message as text, with the code in clear and in one piece, as
// phones pick it up: brand, amount and payee, code, warning, validity. A
// language that is not known is English, as Compose has refused it before.
func SMS(m Message) string {
	tag, err := Match(m.Lang)
	if err != nil {
		tag = DefaultLanguage
	}
	l := catalog()[tag]
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
	var names []string
	if vars["brand"] != "" {
		names = append(names, "head")
	}
	if name := m.payment(); name != "" {
		names = append(names, name)
	}
	text := ""
	for i, name := range append(names, "code", "warning", "valid") {
		if i > 0 {
			text += l.Marks.Space
		}
		text += fill(l.SMS[name], vars)
	}
	return text
}
