package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/secret"
)

// masked is a secret with every form in which it could leak.
type masked struct {
	value any
	mask  string
	leaks []string
}

func allSecrets(t *testing.T) map[string]masked {
	t.Helper()
	code := mustCode(t, "8042719365")
	token, err := secret.NewToken(seeded(2), "pk", "a1")
	if err != nil {
		t.Fatal(err)
	}
	ring, raw := ringAndKeys(t)
	random := token.Reveal()[strings.LastIndex(token.Reveal(), "_")+1:]
	rawToken := make([]byte, 32)
	_, _ = seeded(2).Read(rawToken)
	return map[string]masked{
		"code":    {code, "[code]", forms([]byte(code.Reveal()))},
		"text":    {secret.NewText("key 4711 now"), "[secret]", forms([]byte("key 4711 now"))},
		"token":   {token, "[token]", append(forms(rawToken), random)},
		"keyring": {ring, "[keyring]", append(forms(raw[:32]), forms(raw[32:])...)},
	}
}

// forms are the ways in which Go prints bytes: text, hex, base64, and a list of numbers.
func forms(b []byte) []string {
	list := fmt.Sprint(b)
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), list[1 : len(list)-1], strings.ReplaceAll(list[1:len(list)-1], " ", ","),
	}
}

// ringAndKeys is a keyring of fixed keys, and those keys.
func ringAndKeys(t *testing.T) (*secret.Keyring, []byte) {
	t.Helper()
	ring, err := secret.NewKeyring(seeded(3), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 64)
	_, _ = seeded(3).Read(raw)
	return ring, raw
}

// formatted prints v with every verb and flag, %w of a non-error included. The formats are not constants, as vet would rightly
// refuse several.
func formatted(v any) []string {
	var out []string
	for _, verb := range strings.Split("v +v #v s +s q #q x X #x d o b c U t e p T w 10s .2s -20v 08d", " ") {
		if verb != "p" && verb != "T" { // an address and a type, and fmt asks nobody for them
			out = append(out, fmt.Sprintf("%"+verb, v))
		}
	}
	return append(out, fmt.Sprint(v), fmt.Sprintln(v))
}

type holder struct {
	Public  any
	private any
}

func TestSecretsMaskThemselves(t *testing.T) {
	t.Parallel()
	for name, m := range allSecrets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, got := range formatted(m.value) {
				noLeak(t, got, m.leaks)
				if !strings.Contains(got, m.mask) && !strings.HasPrefix(got, "%!w") {
					t.Errorf("printed without the mask: %.200q", got)
				}
			}
			for _, wrapped := range []any{[]any{m.value}, map[string]any{"k": m.value}, holder{m.value, m.value}, &holder{m.value, m.value}} {
				for _, got := range formatted(wrapped) {
					noLeak(t, got, m.leaks)
				}
			}
			err := fmt.Errorf("operation %v: %w", m.value, errors.New("failed"))
			noLeak(t, err.Error(), m.leaks)
			noLeak(t, errors.Join(err, fmt.Errorf("%v", holder{m.value, m.value})).Error(), m.leaks)
		})
	}
}

// typedHolder has unexported fields of the secret types themselves, on which fmt calls no method.
type typedHolder struct {
	code  secret.Code
	text  secret.Text
	token secret.Token
	ring  secret.Keyring
	refs  []*secret.Keyring
}

func TestSecretsMaskThemselvesInUnexportedFields(t *testing.T) {
	t.Parallel()
	all := allSecrets(t)
	ring := all["keyring"].value.(*secret.Keyring)
	h := typedHolder{all["code"].value.(secret.Code), all["text"].value.(secret.Text), all["token"].value.(secret.Token), *ring, []*secret.Keyring{ring}}
	for _, got := range append(formatted(h), formatted(&h)...) {
		for _, m := range all {
			noLeak(t, got, m.leaks)
		}
	}
}

func TestSecretsMaskThemselvesWhenLoggedAndEncoded(t *testing.T) {
	t.Parallel()
	for name, m := range allSecrets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				log := slog.New(h)
				log.With("with", m.value).WithGroup("g").Error("m", "v", m.value, "list", []any{m.value}, "in", holder{m.value, m.value},
					"err", fmt.Errorf("x: %v", m.value))
			}
			if strings.Count(out.String(), m.mask) < 8 {
				t.Errorf("the log lacks masks:\n%s", out.String())
			}
			noLeak(t, out.String(), m.leaks)

			for _, v := range []any{m.value, holder{Public: m.value}, []any{m.value}, map[string]any{"k": m.value}} {
				raw, err := json.Marshal(v)
				if err != nil || !strings.Contains(string(raw), `"`+m.mask+`"`) {
					t.Errorf("JSON is %.200s, error %v", raw, err)
				}
				noLeak(t, string(raw), m.leaks)
			}
			raw, err := xml.Marshal(m.value)
			if err != nil || !strings.Contains(string(raw), m.mask) {
				t.Errorf("XML is %.200s, error %v", raw, err)
			}
		})
	}
}

// noLeak compares without printing what it looks for.
func noLeak(t *testing.T, got string, leaks []string) {
	t.Helper()
	for i, leak := range leaks {
		if strings.Contains(got, leak) {
			t.Errorf("a secret leaks, as form %d, in %d bytes of output", i, len(got))
		}
	}
}

// "codeA == codeB" does not compile ("struct containing [0]func() cannot be compared"), nor does map[secret.Code]T; reflect
// says the same of the types.
func TestSecretsCannotBeComparedWithEquals(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[secret.Code](), reflect.TypeFor[secret.Text](), reflect.TypeFor[secret.Token]()} {
		if typ.Comparable() {
			t.Errorf("%v can be compared with ==", typ)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var zero secret.Text
	if !zero.IsZero() || zero.Reveal() != "" || !secret.NewText("").IsZero() {
		t.Error("the zero value holds words")
	}
	if text := secret.NewText("words"); text.IsZero() || text.Reveal() != "words" {
		t.Error("the words are lost")
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"same": {"abc", "abc", true}, "other": {"abc", "abd", false}, "shorter": {"abc", "ab", false}, "both empty": {"", "", true},
	}
	for name, tt := range tests {
		if got := secret.Equal([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
