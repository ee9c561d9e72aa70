package script

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// goodScript is a script without problems, to be spoilt by a test.
func goodScript(t *testing.T, lang string) Script {
	t.Helper()
	s, err := Compose(Message{Lang: lang, Brand: "Acme", Code: mustCode(t, "4829"), Gate: GateAnyKey, Menu: true})
	if err != nil {
		t.Fatal(err)
	}
	if p := Lint(s); len(p) > 0 {
		t.Fatalf("the unspoilt script: %v", p)
	}
	return s
}

func TestLintRefuses(t *testing.T) {
	t.Parallel()
	without := func(drop func(Part) bool) func(*Script) {
		return func(s *Script) { s.Parts = slices.DeleteFunc(s.Parts, drop) }
	}
	edit := func(change func(*Part)) func(*Script) {
		return func(s *Script) {
			for i := range s.Parts {
				change(&s.Parts[i])
			}
		}
	}
	cases := map[string]struct {
		spoil func(*Script)
		want  string
	}{
		"said once":          {without(func(p Part) bool { return p.Readout > 1 }), tooFew},
		"never said":         {without(func(p Part) bool { return p.Kind == KindDigit }), tooFew},
		"no warning":         {without(func(p Part) bool { return p.Section == SectionWarning }), noWarning},
		"no silence":         {without(func(p Part) bool { return p.Kind == KindSilence && p.Section == SectionReadout }), noPause},
		"digits together":    {without(func(p Part) bool { return p.Kind == KindSilence && p.Readout == 2 }), together},
		"short silence":      {edit(func(p *Part) { p.Silence = min(p.Silence, 200*time.Millisecond) }), noPause},
		"a phrase is empty":  {edit(func(p *Part) { p.Words = strings.TrimPrefix(p.Words, "Your code is") }), "misses its words"},
		"a digit is empty":   {edit(func(p *Part) { p.Words = strings.TrimPrefix(p.Words, "number nine") }), "misses its words"},
		"a wrong digit word": {edit(func(p *Part) { p.Words = strings.Replace(p.Words, "number nine", "number five", 1) }), "is not this language's word"},
		"a numeral":          {edit(func(p *Part) { p.Words = strings.Replace(p.Words, "number nine", "9", 1) }), "is not this language's word"},
		"readouts disagree": {edit(func(p *Part) {
			if p.Readout == 2 && p.Digit == '9' {
				p.Digit, p.Words = '5', "number five"
			}
		}), differs},
		"code before warning": {func(s *Script) {
			warning := slices.IndexFunc(s.Parts, func(p Part) bool { return p.Section == SectionWarning && p.Kind == KindSay })
			w := s.Parts[warning]
			s.Parts = append(slices.Delete(s.Parts, warning, warning+1), w)
		}, noWarning},
		"gate after the code": {func(s *Script) {
			gate := s.pastGate() - 1
			g := s.Parts[gate]
			s.Parts = append(slices.Delete(s.Parts, gate, gate+1), g)
		}, "the gate must come before"},
		"code in the greeting": {edit(func(p *Part) {
			p.Words = strings.Replace(p.Words, "Acme", "Acme 4829", 1)
		}), "numeral"},
		"other language": {func(s *Script) { s.Lang = "ja" }, wrongSpeech},
		"no language":    {func(s *Script) { s.Lang = "xx" }, "is not known"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := goodScript(t, "en")
			c.spoil(&s)
			wantProblem(t, Lint(s), c.want)
		})
	}
}

// wantProblem wants a problem with a reason, a place for each, and no digit of
// the code in any.
func wantProblem(t *testing.T, problems []Problem, want string) {
	t.Helper()
	for _, p := range problems {
		if p.Place == "" || strings.Contains(p.String(), "4829") || strings.Contains(p.String(), "9729") {
			t.Errorf("problem %q has no place or reveals the code", p)
		}
	}
	if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Reason, want) }) {
		t.Errorf("problems %v, want one with %q", problems, want)
	}
}

func TestLintAcceptsAnnouncement(t *testing.T) {
	t.Parallel()
	s, err := ComposeText("ja", "本日の会議は、中止になりました。")
	if err != nil {
		t.Fatal(err)
	}
	if p := Lint(s); len(p) > 0 {
		t.Errorf("problems %v, want none", p)
	}
}

// TestLintText has the mistakes that hand-made messages have in the field.
func TestLintText(t *testing.T) {
	t.Parallel()
	const (
		warn  = "Hello. This is Acme. Do not disclose this code to anyone. "
		read  = "Number 9, Number 7, Number 2, Number 9"
		japan = "アクメです。この番号は誰にも教えないでください。認証番号をお伝えします。……"
	)
	cases := map[string]struct{ lang, text, want string }{
		"good":                 {"en", warn + "Your pin is... " + read + ". Again, your pin is... " + read + ". Good bye", ""},
		"good in words":        {"en-GB", warn + "Your pin is... nine, seven, two, nine. Again... Nine. Seven. Two. Nine.", ""},
		"good Japanese":        {"ja", japan + "きゅう、なな、にー、きゅう。繰り返します。……きゅう、なな、にー、きゅう。", ""},
		"English as Japanese":  {"ja", warn + "Your pin is... " + read + ". Again... " + read + ".", wrongSpeech},
		"Japanese as English":  {"en", japan + "きゅう、なな、にー、きゅう。繰り返します。……きゅう、なな、にー、きゅう。", wrongSpeech},
		"no space after words": {"en", warn + "Your pin is..." + read + ". Again... " + read + ".", sticking},
		"no space after mark":  {"en", warn + "Your pin is... Number 9,Number 7,Number 2,Number 9. Again... " + read, sticking},
		"a word sticks":        {"en", warn + "Your pin isNumber 9, Number 7, Number 2, Number 9. Again... " + read, "sticks to another"},
		"no pause":             {"en", warn + "Your pin is " + read + ". Again, " + read + ".", noPause},
		"a comma is no pause":  {"en", warn + "Your pin is, " + read + ". Again, " + read + ".", noPause},
		"said once":            {"en", warn + "Your pin is... " + read + ". Good bye", tooFew},
		"never said":           {"en", warn + "Good bye", tooFew},
		"as a number":          {"en", warn + "Your pin is... 9729. Again, your pin is... 9729.", "numeral"},
		"without marks":        {"en", warn + "Your pin is... nine seven two nine. Again... nine seven two nine.", together},
		"only carrier words":   {"en", warn + "Your pin is... number nine number seven number two number nine. Again... " + read, together},
		"glued":                {"en", warn + "Your pin is... nineseven, two, nine. Again... nine, seven, two, nine.", together},
		"in pairs":             {"en", warn + "Your pin is... 97, 29. Again... 97, 29.", together},
		"warning last":         {"en", "Hello, this is your pin... " + read + ". Again... " + read + ". Do not share it.", noWarning},
		"no warning":           {"en", "Hello, this is your pin... " + read + ". Again... " + read + ".", noWarning},
		"another code":         {"en", warn + "Your pin is... " + read + ". Again... Number 9, Number 7, Number 2, Number 5.", differs},
		"a digit is missing":   {"en", warn + "Your pin is... " + read + ". Again... Number 9, Number 7, Number 2.", tooFew},
		"kana glued":           {"ja", japan + "きゅうなな、にー、きゅう。繰り返します。……きゅう、なな、にー、きゅう。", together},
		"unknown language":     {"xx", warn, "is not known"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := LintText(c.text, c.lang, mustCode(t, "9729"))
			if c.want == "" {
				if len(problems) > 0 {
					t.Errorf("problems %v, want none", problems)
				}
				return
			}
			wantProblem(t, problems, c.want)
		})
	}
}

// TestOtherWordsAreHeard reads words that people and engines say for a digit
// though a script of ours does not.
func TestOtherWordsAreHeard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, text, want string }{
		{"de", "Ihr Code lautet... neun, zwei, zwo, Ziffer eins.", "9221"},
		{"pt", "O código é... meia, seis, número meia, um.", "6661"},
		{"zh", "您的验证码是……一，幺，〇，零。", "1100"},
		{"ko", "인증번호는... 영, 공, 일, 이.", "0012"},
		{"ru", "Ваш код... Нуль, ноль, цифра девять, три.", "0093"},
	} {
		got, err := ReadBack(c.text, c.lang, 4)
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: heard %v, %v, want %s", c.lang, got, err, c.want)
		}
	}
}

// TestWarningsAreKnown has other wordings of the warning, and sentences that
// sound alike and warn of nothing.
func TestWarningsAreKnown(t *testing.T) {
	t.Parallel()
	for lang, texts := range map[string][2]string{
		"de": {"Geben Sie den Code nicht weiter.", "Ohne ihn geht es nicht weiter."},
		"es": {"No revele esta clave.", "No cuelgue."},
		"fr": {"Ne partagez ce code avec personne.", "Ne raccrochez pas."},
		"it": {"Non condivida il codice.", "Non riagganci."},
		"ko": {"이 번호를 공유하지 마세요.", "전화를 끊지 마세요."},
		"nl": {"Geef deze code niet door.", "Hang niet op."},
		"pl": {"Nie udostępniaj kodu.", "Proszę się nie rozłączać."},
		"pt": {"Não compartilhe este código.", "Não desligue."},
		"ru": {"Не называйте код никому.", "Не кладите трубку."},
		"zh": {"请不要把验证码告诉别人。", "请勿挂机。"},
	} {
		l := catalog()[lang]
		if l.warnedAt(texts[0]) < 0 || l.warnedAt(texts[1]) >= 0 {
			t.Errorf("%s: %q is a warning: %v; %q: %v", lang, texts[0], l.warnedAt(texts[0]) >= 0, texts[1], l.warnedAt(texts[1]) >= 0)
		}
	}
}
