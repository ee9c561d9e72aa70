package verify_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// onceFor keeps the id and the token, as a front end would.
func onceFor(key, body string) verify.Once[verify.Started] {
	return verify.Once[verify.Started]{
		Key: key, Path: "POST /v1/verifications", Body: []byte(body),
		Encode: func(s verify.Started) ([]byte, error) {
			return json.Marshal(map[string]string{"id": s.View.ID, "client_token": s.ClientToken.Reveal()})
		},
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	req := verify.StartRequest{To: number}
	start := func(who verify.Caller, o verify.Once[verify.Started]) (verify.Answer[verify.Started], error) {
		return h.Start(t.Context(), who, req, o)
	}
	first, err := start(alice, onceFor("a", "body"))
	h.ok(err)
	again, err := start(alice, onceFor("a", "body"))
	h.ok(err)
	var kept struct {
		ID    string `json:"id"`
		Token string `json:"client_token"`
	}
	h.ok(json.Unmarshal(again.Replay, &kept))
	if first.Replay != nil || kept.ID != first.Value.View.ID || kept.Token != first.Value.ClientToken.Reveal() {
		t.Errorf("replayed %v", kept.ID)
	}
	if got := h.lease(); len(got) != 1 {
		t.Errorf("%d calls, want 1", len(got))
	}
	_, err = start(alice, onceFor("a", "another body"))
	wantCode(t, err, verify.OnceMismatch)
	other, err := start(verify.Caller{Account: "bob", Key: "b"}, onceFor("a", "another body"))
	h.ok(err)
	if other.Replay != nil {
		t.Error("another account's key is another key")
	}
	elsewhere := onceFor("a", "another body")
	elsewhere.Path = "POST /v1/elsewhere"
	if _, err = start(alice, elsewhere); err != nil {
		t.Errorf("the same key on another path: %v", err)
	}
	h.wait(25 * time.Hour)
	h.ok(h.Forget(t.Context()))
	if later, err := start(alice, onceFor("a", "body")); err != nil || later.Replay != nil {
		t.Errorf("a day later: replayed %v, %v", later.Replay != nil, err)
	}
}

// What was refused did nothing, and is not kept: it may be tried again.
func TestRefusalsAreNotKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	_, err := h.Start(t.Context(), alice, verify.StartRequest{To: "+4915112345678"}, onceFor("k", "b"))
	wantCode(t, err, verify.CountryDenied)
	a, err := h.Start(t.Context(), alice, verify.StartRequest{To: number}, onceFor("k", "corrected"))
	h.ok(err)
	if a.Replay != nil {
		t.Error("a refusal was replayed")
	}
}

func TestSameKeyAtOnceStartsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	var did, replayed, told atomic.Int64
	together(100, func(int) {
		a, err := h.Start(t.Context(), alice, verify.StartRequest{To: number}, onceFor("k", "b"))
		var e *verify.Error
		switch {
		case err == nil && a.Replay == nil:
			did.Add(1)
		case err == nil:
			replayed.Add(1)
		case errors.As(err, &e) && e.Code == verify.OnceInFlight && e.RetryAfter > 0:
			told.Add(1)
		default:
			t.Error(err)
		}
	})
	if did.Load() != 1 || replayed.Load()+told.Load() != 99 {
		t.Errorf("%d started, %d replayed, %d told to wait", did.Load(), replayed.Load(), told.Load())
	}
}

// A wrong guess that is sent twice with one key counts once.
func TestReplayedGuessCountsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	guess := verify.Once[verify.Checked]{
		Key: "g", Path: "POST /check", Body: []byte("x"), Encode: func(c verify.Checked) ([]byte, error) { return json.Marshal(c) },
	}
	for range 3 {
		_, err := h.Check(t.Context(), alice, id, verify.CheckRequest{Code: wrong(h.code(id))}, guess)
		h.ok(err)
	}
	if n := h.read(id).Verification.Guesses; n != 1 {
		t.Errorf("%d guesses counted", n)
	}
}

func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	started := h.start(verify.StartRequest{})
	id := started.View.ID
	code := h.code(id)
	strangers := []verify.Caller{{Account: "bob", Key: "k1"}, {Account: "alice", Verification: "another"}, {}}
	for _, who := range strangers {
		_, err := h.Get(t.Context(), who, id)
		wantCode(t, err, verify.NotFound)
		_, err = h.Check(t.Context(), who, id, verify.CheckRequest{Code: code}, verify.Once[verify.Checked]{})
		wantCode(t, err, verify.NotFound)
		_, err = h.Cancel(t.Context(), who, id, verify.Once[verify.View]{})
		wantCode(t, err, verify.NotFound)
		_, err = h.Resend(t.Context(), who, id, "", verify.Once[verify.View]{})
		wantCode(t, err, verify.NotFound)
		_, err = h.Next(t.Context(), who, id, verify.Once[verify.View]{})
		wantCode(t, err, verify.NotFound)
	}
	// Bob's verification of the same number leaves alice's alone.
	_, err := h.Start(t.Context(), strangers[0], verify.StartRequest{To: number}, verify.Once[verify.Started]{})
	h.ok(err)
	if got, err := h.check(id, code); err != nil || !got.Valid {
		t.Errorf("got %+v, %v", got, err)
	}
}
