package sipcall_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

func TestAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{PAI: true, Privacy: "id", URIParams: []string{"user=phone"}, Display: "Shop", Headers: []sipcall.Header{{"X-Token", "abc"}}}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	if want := "INVITE sip:" + number + "@" + p.Addr() + ";user=phone SIP/2.0"; inv.Start != want {
		t.Errorf("start line %q, want %q", inv.Start, want)
	}
	for name, want := range map[string]string{
		"P-Asserted-Identity": "<sip:" + callerID + "@127.0.0.1>", "Privacy": "id", "X-Token": "abc", "Supported": "timer",
	} {
		if got := inv.Header(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if from := inv.Header("From"); !strings.HasPrefix(from, `"Shop" <sip:`+callerID+`@127.0.0.1>;tag=`) {
		t.Errorf("From: %q", from)
	}
	if !strings.Contains(inv.Body, "m=audio 30000 RTP/AVP 0 8 101\r\n") || strings.Contains(inv.Body, "crypto") {
		t.Errorf("offer:\n%s", inv.Body)
	}
	remote := get(t, tr.stream(0).told)
	if remote.RTP.String() != "127.0.0.1:40000" || remote.Codec != audio.PCMU || remote.Events != 101 || remote.EventsIn != 101 || remote.Hold {
		t.Errorf("remote %+v", remote)
	}
	bye := hangup(t, call, p)
	if bye.From != inv.From || bye.Header("From") != inv.Header("From") || !strings.Contains(bye.Header("To"), "tag=peer1") {
		t.Errorf("BYE from %s, INVITE from %s; To %s", bye.From, inv.From, bye.Header("To"))
	}
	end, over := call.End()
	if !over || end.By != sipcall.ByUs || call.Stats().Sent != 7 || tr.stream(0).closings() == 0 || tr.Calls() != 0 {
		t.Errorf("end %+v %v, stats %+v, closed %d, calls %d", end, over, call.Stats(), tr.stream(0).closings(), tr.Calls())
	}
	if err := call.Play(t.Context(), nil); !errors.Is(err, sipcall.ErrGone) {
		t.Errorf("Play after the end: %v", err)
	}
}

func TestEarlyMediaIsNoAnswer(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "100 Trying", siptest.Answer{})
	p.Reply(inv, "181 Forwarded", siptest.Answer{Tag: "a", Headers: []string{
		"Diversion: <sip:+4915100000000@x>;reason=no-answer;counter=1", "History-Info: <sip:a@x>;index=1, <sip:b@x;cause=302>;index=1.1"}})
	p.Reply(inv, "183 Progress", siptest.Answer{Tag: "a", Body: siptest.SDP()})
	select {
	case r := <-out:
		t.Fatalf("ended early: %+v", r)
	case <-time.After(50 * time.Millisecond):
	}
	if n := len(tr.stream(0).told); n != 0 {
		t.Errorf("the stream was connected %d times before the answer", n)
	}
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	p.Next("ACK")
	r := get(t, out)
	if r.call == nil {
		t.Fatal(r.failure)
	}
	var kinds []sipcall.ProgressKind
	for _, k := range r.progress {
		kinds = append(kinds, k.Kind)
	}
	seen := map[sipcall.ProgressKind]bool{}
	for _, k := range kinds {
		seen[k] = true
	}
	if !seen[sipcall.Forwarded] || !seen[sipcall.Early] {
		t.Errorf("progress %v", kinds)
	}
	want := sipcall.Path{Forwarded: true, Hops: 2, Reasons: []string{"no-answer", "302"}}
	if d := cmp.Diff(want, r.call.Path()); d != "" {
		t.Error(d)
	}
	hangup(t, r.call, p)
}

func TestFinalAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, status string
		ring         bool
		headers      []string
		want         sipcall.Failure
	}{
		{"busy", "486 Busy Here", false, nil, sipcall.Failure{Class: sipcall.Busy, Fault: sipcall.FaultPerson, Status: 486, MayHaveRung: true}},
		{"declined", "603 Decline", true, []string{`Reason: SIP;cause=603, Q.850;cause=21;text="no"`}, sipcall.Failure{Class: sipcall.Rejected, Fault: sipcall.FaultPerson, Status: 603, Q850: 21, MayHaveRung: true}},
		{"unknown", "404 Not Found", false, nil, sipcall.Failure{Class: sipcall.Unreachable, Fault: sipcall.FaultNumber, Status: 404}},
		{"off", "480 Temporarily Unavailable", false, []string{"Reason: Q.850;cause=20"}, sipcall.Failure{Class: sipcall.Unreachable, Fault: sipcall.FaultNumber, Status: 480, Q850: 20}},
		{"rang out", "480 Temporarily Unavailable", true, nil, sipcall.Failure{Class: sipcall.NoAnswer, Fault: sipcall.FaultPerson, Status: 480, MayHaveRung: true}},
		{"full", "503 Service Unavailable", false, []string{"Retry-After: 7"}, sipcall.Failure{Class: sipcall.Failed, Fault: sipcall.FaultCarrier, Status: 503, RetryAfter: 7 * time.Second}},
		{"elsewhere", "302 Moved", false, []string{"Contact: <sip:x@y>"}, sipcall.Failure{Class: sipcall.Failed, Fault: sipcall.FaultCarrier, Status: 302}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := siptest.UDP(t)
			tr := start(t, sipcall.Config{}, p)
			out := tr.place(t.Context(), sipcall.Invite{})
			inv := p.Next("INVITE")
			if c.ring {
				p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
			}
			p.Reply(inv, c.status, siptest.Answer{Tag: "a", Headers: c.headers})
			f := failed(t, out)
			p.Next("ACK")
			if f.Reason == "" {
				t.Error("no reason")
			}
			got := sipcall.Failure{Class: f.Class, Fault: f.Fault, Status: f.Status, Q850: f.Q850, MayHaveRung: f.MayHaveRung, RetryAfter: f.RetryAfter}
			if c.ring && c.status[:3] == "480" {
				got.MayHaveRung = f.MayHaveRung
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if c.want.RetryAfter > 0 && tr.Proxies()[0].Up {
				t.Error("the proxy is not marked")
			}
			if tr.stream(0).closings() != 1 {
				t.Errorf("the stream was closed %d times", tr.stream(0).closings())
			}
		})
	}
}

func TestElevenProvisionals(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	for range 25 {
		p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	}
	p.Reply(inv, "486 Busy Here", siptest.Answer{Tag: "a"})
	if f := failed(t, out); f.Class != sipcall.Busy {
		t.Error(f)
	}
	p.Next("ACK")
}

func TestRingTimeoutCancels(t *testing.T) {
	t.Parallel()
	p, elsewhere := siptest.UDP(t), siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	out := tr.place(t.Context(), sipcall.Invite{To: number, From: callerID, RingTimeout: 300 * time.Millisecond})
	inv := p.Next("INVITE")
	// The provisional's Record-Route must not lead the CANCEL elsewhere.
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a", Headers: []string{"Record-Route: <sip:" + elsewhere.Addr() + ";lr>"}})
	cancel := p.Next("CANCEL")
	if cancel.Header("Via") != inv.Header("Via") || cancel.Header("Route") != "" || strings.Fields(cancel.Start)[1] != strings.Fields(inv.Start)[1] {
		t.Errorf("CANCEL %v", cancel.Lines)
	}
	p.Reply(cancel, "200 OK", siptest.Answer{Tag: "a"})
	p.Reply(inv, "487 Request Terminated", siptest.Answer{Tag: "a"})
	f := failed(t, out)
	p.Next("ACK")
	if f.Class != sipcall.NoAnswer || !f.MayHaveRung || len(elsewhere.Pending()) > 0 {
		t.Errorf("%v, may have rung %v; elsewhere %v", f, f.MayHaveRung, elsewhere.Pending())
	}
}

func TestCancelGlare(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	ctx, cancel := context.WithCancel(t.Context())
	out := tr.place(ctx, sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	time.AfterFunc(50*time.Millisecond, cancel)
	c := p.Next("CANCEL")
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	p.Reply(c, "481 Gone", siptest.Answer{Tag: "a"})
	p.Next("ACK")
	bye := p.Next("BYE")
	p.Reply(bye, "200 OK", siptest.Answer{})
	if f := failed(t, out); f.Class != sipcall.Canceled || !f.MayHaveRung {
		t.Error(f, f.MayHaveRung)
	}
}

func TestSilentPeer(t *testing.T) {
	t.Parallel()
	p, second := siptest.UDP(t), siptest.UDP(t)
	tr := start(t, sipcall.Config{NoTrying: 50 * time.Millisecond}, p, second)
	out := tr.place(t.Context(), sipcall.Invite{To: number, From: callerID, RingTimeout: 300 * time.Millisecond})
	inv := p.Next("INVITE")
	f := failed(t, out)
	if f.Class != sipcall.Failed || !f.MayHaveRung || f.Fault != sipcall.FaultCarrier {
		t.Error(f, f.MayHaveRung)
	}
	if state := tr.Proxies(); state[0].Up || !state[1].Up {
		t.Errorf("marks %+v", state)
	}
	if second.Pending() != nil {
		t.Errorf("silence moved the call: %v", second.Pending())
	}
	// It answers after all: the call must not ring on.
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	p.Reply(p.Next("CANCEL"), "200 OK", siptest.Answer{})
	p.Reply(inv, "487 Request Terminated", siptest.Answer{Tag: "a"})
	p.Next("ACK")
	// The next call begins with the other proxy.
	out = tr.place(t.Context(), sipcall.Invite{})
	second.Reply(second.Next("INVITE"), "486 Busy Here", siptest.Answer{Tag: "b"})
	failed(t, out)
}

func TestRemoteBye(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	played := make(chan error, 1)
	go func() { played <- call.Play(context.Background(), audio.NewClip(make([]int16, 8000))) }()
	p.Send(inv, p.InDialog(inv, "BYE", 10, siptest.Answer{Headers: []string{"Reason: Q.850;cause=16"}}))
	p.Next("SIP/2.0 200")
	get(t, call.Gone())
	if err := get(t, played); !errors.Is(err, sipcall.ErrGone) {
		t.Errorf("Play: %v", err)
	}
	if end, _ := call.End(); end.By != sipcall.ByThem || end.Q850 != 16 {
		t.Errorf("end %+v", end)
	}
	if err := call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	if p.Pending() != nil {
		t.Errorf("after a remote BYE came %v", p.Pending())
	}
}

func TestForkedAnswer(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "peer1", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	if ack := p.Next("ACK"); !strings.Contains(ack.Header("To"), "peer1") {
		t.Errorf("the copy's ACK: %s", ack.Header("To"))
	}
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "other", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	if ack := p.Next("ACK"); !strings.Contains(ack.Header("To"), "other") {
		t.Errorf("the fork's ACK: %s", ack.Header("To"))
	}
	bye := p.Next("BYE")
	if !strings.Contains(bye.Header("To"), "other") {
		t.Errorf("BYE to %s", bye.Header("To"))
	}
	p.Reply(bye, "200 OK", siptest.Answer{})
	hangup(t, call, p)
}

func TestRecordRoute(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: siptest.SDP(), Headers: []string{
		"Record-Route: <sip:second.invalid;lr>", "Record-Route: <sip:" + p.Addr() + ";lr>", "Contact: <sip:b@192.0.2.9:5070>"}})
	p.Next("ACK sip:b@192.0.2.9:5070")
	bye := hangup(t, get(t, out).call, p)
	want := []string{"<sip:" + p.Addr() + ";lr>", "<sip:second.invalid;lr>"}
	if d := cmp.Diff(want, bye.Headers("Route")); d != "" {
		t.Error(d)
	}
}
