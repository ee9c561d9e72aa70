package sipcall

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sipgo looks for the connection of a request's answer before it hands the request
// up, in a goroutine that tells nobody of its end, and makes one where it finds none:
// over UDP it opens a socket, over TCP and TLS it dials what Via names. As the sockets
// close it would find none. So nobody dials then any more, what is being dialled is
// waited for, and a UDP socket that is closed goes on to stand where sipgo looks.

// How long connections that are being made may hold up the end, and what sipgo gives
// to the dialling itself (its own default; a context ends it before).
const (
	dialsWait = 500 * time.Millisecond
	dialLimit = time.Minute
)

// close ends the loops and closes every socket. Transactions end with them.
func (c *Caller) close() {
	if c.end != nil {
		c.end()
	}
	c.dials.refuse()
	for _, f := range c.closers {
		_ = f() // nothing can be done about a socket that does not close
	}
	c.serving.Wait()
	if c.ua == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialsWait)
	defer cancel()
	late := c.dials.wait(ctx) != nil
	c.tx.Close()
	if c.cfg.Transport == UDP {
		return // its one socket is closed, and what stands for it must stay
	}
	_ = c.tp.Close()
	if late { // and is not here yet: sipgo gives up after ten seconds
		go func() {
			_ = c.dials.wait(context.Background())
			_ = c.tp.Close()
		}()
	}
}

// dials counts the connections that sipgo is making.
type dials struct {
	tracker
	mu      sync.Mutex
	refused bool
}

// dialer makes one of sipgo's connections.
func (d *dials) dialer(local net.Addr) net.Dialer {
	return net.Dialer{LocalAddr: local, Timeout: dialLimit, ControlContext: d.begin}
}

// begin counts a connection from before it is made until sipgo keeps it: ctx is
// that of who wants it, and ends when they have it. None is made after refuse.
func (d *dials) begin(ctx context.Context, _, _ string, _ syscall.RawConn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refused {
		return net.ErrClosed
	}
	context.AfterFunc(ctx, d.enter())
	return nil
}

// refuse lets no further connection be made.
func (d *dials) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = true
}

// dialling lets sipgo make its connections with our dialer. These two transports
// log to sipgo's default, which muteSipgo has taken away.
func (c *Caller) dialling() sip.TransportLayerOption {
	return sip.WithTransportLayerTransports(sip.TransportsConfig{
		TCP: &sip.TransportTCP{DialerCreate: c.dials.dialer},
		TLS: &sip.TransportTLS{TransportTCP: &sip.TransportTCP{DialerCreate: c.dials.dialer}},
	})
}

// standIn puts something in the place of our UDP socket, which is closed: for what
// we send, and for the answer to each source that a request came from.
func (c *Caller) standIn(own net.Addr, sources map[netip.AddrPort]bool) {
	pool, closed := c.tp.Pool(string(UDP)), closedConn{own}
	pool.Add(own.String(), closed)
	for from := range sources {
		pool.Add(net.UDPAddrFromAddrPort(from).String(), closed)
	}
}

// closedConn is a connection that was closed.
type closedConn struct{ local net.Addr }

// LocalAddr is the address that it had.
func (c closedConn) LocalAddr() net.Addr { return c.local }

// WriteMsg fails.
func (closedConn) WriteMsg(sip.Message) error { return net.ErrClosed }

// Ref says that somebody holds it, always.
func (closedConn) Ref(int) int { return 1 }

// TryClose says that somebody still holds it.
func (closedConn) TryClose() (int, error) { return 1, nil }

// Close does nothing: it is closed.
func (closedConn) Close() error { return nil }
