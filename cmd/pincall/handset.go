package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/script"
)

// simulator is the name of the route whose phone the terminal can be.
const simulator = "sim"

// pressAgain is how long a gate may ignore a key before it is pressed again:
// keys that come before the prompt's end do not count.
const pressAgain = 3 * time.Second

// handset is the simulator's phone as the terminal shows it: it tells what is
// heard and, where it may, answers and presses the gate's keys.
type handset struct {
	phone    client.Phone
	out      io.Writer
	answers  bool
	lost     bool // the key may not touch the phones, or there are none
	heard    []string
	messages []string
	pressed  time.Time
	inCall   bool
	attempt  client.Attempt // as it was when the phone was last looked at
}

// newHandset remembers what the phone holds already, so that only what comes is
// told. Where there is no such phone the handset does nothing.
func newHandset(ctx context.Context, p client.Phone, out io.Writer, answers bool) *handset {
	h := &handset{phone: p, out: out, answers: answers}
	state, err := p.State(ctx)
	h.lost = err != nil
	h.heard, h.messages = state.Heard, state.Messages
	return h
}

// act tells what is new at the phone and does what a person would do. It does
// nothing for attempts on other routes.
func (h *handset) act(ctx context.Context, v client.Verification) error {
	if h.lost || len(v.Attempts) == 0 || !h.concerned(v.Attempts[len(v.Attempts)-1]) {
		return nil
	}
	state, err := h.phone.State(ctx)
	if err != nil {
		return h.tolerate(err)
	}
	h.tell(state)
	h.inCall = state.State == client.PhoneInCall
	if !h.answers || v.Status != client.StatusPending {
		return nil
	}
	switch {
	case state.State == client.PhoneRinging:
		return h.tolerate(h.phone.Answer(ctx))
	case h.inCall && !v.Attempts[len(v.Attempts)-1].GatePassed:
		return h.press(ctx, script.Gate(state.Gate), v.ScreenDigits)
	}
	return nil
}

// concerned says whether the phone is worth a look: the attempt is the
// simulator's and has moved, or the person is to answer, or is in a call.
func (h *handset) concerned(a client.Attempt) bool {
	if a.Route != simulator {
		return false
	}
	moved := a.ID != h.attempt.ID || a.State != h.attempt.State
	h.attempt = a
	return moved || h.inCall || a.State == client.StateInCall || h.answers && a.State == client.StateRinging
}

// tell prints what was heard and received since it was last looked at.
func (h *handset) tell(state client.PhoneState) {
	if state.State == client.PhoneRinging {
		h.heard = nil // whatever is there belongs to the call before
		state.Heard = nil
		h.pressed = time.Time{}
	}
	for _, words := range news(h.heard, state.Heard) {
		h.say("%s", words)
	}
	for _, text := range news(h.messages, state.Messages) {
		h.say("message: %s", text)
	}
	h.heard, h.messages = state.Heard, state.Messages
}

// news is what a list has gained; one that does not go on from the old one is
// new as a whole.
func news(old, now []string) []string {
	if len(now) >= len(old) && slices.Equal(now[:len(old)], old) {
		return now[len(old):]
	}
	return now
}

// press keys what the gate asks for.
func (h *handset) press(ctx context.Context, gate script.Gate, digits string) error {
	keys := ""
	switch gate {
	case script.GateAnyKey:
		keys = "1"
	case script.GateScreenDigits:
		keys = digits
	}
	if keys == "" || time.Since(h.pressed) < pressAgain {
		return nil
	}
	h.pressed = time.Now()
	h.say("(pressed %s)", keys)
	return h.tolerate(h.phone.Press(ctx, keys))
}

// hangup ends the call of a person who has what they needed.
func (h *handset) hangup(ctx context.Context) error {
	if !h.inCall || !h.answers {
		return nil
	}
	return h.tolerate(h.phone.Hangup(ctx))
}

// tolerate forgives refusals: the call may have ended a moment ago, which the
// next look shows.
func (h *handset) tolerate(err error) error {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return nil
	}
	return err
}

func (h *handset) say(format string, args ...any) {
	_, _ = fmt.Fprintf(h.out, "phone: "+format+"\n", args...)
}
