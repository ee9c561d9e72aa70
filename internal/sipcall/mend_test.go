package sipcall_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// A phone that rang on one branch must not ring again because another branch asks
// for credentials, or for a longer session timer.
func TestNoNewInviteAfterRinging(t *testing.T) {
	t.Parallel()
	for status, header := range map[string]string{
		"407 Proxy Authentication Required": `Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"`,
		"422 Session Interval Too Small":    "Min-SE: 1800",
	} {
		p := siptest.UDP(t)
		tr := start(t, sipcall.Config{Auth: sipcall.Auth{User: "alice", Password: "pw"}}, p)
		out := tr.place(t.Context(), sipcall.Invite{})
		inv := p.Next("INVITE")
		p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
		p.Reply(inv, status, siptest.Answer{Tag: "b", Headers: []string{header}})
		if f := failed(t, out); !f.MayHaveRung {
			t.Errorf("%s: %v", status, f)
		}
		p.Next("ACK")
		if all := p.Pending(); all != nil {
			t.Errorf("%s: then came %v", status, all)
		}
	}
}

// The called phone's own address is the called party's word: it gets no digest to
// try passwords on. A BYE that it challenges goes by the proxy.
func TestCredentialsAreForTheCarrier(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is an address of its own on Linux alone")
	}
	phone, err := net.ListenPacket("udp4", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = phone.Close() })
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{Auth: sipcall.Auth{User: "alice", Password: "pw"}}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "407 Who", siptest.Answer{Tag: "x", Headers: []string{`Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"`}})
	inv = p.Next("INVITE")
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "peer1", Body: siptest.SDP(), Headers: []string{"Contact: <sip:b@" + phone.LocalAddr().String() + ">"}})
	call := get(t, out).call
	done := make(chan error, 1)
	go func() { done <- call.Hangup(context.Background()) }()
	buf := make([]byte, 4096)
	for bye := false; !bye; {
		_ = phone.SetReadDeadline(time.Now().Add(siptest.Patience))
		n, from, err := phone.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		text := string(buf[:n])
		if strings.Contains(text, "Authorization:") {
			t.Errorf("the phone got credentials:\n%s", text)
		}
		if bye = strings.HasPrefix(text, "BYE "); bye {
			_, headers, _ := strings.Cut(text, "\r\n")
			headers = strings.Replace(headers, "Content-Length", `Proxy-Authenticate: Digest realm="r", nonce="evil", qop="auth"`+"\r\nContent-Length", 1)
			_, _ = phone.WriteTo([]byte("SIP/2.0 407 Who\r\n"+headers), from)
		}
	}
	bye := p.Next("BYE")
	verify(t, bye, "Proxy-Authorization", "pw", 2)
	p.Reply(bye, "200 OK", siptest.Answer{})
	if err := get(t, done); err != nil {
		t.Error(err)
	}
}

// What rings behind a proxy rings on when the connection to it breaks: it is
// canceled over a new one.
func TestBrokenConnectionCancels(t *testing.T) {
	t.Parallel()
	p := siptest.TCP(t, nil)
	tr := start(t, sipcall.Config{Transport: sipcall.TCP}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	time.Sleep(50 * time.Millisecond) // what was written is read before the end
	p.Hang()
	if f := failed(t, out); !f.MayHaveRung {
		t.Error(f)
	}
	cancel := p.Next("CANCEL")
	if cancel.Header("Via") != inv.Header("Via") || cancel.From == inv.From {
		t.Errorf("CANCEL from %s: %v", cancel.From, cancel.Lines)
	}
	p.Reply(cancel, "200 OK", siptest.Answer{})
}

// A call that is answered while the caller stops is hung up, too.
func TestAnsweredDuringStop(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, _ := connected(t, tr, p, siptest.Answer{}) // its BYE holds Stop up
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "b"})
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), siptest.Patience)
		defer cancel()
		stopped <- tr.Stop(ctx)
	}()
	first, cancel := p.Next("BYE"), p.Next("CANCEL") // an answer before it would need none
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "b", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	p.Reply(first, "200 OK", siptest.Answer{})
	p.Reply(cancel, "481 Gone", siptest.Answer{})
	p.Reply(p.Next("BYE"), "200 OK", siptest.Answer{})
	if f := failed(t, out); f.Class != sipcall.Canceled || !f.MayHaveRung {
		t.Error(f)
	}
	get(t, call.Gone())
	if err := get(t, stopped); err != nil {
		t.Error(err)
	}
}

// Who names no refresher waits for us.
func TestNobodyNamedToRefresh(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{}, p)
	call, _ := connected(t, tr, p, siptest.Answer{Headers: []string{"Allow: UPDATE", "Session-Expires: 1"}})
	up := p.Next("UPDATE")
	p.Reply(up, "200 OK", siptest.Answer{Headers: []string{"Session-Expires: 3600;refresher=uac"}})
	hangup(t, call, p)
}

func TestUnusableConfig(t *testing.T) {
	t.Parallel()
	open := func() (sipcall.Stream, error) { return newStream(), nil }
	for name, cfg := range map[string]sipcall.Config{
		"a line end in a URI parameter": {URIParams: []string{"user=phone\r\nX: y"}},
		"a line end in the user":        {Auth: sipcall.Auth{User: "a\r\nX: y"}},
		"no trying":                     {NoTrying: -1},
		"down for":                      {DownFor: -1},
		"expires":                       {Register: sipcall.Register{Expires: -1}},
		"session timer":                 {SessionTimer: sipcall.SessionTimer{Expires: -time.Second}},
	} {
		cfg.Proxies, cfg.Open = []string{"127.0.0.1"}, open
		if _, err := sipcall.New(cfg); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// movingDNS gives one address, and after the move another.
type movingDNS struct{ moved atomic.Bool }

func (d *movingDNS) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errors.ErrUnsupported
}

func (d *movingDNS) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if d.moved.Load() {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// A proxy that DNS does not name any more is heard until its INVITE has ended.
func TestProxyMovesWhileItRings(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is an address of its own on Linux alone")
	}
	p, names := siptest.UDP(t), &movingDNS{}
	tr := start(t, sipcall.Config{Proxies: []string{"sip.test:" + p.Port()}, Resolver: names, Now: func() time.Time {
		if names.moved.Load() {
			return time.Unix(10_000, 0)
		}
		return time.Unix(1000, 0)
	}})
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "100 Trying", siptest.Answer{})
	names.moved.Store(true)
	failed(t, tr.place(t.Context(), sipcall.Invite{To: number, From: callerID, RingTimeout: 100 * time.Millisecond})) // nobody is there; DNS was asked
	p.Reply(inv, "486 Busy Here", siptest.Answer{Tag: "a"})
	if f := failed(t, out); f.Class != sipcall.Busy {
		t.Error(f)
	}
}
