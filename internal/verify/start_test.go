package verify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

func TestStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	got := h.start(verify.StartRequest{Brand: "Acme", Purpose: "login"})
	v := got.View
	want := verify.View{
		ID: v.ID, Service: "default", To: number, Status: verify.Pending, Channel: phone.Voice, Locale: "ja",
		Gate: script.GateAnyKey, Purpose: "login", CreatedAt: h.clock.now(), ExpiresAt: h.clock.now().Add(10 * time.Minute),
		GuessesLeft: 5, SendsLeft: 4, Step: 1, Steps: 1,
		Attempts: []verify.AttemptView{{ID: v.Attempts[0].ID, N: 1, Send: 1, Channel: phone.Voice, State: verify.StateQueued, CreatedAt: h.clock.now()}},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	if len(h.code(v.ID)) != 6 {
		t.Error("the code has six digits")
	}
	stored, err := json.Marshal(h.read(v.ID))
	h.ok(err)
	for name, secret := range map[string]string{"code": h.code(v.ID), "number": number, "digits": number[1:]} {
		if strings.Contains(string(stored), secret) {
			t.Errorf("the %s is stored in clear", name)
		}
	}
}

// Whoever did not send the number is shown it masked.
func TestOnlyTheSenderIsToldTheNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	for _, who := range []verify.Caller{{Account: "alice", Key: "k2"}, {Account: "alice", Verification: id}} {
		v, err := h.Get(t.Context(), who, id)
		h.ok(err)
		if v.To != "+81 80-****-5678" {
			t.Errorf("%+v is told %q", who, v.To)
		}
	}
}

func TestBadStarts(t *testing.T) {
	t.Parallel()
	steps := make([]account.Step, 6)
	for i := range steps {
		steps[i].Channel = phone.Voice
	}
	tests := []struct {
		name  string
		req   verify.StartRequest
		code  verify.Code
		field string
	}{
		{"no number", verify.StartRequest{To: " "}, verify.BadInput, "to"},
		{"trunk 0 kept", verify.StartRequest{To: "+8108012345678"}, verify.BadInput, "to"},
		{"national", verify.StartRequest{To: "08012345678"}, verify.BadInput, "to"},
		{"too long", verify.StartRequest{To: "+8180123456789012"}, verify.BadInput, "to"},
		{"unknown language", verify.StartRequest{Locale: "xx"}, verify.BadInput, "locale"},
		{"language nobody wrote", verify.StartRequest{Locale: "sw"}, verify.BadInput, "locale"},
		{"unknown channel", verify.StartRequest{Channel: "fax"}, verify.BadInput, "channel"},
		{"channel and workflow", verify.StartRequest{Channel: "sms", Workflow: steps[:1]}, verify.BadInput, "channel"},
		{"too many steps", verify.StartRequest{Workflow: steps}, verify.BadInput, "workflow"},
		{"step too short", verify.StartRequest{Workflow: []account.Step{{Channel: phone.SMS, Timeout: time.Second}}}, verify.BadInput, "workflow[0]"},
		{"unknown gate", verify.StartRequest{Gate: "moat"}, verify.BadInput, "gate"},
		{"unknown service", verify.StartRequest{Service: "nope"}, verify.BadInput, "service"},
		{"amount alone", verify.StartRequest{Amount: "1"}, verify.BadInput, "currency"},
		{"amount without payee", verify.StartRequest{Amount: "1", Currency: "EUR"}, verify.BadInput, "payee"},
		{"payee alone", verify.StartRequest{Payee: "Shop"}, verify.BadInput, "amount"},
		{"amount of no currency", verify.StartRequest{Amount: "1.005", Currency: "EUR", Payee: "Shop"}, verify.BadInput, "amount"},
		{"payee with a number", verify.StartRequest{Amount: "1", Currency: "EUR", Payee: "call +4917012345678"}, verify.BadInput, "payee"},
		{"brand with an address", verify.StartRequest{Brand: "https://evil.example"}, verify.BadInput, "brand"},
		{"brand too long", verify.StartRequest{Brand: strings.Repeat("a", 41)}, verify.BadInput, "brand"},
		{"purpose that is no text", verify.StartRequest{Purpose: "a\xffb"}, verify.BadInput, "purpose"},
		{"purpose too long", verify.StartRequest{Purpose: strings.Repeat("a", 65)}, verify.BadInput, "purpose"},
		{"message to a landline", verify.StartRequest{To: "+81312345678", Channel: "sms"}, verify.BadInput, "channel"},
		{"country on no list", verify.StartRequest{To: "+4915112345678"}, verify.CountryDenied, ""},
		{"premium rate", verify.StartRequest{To: "+19002345678"}, verify.NumberDenied, ""},
	}
	h := newHouse(t, setup{})
	for _, tt := range tests {
		if tt.req.To == "" {
			tt.req.To = number
		}
		_, err := h.Start(t.Context(), alice, tt.req, verify.Once[verify.Started]{})
		var e *verify.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Field != tt.field {
			t.Errorf("%s: got %v in field %q", tt.name, err, e.Field)
			continue
		}
		for _, sent := range []string{tt.req.To, tt.req.Brand, tt.req.Payee, tt.req.Locale, tt.req.Gate} {
			if len(sent) > 2 && strings.Contains(fmt.Sprint(e.Message), sent) && sent != "sw" {
				t.Errorf("%s: the message echoes what was sent", tt.name)
			}
		}
	}
	h.idle()
}

func TestLandlineGetsTheCallAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	flow := []account.Step{{Channel: phone.SMS}, {Channel: phone.Voice}}
	v := h.start(verify.StartRequest{To: "+81312345678", Workflow: flow}).View
	if v.Channel != phone.Voice || v.Steps != 1 {
		t.Errorf("first channel %s of %d steps", v.Channel, v.Steps)
	}
}

func TestRoutesMustBeAble(t *testing.T) {
	t.Parallel()
	noKeys := carrier.Abilities{Voice: true, Text: true, Payee: true, Languages: []string{"en", "ja"}}
	mute := carrier.Abilities{Voice: true, Gate: true, Keys: true, Sound: true}
	english := carrier.Abilities{Voice: true, Gate: true, Keys: true, Sound: true, Payee: true, Words: []string{"en"}}
	tests := []struct {
		name    string
		routes  []carrier.Route
		service account.Service
		req     verify.StartRequest
		want    verify.Code // empty: it starts
	}{
		{name: "no route at all", routes: []carrier.Route{}, want: verify.NoRoute},
		{name: "no messages", routes: []carrier.Route{route("a", noKeys)}, req: verify.StartRequest{Channel: "sms"}, want: verify.NoRoute},
		{name: "prefer uses an ungated route", routes: []carrier.Route{route("a", noKeys)}},
		{name: "require does not", routes: []carrier.Route{route("a", noKeys)},
			service: account.Service{GatePolicy: account.GateRequire}, want: verify.NoRoute},
		{name: "require with gate none", routes: []carrier.Route{route("a", noKeys)},
			service: account.Service{GatePolicy: account.GateRequire}, req: verify.StartRequest{Gate: "none"}},
		{name: "payee cannot be spoken", routes: []carrier.Route{route("a", mute)},
			req: verify.StartRequest{Amount: "5", Currency: "JPY", Payee: "Shop"}, want: verify.NoRoute},
		{name: "payee cannot be spoken in this language", routes: []carrier.Route{route("a", english)},
			req: verify.StartRequest{Amount: "5", Currency: "JPY", Payee: "Shop", Locale: "ja"}, want: verify.NoRoute},
		{name: "payee can be spoken in that language", routes: []carrier.Route{route("a", english)},
			req: verify.StartRequest{Amount: "5", Currency: "JPY", Payee: "Shop", Locale: "en"}},
		{name: "country is not called", routes: []carrier.Route{route("a", carrier.Abilities{Voice: true, Countries: []string{"DE", "FR"}})}, want: verify.NoRoute},
		{name: "country is called", routes: []carrier.Route{route("a", carrier.Abilities{Voice: true, Gate: true, Countries: []string{"DE", "JP"}})}},
		{name: "one of two is able", routes: []carrier.Route{route("a", mute), route("b", noKeys)},
			req: verify.StartRequest{Amount: "5", Currency: "JPY", Payee: "Shop"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{routes: tt.routes, service: tt.service})
			tt.req.To = number
			_, err := h.Start(t.Context(), alice, tt.req, verify.Once[verify.Started]{})
			if tt.want == "" {
				h.ok(err)
				return
			}
			wantCode(t, err, tt.want)
			h.idle()
		})
	}
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	first := h.start(verify.StartRequest{Purpose: "login"}).View.ID
	other := h.start(verify.StartRequest{Purpose: "pay"}).View.ID
	d := h.dial() // first's call rings; other's waits behind it
	stop, unwatch := h.Signal().Watch(d.Attempt.ID)
	defer unwatch()
	second := h.start(verify.StartRequest{Purpose: "login"}).View.ID
	select {
	case <-stop.Done():
	default:
		t.Error("the call of the first was not told to stop")
	}
	for id, want := range map[string]verify.Status{first: verify.Canceled, other: verify.Pending, second: verify.Pending} {
		if v := h.read(id).Verification; v.Status != want {
			t.Errorf("status %s, want %s", v.Status, want)
		}
	}
	if v := h.read(first).Verification; v.Reason != verify.ReasonSuperseded {
		t.Errorf("reason %q", v.Reason)
	}
	h.idle() // the new call follows after the old one has ended
	h.ok(h.Settle(t.Context(), d, canceled))
	if got := h.lease(); len(got) != 1 || got[0].Subject != h.read(other).Attempts[0].ID {
		t.Errorf("next: %+v", got)
	}
}

func TestGuardIsAskedInTheStartsOwnOperation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{limits: guard.Limits{ConcurrentCalls: 3, Starts: guard.Limit{N: 100, Window: time.Hour}}})
	var started, refused int
	results := make(chan error, 50)
	together(50, func(i int) {
		_, err := h.Start(t.Context(), alice, verify.StartRequest{To: fmt.Sprintf("+8180123456%02d", i)}, verify.Once[verify.Started]{})
		results <- err
	})
	for range 50 {
		err := <-results
		if err == nil {
			started++
			continue
		}
		refused++
		if e := wantCode(t, err, verify.Limited); e.RetryAfter == 0 || !strings.Contains(e.Message, "concurrent_calls") {
			t.Errorf("got %v, retry after %v", e, e.RetryAfter)
		}
	}
	if started != 3 || refused != 47 {
		t.Errorf("%d started and %d refused, want 3 and 47", started, refused)
	}
	if got := h.lease(); len(got) != 3 {
		t.Errorf("%d jobs, want 3: what is refused writes nothing", len(got))
	}
}
