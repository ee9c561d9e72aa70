package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/secret"
)

const (
	// lookEvery is how often the verification is looked at where nobody tells of
	// what happens: a person takes it for at once.
	lookEvery = 300 * time.Millisecond
	// lookSeldom is how often where the server does: for the little that is no
	// event, such as how often the code was read.
	lookSeldom = 2 * time.Second
	// cancelTimeout bounds each request of the cancellation after an interrupt.
	cancelTimeout = 5 * time.Second

	hint  = "type the code when you have it (r: send it again, n: next step, q: cancel)"
	later = "the code can still be given to pincall check "
)

// session is one verification at the terminal. One goroutine works on it.
type session struct {
	server   *server
	out      *display
	pay      paymentFlags
	number   phone.Number
	phone    *handset
	id       string
	seen     progress
	asked    bool // the person was asked for the code
	askAgain bool // an attempt has ended since
	inputEnd bool // nothing more can be typed
	last     client.Verification
}

// start asks for the verification and stays until it has ended.
func (s *session) start(ctx context.Context, in io.Reader, req client.StartRequest) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	// The name of the operation is chosen here: after an interrupt it fetches
	// the answer that was on its way.
	once := rand.Text()
	v, err := s.server.Start(ctx, req, client.WithIdempotencyKey(once))
	switch {
	case err != nil && ctx.Err() != nil:
		return s.interruptedStart(ctx, req, once)
	case err != nil:
		return s.server.explain(err)
	}
	s.id = v.ID
	s.say("verification %s of %v in %s, until %s", v.ID, s.number, v.Locale, v.ExpiresAt.Local().Format(time.TimeOnly))
	s.show(v)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.out.end()
	return s.run(ctx, readLines(ctx, in))
}

// interruptedStart cancels a verification whose start was not answered yet: the
// server may have carried it out.
func (s *session) interruptedStart(ctx context.Context, req client.StartRequest, once string) error {
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	v, err := s.server.Start(again, req, client.WithIdempotencyKey(once))
	if err != nil {
		return fmt.Errorf("interrupted: %w", s.server.explain(err))
	}
	s.id = v.ID
	return s.interrupted(ctx)
}

// run goes on until the verification has ended: nil says approved.
func (s *session) run(ctx context.Context, lines <-chan string) error {
	news, tick := s.watch(ctx), time.NewTicker(lookSeldom)
	defer tick.Stop()
	if !s.phone.lost { // the simulated phone tells nobody what it hears
		tick.Reset(lookEvery)
	}
	for !s.over() {
		var typed <-chan string // nil, which is never ready, before the phone rings
		if s.asked && !s.inputEnd {
			typed = lines
			s.out.ask()
		}
		var err error
		select {
		case <-ctx.Done():
			return s.interrupted(ctx)
		case line, ok := <-typed:
			s.inputEnd = !ok
			s.out.entered()
			err = s.typed(ctx, line)
		case _, ok := <-news:
			if !ok { // never, or never again
				news = nil
				tick.Reset(lookEvery)
			}
			err = s.look(ctx)
		case <-tick.C:
			err = s.look(ctx)
		}
		if ctx.Err() != nil {
			return s.interrupted(ctx)
		}
		if err != nil {
			s.say(later+"%s", s.id)
			return s.server.explain(err)
		}
	}
	return s.result(ctx)
}

// watch gives a channel that yields when something has happened, and is closed
// when nothing more will be told: by a server without event streams at once.
func (s *session) watch(ctx context.Context) <-chan struct{} {
	news := make(chan struct{}, 1)
	go func() {
		defer close(news)
		for _, err := range s.server.Events(ctx, s.id, 0) {
			if err != nil {
				return // the next look tells what is wrong
			}
			select {
			case news <- struct{}{}:
			default: // there is news already
			}
		}
	}()
	return news
}

// over says that the verification has ended, or that nothing can happen any
// more: no call is under way, no step is left, and nobody can type.
func (s *session) over() bool {
	if s.last.Status != client.StatusPending {
		return true
	}
	if !s.inputEnd || s.last.Step < s.last.Steps {
		return false
	}
	for _, a := range s.last.Attempts {
		if a.State != client.StateEnded {
			return false
		}
	}
	return true
}

// result is the end's meaning for the exit status.
func (s *session) result(ctx context.Context) error {
	switch s.last.Status {
	case client.StatusApproved:
		return s.phone.hangup(ctx)
	case client.StatusPending:
		s.say("no more input: "+later+"%s", s.id)
	}
	return errNotApproved
}

// look fetches the verification, shows what is new and lets the phone act.
func (s *session) look(ctx context.Context) error {
	v, err := s.server.Get(ctx, s.id)
	if err != nil {
		return err
	}
	s.show(v)
	if err := s.phone.act(ctx, v); err != nil {
		return err
	}
	// What was heard may have pushed the question far up.
	if s.askAgain && v.Status == client.StatusPending && !s.inputEnd {
		s.say("%s", hint)
	}
	s.askAgain = false
	return nil
}

// show prints what has changed, and asks for the code once a phone rings.
func (s *session) show(v client.Verification) {
	s.last = v
	for _, line := range s.seen.update(v) {
		s.say("%s", line)
	}
	switch {
	case s.asked:
		s.askAgain = s.askAgain || s.seen.ended
	case v.Status == client.StatusPending && s.seen.reached:
		s.asked = true
		s.say("%s", hint)
	}
}

// typed carries out one line of input.
func (s *session) typed(ctx context.Context, line string) error {
	var v client.Verification
	var err error
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "":
		return nil
	case "r":
		v, err = s.server.Resend(ctx, s.id, "")
	case "n":
		v, err = s.server.Next(ctx, s.id)
	case "q":
		v, err = s.server.Cancel(ctx, s.id)
	default:
		return s.guess(ctx, line)
	}
	if err != nil {
		return s.refused(err)
	}
	s.show(v)
	return nil
}

// guess checks a code. What cannot be one never leaves the terminal.
func (s *session) guess(ctx context.Context, line string) error {
	if _, err := secret.ParseCode(line); err != nil {
		s.say("not a code: type its digits, or r, n or q")
		return nil
	}
	got, err := s.server.Check(ctx, s.id, client.CheckRequest{
		Code: client.Secret(line), Amount: s.pay.Amount, Currency: s.pay.Currency, Payee: s.pay.Payee,
	})
	if err != nil {
		return s.refused(err)
	}
	if !got.Valid {
		s.say("%s", wrongCode(got))
	}
	return s.look(ctx)
}

// refused shows the server's refusal, after which the person may try something
// else; every other error ends the session.
func (s *session) refused(err error) error {
	var refusal *client.Error
	if !errors.As(err, &refusal) {
		return err
	}
	s.say("refused: %s", refusal.Detail)
	return nil
}

// interrupted cancels: who leaves, or sees nothing any more, does not want the
// phone to ring on.
func (s *session) interrupted(ctx context.Context) error {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	v, err := s.server.Cancel(wait, s.id)
	if err != nil {
		return fmt.Errorf("interrupted: verification %s could not be canceled: %w", s.id, s.server.explain(err))
	}
	s.show(v)
	// A display that failed is told on stderr, which may be there still.
	if cause := context.Cause(ctx); errors.Is(cause, errShow) {
		return fmt.Errorf("verification %s was canceled: %w", s.id, cause)
	}
	return errNotApproved
}

func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...) // the display sees to a failure
}

// readLines reads lines until the end of the input or of ctx. A read cannot be
// interrupted, so the goroutine may outlive ctx by one line.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
