package sipcall

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// peers knows who may signal to us: the configured networks, the addresses that
// the proxies resolve to, and the targets of dialogs in progress, which a peer
// told us. Everybody else is dropped before sipgo keeps anything of the packet.
type peers struct {
	fixed []netip.Prefix

	mu      sync.RWMutex
	proxies map[netip.Addr]bool
	targets map[netip.Addr]int // dialogs
}

// newPeers allows the configured networks only, until the proxies are resolved.
func newPeers(fixed []netip.Prefix) *peers {
	return &peers{fixed: fixed, proxies: map[netip.Addr]bool{}, targets: map[netip.Addr]int{}}
}

// allows says whether a source may signal to us.
func (p *peers) allows(a netip.Addr) bool {
	if p.carrier(a) {
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.targets[a.Unmap().WithZone("")] > 0
}

// carrier says whether an address is the carrier's: configured, or of its proxies.
func (p *peers) carrier(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, f := range p.fixed {
		if f.Contains(a) {
			return true
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.proxies[a]
}

// setProxies replaces what the proxies resolve to.
func (p *peers) setProxies(all []netip.AddrPort) {
	fresh := map[netip.Addr]bool{}
	for _, a := range all {
		fresh[a.Addr().Unmap().WithZone("")] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxies = fresh
}

// hold lets a dialog's target signal until release.
func (p *peers) hold(a netip.Addr) (release func()) {
	a = a.Unmap().WithZone("")
	p.mu.Lock()
	p.targets[a]++
	p.mu.Unlock()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.targets[a]--; p.targets[a] <= 0 {
			delete(p.targets, a)
		}
	})
}

// addrOf is the IP address of a socket address; invalid if it has none.
func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// packetConn is our UDP socket as sipgo sees it: nothing of a stranger comes up,
// and no ICMP error ends the reading.
type packetConn struct {
	*net.UDPConn
	peers *peers
	// unreachable is told of a datagram of ours that an ICMP error came back
	// for: where it was sent, and its beginning as the error quotes it.
	unreachable func(to netip.AddrPort, quote []byte)
	ready       func() // called when sipgo reads for the first time
	// closed is called when the socket is closed, before sipgo hears of that.
	closed  func(own net.Addr, sources map[netip.AddrPort]bool)
	sources map[netip.AddrPort]bool // that sipgo was given something of; its reader's
}

// ReadFrom gives the next datagram of a peer.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.ready()
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		switch {
		case err != nil && c.drain(err):
		case err != nil:
			if errors.Is(err, net.ErrClosed) {
				c.closed(c.LocalAddr(), c.sources)
			}
			return n, nil, err
		case c.peers.allows(from.Addr()):
			from = unmapped(from)
			c.sources[from] = true
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// WriteTo sends a datagram. The kernel reports an earlier datagram's ICMP error
// on the next call, whoever that writes to; so one such error is not this one's.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.UDPConn.WriteTo(b, to)
	if err != nil && c.drain(err) {
		n, err = c.UDPConn.WriteTo(b, to)
	}
	return n, err
}

// listener is a TCP socket that hangs up on strangers before sipgo sees them.
type listener struct {
	net.Listener
	peers *peers
}

// Accept gives the next connection of a peer.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.peers.allows(addrOf(conn.RemoteAddr())) {
			return conn, err
		}
		_ = conn.Close()
	}
}
