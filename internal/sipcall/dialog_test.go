package sipcall_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

func TestHoldAndCodecChange(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	get(t, tr.stream(0).told)
	for i, c := range []struct {
		name, way, want, method string
		pt                      string
		hold                    bool
	}{
		{"hold", "sendonly", "recvonly", "INVITE", "0", true},
		{"inactive", "inactive", "inactive", "INVITE", "0", true},
		{"resume with PCMA", "sendrecv", "sendrecv", "INVITE", "8", false},
		{"hold by UPDATE", "sendonly", "recvonly", "UPDATE", "8", true},
		{"listen only", "recvonly", "sendonly", "UPDATE", "8", false},
	} {
		body := siptest.SDP("m=audio 40002 RTP/AVP "+c.pt+" 96", "a=rtpmap:96 telephone-event/8000", "a="+c.way, "m=video 0 RTP/AVP 34")
		p.Send(inv, p.InDialog(inv, c.method, 20+i, siptest.Answer{Body: body, Headers: []string{p.Contact(), "Content-Type: application/sdp"}}))
		ok := p.Next("SIP/2.0 200")
		if !strings.Contains(ok.Body, "a="+c.want+"\r\n") || !strings.Contains(ok.Body, "m=audio 30000 RTP/AVP "+c.pt+" 96\r\n") || !strings.Contains(ok.Body, "m=video 0 ") {
			t.Errorf("%s: answer\n%s", c.name, ok.Body)
		}
		r := get(t, tr.stream(0).told)
		if r.Hold != c.hold || r.RTP.Port() != 40002 || r.Codec.PayloadType() != c.pt[0]-'0' || r.Events != 96 || r.EventsIn != 96 {
			t.Errorf("%s: remote %+v", c.name, r)
		}
		if c.method == "INVITE" {
			p.Send(inv, p.InDialog(inv, "ACK", 20+i, siptest.Answer{}))
		}
	}
	// What cannot be used is refused, and changes nothing.
	p.Send(inv, p.InDialog(inv, "UPDATE", 90, siptest.Answer{Body: siptest.SDP("m=audio 40002 RTP/AVP 18")}))
	p.Next("SIP/2.0 488")
	// Out of order, of another dialog, unknown.
	p.Send(inv, p.InDialog(inv, "INFO", 2, siptest.Answer{}))
	p.Next("SIP/2.0 500")
	p.Send(inv, p.InDialog(inv, "BYE", 95, siptest.Answer{Tag: "nobody"}))
	p.Next("SIP/2.0 481")
	p.Send(inv, p.InDialog(inv, "REFER", 96, siptest.Answer{}))
	p.Next("SIP/2.0 405")
	p.Send(inv, p.InDialog(inv, "INFO", 97, siptest.Answer{Headers: []string{"Require: 100rel"}}))
	if bad := p.Next("SIP/2.0 420"); bad.Header("Unsupported") != "100rel" {
		t.Error(bad.Lines)
	}
	hangup(t, call, p)
}

func TestOfferInOurAnswer(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	get(t, tr.stream(0).told)
	p.Send(inv, p.InDialog(inv, "INVITE", 5, siptest.Answer{Headers: []string{p.Contact()}}))
	ok := p.Next("SIP/2.0 200")
	if ok.Body != inv.Body {
		t.Errorf("an unchanged offer was written anew:\n%s", ok.Body)
	}
	p.Send(inv, p.InDialog(inv, "ACK", 5, siptest.Answer{Body: siptest.SDP("m=audio 40008 RTP/AVP 8")}))
	if r := get(t, tr.stream(0).told); r.RTP.Port() != 40008 || r.Events != 0 {
		t.Errorf("remote %+v", r)
	}
	hangup(t, call, p)
}

func TestSessionTimer(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{SessionTimer: sipcall.SessionTimer{Expires: 100 * time.Second}}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	if inv.Header("Session-Expires") != "100" || inv.Header("Min-SE") != "90" {
		t.Error(inv.Lines)
	}
	p.Reply(inv, "422 Too Small", siptest.Answer{Tag: "a", Headers: []string{"Min-SE: 1800"}})
	inv = p.Next("INVITE")
	if inv.Header("Session-Expires") != "1800" || inv.Header("Min-SE") != "1800" || inv.Header("CSeq") != "2 INVITE" {
		t.Error(inv.Lines)
	}
	// The peer makes us refresh, every two seconds.
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "peer1", Body: siptest.SDP(), Headers: []string{p.Contact(), "Allow: INVITE, UPDATE", "Session-Expires: 2;refresher=uac", "Require: timer"}})
	call := get(t, out).call
	up := p.Next("UPDATE")
	if up.Header("Session-Expires") != "2;refresher=uac" {
		t.Error(up.Lines)
	}
	p.Reply(up, "200 OK", siptest.Answer{Headers: []string{"Session-Expires: 3600;refresher=uac"}})
	// A refresh of theirs that is too short, and one that is granted.
	p.Send(inv, p.InDialog(inv, "UPDATE", 7, siptest.Answer{Headers: []string{"Session-Expires: 60"}}))
	if small := p.Next("SIP/2.0 422"); small.Header("Min-SE") != "90" {
		t.Error(small.Lines)
	}
	p.Send(inv, p.InDialog(inv, "UPDATE", 8, siptest.Answer{Headers: []string{"Session-Expires: 600;refresher=uas"}}))
	if ok := p.Next("SIP/2.0 200"); ok.Header("Session-Expires") != "600;refresher=uas" || ok.Header("Require") != "timer" {
		t.Error(ok.Lines)
	}
	hangup(t, call, p)
}

func TestSessionRunsOut(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, _ := connected(t, tr, p, siptest.Answer{Headers: []string{"Session-Expires: 1;refresher=uas"}})
	bye := p.Next("BYE")
	p.Reply(bye, "200 OK", siptest.Answer{})
	get(t, call.Gone())
	if end, _ := call.End(); end.By != sipcall.ByTimer {
		t.Errorf("%+v", end)
	}
}

func TestKeysByInfo(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{InfoKeys: true}, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	for i, body := range []string{"Signal=5\r\nDuration=160\r\n", "Signal= #\r\n"} {
		p.Send(inv, p.InDialog(inv, "INFO", 5+i, siptest.Answer{Body: body, Headers: []string{"Content-Type: application/dtmf-relay"}}))
		p.Next("SIP/2.0 200")
		if k := get(t, call.Keys()); k != "5#"[i] {
			t.Errorf("key %q", k)
		}
	}
	tr.stream(0).keys <- '9'
	if k := get(t, call.Keys()); k != '9' {
		t.Errorf("key %q", k)
	}
	p.Send(inv, p.InDialog(inv, "NOTIFY", 9, siptest.Answer{}))
	p.Next("SIP/2.0 200")
	hangup(t, call, p)
}

func TestAnswerWithoutUsableMedia(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: siptest.SDP("m=audio 40000 RTP/AVP 18"), Headers: []string{p.Contact()}})
	p.Next("ACK")
	p.Reply(p.Next("BYE"), "200 OK", siptest.Answer{})
	if f := failed(t, out); !f.MayHaveRung || f.Class != sipcall.Failed {
		t.Error(f)
	}
}

// incoming makes an INVITE of a peer to the caller.
func incoming(p *siptest.Peer, tr *trunk, id, body string) string {
	s := "INVITE sip:" + callerID + "@" + tr.Addr().String() + " SIP/2.0\r\nVia: SIP/2.0/UDP " + p.Addr() + ";branch=z9hG4bK" + id + ";rport\r\n" +
		"From: <sip:" + number + "@peer>;tag=f" + id + "\r\nTo: <sip:" + callerID + "@us>\r\nCall-ID: " + id + "\r\nCSeq: 1 INVITE\r\n" + p.Contact() + "\r\n"
	if body == "" {
		return s + "Content-Length: 0\r\n\r\n"
	}
	return s + "Content-Type: application/sdp\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestCallBack(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		p := siptest.UDP(t)
		calls := make(chan *sipcall.Call, 1)
		from := make(chan string, 1)
		release := make(chan struct{})
		tr := start(t, sipcall.Config{MaxIncoming: 1, Incoming: func(ctx context.Context, in *sipcall.Incoming) {
			from <- in.From
			<-release
			call, err := in.Answer(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			calls <- call
		}}, p)
		to := net.UDPAddrFromAddrPort(tr.Addr())
		offer := or(late, "", siptest.SDP("m=audio 40010 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"))
		p.SendTo(to, incoming(p, tr, "a1", offer))
		if got := get(t, from); got != number {
			t.Errorf("from %q", got)
		}
		p.SendTo(to, incoming(p, tr, "a2", offer)) // one too many
		p.Next("SIP/2.0 486")
		close(release)
		ok := p.Next("SIP/2.0 200")
		ack := "ACK sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP " + p.Addr() + ";branch=z9hG4bKack;rport\r\nFrom: " + ok.Header("From") + "\r\nTo: " + ok.Header("To") +
			"\r\nCall-ID: a1\r\nCSeq: 1 ACK\r\n"
		body := ""
		if late {
			body = siptest.SDP("m=audio 40010 RTP/AVP 8")
		}
		p.SendTo(to, ack+"Content-Length: "+itoa(len(body))+"\r\n\r\n"+body)
		call := get(t, calls)
		if r := get(t, tr.stream(0).told); r.RTP.Port() != 40010 || r.Codec.String() != "PCMA" {
			t.Errorf("remote %+v", r)
		}
		if bye := hangup(t, call, p); !strings.Contains(bye.Header("From"), callerID) || !strings.Contains(bye.Header("To"), "tag=fa1") {
			t.Error(bye.Lines)
		}
	}
}

func TestCallBackGivenUp(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	ended := make(chan struct{})
	tr := start(t, sipcall.Config{MaxIncoming: 1, Incoming: func(ctx context.Context, in *sipcall.Incoming) { <-ctx.Done(); close(ended) }}, p)
	to := net.UDPAddrFromAddrPort(tr.Addr())
	inv := incoming(p, tr, "g1", siptest.SDP())
	p.SendTo(to, inv)
	p.Next("SIP/2.0 100")
	p.SendTo(to, strings.ReplaceAll(strings.Split(inv, "Content-Type")[0]+"Content-Length: 0\r\n\r\n", "INVITE", "CANCEL"))
	p.Next("SIP/2.0 200")
	p.Next("SIP/2.0 487")
	get(t, ended)
}

func TestNothingIsLeft(t *testing.T) {
	// Not parallel: it counts the process's goroutines.
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{InfoKeys: true}, p)
	before := runtime.NumGoroutine()
	for i := range 20 {
		call, inv := connected(t, tr, p, siptest.Answer{})
		if i%2 == 0 {
			hangup(t, call, p)
			continue
		}
		p.Send(inv, p.InDialog(inv, "BYE", 9, siptest.Answer{}))
		p.Next("SIP/2.0 200")
		get(t, call.Gone())
	}
	for range 10 {
		out := tr.place(t.Context(), sipcall.Invite{})
		p.Reply(p.Next("INVITE"), "486 Busy", siptest.Answer{Tag: "x"})
		failed(t, out)
		p.Next("ACK")
	}
	settled(t, before)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := tr.Stop(ctx); err != nil {
		t.Error(err)
	}
	if tr.Calls() != 0 {
		t.Error("calls are left")
	}
}

func TestBusyMedia(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{Open: func() (sipcall.Stream, error) { return nil, media.ErrBusy }}, p)
	f := failed(t, tr.place(t.Context(), sipcall.Invite{}))
	if f.Class != sipcall.NoRoom || f.MayHaveRung || p.Pending() != nil {
		t.Error(f)
	}
}
