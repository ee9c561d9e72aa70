package sipcall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A connection counts until who wants it has it, and none begins after the refusal.
func TestDialsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dials
		wanted, has := context.WithCancel(t.Context())
		if err := d.begin(wanted, "tcp4", "", nil); err != nil {
			t.Fatal(err)
		}
		d.refuse()
		if err := d.begin(t.Context(), "tcp4", "", nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a connection after the refusal: error %v", err)
		}
		limited, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.wait(limited); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not wait: error %v", err)
		}
		has()
		if err := d.wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// After the end sipgo finds a closed connection wherever it found our socket.
func TestClosedSocketStands(t *testing.T) {
	t.Parallel()
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := New(Config{
		Proxies: []string{peer.LocalAddr().String()}, Bind: netip.MustParseAddrPort("127.0.0.1:0"),
		Open: func() (Stream, error) { return nil, errors.ErrUnsupported }, OptionsInterval: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	const ping = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKa;rport\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:x@y>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if _, err := peer.WriteTo([]byte(ping), net.UDPAddrFromAddrPort(c.Addr())); err != nil {
		t.Fatal(err)
	}
	_ = peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := peer.Read(make([]byte, 1500)); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{c.Addr().String(), peer.LocalAddr().String()} {
		conn, err := c.tp.GetConnection("UDP", addr)
		if err != nil {
			t.Errorf("%s: sipgo would open a socket: %v", addr, err)
			continue
		}
		if err := conn.WriteMsg(sip.NewRequest(sip.OPTIONS, sip.Uri{Host: "127.0.0.1"})); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: it can be written to: error %v", addr, err)
		}
	}
}

// lateConn is a connection that tells that it was closed.
type lateConn struct {
	closedConn
	shut chan struct{}
}

func (c lateConn) Close() error {
	close(c.shut)
	return nil
}

// A connection that is made for too long does not hold up the end, and is closed
// when it is there after all.
func TestDialsLate(t *testing.T) {
	t.Parallel()
	c, err := New(Config{
		Proxies: []string{"127.0.0.1:9"}, Bind: netip.MustParseAddrPort("127.0.0.1:0"), Transport: TCP,
		Open: func() (Stream, error) { return nil, errors.ErrUnsupported }, OptionsInterval: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wanted, has := context.WithCancel(t.Context())
	if err := c.dials.begin(wanted, "tcp4", "", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := lateConn{shut: make(chan struct{})}
	c.tp.Pool("TCP").Add("127.0.0.1:9", late)
	has()
	select {
	case <-late.shut:
	case <-time.After(10 * time.Second):
		t.Error("it stays open")
	}
}
