// Package recording is the program with a carrier of its own, which takes every
// call and message, answers it at once and writes it down: what delivery costs
// without what a carrier's API costs. The server is this process run again; what
// its carrier was given comes back over a socket, into the ledger that package
// recorder keeps of its carrier, too.
package recording

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pincall/pincall/bench/internal/recorder"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// taker is the carrier. Safe for concurrent use.
type taker struct {
	n    atomic.Int64
	line func(string) // takes a line for the ledger, in order
}

// Can says that it takes everything.
func (*taker) Can() carrier.Abilities {
	return carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Sound: true, Payee: true}
}

// Place writes down the number and the code.
func (t *taker) Place(_ context.Context, c carrier.Call) (carrier.Ref, error) {
	code := recorder.Written(c.Text.Reveal())
	if c.Channel == phone.Voice {
		code = spoken(c.Script)
	}
	t.line(c.To.E164() + " " + code + "\n")
	return carrier.Ref(fmt.Sprintf("%s/%d", c.Channel, t.n.Add(1))), nil
}

// spoken is the first readout.
func spoken(s script.Script) string {
	var code []byte
	for _, p := range s.Parts {
		if p.Kind == script.KindDigit && p.Readout == 1 {
			code = append(code, p.Digit)
		}
	}
	return string(code)
}

// Follow has the call answered, the gate passed and the code heard twice.
func (*taker) Follow(_ context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	if ref[0] == phone.SMS[0] {
		return outcome.Ending{Outcome: outcome.Delivered, Reason: "delivered", MayHaveRung: true}, nil
	}
	for _, e := range []carrier.Event{{Kind: carrier.Ringing}, {Kind: carrier.Answered}, {Kind: carrier.GatePassed},
		{Kind: carrier.ReadOnce, Readout: 1}, {Kind: carrier.ReadOnce, Readout: 2}} {
		report(e)
	}
	return outcome.Ending{Outcome: outcome.Heard, Reason: "the code was read twice", MayHaveRung: true}, nil
}

// Hangup has nothing to end.
func (*taker) Hangup(context.Context, carrier.Ref) error { return nil }

// lines passes lines on, as many as wait at a time.
type lines struct {
	mu    sync.Mutex
	waits bytes.Buffer
	some  chan struct{} // room for one
}

func newLines(to io.Writer) *lines {
	l := &lines{some: make(chan struct{}, 1)}
	go func() {
		var out bytes.Buffer
		for range l.some {
			l.mu.Lock()
			out, l.waits = l.waits, out
			l.mu.Unlock()
			_, _ = to.Write(out.Bytes()) // whoever reads misses what is not written
			out.Reset()
		}
	}()
	return l
}

func (l *lines) add(line string) {
	l.mu.Lock()
	l.waits.WriteString(line)
	l.mu.Unlock()
	select {
	case l.some <- struct{}{}:
	default:
	}
}
