package sipcall

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pion/sdp/v3"
)

// mediaLine is one m= section of the other end, as far as we can use it.
type mediaLine struct {
	kind, proto string
	formats     []string
	rtp, rtcp   netip.AddrPort // rtp's port is 0 where the medium is refused
	way         string         // sendrecv, sendonly, recvonly, inactive
	codecs      []audio.Codec  // in their order
	events      uint8          // payload type of telephone-event; 0: none
	crypto      []cryptoKey
}

// cryptoKey is one a=crypto line that we understand.
type cryptoKey struct {
	tag   int
	suite string
	key   [30]byte
}

// usable says that the section is telephone audio and not refused.
func (l mediaLine) usable() bool {
	return l.kind == "audio" && l.rtp.Port() != 0 && l.rtp.Addr().IsValid() && (l.proto == "RTP/AVP" || l.proto == "RTP/SAVP")
}

// maxSDP bounds what is parsed; a real description has less than 2 kB.
const maxSDP = 16 << 10

// readSDP takes a description of the other end apart. The body is not quoted in
// an error: it may hold keys.
func readSDP(body []byte) ([]mediaLine, error) {
	if len(body) == 0 || len(body) > maxSDP {
		return nil, fmt.Errorf("sipcall: sdp: %d bytes", len(body))
	}
	if !bytes.HasSuffix(body, []byte("\n")) {
		body = append(bytes.Clone(body), '\r', '\n')
	}
	var d sdp.SessionDescription
	if d.Unmarshal(body) != nil {
		return nil, fmt.Errorf("sipcall: sdp: it cannot be read")
	}
	session := direction(d.Attributes, "sendrecv")
	var lines []mediaLine
	for _, m := range d.MediaDescriptions {
		l := mediaLine{kind: m.MediaName.Media, proto: strings.Join(m.MediaName.Protos, "/"), formats: m.MediaName.Formats}
		c := m.ConnectionInformation
		if c == nil {
			c = d.ConnectionInformation
		}
		if ip, ok := connectionIP(c); ok && 0 <= m.MediaName.Port.Value && m.MediaName.Port.Value <= 0xffff {
			l.rtp = netip.AddrPortFrom(ip, uint16(m.MediaName.Port.Value))
		}
		l.way = direction(m.Attributes, session)
		l.readFormats(m)
		l.readAttributes(m.Attributes)
		lines = append(lines, l)
	}
	return lines, nil
}

// connectionIP is the address of a c= line. Names are not looked up, and no sound
// goes to a multicast group.
func connectionIP(c *sdp.ConnectionInformation) (netip.Addr, bool) {
	if c == nil || c.Address == nil {
		return netip.Addr{}, false
	}
	text, _, _ := strings.Cut(c.Address.Address, "/") // a multicast TTL
	ip, err := netip.ParseAddr(text)
	return ip.Unmap(), err == nil && ip.Zone() == "" && !ip.IsMulticast()
}

// direction is the last one that is stated, or otherwise.
func direction(attributes []sdp.Attribute, otherwise string) string {
	for _, a := range attributes {
		switch a.Key {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			otherwise = a.Key
		}
	}
	return otherwise
}

// readFormats finds the codecs and the telephone-event, by rtpmap, or by the
// static numbers where there is none.
func (l *mediaLine) readFormats(m *sdp.MediaDescription) {
	names := map[string]string{"0": "PCMU/8000", "8": "PCMA/8000"}
	for _, a := range m.Attributes {
		if pt, name, ok := strings.Cut(a.Value, " "); ok && a.Key == "rtpmap" {
			names[pt] = strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(name), "/1"))
		}
	}
	for _, pt := range m.MediaName.Formats {
		n, ok := smallNumber(pt)
		switch name := names[pt]; {
		case !ok || n > 127:
		case name == "PCMU/8000" && n == 0:
			l.codecs = append(l.codecs, audio.PCMU)
		case name == "PCMA/8000" && n == 8:
			l.codecs = append(l.codecs, audio.PCMA)
		case name == "TELEPHONE-EVENT/8000" && n >= 96 && l.events == 0:
			l.events = uint8(n)
		}
	}
}

// readAttributes takes what is said of RTCP and SRTP.
func (l *mediaLine) readAttributes(attributes []sdp.Attribute) {
	for _, a := range attributes {
		switch a.Key {
		case "rtcp":
			l.readRTCP(a.Value)
		case "crypto":
			if k, ok := readCrypto(a.Value); ok {
				l.crypto = append(l.crypto, k)
			}
		}
	}
}

// readRTCP reads a=rtcp (RFC 3605): "port [IN IP4 address]".
func (l *mediaLine) readRTCP(value string) {
	f := strings.Fields(value)
	if len(f) == 0 {
		return
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	ip := l.rtp.Addr()
	if len(f) >= 4 {
		if other, err := netip.ParseAddr(f[3]); err == nil && other == ip {
			ip = other // reports go nowhere but to the sound's own host
		}
	}
	if err == nil && port != 0 && ip.IsValid() {
		l.rtcp = netip.AddrPortFrom(ip, uint16(port))
	}
}

// readCrypto reads a=crypto (RFC 4568 9.1): "tag suite inline:key[|lifetime][|mki:length] [parameters]".
// Master key identifiers and parameters that change the packets are not taken.
func readCrypto(value string) (k cryptoKey, ok bool) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return k, false
	}
	tag, ok := smallNumber(f[0])
	text, inline := strings.CutPrefix(f[2], "inline:")
	if !ok || !inline {
		return k, false
	}
	for _, p := range f[3:] {
		if !strings.HasPrefix(p, "WSH=") {
			return k, false
		}
	}
	parts := strings.Split(text, "|")
	for _, p := range parts[1:] {
		if strings.Contains(p, ":") {
			return k, false
		}
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	if err != nil || len(raw) != len(k.key) {
		return k, false
	}
	k.tag, k.suite = tag, f[1]
	copy(k.key[:], raw)
	return k, true
}
