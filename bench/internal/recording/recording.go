package recording

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/pincall/pincall/bench/internal/recorder"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/carrier"
)

// Argument is the first argument of the process that is the server; the second
// names the socket. Its main must call Serve.
const Argument = "recording"

// Serve is the server's process: what `pincall serve` does, with the recording
// carrier as its only route.
func Serve(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	m, err := app.New(ctx, app.Config{Routes: []carrier.Route{{Name: "recording", Carrier: &taker{line: newLines(conn).add}}}})
	if err != nil {
		return err
	}
	return errors.Join(m.Run(ctx), m.Close())
}

// Sink keeps what the carrier of a server writes down.
type Sink struct {
	recorder.Ledger
	dir string
	lis net.Listener
}

// New listens. Close it.
func New() (*Sink, error) {
	dir, err := os.MkdirTemp("", "pincall-bench-")
	if err != nil {
		return nil, err
	}
	s := &Sink{dir: dir}
	if s.lis, err = net.Listen("unix", s.socket()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go s.take()
	return s, nil
}

func (s *Sink) socket() string { return filepath.Join(s.dir, "calls") }

// Command is how the server is run.
func (s *Sink) Command() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return []string{self, Argument, s.socket()}, nil
}

// take reads from one server after the other until Close.
func (s *Sink) take() {
	for {
		conn, err := s.lis.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for in := bufio.NewScanner(conn); in.Scan(); {
				to, code, _ := strings.Cut(in.Text(), " ")
				s.Record(to, code)
			}
		}()
	}
}

// Close ends the listening.
func (s *Sink) Close() {
	_ = s.lis.Close()
	_ = os.RemoveAll(s.dir)
}
