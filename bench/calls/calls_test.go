//go:build linux && (amd64 || arm64)

package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestMediaAddresses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 255, 65_536, 1_000_000} {
		if a := mediaAddr(n); callOf(a) != n || !a.IsLoopback() {
			t.Errorf("call %d: %v is call %d", n, a, callOf(a))
		}
	}
	if n := callOf(netip.Addr{}); n != -1 {
		t.Errorf("no address is call %d", n)
	}
}

// A stream whose sequence numbers wrap, with one packet lost, one twice, and one
// 25 ms late.
func TestReckon(t *testing.T) {
	t.Parallel()
	p := newPlan(order{Calls: 1}, 7)
	c := &called{n: 7, heard: record{at: make([]uint32, 100)}}
	p.calls[0].Store(c)
	for i := range 50 {
		after := time.Second + time.Duration(i)*frame
		switch i {
		case 10:
			continue
		case 20:
			after += 25 * time.Millisecond
		case 30:
			c.heard.add(uint16(65_500+i), after)
		}
		c.heard.add(uint16(65_500+i), after)
	}
	got := p.reckon(p.start.UnixNano(), p.start.Add(time.Minute).UnixNano())
	want := late{Streams: 1, Packets: 49, Missing: 1, Doubled: 1, Over20: 1, P99: 25, Max: 25}
	if got != want {
		t.Errorf("reckoned %+v, want %+v", got, want)
	}
}

func TestAnswersAndBYE(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(`INVITE sip:+818010000000;x=y@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bK1;rport
From: <sip:a@b>;tag=f
To: <sip:+818010000000@127.0.0.1>
Call-ID: id
CSeq: 1 INVITE
Contact: <sip:me@127.0.0.1:4000>

v=0
c=IN IP4 127.0.0.1
m=audio 30000 RTP/AVP 0
`, "\n", "\r\n")
	m, err := parse([]byte(text))
	if err != nil || m.method != "INVITE" || m.user != "+818010000000" {
		t.Fatalf("parsed %+v, %v", m, err)
	}
	if at, err := offered(m.body); err != nil || at != netip.MustParseAddrPort("127.0.0.1:30000") {
		t.Errorf("offered %v, %v", at, err)
	}
	reply, err := parse(m.reply("200 OK", "s1"))
	if err != nil || reply.status != 200 || reply.get("To") != "<sip:+818010000000@127.0.0.1>;tag=s1" || reply.get("Via") != m.get("Via") {
		t.Errorf("replied %+v, %v", reply, err)
	}
	d := newDialog(m, netip.MustParseAddrPort("127.0.0.1:4000"), "s1")
	bye := string(d.bye(netip.MustParseAddrPort("127.0.0.1:5060"), 1))
	for _, want := range []string{"BYE sip:me@127.0.0.1:4000 SIP/2.0\r\n", "From: <sip:+818010000000@127.0.0.1>;tag=s1\r\n", "To: <sip:a@b>;tag=f\r\n"} {
		if !strings.Contains(bye, want) {
			t.Errorf("BYE lacks %q:\n%s", want, bye)
		}
	}
}

// What the kernel says of a packet, and the address that one is sent from.
func TestPackets(t *testing.T) {
	t.Parallel()
	fd, port, err := listenRaw(0)
	if err != nil {
		t.Fatal(err)
	}
	b := newPackets()
	home := mediaAddr(300)
	b.fill(0, netip.AddrPortFrom(home, uint16(port)), mediaAddr(5), packetSize)
	if n := b.send(fd, 1); n != 1 {
		t.Fatalf("sent %d packets", n)
	}
	got := newPackets()
	if n := got.receive(fd); n != 1 || got.headers[0].len != packetSize {
		t.Fatalf("received %d packets", n)
	}
	a := got.arrival(0)
	if age := time.Since(time.Unix(0, a.at)); a.to != home || age < 0 || age > 10*time.Second || netip.AddrFrom4(got.names[0].Addr) != mediaAddr(5) {
		t.Errorf("arrived at %v, %v ago, from %v", a.to, age, got.names[0].Addr)
	}
}
