package verify_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

func TestRightAnswerApprovesOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	got, err := h.check(id, code[:3]+" -"+code[3:])
	h.ok(err)
	if want := (verify.Checked{Status: verify.Approved, Valid: true, Remaining: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	_, err = h.check(id, code)
	wantCode(t, err, verify.AlreadyEnded)
	v := h.read(id).Verification
	if v.Sealed != nil || v.TokenHash != nil {
		t.Error("the end erases the sealed code and the token")
	}
}

func TestWrongAnswersCount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	for _, malformed := range []string{"", "12345a", code + "0", code[:5], "12 34 5", strings.Repeat("1", 300)} {
		_, err := h.check(id, malformed)
		if e := wantCode(t, err, verify.BadInput); e.Field != "code" {
			t.Errorf("field %q", e.Field)
		}
	}
	for left := 4; left >= 0; left-- {
		got, err := h.check(id, wrong(code))
		h.ok(err)
		want := verify.Checked{Status: verify.Pending, Remaining: left}
		if left == 0 {
			want.Status = verify.MaxAttempts
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	_, err := h.check(id, code)
	wantCode(t, err, verify.AlreadyEnded)
	if v := h.read(id).Verification; v.Status != verify.MaxAttempts || v.Sealed != nil {
		t.Errorf("stored: %s", v.Status)
	}
	h.idle() // the call was dropped
}

// Ten wrong guesses a day for a number at a service, however many codes.
func TestWrongAnswersCountAcrossVerifications(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	for range 2 {
		id := h.start(verify.StartRequest{}).View.ID
		for range 5 {
			_, err := h.check(id, wrong(h.code0(id)))
			h.ok(err)
		}
	}
	id := h.start(verify.StartRequest{}).View.ID
	_, err := h.check(id, h.code(id))
	if e := wantCode(t, err, verify.Limited); e.RetryAfter < time.Hour {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	if v := h.read(id).Verification; v.Status != verify.Pending || v.Guesses != 0 {
		t.Error("a guess that was not compared must not count")
	}
	other := h.start(verify.StartRequest{To: "+818012345679"}).View.ID
	if got, err := h.check(other, h.code(other)); err != nil || !got.Valid {
		t.Errorf("another number: %+v, %v", got, err)
	}
}

// code0 is a code of the right length, whatever is stored.
func (h *house) code0(id string) string {
	if h.read(id).Verification.Sealed == nil {
		return "000000"
	}
	return h.code(id)
}

func TestManyRightAnswersApproveOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	var valid, ended atomic.Int64
	together(500, func(int) {
		got, err := h.check(id, code)
		var e *verify.Error
		switch {
		case err == nil && got.Valid:
			valid.Add(1)
		case errors.As(err, &e) && e.Code == verify.AlreadyEnded:
			ended.Add(1)
		default:
			t.Errorf("got %+v, %v", got, err)
		}
	})
	if valid.Load() != 1 || ended.Load() != 499 {
		t.Errorf("%d approvals and %d late, want 1 and 499", valid.Load(), ended.Load())
	}
}

func TestManyWrongAnswersCompareFive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	var compared atomic.Int64
	var mu sync.Mutex
	var left []int
	together(500, func(int) {
		got, err := h.check(id, wrong(code))
		if err != nil {
			return
		}
		compared.Add(1)
		mu.Lock()
		defer mu.Unlock()
		left = append(left, got.Remaining)
	})
	slices.Sort(left)
	if compared.Load() != 5 || !slices.Equal(left, []int{0, 1, 2, 3, 4}) {
		t.Errorf("%d guesses were compared, remaining told: %v", compared.Load(), left)
	}
	_, err := h.check(id, code)
	wantCode(t, err, verify.AlreadyEnded)
}

// together runs f n times at once.
func together(n int, f func(int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; f(i) })
	}
	close(gate)
	wg.Wait()
}

func TestPaymentMustBeRepeated(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{Amount: "12.50", Currency: "EUR", Payee: "Café Zürich"}).View.ID
	code := h.code(id)
	for name, req := range map[string]verify.CheckRequest{
		"another amount": {Amount: "12.51", Currency: "EUR", Payee: "Café Zürich"},
		"another payee":  {Amount: "12.50", Currency: "EUR", Payee: "Cafe Zürich"},
	} {
		req.Code = code
		a, err := h.Check(t.Context(), alice, id, req, verify.Once[verify.Checked]{})
		h.ok(err)
		if a.Value.Valid {
			t.Errorf("%s: approved", name)
		}
	}
	_, err := h.check(id, code)
	if e := wantCode(t, err, verify.BadInput); e.Field != "amount" {
		t.Errorf("without any: field %q", e.Field)
	}
	// The same payee with its accents decomposed.
	req := verify.CheckRequest{Code: code, Amount: "12.5", Currency: "EUR", Payee: "Cafe\u0301 Zu\u0308rich"}
	a, err := h.Check(t.Context(), alice, id, req, verify.Once[verify.Checked]{})
	h.ok(err)
	if !a.Value.Valid || a.Value.Remaining != 3 {
		t.Errorf("got %+v", a.Value)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	d := h.dial()
	h.wait(10*time.Minute - time.Millisecond)
	if n, err := h.Sweep(t.Context()); n != 0 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	h.wait(time.Millisecond)
	_, err := h.check(id, code)
	wantCode(t, err, verify.AlreadyEnded)
	view, err := h.Get(t.Context(), alice, id)
	h.ok(err)
	if view.Status != verify.Expired || view.Reason != verify.ReasonExpired {
		t.Errorf("before the sweeper: %s, %s", view.Status, view.Reason)
	}
	stop, unwatch := h.Signal().Watch(d.Attempt.ID)
	defer unwatch()
	if n, err := h.Sweep(t.Context()); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	select {
	case <-stop.Done():
	default:
		t.Error("the call in progress was not told to stop")
	}
	if v := h.read(id).Verification; v.Status != verify.Expired || v.Sealed != nil || v.TokenHash != nil {
		t.Errorf("stored: %s", v.Status)
	}
}
