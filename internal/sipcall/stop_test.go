package sipcall_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// flood is requests of transactions of their own, whose answers would go to via.
func flood(network, via, id string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s-%d\r\n"+
			"From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: %s-%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", network, via, id, i, id, i))
	}
	return all
}

// stopped stops a caller that somebody floods from now on.
func stopped(t *testing.T, tr *trunk, sends func()) {
	t.Helper()
	var all sync.WaitGroup
	all.Go(sends)
	time.Sleep(time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), siptest.Patience)
	defer cancel()
	if err := tr.Stop(ctx); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// Requests that come as the socket closes open none.
func TestStopFloodedUDP(t *testing.T) {
	// Not parallel: it counts the process's goroutines and files.
	p := siptest.UDP(t)
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for round := range 40 {
		tr := start(t, sipcall.Config{}, p)
		conn, err := net.Dial("udp4", tr.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		stopped(t, tr, func() {
			defer conn.Close()
			for _, msg := range flood("UDP", p.Addr(), fmt.Sprint(round), 2000) {
				if _, err := conn.Write([]byte(msg)); err != nil {
					return // it is closed
				}
			}
		})
	}
	settled(t, goroutines)
	filesSettled(t, files)
}

// Requests whose connection is closed under them open none, towards somebody who
// would hold it for ever.
func TestStopFloodedTCP(t *testing.T) {
	// Not parallel: it counts the process's goroutines and files.
	p := siptest.TCP(t, nil)
	holds, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holds.Close()
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for round := range 40 {
		tr := start(t, sipcall.Config{Transport: sipcall.TCP}, p)
		conn, err := net.Dial("tcp4", tr.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		stopped(t, tr, func() {
			defer conn.Close()
			_, _ = conn.Write([]byte(strings.Join(flood("TCP", holds.Addr().String(), fmt.Sprint(round), 2000), "")))
		})
	}
	settled(t, goroutines)
	filesSettled(t, files)
}
