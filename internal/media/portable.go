package media

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// longestPacket is more than any RTP or RTCP packet of a call; what is longer is
// cut off and then refused.
const longestPacket = 1600

// portable is the driver of every system: the standard library's sockets, one
// goroutine to each, and its timers.
type portable struct {
	log  *slog.Logger
	done sync.WaitGroup // readers
}

func newPortable(cfg Config) *portable { return &portable{log: cfg.Log} }

func (d *portable) thread()               {}
func (d *portable) now() time.Time        { return time.Now() }
func (d *portable) sleep(until time.Time) { time.Sleep(time.Until(until)) }

func (d *portable) close() error {
	d.done.Wait()
	return nil
}

func (d *portable) bind(b binding) (wire, error) {
	network := "udp6"
	if b.at.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(b.at))
	if err != nil {
		return nil, err
	}
	if b.dscp > 0 {
		d.mark(conn, b)
	}
	w := &portableWire{conn: conn, at: plain(conn.LocalAddr().(*net.UDPAddr).AddrPort())}
	d.done.Go(func() { w.read(b.got) })
	return w, nil
}

// mark sets the DSCP, on systems that let us.
func (d *portable) mark(conn *net.UDPConn, b binding) {
	var err error
	if b.at.Addr().Is4() {
		err = ipv4.NewConn(conn).SetTOS(b.dscp << 2)
	} else {
		err = ipv6.NewConn(conn).SetTrafficClass(b.dscp << 2)
	}
	if err != nil {
		d.log.Debug("media: packets are not marked", "dscp", b.dscp, "err", err)
	}
}

type portableWire struct {
	conn *net.UDPConn
	at   netip.AddrPort
}

func (w *portableWire) local() netip.AddrPort { return w.at }

func (w *portableWire) close() { _ = w.conn.Close() }

func (w *portableWire) send(packets []packet) (taken int) {
	for _, p := range packets {
		if _, err := w.conn.WriteToUDPAddrPort(p.data, p.to); err == nil {
			taken++
		}
	}
	return taken
}

// read ends when the socket is closed. Other errors are of single packets: ICMP
// on some systems.
func (w *portableWire) read(got receiver) {
	buf := make([]byte, longestPacket)
	for {
		n, from, err := w.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			got(buf[:n], plain(from), time.Now())
		}
	}
}
