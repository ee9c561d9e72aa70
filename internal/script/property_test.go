package script

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/secret"
)

// randomMessage draws a message whose every choice is possible in production.
func randomMessage(t *testing.T, r *rand.Rand, lang string) (Message, string) {
	t.Helper()
	var b strings.Builder
	for range secret.MinCodeLen + r.IntN(secret.MaxCodeLen-secret.MinCodeLen+1) {
		b.WriteByte('0' + byte(r.IntN(10)))
	}
	brands := []string{"", "Acme", "One Two", "Seven-Eleven", "<b>&\"'</b>", "日本さん", "Yahoo!", "Number Nine", "A]]>B", "Studio 54"}
	pick := func() string { return brands[r.IntN(len(brands))] }
	m := Message{
		Lang: lang, Code: mustCode(t, b.String()), Brand: pick(), Payee: pick(),
		Gate: []Gate{"", GateNone, GateAnyKey, GateScreenDigits}[r.IntN(4)],
		Menu: r.IntN(2) == 0, PlainDigits: r.IntN(3) == 0,
	}
	if r.IntN(2) == 0 {
		currency := []string{"EUR", "JPY", "KWD", "USD", "PLN"}[r.IntN(5)]
		m.Amount = &Money{Minor: 1 + r.Int64N(maxMinor), Currency: currency}
	}
	return m, b.String()
}

// TestEveryCodeIsHeard composes many messages in every language and listens to
// each rendering.
func TestEveryCodeIsHeard(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 500 {
				m, digits := randomMessage(t, r, lang)
				s, err := Compose(m)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if problems := Lint(s); len(problems) > 0 {
					t.Fatalf("message %d: %v\n%s", i, problems, s.Text())
				}
				if limit := 120 * time.Second; s.Duration() > limit {
					t.Fatalf("message %d lasts %v, over %v", i, s.Duration(), limit)
				}
				hearRenderings(t, s, m, digits)
			}
		})
	}
}

// TestEveryLengthIsHeard composes codes of every length in every language, all
// of one digit and at random, and listens to each rendering: the code comes back
// from the words, and no two of its digits stand together.
func TestEveryLengthIsHeard(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			for n := secret.MinCodeLen; n <= secret.MaxCodeLen; n++ {
				codes := make([]string, 0, 40)
				for d := range 10 {
					codes = append(codes, strings.Repeat(fmt.Sprint(d), n))
				}
				for range 30 {
					codes = append(codes, fmt.Sprintf("%010d", r.Int64N(1e10))[10-n:])
				}
				for i, digits := range codes {
					m := Message{Lang: lang, Brand: "Acme", Code: mustCode(t, digits), Menu: i%2 == 0, PlainDigits: i%3 == 0}
					s, err := Compose(m)
					if err != nil {
						t.Fatal(err)
					}
					hearRenderings(t, s, m, digits)
					wantApart(t, s, digits)
				}
			}
		})
	}
}

// wantApart looks for two digits of a code together, as numerals or as words.
func wantApart(t *testing.T, s Script, digits string) {
	t.Helper()
	l := catalog()[s.Lang]
	for name, doc := range map[string]string{"text": s.Text(), "ssml": s.SSML(), "twiml": s.TwiML()} {
		text := doc
		if name != "text" {
			var err error
			if text, err = content(doc); err != nil {
				t.Fatal(err)
			}
		}
		for _, run := range l.listen(text) {
			if run.noPause || run.noSpace {
				t.Fatalf("%s: digits without a pause between them: %s", name, text)
			}
		}
		for _, tok := range tokens(text) {
			if l.glued(tok.word) || numerals(tok.word) > 0 {
				t.Fatalf("%s: %q holds digits together: %s", name, tok.word, text)
			}
		}
	}
	together := l.Digits[digits[0]-'0'] + l.Marks.Space + l.Digits[digits[1]-'0']
	if strings.Contains(s.Text(), together) {
		t.Fatalf("%q stands in %s", together, s.Text())
	}
}

// hearRenderings reads the code back from each rendering and looks for numerals.
func hearRenderings(t *testing.T, s Script, m Message, digits string) {
	t.Helper()
	for name, doc := range map[string]string{
		"text": s.Text(), "ssml": s.SSML(), "twiml": s.AfterGate().TwiML(), "twiml before the gate": s.BeforeGate().TwiML(),
	} {
		text := doc
		if name != "text" {
			var err error
			if text, err = content(doc); err != nil {
				t.Fatalf("%s: not well-formed: %v\n%s", name, err, doc)
			}
		}
		if m.Brand != "Studio 54" && m.Payee != "Studio 54" && m.Amount == nil && numerals(text) > 0 {
			t.Fatalf("%s holds a numeral: %s", name, text)
		}
		if name == "twiml before the gate" {
			if _, err := ReadBack(text, s.Lang, len(digits)); err == nil {
				t.Fatalf("%s reads the code: %s", name, text)
			}
			continue
		}
		got, err := ReadBack(text, s.Lang, len(digits))
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, text)
		}
		want := make([]string, s.Readouts())
		for i := range want {
			want[i] = digits
		}
		if len(want) < 2 || len(want) > 3 {
			t.Fatalf("%d readouts, want 2 or 3", len(want))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s is heard otherwise (-want +got):\n%s\n%s", name, diff, text)
		}
	}
	if s.pastGate() > 0 && strings.Count(s.TwiML(), "<Gather") != 2 {
		t.Fatalf("a gate's document does not end at the gate: %s", s.TwiML())
	}
	if !strings.Contains(SMS(m), digits) {
		t.Fatalf("the text message misses the code: %s", SMS(m))
	}
}

// TestReadoutsDiffer wants no two readouts with the same silences.
func TestReadoutsDiffer(t *testing.T) {
	t.Parallel()
	for n := secret.MinCodeLen; n <= secret.MaxCodeLen; n++ {
		s, err := Compose(Message{Lang: "en", Code: mustCode(t, strings.Repeat("7", n))})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i := 1; i <= s.Readouts(); i++ {
			pace := ""
			for _, p := range s.Readout(i) {
				if p.Kind == KindSilence {
					pace += fmt.Sprint(p.Silence, " ")
				}
			}
			seen[pace] = true
		}
		if len(seen) != 3 {
			t.Errorf("%d digits: %d paces in %d readouts, want 3", n, len(seen), s.Readouts())
		}
		again, err := Compose(Message{Lang: "en", Code: mustCode(t, strings.Repeat("7", n))})
		if err != nil || again.Text() != s.Text() || again.Duration() != s.Duration() {
			t.Errorf("%d digits: the pace is not the same each time", n)
		}
	}
}

// TestLongest shortens the cap step by step: the third readout goes, then the
// menu, and no script is ever longer than its cap.
func TestLongest(t *testing.T) {
	t.Parallel()
	type shape struct {
		readouts int
		menu     bool
	}
	var shapes []shape
	for longest := 120 * time.Second; longest > 0; longest -= time.Second {
		s, err := Compose(Message{Lang: "en", Brand: "Acme", Code: mustCode(t, "482913"), Menu: true, Longest: longest})
		if err != nil {
			if !strings.Contains(err.Error(), ErrTooLong.Error()) || longest > 60*time.Second {
				t.Fatalf("%v: %v", longest, err)
			}
			break
		}
		if s.Duration() > longest {
			t.Fatalf("%v: the script lasts %v", longest, s.Duration())
		}
		now := shape{s.Readouts(), strings.Contains(s.Text(), "press nine")}
		if len(shapes) == 0 || shapes[len(shapes)-1] != now {
			shapes = append(shapes, now)
		}
		if p := Lint(s); len(p) > 0 {
			t.Fatalf("%v: %v", longest, p)
		}
	}
	got := fmt.Sprint(shapes)
	if want := "[{3 true} {2 true} {3 false} {2 false}]"; got != want {
		t.Errorf("shapes %s, want %s", got, want)
	}
}
