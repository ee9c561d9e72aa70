package phone_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/phone"
)

type holder struct {
	Public  phone.Number
	private phone.Number
	list    []phone.Number
}

// The number has eight digits in a row that no mask, address or width could hold by chance.
func TestNumberMasksItself(t *testing.T) {
	t.Parallel()
	const secret, mask = "8049372615", "+81 80-****-2615"
	n, err := phone.Parse("+81" + secret)
	if err != nil {
		t.Fatal(err)
	}
	h := holder{n, n, []phone.Number{n}}
	for _, verb := range strings.Split("v +v #v s +s q #q x X d o b c U t e w 30s .2s -40v", " ") {
		// Not constant, as vet would rightly refuse several of them.
		got := fmt.Sprintf("%"+verb, n)
		if got != mask && verb != "w" {
			t.Errorf("%%%s gives %.100q", verb, got)
		}
		for _, v := range []any{n, &n, h, &h, []any{h}, map[string]any{"k": h}, map[phone.Number]int{n: 1}} {
			noLeak(t, fmt.Sprintf("%"+verb, v), secret)
		}
	}
	noLeak(t, fmt.Errorf("place %v: %v", n, h).Error(), secret)

	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).With("with", n).Error("m", "n", n, "list", []any{n}, "h", h)
	}
	if strings.Count(out.String(), mask) < 6 {
		t.Errorf("the log lacks masks:\n%s", out.String())
	}
	noLeak(t, out.String(), secret)

	raw, err := json.Marshal(map[phone.Number]any{n: []any{n, h}})
	if err != nil || strings.Count(string(raw), `"`+mask+`"`) != 3 {
		t.Errorf("JSON is %s, error %v", raw, err)
	}
	noLeak(t, string(raw), secret)
}

func noLeak(t *testing.T, got, number string) {
	t.Helper()
	hex := fmt.Sprintf("%x", number)
	for _, form := range []string{number, number[2:], hex, strings.ToUpper(hex), strings.Trim(fmt.Sprint([]byte(number)), "[]")} {
		if strings.Contains(got, form) {
			t.Errorf("the number leaks in %d bytes of output", len(got))
		}
	}
}

func TestParseChannel(t *testing.T) {
	t.Parallel()
	for _, c := range []phone.Channel{phone.Voice, phone.SMS} {
		if got, err := phone.ParseChannel(string(c)); got != c || err != nil {
			t.Errorf("%s: got %s, error %v", c, got, err)
		}
	}
	for _, s := range []string{"", "Voice", "sms ", "call", "canary"} {
		got, err := phone.ParseChannel(s)
		if err != phone.ErrChannel || got != "" {
			t.Errorf("%q: got %q, error %v", s, got, err)
		}
	}
	if text := phone.ErrChannel.Error(); !strings.Contains(text, "voice") || !strings.Contains(text, "sms") {
		t.Errorf("%q does not name the choices", text)
	}
}
