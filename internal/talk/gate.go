package talk

import (
	"context"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/script"
)

// open waits out the hello, says what comes before the gate, and holds the gate.
// A script without a gate has nothing before it.
func (r *run) open(ctx context.Context) error {
	before := r.before
	if len(before) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, r.answered.Add(r.gateLimit()), errGateLate)
		defer cancel()
	}
	if _, err := r.during(ctx, r.quiet, nil); err != nil {
		return err
	}
	if len(before) == 0 {
		return nil
	}
	prompt := before[len(before)-1]
	for _, p := range before[:len(before)-1] {
		if _, err := r.say(ctx, p, nil); err != nil {
			return err
		}
	}
	if err := r.gate(ctx, prompt); err != nil {
		return err
	}
	r.passed = time.Now()
	r.tellEvent(carrier.GatePassed, 0)
	return nil
}

// gateLimit is how long the gate may take, from the answer on. A long greeting
// (a payment's) gets longer: with less than it takes, with room for one entry
// after the prompt, nobody could ever pass.
func (r *run) gateLimit() time.Duration {
	return max(gateLimit, helloLongest+r.lasts(r.before))
}

// gate says the prompt, once more if no entry came, and compares the first
// complete entry. Keys pressed while a prompt is said are dropped, the repeated
// one's too: a recorded greeting may hold tones, and it plays from the answer
// on. What was keyed of an entry before the prompt is repeated is dropped too.
func (r *run) gate(ctx context.Context, prompt handle) error {
	asked := prompt.Value()
	for range 2 {
		if _, err := r.say(ctx, prompt, nil); err != nil {
			return err
		}
		r.dropKeys()
		r.waiting(asked)
		keys, err := r.entry(ctx, r.opens(asked.Gate))
		r.waiting(script.Part{})
		if err != nil {
			return err
		}
		if keys == "" {
			continue
		}
		if asked.Gate == script.GateScreenDigits && keys != r.c.ScreenDigits.Reveal() {
			return errGateWrong
		}
		r.opened = keys[len(keys)-1]
		return nil
	}
	return errGateSilent
}

// entry collects n keys; it is empty when one of them was waited for in vain.
func (r *run) entry(ctx context.Context, n int) (string, error) {
	var keys []byte
	for len(keys) < n {
		k, err := r.key(ctx, r.c.KeyWait, nil)
		if err != nil || k == 0 {
			return "", err
		}
		keys = append(keys, k)
	}
	return string(keys), nil
}
