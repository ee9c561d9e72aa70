package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP says who is at the other end of a request: the peer, or, where the
// peer is a trusted proxy, the last hop that no trusted proxy vouches for. What
// anybody else writes into the headers is not looked at. The zero Addr where the
// peer has no address, as on a Unix socket.
//
// X-Forwarded-For is a convention, Forwarded is RFC 7239. A proxy writes one of
// them and may pass on the other from outside: where they disagree, neither is
// believed.
func clientIP(peer string, h http.Header, trusted []netip.Prefix) netip.Addr {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	ip := plain(at.Addr())
	if !within(ip, trusted) {
		return ip
	}
	xff, forwarded := h.Values("X-Forwarded-For"), h.Values("Forwarded")
	switch {
	case len(xff) == 0:
		return lastUntrusted(ip, forwardedHops(forwarded), trusted)
	case len(forwarded) == 0:
		return lastUntrusted(ip, split(strings.Join(xff, ","), ','), trusted)
	}
	a := lastUntrusted(ip, split(strings.Join(xff, ","), ','), trusted)
	if b := lastUntrusted(ip, forwardedHops(forwarded), trusted); a != b {
		return ip
	}
	return a
}

// lastUntrusted walks the hops from the nearest one. It stops at the first that
// is not trusted, and before one that is no address: what is left of that, the
// hop that wrote it cannot vouch for.
func lastUntrusted(peer netip.Addr, hops []string, trusted []netip.Prefix) netip.Addr {
	for i := len(hops) - 1; i >= 0; i-- {
		ip, ok := hop(hops[i])
		if !ok {
			break
		}
		peer = ip
		if !within(ip, trusted) {
			break
		}
	}
	return peer
}

// hop reads an address, with or without a port; an IPv6 one with a port stands
// in brackets.
func hop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return plain(at.Addr()), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	ip, err := netip.ParseAddr(text)
	return plain(ip), err == nil
}

// plain is an address without a zone, and IPv4 as such.
func plain(ip netip.Addr) netip.Addr { return ip.WithZone("").Unmap() }

func within(ip netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// forwardedHops gives the "for" of each element of Forwarded headers; of an
// element without one an empty text, which is no address.
func forwardedHops(values []string) []string {
	var out []string
	for _, element := range split(strings.Join(values, ","), ',') {
		var by string
		for _, pair := range split(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				by = unquote(strings.TrimSpace(value))
			}
		}
		out = append(out, by)
	}
	return out
}

// split divides at a byte outside quoted strings; nothing has no parts.
func split(s string, at byte) []string {
	var out []string
	quoted, escaped, begin := false, false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case escaped:
			escaped = false
		case quoted && s[i] == '\\':
			escaped = true
		case s[i] == '"':
			quoted = !quoted
		case s[i] == at && !quoted:
			out, begin = append(out, s[begin:i]), i+1
		}
	}
	if s == "" {
		return nil
	}
	return append(out, s[begin:])
}

// unquote takes the quotes off a quoted string. No address has anything to
// escape, so a backslash stays, and makes it none.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// coarse is an address as the log may have it: the network of the client, not
// the client (IPv4 /24, IPv6 /48).
func coarse(ip netip.Addr) string {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil || !p.IsValid() {
		return ""
	}
	return p.String()
}
