//go:build amd64 || arm64

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// message is a SIP request or response as far as the sink reads it.
type message struct {
	method string // of a response: "" and its status
	status int
	user   string // of the Request-URI
	lines  []string
	body   string
}

var errNotSIP = errors.New("not SIP")

func parse(b []byte) (message, error) {
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return message{}, errNotSIP
	}
	lines := strings.Split(string(head), "\r\n")
	m := message{lines: lines[1:], body: string(body)}
	first := strings.Fields(lines[0])
	if len(first) < 3 {
		return message{}, errNotSIP
	}
	if first[0] == "SIP/2.0" {
		status, err := strconv.Atoi(first[1])
		m.status = status
		return m, err
	}
	m.method = first[0]
	uri := strings.TrimPrefix(first[1], "sip:")
	if user, _, ok := strings.Cut(uri, "@"); ok {
		m.user, _, _ = strings.Cut(user, ";")
	}
	return m, nil
}

// all are the lines of a header, name included.
func (m message) all(name string) (out []string) {
	for _, l := range m.lines {
		if n, _, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			out = append(out, l)
		}
	}
	return out
}

// get is a header's value; "": there is none.
func (m message) get(name string) string {
	for _, l := range m.all(name) {
		_, v, _ := strings.Cut(l, ":")
		return strings.TrimSpace(v)
	}
	return ""
}

// reply answers a request. The To header gets tag where it has none.
func (m message) reply(status, tag string, extra ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, l := range m.all(name) {
			b.WriteString(l)
			if name == "To" && !strings.Contains(l, ";tag=") {
				b.WriteString(";tag=" + tag)
			}
			b.WriteString("\r\n")
		}
	}
	body := ""
	for _, e := range extra {
		if strings.HasPrefix(e, "v=0") {
			body = e
			b.WriteString("Content-Type: application/sdp\r\n")
			continue
		}
		b.WriteString(e + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

// dialog is what the sink's BYE needs of an INVITE.
type dialog struct {
	target       string // the caller's Contact
	local, remot string // From and To of our requests, tags included
	id           string
	source       netip.AddrPort
}

func newDialog(m message, source netip.AddrPort, tag string) dialog {
	contact := m.get("Contact")
	if i, j := strings.IndexByte(contact, '<'), strings.IndexByte(contact, '>'); i >= 0 && j > i {
		contact = contact[i+1 : j]
	}
	return dialog{target: contact, local: m.get("To") + ";tag=" + tag, remot: m.get("From"), id: m.get("Call-ID"), source: source}
}

func (d dialog) bye(self netip.AddrPort, n int) []byte {
	return fmt.Appendf(nil, "BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bK-bye-%d;rport\r\nMax-Forwards: 70\r\n"+
		"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n", d.target, self, n, d.local, d.remot, d.id)
}

// offered reads where the caller wants its sound.
func offered(sdp string) (netip.AddrPort, error) {
	var ip netip.Addr
	var port int
	for line := range strings.Lines(sdp) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && f[0] == "c=IN":
			ip, _ = netip.ParseAddr(f[2])
		case len(f) > 3 && f[0] == "m=audio":
			port, _ = strconv.Atoi(f[1])
		}
	}
	if !ip.IsValid() || port == 0 {
		return netip.AddrPort{}, errors.New("an offer without an address")
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// answered is the SDP of an answer: PCMU, and keys by RFC 4733 unless inBand.
func answered(home netip.Addr, port, rtcp int, inBand bool) string {
	types, events := "0", ""
	if !inBand {
		types, events = "0 101", "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %v\r\ns=-\r\nc=IN IP4 %v\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\na=rtpmap:0 PCMU/8000\r\n%sa=rtcp:%d\r\na=ptime:20\r\na=sendrecv\r\n",
		home, home, port, types, events, rtcp)
}
