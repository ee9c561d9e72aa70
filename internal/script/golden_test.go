package script

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/secret"
)

var update = flag.Bool("update", false, "write the goldens anew")

// mustCode parses a code of a test.
func mustCode(t testing.TB, digits string) secret.Code {
	t.Helper()
	code, err := secret.ParseCode(digits)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// goldenMessages are the messages whose renderings are on record, by name.
func goldenMessages(t *testing.T, lang string) ([]string, map[string]Message) {
	t.Helper()
	var names []string
	all := map[string]Message{}
	add := func(name, digits string, m Message) {
		m.Lang, m.Code = lang, mustCode(t, digits)
		names, all[name] = append(names, name), m
	}
	for _, digits := range []string{"0000", "9729", "0542", "111111", "482913"} {
		add(digits+"/brand", digits, Message{Brand: "Acme"})
	}
	add("9729/bare", "9729", Message{})
	add("9729/plain-digits", "9729", Message{Brand: "Acme Inc.", PlainDigits: true})
	add("0542/any-key", "0542", Message{Brand: "Acme", Gate: GateAnyKey, Menu: true})
	add("482913/screen-digits", "482913", Message{Brand: "Smith & Söhne <\"Ltd\">", Gate: GateScreenDigits, Menu: true})
	add("482913/payment", "482913", Message{
		Brand: "Acme", Menu: true, Amount: &Money{Minor: 1250, Currency: "EUR"}, Payee: "Book & Café",
	})
	add("482913/payee-only", "482913", Message{Brand: "Acme", Payee: "Book Shop"})
	add("111111/amount-only", "111111", Message{Brand: "Acme", Amount: &Money{Minor: 3000, Currency: "JPY"}})
	return names, all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", lang+".txtar")
			var got []byte
			names, messages := goldenMessages(t, lang)
			for _, name := range names {
				got = append(got, renderings(t, name, messages[name])...)
			}
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("what %s says has changed; run with -update if it should (-want +got):\n%s", lang, diff)
			}
		})
	}
}

// renderings is a message in every form, as files of a txtar archive: a line
// "-- name --" before each.
func renderings(t *testing.T, name string, m Message) []byte {
	t.Helper()
	s, err := Compose(m)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	parts, err := s.PartsJSON()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var b bytes.Buffer
	add := func(form, text string) { fmt.Fprintf(&b, "-- %s/%s --\n%s\n", name, form, text) }
	add("masked", s.String())
	add("text", s.Text())
	add("ssml", s.SSML())
	add("twiml", s.TwiML())
	if m.Gate != "" {
		add("twiml-after-gate", s.AfterGate().TwiML())
	}
	add("parts", string(bytes.ReplaceAll(parts, []byte("},{"), []byte("},\n{"))))
	add("sms", SMS(m))
	add("duration", s.Duration().String())
	return b.Bytes()
}
