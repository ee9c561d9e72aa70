package verify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/secret"
)

// keepAnswers is how long an Idempotency-Key is remembered.
const keepAnswers = 24 * time.Hour

// Once makes an operation happen once for an Idempotency-Key. The zero value
// asks for nothing.
type Once[T any] struct {
	Key  string // as the client sent it; empty: none
	Path string // method and path: the key's scope, with the account
	Body []byte // the request's body
	// Encode gives the bytes to answer with, and to answer with again.
	Encode func(T) ([]byte, error)
}

// Answer is an operation's result, or the bytes of an earlier answer.
type Answer[T any] struct {
	Value T
	// Replay is set where the Idempotency-Key had been used for the same
	// request before: nothing was done now, and Value is zero.
	Replay []byte
}

// plan is an operation's pure half: it gives writes and a result.
type plan[T any] func(State) (Writes, T, error)

// do carries out an operation, once for its Idempotency-Key. The answer is kept
// in the operation's own transaction; what was refused did nothing and is not
// kept.
func do[T any](ctx context.Context, c *Core, once Once[T], need Need, p plan[T]) (Answer[T], error) {
	var out Answer[T]
	var did Writes
	kept, release, err := c.once(&need, once.Key, once.Path, once.Body)
	if err != nil {
		return out, err
	}
	defer release()
	op := Op{Need: need, Plan: func(s State) (Writes, error) {
		out, did = Answer[T]{}, Writes{}
		if s.Once != nil {
			var err error
			out.Replay, err = c.replay(*s.Once, kept)
			return Writes{}, err
		}
		w, value, err := p(s)
		if err != nil {
			return Writes{}, err
		}
		if kept != nil {
			b, err := once.Encode(value)
			if err != nil {
				return Writes{}, internal("encode the answer", err)
			}
			if w.Once, err = c.answer(*kept, b, s.Now); err != nil {
				return Writes{}, err
			}
			w.Once.Verification = about(need, w)
		}
		out.Value, did = value, w
		return w, nil
	}}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		c.cfg.Observe.limited(err)
		return Answer[T]{}, storeError(err)
	}
	c.tell(did)
	return out, nil
}

// about names the verification that an answer tells of: the one that was asked
// for, or the new one, which a start writes after those that it ends.
func about(need Need, w Writes) string {
	if need.Verification == "" && len(w.Verifications) > 0 {
		return w.Verifications[len(w.Verifications)-1].ID
	}
	return need.Verification
}

// answer seals the bytes that will answer the request again.
func (c *Core) answer(k Kept, b []byte, now time.Time) (*Kept, error) {
	sealed, err := c.cfg.Keys.Seal(b, "answer", k.Account, string(k.Key))
	if err != nil {
		return nil, internal("seal the answer", err)
	}
	k.Answer, k.KeepUntil = sealed, now.Add(keepAnswers)
	return &k, nil
}

// storeError lets the core's own errors pass and hides the rest.
func storeError(err error) error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Unavailable, Message: "the request ended before it was carried out: try again", Err: err,
			RetryAfter: time.Second}
	}
	return internal("store", err)
}

// tell spreads the news of what was committed: the calls that must end, that
// there is work, and that verifications have moved on.
func (c *Core) tell(did Writes) {
	for _, v := range did.Verifications {
		c.cfg.Signal.Touch(v.ID)
	}
	for _, a := range did.Attempts {
		c.cfg.Signal.Touch(a.Verification)
		if a.Stop != "" && a.open() {
			c.cfg.Signal.Stop(a.ID)
		}
	}
	if len(did.Jobs) > 0 {
		c.cfg.Signal.Wake()
	}
}

// once names the kept answer and marks the key as in flight.
func (c *Core) once(need *Need, key, path string, body []byte) (*Kept, func(), error) {
	if key == "" {
		return nil, func() {}, nil
	}
	k := &Kept{
		Key:     c.cfg.Keys.Index("idempotency", joined(need.Account, path, key)),
		Account: need.Account,
		Body:    c.cfg.Keys.Index("idempotency-body", string(body)),
	}
	if !c.inFlight.add(string(k.Key)) {
		e := fail(OnceInFlight, "a request with this Idempotency-Key is being worked on: try again")
		e.RetryAfter = time.Second
		return nil, nil, e
	}
	need.Once = k.Key
	return k, func() { c.inFlight.remove(string(k.Key)) }, nil
}

// replay gives the earlier answer, if it was for the same body.
func (c *Core) replay(have Kept, want *Kept) ([]byte, error) {
	if !secret.Equal(have.Body, want.Body) {
		return nil, fail(OnceMismatch, "this Idempotency-Key was used for another request: use a new key")
	}
	b, err := c.cfg.Keys.Open(have.Answer, "answer", have.Account, string(have.Key))
	if err != nil {
		return nil, internal("open a kept answer", err)
	}
	return b, nil
}

// inFlight is the set of Idempotency-Keys being worked on in this process.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (f *inFlight) add(k string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[k] {
		return false
	}
	if f.keys == nil {
		f.keys = make(map[string]bool)
	}
	f.keys[k] = true
	return true
}

func (f *inFlight) remove(k string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, k)
}
