package siptest

import (
	"encoding/binary"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Sound is the RTP socket of a phone whose signalling is another's.
type Sound struct {
	t    testing.TB
	conn *net.UDPConn

	mu    sync.Mutex
	types map[uint8]int // packets by payload type
	from  *net.UDPAddr  // of the latest
	first time.Time     // when the first one came
	last  time.Time     // when the latest came
	news  chan struct{}
}

// Listen opens a socket that is closed with the test.
func Listen(t testing.TB) *Sound {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	s := &Sound{t: t, conn: conn, types: map[uint8]int{}, news: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = conn.Close() })
	go s.read()
	return s
}

// Close closes the socket.
func (s *Sound) Close() { _ = s.conn.Close() }

// Port is the socket's.
func (s *Sound) Port() string { return strconv.Itoa(s.conn.LocalAddr().(*net.UDPAddr).Port) }

func (s *Sound) read() {
	buf := make([]byte, 2048)
	for {
		n, from, err := s.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		s.mu.Lock()
		s.types[buf[1]&0x7f]++
		s.from, s.last = from, time.Now()
		if s.first.IsZero() {
			s.first = s.last
		}
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// Packets is how many packets of a payload type came, and when the latest of any
// did.
func (s *Sound) Packets(payload uint8) (n int, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types[payload], s.last
}

// First is when the first packet came; zero: none did.
func (s *Sound) First() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// Await waits until n packets of a payload type came.
func (s *Sound) Await(payload uint8, n int) {
	s.t.Helper()
	limit := time.After(Patience)
	for {
		if got, _ := s.Packets(payload); got >= n {
			return
		}
		select {
		case <-s.news:
		case <-limit:
			got, _ := s.Packets(payload)
			s.t.Fatalf("siptest: %d of %d packets of type %d came", got, n, payload)
		}
	}
}

// Press sends a key of code 0 to 15 (RFC 4733) to where the latest packet came
// from: three packets of the press and three of its end, 20 ms apart.
func (s *Sound) Press(payload, code uint8) {
	s.t.Helper()
	s.mu.Lock()
	to := s.from
	s.mu.Unlock()
	if to == nil {
		s.t.Fatal("siptest: no packet came: there is nobody to press a key for")
	}
	b := make([]byte, 16)
	b[0] = 2 << 6
	binary.BigEndian.PutUint32(b[4:], uint32(code)*8000+8000)
	binary.BigEndian.PutUint32(b[8:], 0x51995199)
	b[12] = code
	for i := range 6 {
		b[1] = payload
		if i == 0 {
			b[1] |= 0x80
		}
		b[13] = 10
		if i >= 3 {
			b[13] |= 0x80
		}
		binary.BigEndian.PutUint16(b[2:], uint16(code)*100+uint16(i))
		binary.BigEndian.PutUint16(b[14:], uint16(160*min(i+1, 4)))
		if _, err := s.conn.WriteToUDP(b, to); err != nil {
			s.t.Fatalf("siptest: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
