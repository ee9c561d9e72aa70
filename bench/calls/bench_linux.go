//go:build amd64 || arm64

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// bench is a server and a sink.
type bench struct {
	server  *server
	starter *starter
	sink    *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	idle    use // before any measurement, after the first calls
}

const (
	inviteRate  = 100
	inviteCalls = 500
	warmCalls   = 20
	patience    = 60 * time.Second // that all calls of a plan are up, or over
)

func newBench(ctx context.Context) (b *bench, err error) {
	b = &bench{}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	b.sink = exec.CommandContext(ctx, self, "sink")
	b.sink.Stderr = os.Stderr
	out, err := b.sink.StdoutPipe()
	if err != nil {
		return b, err
	}
	if b.in, err = b.sink.StdinPipe(); err != nil {
		return b, err
	}
	if err = b.sink.Start(); err != nil {
		return b, err
	}
	b.out = json.NewDecoder(out)
	var hello answer
	if err = b.out.Decode(&hello); err != nil {
		return b, fmt.Errorf("the sink does not start: %w", err)
	}
	if b.server, err = begin(ctx, hello.Address); err != nil {
		return b, err
	}
	b.starter = newStarter(b.server)
	return b, b.warm(ctx)
}

func (b *bench) close() {
	if b.server != nil {
		b.server.end()
	}
	if b.sink != nil && b.sink.Process != nil {
		b.in.Close()
		_ = b.sink.Process.Kill()
		_ = b.sink.Wait()
	}
}

func (b *bench) ask(o order) (a answer, err error) {
	if err = json.NewEncoder(b.in).Encode(o); err == nil {
		err = b.out.Decode(&a)
	}
	if err != nil {
		return a, fmt.Errorf("the sink is gone: %w", err)
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// until polls the sink until it is in a state.
func (b *bench) until(ctx context.Context, what string, ok func(state) bool) (state, error) {
	for began := time.Now(); ; {
		a, err := b.ask(order{Op: "state"})
		if err != nil || ok(a.State) {
			return a.State, err
		}
		if time.Since(began) > patience || ctx.Err() != nil {
			return a.State, fmt.Errorf("%s within %v: %+v", what, patience, a.State)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// short makes n calls that end at once.
func (b *bench) short(ctx context.Context, n, rate int) (started, error) {
	if _, err := b.ask(order{Op: "plan", Calls: n, Hold: 200 * time.Millisecond}); err != nil {
		return started{}, err
	}
	s := b.starter.start(ctx, n, rate)
	if s.failed > 0 {
		return s, fmt.Errorf("%d of %d starts failed: %w", s.failed, n, s.first)
	}
	_, err := b.until(ctx, fmt.Sprintf("%d calls did not end", n), func(s state) bool { return s.Ended == n })
	return s, err
}

// warm makes the first calls, which load voices, and then lets the server rest.
func (b *bench) warm(ctx context.Context) error {
	if _, err := b.short(ctx, warmCalls, inviteRate); err != nil {
		return fmt.Errorf("the first calls: %w", err)
	}
	time.Sleep(2 * time.Second)
	var err error
	b.idle, err = b.server.use()
	return err
}

// delays are from the moment that the API's answer was read to the INVITE's stamp.
type delays struct {
	n             int
	p50, p99, max float64 // ms
	before        float64 // share of INVITEs that were faster than the answer; they count as 0
}

// invites measures how soon a call leaves.
func (b *bench) invites(ctx context.Context) (d delays, err error) {
	s, err := b.short(ctx, inviteCalls, inviteRate)
	if err != nil {
		return d, err
	}
	a, err := b.ask(order{Op: "invites"})
	if err != nil {
		return d, err
	}
	var all []float64
	for to, at := range s.accepted {
		sent, ok := a.Invites[to]
		if !ok {
			return d, errors.New("a call that was accepted did not leave")
		}
		if sent < at {
			d.before++
		}
		all = append(all, max(float64(sent-at)/1e6, 0))
	}
	slices.Sort(all)
	d.n = len(all)
	d.before /= float64(d.n)
	d.p50, d.p99, d.max = all[d.n/2], all[d.n*99/100], all[d.n-1]
	return d, nil
}
