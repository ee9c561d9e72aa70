package xoxzo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/xoxzo"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	client "github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

func adapter(t *testing.T, x *xoxzotest.Server, change func(*xoxzo.Config)) *xoxzo.Carrier {
	t.Helper()
	cfg := xoxzo.Config{
		Client: client.Config{SID: x.SID, AuthToken: x.AuthToken, BaseURL: x.URL, Timeout: 300 * time.Millisecond, Retries: -1},
		Caller: "815012345678", Sender: "Acme", FirstPoll: 5 * time.Millisecond, LongestPoll: 20 * time.Millisecond,
		GiveUp: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := xoxzo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func call(t *testing.T, ch phone.Channel, gate script.Gate) carrier.Call {
	t.Helper()
	to, err := phone.Parse("+818012345678")
	if err != nil {
		t.Fatal(err)
	}
	code, err := secret.ParseCode("097294")
	if err != nil {
		t.Fatal(err)
	}
	c := carrier.Call{Attempt: "a", Account: "acc", To: to, Channel: ch}
	m := script.Message{Lang: "ja", Code: code, Gate: gate}
	if ch == phone.SMS {
		c.Text = secret.NewText(script.SMS(m))
		return c
	}
	if c.Script, err = script.Compose(m); err != nil {
		t.Fatal(err)
	}
	return c
}

func follow(t *testing.T, c *xoxzo.Carrier, ref carrier.Ref) (outcome.Ending, []carrier.EventKind) {
	t.Helper()
	var seen []carrier.EventKind
	e, err := c.Follow(t.Context(), ref, func(e carrier.Event) { seen = append(seen, e.Kind) })
	if err != nil {
		t.Fatal(err)
	}
	return e, seen
}

func TestEndings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		channel phone.Channel
		life    xoxzotest.Life
		want    outcome.Outcome
	}{
		{"answered", phone.Voice, xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "ANSWERED", "ANSWERED"}}, outcome.Answered},
		{"answered and no end told", phone.Voice, xoxzotest.Life{Statuses: []string{"ANSWERED"}, NoEndTime: true}, outcome.Answered},
		{"busy", phone.Voice, xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "BUSY"}}, outcome.Busy},
		{"no answer", phone.Voice, xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "NO_ANSWER"}}, outcome.NoAnswer},
		{"failed", phone.Voice, xoxzotest.Life{Statuses: []string{"FAILED"}}, outcome.CarrierFailed},
		{"a word nobody documented", phone.Voice, xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "PURPLE"}}, outcome.CarrierFailed},
		{"never an end", phone.Voice, xoxzotest.Life{Statuses: []string{"IN_PROGRESS"}, NoEndTime: true}, outcome.CarrierFailed},
		{"delivered", phone.SMS, xoxzotest.Life{Statuses: []string{"QUEUED", "DELIVERING", "DELIVERED"}}, outcome.Delivered},
		{"the help page's word", phone.SMS, xoxzotest.Life{Statuses: []string{"QUEUED", "OK"}}, outcome.Delivered},
		{"undelivered", phone.SMS, xoxzotest.Life{Statuses: []string{"QUEUED", "FAIL"}}, outcome.Undelivered},
		{"taken, and nothing more", phone.SMS, xoxzotest.Life{Statuses: []string{"DELIVERING"}, NoEndTime: true}, outcome.Sent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			x.ScriptCalls("", tt.life)
			x.ScriptMessages("", tt.life)
			c := adapter(t, x, func(cfg *xoxzo.Config) { cfg.GiveUp = 400 * time.Millisecond })
			ref, err := c.Place(t.Context(), call(t, tt.channel, script.GateNone))
			if err != nil {
				t.Fatal(err)
			}
			e, _ := follow(t, c, ref)
			if e.Outcome != tt.want || !e.MayHaveRung || e.Reason == "" {
				t.Errorf("got %+v, want %s", e, tt.want)
			}
		})
	}
}

// A refusal says whether the phone may have rung, and is never tried again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault xoxzotest.Fault
		want  outcome.Ending // without reason and detail
	}{
		{"401", xoxzotest.Unauthorized(), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true}},
		{"credits", xoxzotest.NotEnoughCredits(), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs}},
		{"country", xoxzotest.CountryNotAllowed(), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true}},
		{"recipient", xoxzotest.BadField("recipient", "Bad."), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultNumber, Permanent: true}},
		{"caller", xoxzotest.BadField("caller", "Bad."), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs}},
		{"throttled", xoxzotest.Throttled(), outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultCarrier}},
		{"500", xoxzotest.BrokenGateway(500), outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true}},
		{"hangs", xoxzotest.Fault{Hang: true}, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true}},
		{"drops after acting", xoxzotest.Fault{Drop: true, Acts: true}, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true}},
		{"success without id", xoxzotest.Fault{Status: 201, Body: "[]", Acts: true}, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			x.Fail(xoxzotest.OpPlayback, tt.fault)
			_, err := adapter(t, x, nil).Place(t.Context(), call(t, phone.Voice, script.GateNone))
			var r *carrier.Refusal
			if !errors.As(err, &r) {
				t.Fatalf("got %v", err)
			}
			got := r.Ending
			if got.Reason == "" || got.Detail == "" || strings.Contains(got.Detail+got.Reason, "8012345678") {
				t.Errorf("reason %q, detail %q", got.Reason, got.Detail)
			}
			got.Reason, got.Detail = "", ""
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if n := len(x.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestNothingIsAskedFor(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx    context.Context
		change func(*xoxzo.Config)
		call   carrier.Call
	}{
		"without credentials": {t.Context(), func(c *xoxzo.Config) { c.Client.AuthToken = "" }, call(t, phone.Voice, script.GateNone)},
		"with a gate":         {t.Context(), nil, call(t, phone.Voice, script.GateAnyKey)},
		"without a caller":    {t.Context(), func(c *xoxzo.Config) { c.Caller = "" }, call(t, phone.Voice, script.GateNone)},
		"without a sender":    {t.Context(), func(c *xoxzo.Config) { c.Sender = "" }, call(t, phone.SMS, script.GateNone)},
		"after the end":       {ended, nil, call(t, phone.Voice, script.GateNone)},
	}
	for name, tt := range tests {
		_, err := adapter(t, x, tt.change).Place(tt.ctx, tt.call)
		var r *carrier.Refusal
		if !errors.As(err, &r) || r.Ending.MayHaveRung || r.Ending.Reason == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(x.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestAnsweredIsReportedOnce(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "ANSWERED", "ANSWERED"}, Reads: 3})
	c := adapter(t, x, nil)
	ref, err := c.Place(t.Context(), call(t, phone.Voice, script.GateNone))
	if err != nil {
		t.Fatal(err)
	}
	if _, seen := follow(t, c, ref); len(seen) != 1 || seen[0] != carrier.Answered {
		t.Errorf("events %v", seen)
	}
}

// The adapter of a new process follows what an earlier one placed; failing
// questions are asked again.
func TestFollowAfterARestart(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	ref, err := adapter(t, x, nil).Place(t.Context(), call(t, phone.Voice, script.GateNone))
	if err != nil {
		t.Fatal(err)
	}
	x.Fail(xoxzotest.OpCall, xoxzotest.BrokenGateway(503), xoxzotest.Unauthorized(), xoxzotest.Fault{Status: 404})
	if e, _ := follow(t, adapter(t, x, nil), ref); e.Outcome != outcome.Answered {
		t.Errorf("got %+v", e)
	}
	for _, unknown := range []carrier.Ref{"call:nobody", "elsewhere"} {
		if e, _ := follow(t, adapter(t, x, nil), unknown); e.Outcome != outcome.CarrierFailed || !e.MayHaveRung {
			t.Errorf("%s: %+v", unknown, e)
		}
	}
}

// A callback is a hint to ask: it only makes the carrier be asked, and the answer
// settles.
func TestCallbackIsAHint(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "BUSY"}})
	hints := make(chan struct{}, 1)
	ours := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callbacks/xoxzo/t0ken" {
			t.Error("another address than was given")
		}
		hints <- struct{}{}
	}))
	defer ours.Close()
	c := adapter(t, x, func(cfg *xoxzo.Config) {
		cfg.Callback, cfg.FirstPoll, cfg.LongestPoll, cfg.GiveUp = ours.URL+"/callbacks/xoxzo/", time.Hour, time.Hour, time.Hour
	})
	order := call(t, phone.Voice, script.GateNone)
	order.Callback = secret.NewText("t0ken")
	ref, err := c.Place(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		outcome.Ending
		err error
	}
	ended := make(chan end, 1)
	go func() {
		e, err := c.FollowHinted(t.Context(), ref, hints, func(carrier.Event) {})
		ended <- end{e, err}
	}()
	for range 2 { // at the first it is still in progress
		res, err := http.Post(x.Calls()[0].CallbackURL, "application/x-www-form-urlencoded", strings.NewReader("status=ANSWERED"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if e := <-ended; e.err != nil || e.Outcome != outcome.Busy {
		t.Errorf("the forged callback was believed: %+v", e)
	}
}

// Without an address of ours, or a token, none is given.
func TestNoCallback(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	for base, token := range map[string]string{"": "t0ken", "http://127.0.0.1:1": ""} {
		order := call(t, phone.Voice, script.GateNone)
		order.Callback = secret.NewText(token)
		if _, err := adapter(t, x, func(cfg *xoxzo.Config) { cfg.Callback = base }).Place(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	for _, placed := range x.Calls() {
		if placed.CallbackURL != "" {
			t.Errorf("callbacks go to %s", placed.CallbackURL)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := xoxzo.New(xoxzo.Config{}); err == nil {
		t.Error("neither caller nor sender")
	}
	x := xoxzotest.New(t)
	can := adapter(t, x, nil).Can()
	if can.Gate || can.Keys || !can.Resume || !can.Speaks("ja") || can.Speaks("de") {
		t.Errorf("got %+v", can)
	}
	if err := adapter(t, x, nil).Hangup(t.Context(), "call:x"); !errors.Is(err, carrier.ErrCannot) {
		t.Errorf("got %v", err)
	}
}
