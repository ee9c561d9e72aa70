package deliver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

// worded is a service with words of its own.
type worded struct{ services }

func (worded) Service(_ context.Context, acc, _ string) (account.Service, error) {
	t, err := script.ParseTemplate("en", []byte(`{"sms":"{{code}} is your {{brand}} code"}`))
	if err != nil {
		return account.Service{}, err
	}
	return account.Service{
		ID: "s", Account: acc, Brand: "Acme", Domain: "acme.example", Templates: map[string]script.Template{"en": t},
	}.WithDefaults(), nil
}

// A service's domain and template reach the message.
func TestServicesOwnWords(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := newHouseOf(t, worded{}, f)
	h.work()
	h.ended(h.start(verify.StartRequest{Channel: "sms", Locale: "en"}), 1)
	text := f.calls()[0].Text.Reveal()
	lines := strings.Split(text, "\n")
	if !strings.Contains(lines[0], "is your Acme code") || !strings.HasPrefix(lines[len(lines)-1], "@acme.example #") {
		t.Errorf("the message has %d lines and not the service's words", len(lines))
	}
}
