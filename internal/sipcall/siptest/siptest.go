// Package siptest is the other end of a SIP trunk, for tests: raw sockets, and
// messages that a test reads and writes one by one, so that it can misbehave in
// every way that a carrier does. It knows as little of SIP as that takes, and
// shares no code with what it tests.
package siptest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Patience bounds every wait of a Peer.
const Patience = 10 * time.Second

// Peer is one socket of the other end.
type Peer struct {
	t    testing.TB
	udp  *net.UDPConn
	ln   net.Listener
	addr string
	name string // transport in Via

	sent atomic.Int64 // requests; numbers their branches

	mu    sync.Mutex
	inbox []*Message
	seen  map[string]int
	news  chan struct{}
	conns []net.Conn
}

// Message is one SIP message as it came.
type Message struct {
	Start string   // the first line
	Lines []string // the headers, unfolded lines as they came
	Body  string
	From  string // the source's address
	write func([]byte)
}

// UDP opens a peer on loopback that is closed with the test.
func UDP(t testing.TB) *Peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	p := newPeer(t, "UDP", conn.LocalAddr().String())
	p.udp = conn
	t.Cleanup(func() { _ = conn.Close() })
	go p.readUDP()
	return p
}

// TCP opens a peer that listens for connections; with conf, for TLS.
func TCP(t testing.TB, conf *tls.Config) *Peer {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	p := newPeer(t, "TCP", ln.Addr().String())
	if conf != nil {
		p.name, ln = "TLS", tls.NewListener(ln, conf)
	}
	p.ln = ln
	t.Cleanup(p.Close)
	go p.accept()
	return p
}

func newPeer(t testing.TB, name, addr string) *Peer {
	return &Peer{t: t, name: name, addr: addr, seen: map[string]int{}, news: make(chan struct{}, 1)}
}

// Addr is the peer's "ip:port".
func (p *Peer) Addr() string { return p.addr }

// Port is the peer's port.
func (p *Peer) Port() string { _, port, _ := net.SplitHostPort(p.addr); return port }

// Close closes the peer's sockets.
func (p *Peer) Close() {
	if p.udp != nil {
		_ = p.udp.Close()
		return
	}
	_ = p.ln.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// Hang closes the connections that were accepted, and goes on to listen.
func (p *Peer) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *Peer) readUDP() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.udp.ReadFromUDP(buf)
		if err != nil {
			return
		}
		m, err := read(bufio.NewReader(bytes.NewReader(buf[:n])))
		if err != nil {
			continue
		}
		m.From = from.String()
		m.write = func(b []byte) { _, _ = p.udp.WriteToUDP(b, from) }
		p.keep(m)
	}
}

func (p *Peer) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
		go p.readStream(conn)
	}
}

func (p *Peer) readStream(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		m, err := read(r)
		if err != nil {
			return
		}
		m.From = conn.RemoteAddr().String()
		m.write = func(b []byte) { _, _ = conn.Write(b) }
		p.keep(m)
	}
}

func read(r *bufio.Reader) (*Message, error) {
	m := &Message{}
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" && m.Start == "": // between messages
			continue
		case m.Start == "":
			m.Start = line
		case line != "":
			m.Lines = append(m.Lines, line)
			if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(k), "Content-Length") {
				length, _ = strconv.Atoi(strings.TrimSpace(v))
			}
		}
		if line == "" {
			break
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	m.Body = string(body)
	return m, err
}

func (p *Peer) keep(m *Message) {
	p.mu.Lock()
	key := m.Start + m.Header("Via") + m.Header("CSeq") + m.tagless()
	p.seen[key]++
	if p.seen[key] == 1 || strings.HasPrefix(m.Start, "ACK ") {
		p.inbox = append(p.inbox, m)
	}
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// tagless tells answers of different dialogs apart.
func (m *Message) tagless() string { return m.Header("To") }

// Next is the next message whose first line begins with what: a method, or
// "SIP/2.0 200". Repeated copies of a message are left out, ACKs excepted.
func (p *Peer) Next(what string) *Message {
	p.t.Helper()
	limit := time.After(Patience)
	for {
		if m := p.take(what); m != nil {
			return m
		}
		select {
		case <-p.news:
		case <-limit:
			p.t.Fatalf("siptest: no %q came; there are %q", what, p.Pending())
		}
	}
}

func (p *Peer) take(what string) *Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range p.inbox {
		if strings.HasPrefix(m.Start, what) {
			p.inbox = append(p.inbox[:i:i], p.inbox[i+1:]...)
			return m
		}
	}
	return nil
}

// Pending is the methods and statuses of what has come and was not taken.
func (p *Peer) Pending() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.inbox {
		f := strings.Fields(m.Start)
		if f[0] == "SIP/2.0" {
			all = append(all, f[0]+" "+f[1])
		} else {
			all = append(all, f[0])
		}
	}
	return all
}

// Header is the value of the first header of a name, or "".
func (m *Message) Header(name string) string {
	for _, l := range m.Lines {
		if k, v, _ := strings.Cut(l, ":"); strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Headers are the values of all headers of a name.
func (m *Message) Headers(name string) (all []string) {
	for _, l := range m.Lines {
		if k, v, _ := strings.Cut(l, ":"); strings.EqualFold(strings.TrimSpace(k), name) {
			all = append(all, strings.TrimSpace(v))
		}
	}
	return all
}

// Answer is what Reply adds to the copied headers.
type Answer struct {
	Tag     string   // of our side; Reply adds none if it is zero
	Headers []string // whole lines
	Body    string   // SDP
}

// Reply answers a request: "180 Ringing".
func (p *Peer) Reply(req *Message, status string, a Answer) {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range req.Headers(name) {
			if name == "To" && a.Tag != "" && !strings.Contains(v, "tag=") {
				v += ";tag=" + a.Tag
			}
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	if a.Body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	for _, h := range a.Headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(a.Body), a.Body)
	req.write([]byte(b.String()))
}

// Contact is a Contact line that leads to the peer.
func (p *Peer) Contact() string {
	return "Contact: <sip:peer@" + p.addr + ";transport=" + strings.ToLower(p.name) + ">"
}

// SDP is a plain answer: PCMU and telephone-event 101 at a loopback port.
func SDP(lines ...string) string {
	if len(lines) == 0 {
		lines = []string{"m=audio 40000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=sendrecv"}
	}
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n"
}

// InDialog makes a request within the dialog of an INVITE that the peer answered
// with the To tag "peer1", or a.Tag.
func (p *Peer) InDialog(inv *Message, method string, seq int, a Answer) string {
	tag := a.Tag
	if tag == "" {
		tag = "peer1"
	}
	target := strings.Trim(inv.Header("Contact"), "<>")
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", method, target)
	fmt.Fprintf(&b, "Via: SIP/2.0/%s %s;branch=z9hG4bK%s%d.%d;rport\r\n", p.name, p.addr, method, seq, p.sent.Add(1))
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n",
		inv.Header("To"), tag, inv.Header("From"), inv.Header("Call-ID"), seq, method)
	if a.Body != "" && !strings.Contains(strings.Join(a.Headers, "\n"), "Content-Type") {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	for _, h := range a.Headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(a.Body), a.Body)
	return b.String()
}

// Send writes text to where a message came from.
func (p *Peer) Send(to *Message, text string) { to.write([]byte(text)) }

// SendTo writes a datagram to an address.
func (p *Peer) SendTo(addr net.Addr, text string) {
	if _, err := p.udp.WriteTo([]byte(text), addr); err != nil {
		p.t.Errorf("siptest: %v", err)
	}
}
