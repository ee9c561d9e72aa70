package script

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/secret"
)

const englishTemplate = `
phrases:
  greeting: "Good day. {{brand}} & <Sons> is calling."
  warning: "Never share this code, and do not tell it to anyone."
  code: "Here is your code"
  menu: "Press {again} for the code again, or press {report} if this was not you."
sms: "{{brand}} code: {{code}} (for {{minutes}})"
`

func TestTemplate(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("en-GB", []byte(englishTemplate))
	if err != nil {
		t.Fatal(err)
	}
	if p := LintTemplate(tpl); len(p) > 0 {
		t.Fatalf("problems %v, want none", p)
	}
	m := Message{Lang: "en", Brand: "Acme", Code: mustCode(t, "482913"), Menu: true, Template: &tpl}
	s, err := Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Good day. Acme & <Sons> is calling. Never share this code, and do not tell it to anyone. Here is your code... Number four,",
		"I repeat... Number four,", "Press one for the code again, or press nine if this was not you. Thank you. We will never ask you for this code. Good-bye.",
	} {
		if !strings.Contains(s.Text(), want) {
			t.Errorf("%q is not in %q", want, s.Text())
		}
	}
	if x := s.SSML(); !strings.Contains(x, "&amp; &lt;Sons&gt; is calling") {
		t.Errorf("markup is not escaped: %s", x)
	}
	for _, p := range s.Parts {
		if p.Section == SectionWarning && p.Kind == KindSay && p.Phrase != "" {
			t.Errorf("%q would be played from the recording of %s", p.Words, p.Phrase)
		}
		if strings.HasPrefix(p.Words, "I repeat") && p.Phrase != "repeat" {
			t.Errorf("%q has lost its recording", p.Words)
		}
	}
	if got, want := SMS(m), "Acme code: 482913 (for 10 minutes)"; got != want {
		t.Errorf("SMS is %q, want %q", got, want)
	}
	m.Domain, m.Payee, m.Amount = "example.com", "Shop", &Money{1250, "EUR"}
	if got, want := SMS(m), "Payment of 12.50 EUR to Shop. Acme code: 482913 (for 10 minutes)\n@example.com #482913"; got != want {
		t.Errorf("SMS is %q, want %q", got, want)
	}
	m.Lang = "de"
	if s, err := Compose(m); err != nil || !strings.HasPrefix(s.Text(), "Guten Tag. Dies ist") || !strings.Contains(SMS(m), "Ihr Code ist") {
		t.Errorf("a message in another language uses the template: %v", err)
	}
}

// TestTemplateIsStored writes a template as JSON and reads it both ways.
func TestTemplateIsStored(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("en", []byte(englishTemplate))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(tpl)
	if err != nil {
		t.Fatal(err)
	}
	var got Template
	if err := json.Unmarshal(stored, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tpl, got); diff != "" {
		t.Errorf("unmarshalled otherwise (-want +got):\n%s", diff)
	}
	if got, err = ParseTemplate("en", stored); err != nil || !cmp.Equal(tpl, got) {
		t.Errorf("parsed otherwise: %v", err)
	}
	if _, err = ParseTemplate("de", stored); err == nil {
		t.Error("an English template is accepted as German")
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lang, data, want string }{
		"unknown language":   {"xx", "sms: a", "want one of"},
		"empty":              {"en", "", "empty"},
		"too big":            {"en", "sms: " + strings.Repeat("a", maxTemplate), "at most 16384 bytes"},
		"unknown key":        {"en", "smss: a", "smss"},
		"unknown JSON key":   {"en", `{"smss": "a"}`, "smss"},
		"unknown phrase":     {"en", "phrases: {hello: a}", `"hello" is not known`},
		"an aside":           {"en", "phrases: {canceled: a}", `"canceled" is not known`},
		"a list":             {"en", "[a, b]", ""},
		"a phrase of phrase": {"en", "phrases: {code: {a: b}}", ""},
		"an anchor":          {"en", "sms: &a x", "no anchors"},
		"an alias":           {"en", "phrases: {code: &a x, bye: *a}", "no anchors"},
		"deep":               {"en", strings.Repeat("[", 9000), "nested too deep"},
		"JSON in capitals":   {"en", `{"SMS": "a"}`, `"SMS" is not known`},
		"a JSON key twice":   {"en", `{"phrases": {"bye": "a", "bye": "b"}}`, `"bye" stands twice`},
		"a JSON list":        {"en", `[{"sms": "a"}]`, "cannot unmarshal"},
		"a JSON number":      {"en", `{"sms": 1}`, "cannot unmarshal"},
		"a tag":              {"en", "sms: !!binary aGk=", "no anchors"},
		"twice":              {"en", "sms: a\nsms: b", ""},
		"two documents":      {"en", "sms: a\n---\nsms: b", "one document"},
		"two JSON documents": {"en", `{"sms":"a"}{"sms":"b"}`, ""},
		"not a language":     {"en", "lang: tlh\nsms: a", "lang: want en"},
	} {
		got, err := ParseTemplate(c.lang, []byte(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) || !cmp.Equal(got, Template{}) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestLintTemplateRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, text, place, want string }{
		"no warning":            {"warning", "Have a nice day.", "warning", "must say not to share"},
		"empty":                 {"code", " ", "code", "misses its words"},
		"only marks":            {"repeat", "...", "repeat", "misses its words"},
		"code before warning":   {"greeting", "{brand} says {code}.", "greeting", "after the warning"},
		"code twice":            {"greeting", "{brand} says {{code}}.", "greeting", "after the warning"},
		"numerals":              {"greeting", "{brand}, office 4711.", "greeting", "pass for a code"},
		"numerals with dashes":  {"bye", "Bye 1-2-3-4.", "bye", "pass for a code"},
		"digit words":           {"bye", "Bye. One, two, three, four.", "bye", "pass for a code"},
		"web address":           {"bye", "See example.com for more.", "bye", "web address"},
		"phone number":          {"bye", "Call +1 415 now.", "bye", "phone number"},
		"unknown placeholder":   {"greeting", "{brand} for {name}.", "greeting", "unknown placeholder"},
		"lone brace":            {"bye", "Bye {", "bye", "lone brace"},
		"missing placeholder":   {"greeting", "Hello.", "greeting", "wants {brand} once"},
		"placeholder twice":     {"greeting", "{brand} {brand}.", "greeting", "wants {brand} once"},
		"too long":              {"bye", strings.Repeat("bye ", 51), "bye", "longer than 200"},
		"control character":     {"bye", "Bye\x00", "bye", "control character"},
		"not UTF-8":             {"bye", "Bye\xff", "bye", "not UTF-8"},
		"a digit joins":         {"code", "Your code is one", "script, text", differs},
		"the bye goes on":       {"bye", "Nine. The end of this call.", "script, text", ""},
		"a number in the menu":  {"menu", "Press {again}, {report} or 24.", "script, text", "together"},
		"unknown phrase":        {"hello", "Hello.", "hello", "is not known"},
		"SMS without the code":  {"sms", "Hello {{brand}}", "sms", "wants {code} once"},
		"SMS twice the code":    {"sms", "{{code}} {{code}}", "sms", "wants {code} once"},
		"SMS with a link":       {"sms", "{{code}} or https://x", "sms", "web address"},
		"SMS with unknown name": {"sms", "{{code}} for {{name}}", "sms", "unknown placeholder"},
		"SMS with another code": {"sms", "{{code}} or 1234", "sms", "pass for a code"},
		"SMS too long":          {"sms", "{{code}} " + strings.Repeat("a", 300), "sms", "longer than 300"},
	} {
		tpl := Template{Lang: "en", Phrases: map[string]string{c.key: c.text}}
		if c.key == "sms" {
			tpl = Template{Lang: "en", SMS: c.text}
		}
		found := false
		for _, p := range LintTemplate(tpl) {
			place := p.Place == c.place || strings.HasPrefix(c.place, "script") && strings.HasPrefix(p.Place, "script")
			found = found || place && strings.Contains(p.Reason, c.want)
		}
		if !found {
			t.Errorf("%s: problems %v, want %q at %q", name, LintTemplate(tpl), c.want, c.place)
		}
	}
	if p := LintTemplate(Template{Lang: "xx"}); len(p) != 1 || p[0].Place != "lang" {
		t.Errorf("an unknown language: %v", p)
	}
}

// TestLintTemplateTooLong has phrases that are allowed one by one.
func TestLintTemplateTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long words ", 17)
	tpl := Template{Lang: "en", Phrases: map[string]string{}}
	for _, name := range []string{"payment", "greeting", "gate_any_key", "warning", "code", "repeat", "bye"} {
		text := long
		for _, v := range templateVars()[name] {
			text += "{" + v + "}"
		}
		tpl.Phrases[name] = strings.Replace(text, "long words long words", "do not share this", 1)
	}
	for _, name := range []string{"greeting", "payment"} {
		if p := (catalog()["en"].lintWords(Template{Lang: "en", Phrases: map[string]string{name: tpl.Phrases[name]}})); len(p) > 0 {
			t.Fatalf("%s by itself: %v", name, p)
		}
	}
	wantProblem(t, LintTemplate(tpl), "do not fit 120 s")
}

// TestOwnPhrasesAreATemplate lints each language's own phrases as a tenant's.
func TestOwnPhrasesAreATemplate(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		tpl := Template{Lang: lang, Phrases: map[string]string{}, SMS: "{{brand}}: {{code}}"}
		for name := range templateVars() {
			tpl.Phrases[name] = catalog()[lang].Phrases[name]
		}
		if p := LintTemplate(tpl); len(p) > 0 {
			t.Errorf("%s: %v", lang, p)
		}
	}
}

// TestComposeRefusesTemplate uses templates that nobody has linted.
func TestComposeRefusesTemplate(t *testing.T) {
	t.Parallel()
	m := Message{Lang: "en", Code: mustCode(t, "4829"), Template: &Template{Lang: "en", SMS: "no code"}}
	if _, err := Compose(m); err == nil || !strings.Contains(err.Error(), ErrTemplate.Error()) {
		t.Errorf("error %v, want %v", err, ErrTemplate)
	}
	if got := SMS(m); !strings.Contains(got, "Your code is 4829") {
		t.Errorf("SMS is %q, want our own", got)
	}
}

func FuzzParseTemplate(f *testing.F) {
	for _, s := range []string{
		englishTemplate, `{"lang":"en","phrases":{"bye":"Bye"},"sms":"{{code}}"}`, "sms: &a b", "? [", "phrases: {code: \"\\ud83d\"}",
		"phrases:\n  code: |\n    Your code\n", "{{code}}", "\xff", "sms: '{{code}}\n\n a'", "phrases: {warning: do not share the code one}",
	} {
		f.Add(s)
	}
	code := mustCode(f, "9729")
	f.Fuzz(func(t *testing.T, data string) {
		tpl, err := ParseTemplate("en", []byte(data))
		if err != nil {
			return
		}
		if len(LintTemplate(tpl)) > 0 {
			return
		}
		s, err := Compose(Message{Lang: "en", Brand: "Acme", Code: code, Template: &tpl, Menu: true})
		if err != nil {
			t.Fatalf("linted and refused: %v", err)
		}
		if p := Lint(s); len(p) > 0 {
			t.Fatalf("linted and not heard: %v", p)
		}
		if !strings.Contains(SMS(Message{Lang: "en", Code: code, Template: &tpl}), "9729") {
			t.Fatal("the text message has no code")
		}
	})
}

// A text that names the brand has a hole where there is none: our own words are
// sent then.
func TestTemplateTextWithoutABrand(t *testing.T) {
	t.Parallel()
	tmpl, err := ParseTemplate("en", []byte(`{"sms":"{{brand}} code: {{code}}"}`))
	if err != nil {
		t.Fatal(err)
	}
	code, err := secret.ParseCode("123456")
	if err != nil {
		t.Fatal(err)
	}
	for brand, want := range map[string]bool{"Acme": true, "": false} {
		text := SMS(Message{Lang: "en", Code: code, Brand: brand, Template: &tmpl})
		if strings.HasPrefix(text, "Acme code: ") != want || !want && text != SMS(Message{Lang: "en", Code: code}) {
			t.Errorf("with the brand %q it is not what it should be", brand)
		}
	}
}
