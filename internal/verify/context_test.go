package verify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/verify"
)

var dialling = carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true, Extension: true}

func TestContextIsKeptAndShownToKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	req := verify.StartRequest{
		Consent: &verify.Consent{At: "2026-03-04T06:06:00+01:00", How: "box ticked"}, ClientIP: "::ffff:192.0.2.7",
		UserRef: "user-4711", Metadata: map[string]string{"order_id": "1001"},
	}
	want := verify.Context{
		ConsentAt: time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC), ConsentHow: "box ticked", ClientIP: "192.0.2.7",
		UserRef: "user-4711", Metadata: map[string]string{"order_id": "1001"},
	}
	v := h.start(req)
	if diff := cmp.Diff(want, v.View.Context); diff != "" {
		t.Errorf("start: %s", diff)
	}
	stored := h.read(v.View.ID).Verification.Context
	for _, plain := range []string{"box", "4711", "1001", "192.0.2.7"} {
		if strings.Contains(string(stored), plain) {
			t.Errorf("%s is stored in clear", plain)
		}
	}
	for _, tt := range []struct {
		who  verify.Caller
		want verify.Context
	}{{alice, want}, {verify.Caller{Account: "alice", Key: "k2"}, want}, {verify.Caller{Account: "alice", Verification: v.View.ID}, verify.Context{}}} {
		got, err := h.Get(t.Context(), tt.who, v.View.ID)
		h.ok(err)
		if diff := cmp.Diff(tt.want, got.Context); diff != "" {
			t.Errorf("%+v: %s", tt.who, diff)
		}
	}
	// It outlives the end: it is for audit.
	_, err := h.check(v.View.ID, h.code(v.View.ID))
	h.ok(err)
	got, err := h.Get(t.Context(), alice, v.View.ID)
	h.ok(err)
	if diff := cmp.Diff(want, got.Context); diff != "" {
		t.Errorf("after the end: %s", diff)
	}
	if plain := h.start(verify.StartRequest{To: "+818012345679"}); h.read(plain.View.ID).Verification.Context != nil {
		t.Error("something is stored where nothing was told")
	}
}

func TestBadContext(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{routes: []carrier.Route{route("one", dialling)}})
	many := map[string]string{}
	for i := range 11 {
		many[strings.Repeat("a", i+1)] = "x"
	}
	const mark = "zqzq"
	for name, tt := range map[string]struct {
		req   verify.StartRequest
		field string
	}{
		"consent without a time":     {verify.StartRequest{Consent: &verify.Consent{How: mark}}, "consent.at"},
		"consent empty":              {verify.StartRequest{Consent: &verify.Consent{}}, "consent.at"},
		"consent with another time":  {verify.StartRequest{Consent: &verify.Consent{At: mark}}, "consent.at"},
		"consent too long":           {verify.StartRequest{Consent: &verify.Consent{At: "2026-01-02T03:04:05Z", How: strings.Repeat(mark, 51)}}, "consent.how"},
		"consent with a line break":  {verify.StartRequest{Consent: &verify.Consent{At: "2026-01-02T03:04:05Z", How: mark + "\n"}}, "consent.how"},
		"address of none":            {verify.StartRequest{ClientIP: mark}, "client_ip"},
		"address with a port":        {verify.StartRequest{ClientIP: "192.0.2.1:80"}, "client_ip"},
		"address with a zone":        {verify.StartRequest{ClientIP: "fe80::1%" + mark}, "client_ip"},
		"reference too long":         {verify.StartRequest{UserRef: strings.Repeat("é", 64) + "x"}, "user_ref"},
		"reference that is no text":  {verify.StartRequest{UserRef: mark + "\xff"}, "user_ref"},
		"too many pairs":             {verify.StartRequest{Metadata: many}, "metadata"},
		"a name in capitals":         {verify.StartRequest{Metadata: map[string]string{"A" + mark: "x"}}, "metadata"},
		"an empty name":              {verify.StartRequest{Metadata: map[string]string{"": mark}}, "metadata"},
		"a name too long":            {verify.StartRequest{Metadata: map[string]string{strings.Repeat("a", 41): mark}}, "metadata"},
		"a value too long":           {verify.StartRequest{Metadata: map[string]string{"a": strings.Repeat("x", 129)}}, "metadata"},
		"a value that is no text":    {verify.StartRequest{Metadata: map[string]string{"a": mark + "\xff"}}, "metadata"},
		"extension of letters":       {verify.StartRequest{Extension: mark}, "extension"},
		"extension too long":         {verify.StartRequest{Extension: strings.Repeat("1", 33)}, "extension"},
		"extension of a message":     {verify.StartRequest{Extension: "1", Channel: "sms"}, "extension"},
		"extension of a second step": {verify.StartRequest{Extension: "1", Workflow: []account.Step{{Channel: "voice"}, {Channel: "sms"}}}, "extension"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.req.To = number
			_, err := h.Start(t.Context(), alice, tt.req, verify.Once[verify.Started]{})
			if e := wantCode(t, err, verify.BadInput); e.Field != tt.field || strings.Contains(fmt.Sprint(e.Message, e.Err), mark) {
				t.Errorf("field %q, message %q, cause %v", e.Field, e.Message, e.Err)
			}
		})
	}
	t.Cleanup(func() {
		if got, err := h.store.Numbered(t.Context(), "", h.keys.Index("number", number)); err == nil && len(got) > 0 {
			t.Errorf("%d were stored", len(got))
		}
	})
	// What is just allowed.
	h.start(verify.StartRequest{
		To: "+818012345670", UserRef: strings.Repeat("x", 128), ClientIP: "2001:db8::1", Extension: strings.Repeat("W", 31) + "#",
		Consent:  &verify.Consent{At: "2026-01-02T03:04:05.678Z", How: strings.Repeat("é", 200)},
		Metadata: map[string]string{strings.Repeat("a", 40): strings.Repeat("x", 128), "_": ""},
	})
}

func TestExtensionIsDialledOnlyWhereItCan(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{routes: []carrier.Route{route("cannot", everything), route("can", dialling)}})
	v := h.start(verify.StartRequest{Extension: "W204#"})
	d := h.delivery()
	if len(d.Routes) != 1 || d.Routes[0].Name != "can" || d.Extension.Reveal() != "W204#" {
		t.Errorf("routes %d, extension as asked %v", len(d.Routes), d.Extension.Reveal() == "W204#")
	}
	if strings.Contains(fmt.Sprintf("%+v", d), "W204") {
		t.Error("a delivery prints its extension")
	}
	_, err := h.Resend(t.Context(), alice, v.View.ID, "sms", verify.Once[verify.View]{})
	wantCode(t, err, verify.NoRoute)
	// Another extension of the same number is another person.
	h.start(verify.StartRequest{Extension: "205"})
	if s := h.read(v.View.ID).Verification.Status; s != verify.Pending {
		t.Errorf("the first is %s", s)
	}
	h.start(verify.StartRequest{Extension: "W204#"})
	if s := h.read(v.View.ID).Verification; s.Status != verify.Canceled || s.Sealed != nil {
		t.Errorf("the first is %s after a second start of its own", s.Status)
	}
	none := newHouse(t, setup{})
	_, err = none.Start(t.Context(), alice, verify.StartRequest{To: number, Extension: "1"}, verify.Once[verify.Started]{})
	wantCode(t, err, verify.NoRoute)
	if errors.Unwrap(err) != nil {
		t.Errorf("cause %v", errors.Unwrap(err))
	}
}
