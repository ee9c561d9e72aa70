package sipcall_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// verify recomputes a digest answer.
func verify(t *testing.T, m *siptest.Message, header, password string, nc int) {
	t.Helper()
	got, err := digest.ParseCredentials(m.Header(header))
	if err != nil {
		t.Fatalf("%s %q: %v", header, m.Header(header), err)
	}
	f := strings.Fields(m.Start)
	chal := &digest.Challenge{Realm: got.Realm, Nonce: got.Nonce, Algorithm: got.Algorithm, QOP: []string{"auth"}}
	want, err := digest.Digest(chal, digest.Options{Method: f[0], URI: f[1], Count: nc, Username: "alice", Password: password, Cnonce: got.Cnonce})
	if err != nil || want.Response != got.Response || got.Nc != nc || got.URI != f[1] {
		t.Errorf("%s of %s: nc %d, want %d; %v", header, f[0], got.Nc, nc, err)
	}
}

func TestDigestIsRemembered(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{Auth: sipcall.Auth{User: "alice", Password: "pw"}}, p)
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	p.Reply(inv, "407 Proxy Authentication Required", siptest.Answer{Tag: "x", Headers: []string{
		`Proxy-Authenticate: Digest realm="r", nonce="n0", algorithm=XYZ`,
		`Proxy-Authenticate: Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth,auth-int"`,
		`Proxy-Authenticate: Digest realm="r", nonce="n2", algorithm=MD5, qop="auth"`}})
	p.Next("ACK")
	inv = p.Next("INVITE")
	verify(t, inv, "Proxy-Authorization", "pw", 1)
	if !strings.Contains(inv.Header("Proxy-Authorization"), "SHA-256") || inv.Header("CSeq") != "2 INVITE" {
		t.Error(inv.Header("CSeq"), inv.Header("Proxy-Authorization"))
	}
	p.Reply(inv, "401 Unauthorized", siptest.Answer{Tag: "x", Headers: []string{`WWW-Authenticate: Digest realm="s", nonce="m1", qop="auth"`}})
	p.Next("ACK")
	inv = p.Next("INVITE")
	verify(t, inv, "Proxy-Authorization", "pw", 2)
	verify(t, inv, "Authorization", "pw", 1)
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "peer1", Body: siptest.SDP(), Headers: []string{p.Contact()}})
	if ack := p.Next("ACK"); ack.Header("Authorization") != inv.Header("Authorization") {
		t.Error("the ACK does not carry the INVITE's credentials")
	}
	bye := hangup(t, get(t, out).call, p)
	verify(t, bye, "Proxy-Authorization", "pw", 3)
	verify(t, bye, "Authorization", "pw", 2)
	// The next call carries them at once; a stale nonce is renewed; a wrong password is one failure.
	out = tr.place(t.Context(), sipcall.Invite{})
	inv = p.Next("INVITE")
	verify(t, inv, "Proxy-Authorization", "pw", 4)
	for _, nonce := range []string{"n3", "n4"} {
		p.Reply(inv, "407 Again", siptest.Answer{Tag: "y", Headers: []string{`Proxy-Authenticate: Digest realm="r", nonce="` + nonce + `", qop="auth", stale=TRUE`}})
		p.Next("ACK")
		inv = p.Next("INVITE")
		verify(t, inv, "Proxy-Authorization", "pw", 1)
	}
	p.Reply(inv, "407 No", siptest.Answer{Tag: "y", Headers: []string{`Proxy-Authenticate: Digest realm="r", nonce="n5", qop="auth"`}})
	f := failed(t, out)
	p.Next("ACK")
	if f.Class != sipcall.Refused || f.Fault != sipcall.FaultOurs || f.MayHaveRung {
		t.Error(f)
	}
}

func TestNextProxyOnlyWithoutRing(t *testing.T) {
	t.Parallel()
	gone := siptest.UDP(t)
	gone.Close()
	ringer, second := siptest.UDP(t), siptest.UDP(t)
	t.Run("not there, full, then taken", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("ICMP errors are read on Linux")
		}
		tr := start(t, sipcall.Config{}, gone, ringer, second)
		out := tr.place(t.Context(), sipcall.Invite{})
		inv := ringer.Next("INVITE")
		ringer.Reply(inv, "100 Trying", siptest.Answer{})
		ringer.Reply(inv, "503 Full", siptest.Answer{Tag: "a"})
		inv = second.Next("INVITE")
		second.Reply(inv, "486 Busy", siptest.Answer{Tag: "b"})
		if f := failed(t, out); f.Class != sipcall.Busy {
			t.Error(f)
		}
		second.Next("ACK")
		if st := tr.Proxies(); st[0].Up || st[1].Up || !st[2].Up {
			t.Errorf("%+v", st)
		}
		if len(tr.streams) != 1 {
			t.Errorf("%d streams for one call", len(tr.streams))
		}
	})
	t.Run("503 right behind a 180", func(t *testing.T) {
		tr := start(t, sipcall.Config{}, ringer, second)
		for range 20 {
			out := tr.place(t.Context(), sipcall.Invite{})
			inv := ringer.Next("INVITE")
			ringer.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
			ringer.Reply(inv, "500 Broken", siptest.Answer{Tag: "a"})
			if f := failed(t, out); !f.MayHaveRung || second.Pending() != nil {
				t.Fatal(f, f.MayHaveRung, second.Pending())
			}
		}
	})
}

func TestTCPRefusedThenNext(t *testing.T) {
	t.Parallel()
	gone, p := siptest.TCP(t, nil), siptest.TCP(t, nil)
	gone.Close()
	tr := start(t, sipcall.Config{Transport: sipcall.TCP}, gone, p)
	call, inv := connected(t, tr, p, siptest.Answer{})
	if !strings.HasPrefix(inv.Header("Via"), "SIP/2.0/TCP ") || !strings.Contains(inv.Header("Contact"), "transport=tcp") {
		t.Error(inv.Lines)
	}
	if bye := hangup(t, call, p); bye.From != inv.From {
		t.Errorf("BYE came over another connection")
	}
}

func TestTooLongForUDP(t *testing.T) {
	t.Parallel()
	long := []sipcall.Header{{Name: "Identity", Value: strings.Repeat("x", 1200)}}
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{Headers: long}, p)
	f := failed(t, tr.place(t.Context(), sipcall.Invite{}))
	if f.Fault != sipcall.FaultOurs || f.MayHaveRung || !strings.Contains(f.Reason, "1300") {
		t.Error(f)
	}
	q := siptest.TCP(t, nil)
	tr = start(t, sipcall.Config{Headers: long, Transport: sipcall.TCP}, q)
	call, _ := connected(t, tr, q, siptest.Answer{})
	hangup(t, call, q)
}

// authority makes a CA and a certificate of it for 127.0.0.1.
func authority(t *testing.T) (ca []byte, server tls.Certificate) {
	t.Helper()
	make := func(tmpl, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, key := make(root, root, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "sbc"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	leafDER, leafKey := make(leaf, root, key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}

func TestTLSAndSRTP(t *testing.T) {
	t.Parallel()
	ca, server := authority(t)
	conf := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12}
	p := siptest.TCP(t, conf)
	tr := start(t, sipcall.Config{Transport: sipcall.TLS, TLS: sipcall.Security{CA: ca}, SRTP: sipcall.SRTPRequired}, p)
	key := strings.Repeat("A", 40)
	call, inv := connected(t, tr, p, siptest.Answer{Body: siptest.SDP("m=audio 40000 RTP/SAVP 8 101", "a=rtpmap:101 telephone-event/8000",
		"a=crypto:2 "+media.SuiteSHA1_32+" inline:"+key)})
	if !strings.Contains(inv.Body, "RTP/SAVP") || strings.Count(inv.Body, "a=crypto:") != 2 || !strings.HasPrefix(inv.Header("Via"), "SIP/2.0/TLS") {
		t.Errorf("%v\n%s", inv.Lines, inv.Body)
	}
	// We do not listen: what Contact names must be the connection.
	if want := "@" + inv.From + ";transport=tls>"; !strings.HasSuffix(inv.Header("Contact"), want) {
		t.Errorf("Contact %q, want %q", inv.Header("Contact"), want)
	}
	r := get(t, tr.stream(0).told)
	if r.Send == nil || r.Receive == nil || r.Send.Suite != media.SuiteSHA1_32 || r.Codec.String() != "PCMA" || !call.Encrypted() {
		t.Error("not encrypted as agreed")
	}
	// A request of the other end comes on our own connection.
	p.Send(inv, p.InDialog(inv, "BYE", 3, siptest.Answer{}))
	p.Next("SIP/2.0 200")
	get(t, call.Gone())

	stranger := start(t, sipcall.Config{Transport: sipcall.TLS}, p) // the system's roots do not know the CA
	f := failed(t, stranger.place(t.Context(), sipcall.Invite{}))
	if f.MayHaveRung || f.Fault != sipcall.FaultCarrier {
		t.Error(f)
	}
}

func TestStrangersAreDropped(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	got := make(chan string, 4)
	cfg := sipcall.Config{Bind: netip.MustParseAddrPort("0.0.0.0:0"), Incoming: func(_ context.Context, in *sipcall.Incoming) { got <- in.From }}
	tr := start(t, cfg, p)
	port := int(tr.Addr().Port())
	// 127.0.0.2 is no peer; 127.0.0.1 is.
	stranger, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Skip("this system has no 127.0.0.2:", err)
	}
	defer stranger.Close()
	msg := "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:9;branch=z9hG4bKa;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	for range 50 {
		_, _ = stranger.Write([]byte(msg))
	}
	p.SendTo(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, strings.ReplaceAll(msg, "127.0.0.2:9", p.Addr()))
	if ok := p.Next("SIP/2.0 200"); !strings.Contains(ok.Header("Allow"), "UPDATE") {
		t.Error(ok.Lines)
	}
	_ = stranger.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := stranger.Read(make([]byte, 100)); err == nil {
		t.Errorf("a stranger got %d bytes", n)
	}
}

func TestStrangersTCP(t *testing.T) {
	t.Parallel()
	p := siptest.TCP(t, nil)
	tr := start(t, sipcall.Config{Bind: netip.MustParseAddrPort("0.0.0.0:0"), Transport: sipcall.TCP}, p)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Second}
	conn, err := d.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), tr.Addr().Port()).String())
	if err != nil {
		t.Skip("this system has no 127.0.0.2:", err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(siptest.Patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection of a stranger stays open: %v", err)
	}
}

func TestPings(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{OptionsInterval: 60 * time.Millisecond}, p)
	up := func(want bool) {
		limit := time.Now().Add(siptest.Patience)
		for st := tr.Proxies(); len(st) == 0 || st[0].Up != want; st = tr.Proxies() {
			if time.Now().After(limit) {
				t.Fatalf("up is not %v: %+v", want, st)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	p.Reply(p.Next("OPTIONS"), "503 Out", siptest.Answer{Tag: "a"})
	up(false)
	limit := time.Now().Add(siptest.Patience)
	for !tr.Proxies()[0].Up && time.Now().Before(limit) {
		p.Reply(p.Next("OPTIONS"), "405 No OPTIONS here", siptest.Answer{Tag: "a"})
		time.Sleep(20 * time.Millisecond)
	}
	up(true)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	tr := start(t, sipcall.Config{Register: sipcall.Register{On: true}, Auth: sipcall.Auth{User: "alice", Password: "pw"}, FromDomain: "example.com"}, p)
	reg := p.Next("REGISTER")
	p.Reply(reg, "401 Unauthorized", siptest.Answer{Tag: "r", Headers: []string{`WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth"`}})
	reg = p.Next("REGISTER")
	verify(t, reg, "Authorization", "pw", 1)
	if !strings.HasPrefix(reg.Header("To"), "<sip:alice@example.com>") || reg.Header("Expires") != "300" {
		t.Error(reg.Lines)
	}
	p.Reply(reg, "423 Interval Too Brief", siptest.Answer{Tag: "r", Headers: []string{"Min-Expires: 600"}})
	reg = p.Next("REGISTER")
	if reg.Header("Expires") != "600" {
		t.Error(reg.Lines)
	}
	p.Reply(reg, "200 OK", siptest.Answer{Tag: "r", Headers: []string{"Contact: " + reg.Header("Contact") + ";expires=600"}})
	limit := time.Now().Add(siptest.Patience)
	for ok, _ := tr.Registered(); !ok; ok, _ = tr.Registered() {
		if time.Now().After(limit) {
			t.Fatal("not registered")
		}
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- tr.Stop(context.Background()) }()
	reg = p.Next("REGISTER")
	if reg.Header("Expires") != "0" {
		t.Error(reg.Lines)
	}
	p.Reply(reg, "200 OK", siptest.Answer{Tag: "r"})
	if err := get(t, stopped); err != nil {
		t.Error(err)
	}
}
