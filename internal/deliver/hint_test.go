package deliver_test

import (
	"context"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// shy is a carrier that tells of an end only when it is asked after a hint.
type shy struct{ *fake }

func (shy) FollowHinted(ctx context.Context, _ carrier.Ref, hints <-chan struct{}, _ func(carrier.Event)) (outcome.Ending, error) {
	select {
	case <-hints:
		return outcome.Ending{Outcome: outcome.Answered, MayHaveRung: true}, nil
	case <-ctx.Done():
		return outcome.Ending{}, ctx.Err()
	}
}

// A hint reaches who follows the attempt, wherever it came to: to this process, or
// to the store.
func TestHints(t *testing.T) {
	t.Parallel()
	c := shy{&fake{can: everything}}
	h := newHouse(t, c.fake)
	keys, err := secret.NewKeyring(nil, time.Now())
	h.ok(err)
	h.Core, err = verify.New(verify.Config{
		Store: h.store, Keys: keys, Services: services{}, Routes: []carrier.Route{{Name: "a", Carrier: c}},
		Limits: guard.Limits{Countries: []string{"JP"}},
	})
	h.ok(err)
	h.work()
	for name, hint := range map[string]func(attempt string) bool{
		"here":      h.Signal().Hint,
		"elsewhere": func(attempt string) bool { return h.store.Hint(t.Context(), attempt) == nil },
	} {
		id := h.start(verify.StartRequest{Purpose: name})
		v := h.until(id, "the call", func(v verify.View) bool { return v.Attempts[0].State == verify.StatePlaced })
		attempt := v.Attempts[0].ID
		placed := c.calls()
		if token := placed[len(placed)-1].Callback.Reveal(); token != h.CallbackToken(attempt).Reveal() {
			t.Errorf("%s: the carrier has no token of the attempt", name)
		}
		for !hint(attempt) { // it is placed, and not followed yet
			time.Sleep(time.Millisecond)
		}
		h.ended(id, 1)
	}
}
