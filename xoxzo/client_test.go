package xoxzo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

const number = "+818054695209"

func newPair(t *testing.T, change func(*xoxzo.Config)) (*xoxzo.Client, *xoxzotest.Server) {
	t.Helper()
	server := xoxzotest.New(t)
	cfg := xoxzo.Config{SID: server.SID, AuthToken: server.AuthToken, BaseURL: server.URL, RetryWait: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	client, err := xoxzo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client, server
}

func playback() xoxzo.TTSPlayback {
	return xoxzo.TTSPlayback{Caller: "+815012345678", Recipient: number, Message: "Your code is 4 8 1 5 1 6", Lang: "en"}
}

func TestPlaybackLife(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	now := time.Date(2018, 6, 18, 20, 50, 40, 0, time.UTC)
	server.SetNow(func() time.Time { return now })
	p := playback()
	p.Tags, p.CallbackURL = []string{"a", "b"}, "http://127.0.0.1:1/never"
	id, err := client.CallTTSPlayback(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"caller": {"815012345678"}, "recipient": {number}, "tts_message": {p.Message}, "tts_lang": {"en"},
		"tags": {"a,b"}, "callbackurl": {p.CallbackURL},
	}
	if diff := cmp.Diff(want, server.Requests()[0].Form); diff != "" {
		t.Error("form (-want +got):", diff)
	}
	var got []xoxzo.Call
	for range 3 {
		call, err := client.Call(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, call)
	}
	if got[0].Status != xoxzo.CallInProgress || got[0].Ended() || !got[0].EndTime.IsZero() {
		t.Errorf("first read: %v", got[0])
	}
	if !got[1].Answered() || got[1].Ended() {
		t.Errorf("answered and talking: %v", got[1])
	}
	last := xoxzo.Call{
		ID: id, Type: "simple/playbacks", Direction: "outbound", Caller: "815012345678", Recipient: number,
		Status: xoxzo.CallAnswered, StartTime: now, EndTime: now, Duration: 15 * time.Second, Cost: 20,
		Tags: []string{"a", "b"}, URL: server.URL + "/voice/calls/" + id + "/",
	}
	if diff := cmp.Diff(last, got[2]); diff != "" {
		t.Error("last read (-want +got):", diff)
	}
	if credits, err := client.Credits(t.Context()); err != nil || credits != 980 {
		t.Errorf("credits %v, %v; want 980", credits, err)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	for _, tc := range []struct {
		call xoxzo.Call
		want bool
	}{
		{xoxzo.Call{Status: "ANSWERED"}, false},
		{xoxzo.Call{Status: "ANSWERED", EndTime: at}, true},
		{xoxzo.Call{Status: "IN_PROGRESS"}, false},
		{xoxzo.Call{Status: "HUNG_BY_CARRIER"}, false},
		{xoxzo.Call{Status: "HUNG_BY_CARRIER", EndTime: at}, true},
		{xoxzo.Call{}, false},
		{xoxzo.Call{Status: "BUSY"}, true},
		{xoxzo.Call{Status: "NO_ANSWER"}, true},
		{xoxzo.Call{Status: "FAILED"}, true},
	} {
		if got := tc.call.Ended(); got != tc.want {
			t.Errorf("%v: Ended %t, want %t", tc.call, got, tc.want)
		}
	}
}

func TestSMSLife(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	id, err := client.SendSMS(t.Context(), xoxzo.SMS{Message: "hello", Recipient: number, Sender: "+815012345678"})
	if err != nil {
		t.Fatal(err)
	}
	var statuses []xoxzo.MessageStatus
	for range 3 {
		m, err := client.SMS(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, m.Status)
		if m.Status.Ended() != (m.Status == xoxzo.MessageDelivered) || m.Cost != 10 || m.Sender != "815012345678" {
			t.Errorf("%v", m)
		}
	}
	if diff := cmp.Diff([]xoxzo.MessageStatus{"QUEUED", "DELIVERING", "DELIVERED"}, statuses); diff != "" {
		t.Error(diff)
	}
	server.ScriptMessages(number, xoxzotest.Life{Statuses: []string{"OK"}})
	if id, err = client.SendSMS(t.Context(), xoxzo.SMS{Message: "hello", Recipient: number, Sender: "Acme"}); err != nil {
		t.Fatal(err)
	}
	if m, err := client.SMS(t.Context(), id); err != nil || !m.Status.Delivered() {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := client.SMS(t.Context(), "unknown"); !xoxzo.IsNotFound(err) {
		t.Errorf("unknown message: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	any400 := func(err error) bool { var e *xoxzo.Error; return errors.As(err, &e) && e.Status == 400 }
	for name, tc := range map[string]struct {
		fault xoxzotest.Fault
		is    func(error) bool
		sent  bool
	}{
		"unauthorized": {xoxzotest.Unauthorized(), xoxzo.IsUnauthorized, false},
		"credits":      {xoxzotest.NotEnoughCredits(), xoxzo.IsNotEnoughCredits, false},
		"country":      {xoxzotest.CountryNotAllowed(), xoxzo.IsCountryNotAllowed, false},
		"field":        {xoxzotest.BadField("recipient", "bad"), any400, false},
		"throttled":    {xoxzotest.Throttled(), xoxzo.IsThrottled, false},
		"not found":    {xoxzotest.Fault{Status: 404}, xoxzo.IsNotFound, false},
		"500":          {xoxzotest.BrokenGateway(500), nil, true},
		"502":          {xoxzotest.BrokenGateway(502), nil, true},
		"503 acting":   {xoxzotest.Fault{Status: 503, Acts: true}, nil, true},
		"202":          {xoxzotest.Fault{Status: 202, Body: `[{"callid":"x"}]`}, nil, true},
		"dropped":      {xoxzotest.Fault{Drop: true}, nil, true},
		"drop acting":  {xoxzotest.Fault{Drop: true, Acts: true}, nil, true},
		"201 nothing":  {xoxzotest.Fault{Status: 201}, nil, true},
		"201 no id":    {xoxzotest.Fault{Status: 201, Body: `[{}]`, Acts: true}, nil, true},
		"201 empty":    {xoxzotest.Fault{Status: 201, Body: `[]`}, nil, true},
		"201 html":     {xoxzotest.BrokenGateway(201), nil, true},
		"201 bad id":   {xoxzotest.Fault{Status: 201, Body: `[{"callid":"../x"}]`}, nil, true},
		"201 huge":     {xoxzotest.Fault{Status: 201, Body: `[{"callid":"` + strings.Repeat("x", 1<<20) + `"}]`}, nil, true},
		"400 huge":     {xoxzotest.Fault{Status: 400, Body: `{"detail":"` + strings.Repeat("x", 1<<20) + `"}`}, any400, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := newPair(t, nil)
			server.Fail(xoxzotest.OpPlayback, tc.fault)
			id, err := client.CallTTSPlayback(t.Context(), playback())
			if err == nil || id != "" {
				t.Fatalf("id %q, no error", id)
			}
			if tc.is != nil && !tc.is(err) {
				t.Errorf("wrong kind: %v", err)
			}
			if got := xoxzo.MayHaveBeenSent(err); got != tc.sent {
				t.Errorf("MayHaveBeenSent %t, want %t: %v", got, tc.sent, err)
			}
			if n := len(server.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			checkClean(t, err, server)
		})
	}
}

// checkClean fails where any form of an error shows what it must not.
func checkClean(t *testing.T, err error, server *xoxzotest.Server) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v %q", err, err, err, err)
	for _, secret := range []string{server.AuthToken, "8054695209", "5012345678", "4 8 1 5", "481516", "4, 8, 1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error contains what it must not (%d characters long)", len(secret))
		}
	}
	if len(text) > 8000 {
		t.Errorf("the error is %d bytes long", len(text))
	}
}

func TestEchoesAreWithheld(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	for _, body := range []string{
		`{"tts_message":["\"Your code is 4 8 1 5 1 6\" is not valid."]}`,
		`{"tts_message":"YOUR CODE IS 4, 8, 1, 5, 1, 6"}`,
		`{"detail":"text 481516"}`,
		`{"detail":"number +81 80-5469-5209 from 815012345678 refused"}`,
		`["+818054695209"]`,
		`{"+818054695209":["x"]}`,
		`{"detail":"token ` + server.AuthToken + `"}`,
	} {
		server.Fail(xoxzotest.OpPlayback, xoxzotest.Fault{Status: 400, Body: body})
		_, err := client.CallTTSPlayback(t.Context(), playback())
		if err == nil {
			t.Fatal("no error")
		}
		checkClean(t, err, server)
	}
}

func TestNotEnoughCreditsSaysHowMany(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.SetCredits(19)
	_, err := client.CallTTSPlayback(t.Context(), playback())
	if !xoxzo.IsNotEnoughCredits(err) || !strings.Contains(err.Error(), "required: 20") {
		t.Errorf("%v", err)
	}
	if xoxzo.IsNotEnoughCredits(nil) || xoxzo.IsNotEnoughCredits(errors.New("not enough credits")) {
		t.Error("foreign errors are taken for ours")
	}
}

func TestBadInputSendsNothing(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	for name, change := range map[string]func(*xoxzo.TTSPlayback){
		"no message":   func(p *xoxzo.TTSPlayback) { p.Message = " " },
		"no language":  func(p *xoxzo.TTSPlayback) { p.Lang = "" },
		"no caller":    func(p *xoxzo.TTSPlayback) { p.Caller = "+" },
		"caller":       func(p *xoxzo.TTSPlayback) { p.Caller = "Acme" },
		"no plus":      func(p *xoxzo.TTSPlayback) { p.Recipient = "818054695209" },
		"too short":    func(p *xoxzo.TTSPlayback) { p.Recipient = "+12345" },
		"comma in tag": func(p *xoxzo.TTSPlayback) { p.Tags = []string{"a,b"} },
		"callback":     func(p *xoxzo.TTSPlayback) { p.CallbackURL = "ftp://x" },
	} {
		p := playback()
		change(&p)
		_, err := client.CallTTSPlayback(t.Context(), p)
		if !errors.Is(err, xoxzo.ErrInput) || xoxzo.MayHaveBeenSent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Call(t.Context(), "../../you/credits"); !errors.Is(err, xoxzo.ErrInput) {
		t.Errorf("path in an identifier: %v", err)
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]xoxzo.Config{
		"http":     {SID: "s", AuthToken: "tok-en", BaseURL: "http://api.example.com"},
		"user":     {SID: "s", AuthToken: "tok-en", BaseURL: "https://a:tok-en@api.example.com"},
		"query":    {SID: "s", AuthToken: "tok-en", BaseURL: "https://api.example.com/?tok-en"},
		"relative": {SID: "s", AuthToken: "tok-en", BaseURL: "/tok-en"},
		"broken":   {SID: "s", AuthToken: "tok-en", BaseURL: "https://tok-en\x7f"},
		"colon":    {SID: "s:x", AuthToken: "tok-en"},
	} {
		if _, err := xoxzo.New(cfg); err == nil || strings.Contains(err.Error(), "tok-en") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cfg := range []xoxzo.Config{{}, {SID: "s"}, {AuthToken: "t"}} {
		if _, err := xoxzo.New(cfg); !errors.Is(err, xoxzo.ErrNoCredentials) {
			t.Errorf("%v", err)
		}
	}
	env := map[string]string{"XOXZO_API_SID": " s\n", "XOXZO_API_AUTH_TOKEN": "tok-en\n"}
	cfg := xoxzo.ConfigFromEnv(func(k string) string { return env[k] })
	if cfg.SID != "s" || cfg.AuthToken != "tok-en" {
		t.Error("white space is kept")
	}
	client, err := xoxzo.New(cfg)
	if err != nil || !strings.Contains(client.String(), xoxzo.DefaultBaseURL) {
		t.Errorf("%v, %v", client, err)
	}
}

func TestMasks(t *testing.T) {
	t.Parallel()
	cfg := xoxzo.Config{SID: "account", AuthToken: "tok-en"}
	client, err := xoxzo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	call := xoxzo.Call{ID: "x", Recipient: number, Caller: "815012345678"}
	var out bytes.Buffer
	for _, v := range []any{cfg, &cfg, client, *client, playback(), xoxzo.SMS{Message: "tok-en", Recipient: number}, call,
		xoxzo.RecordingPlayback{Recipient: number}, xoxzo.Message{Recipient: number}, struct{ c *xoxzo.Client }{client}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for _, v := range []any{cfg, &cfg, client} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	for _, secret := range []string{"tok-en", "746f6b2d656e", "YWNjb3Vud", "8054695209", "4 8 1 5"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("shown: %d characters of a secret", len(secret))
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	t.Cleanup(other.Close)
	for _, given := range []*http.Client{nil, {}} {
		client, server := newPair(t, func(c *xoxzo.Config) { c.HTTPClient = given })
		to := xoxzotest.Fault{Status: 307, Header: map[string]string{"Location": other.URL + "/"}}
		server.Fail(xoxzotest.OpPlayback, to)
		server.Fail(xoxzotest.OpCredits, to)
		if _, err := client.CallTTSPlayback(t.Context(), playback()); !xoxzo.MayHaveBeenSent(err) {
			t.Errorf("%v", err)
		}
		if _, err := client.Credits(t.Context()); err == nil {
			t.Error("a redirect is a success")
		}
	}
	if foreign.Load() != 0 {
		t.Error("credentials went to another host")
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.Fail(xoxzotest.OpCredits, xoxzotest.Fault{Drop: true}, xoxzotest.BrokenGateway(503))
	if credits, err := client.Credits(t.Context()); err != nil || credits != 1000 {
		t.Errorf("%v, %v", credits, err)
	}
	server.Fail(xoxzotest.OpCredits, xoxzotest.Fault{Status: 500})
	if _, err := client.Credits(t.Context()); err == nil {
		t.Error("a 500 is tried again")
	}
	server.Fail(xoxzotest.OpCredits, xoxzotest.Fault{Status: 200, Body: `{}`})
	if _, err := client.Credits(t.Context()); err == nil {
		t.Error("no credits are read as none")
	}
	never, strict := newPair(t, func(c *xoxzo.Config) { c.Retries = -1 })
	strict.Fail(xoxzotest.OpCredits, xoxzotest.BrokenGateway(503))
	if _, err := never.Credits(context.Background()); err == nil || len(strict.Requests()) != 1 {
		t.Errorf("%v after %d requests", err, len(strict.Requests()))
	}
}
