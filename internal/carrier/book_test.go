package carrier_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
)

const lost = "the book does not know this attempt"

var (
	ringing  = carrier.Event{Kind: carrier.Ringing}
	answered = carrier.Event{Kind: carrier.Answered}
	heard    = outcome.Ending{Outcome: outcome.Heard, Reason: "heard", MayHaveRung: true}
	unknown  = outcome.Ending{Outcome: outcome.CarrierFailed, Reason: lost, MayHaveRung: true, Fault: outcome.FaultOurs}
)

// followed is all that Follow gave.
type followed struct {
	events []carrier.Event
	end    outcome.Ending
	err    error
}

func follow(ctx context.Context, b *carrier.Book[string], ref carrier.Ref) *followed {
	f := &followed{}
	f.on(ctx, b, ref)
	return f
}

// on follows, and can be looked at meanwhile.
func (f *followed) on(ctx context.Context, b *carrier.Book[string], ref carrier.Ref) {
	f.end, f.err = b.Follow(ctx, ref, func(e carrier.Event) { f.events = append(f.events, e) })
}

// is checks what was given, without an error.
func (f *followed) is(t *testing.T, end outcome.Ending, events ...carrier.Event) {
	t.Helper()
	if f.err != nil {
		t.Error(f.err)
	}
	if d := cmp.Diff(events, f.events); d != "" {
		t.Error("events (-want +got):\n" + d)
	}
	if d := cmp.Diff(end, f.end); d != "" {
		t.Error("ending (-want +got):\n" + d)
	}
}

func TestBookKeepsForWhoComesLate(t *testing.T) {
	t.Parallel()
	b := carrier.NewBook[string](lost)
	b.Open("a", "call")
	b.Happened("a", ringing)
	b.Happened("a", answered)
	b.End("a", heard)
	if got, ok := b.Find("a"); got != "call" || !ok || b.Len() != 1 {
		t.Errorf("Find: %q, %v, of %d", got, ok, b.Len())
	}
	follow(t.Context(), b, "a").is(t, heard, ringing, answered)
	follow(t.Context(), b, "a").is(t, unknown) // given once
	if got, ok := b.Find("a"); got != "" || ok || b.Len() != 0 {
		t.Errorf("Find, afterwards: %q, %v, of %d", got, ok, b.Len())
	}
}

// What the book does not know, or has forgotten, is nobody's.
func TestBookUnknown(t *testing.T) {
	t.Parallel()
	b := carrier.NewBook[string](lost)
	b.Happened("a", ringing)
	b.End("a", heard)
	follow(t.Context(), b, "a").is(t, unknown)
	if b.Len() != 0 {
		t.Errorf("%d attempts are kept", b.Len())
	}
}

func TestBookFirstEndingCounts(t *testing.T) {
	t.Parallel()
	b := carrier.NewBook[string](lost)
	b.Open("a", "call")
	b.End("a", heard)
	b.End("a", outcome.Ending{Outcome: outcome.Busy})
	follow(t.Context(), b, "a").is(t, heard)
}

// One follows as it happens, a second one is told nothing; when the first gives
// up, another goes on from there.
func TestBookOneFollower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := carrier.NewBook[string](lost)
		b.Open("a", "call")
		ctx, cancel := context.WithCancel(t.Context())
		var first followed
		go first.on(ctx, b, "a")
		synctest.Wait()
		b.Happened("a", ringing)
		synctest.Wait()
		if d := cmp.Diff([]carrier.Event{ringing}, first.events); d != "" {
			t.Error("events at once (-want +got):\n" + d)
		}
		follow(t.Context(), b, "a").is(t, unknown)
		cancel()
		synctest.Wait()
		if !errors.Is(first.err, context.Canceled) {
			t.Errorf("error %v, want ctx's", first.err)
		}
		b.Happened("a", answered)
		go func() {
			time.Sleep(time.Second)
			b.End("a", heard)
		}()
		follow(t.Context(), b, "a").is(t, heard, answered)
	})
}

// What nobody follows is forgotten, by time and by number; what has not ended is
// kept however long it takes.
func TestBookForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := carrier.NewBook[string](lost)
		b.Open("long", "call")
		b.Open("old", "call")
		b.End("old", heard)
		time.Sleep(5*time.Minute - time.Nanosecond)
		b.Open("new", "call")
		b.End("new", heard)
		if _, ok := b.Find("old"); !ok {
			t.Error("an attempt was forgotten before five minutes")
		}
		time.Sleep(time.Nanosecond)
		b.Open("newer", "call")
		b.End("newer", heard)
		follow(t.Context(), b, "old").is(t, unknown)
		for i := range 10_000 {
			ref := carrier.Ref(fmt.Sprint(i))
			b.Open(ref, "call")
			b.End(ref, heard)
		}
		if n := b.Len(); n != 10_001 {
			t.Errorf("%d attempts are kept, want 10,000 that ended and one that did not", n)
		}
		follow(t.Context(), b, "newer").is(t, unknown)
		follow(t.Context(), b, "0").is(t, heard)
		b.End("long", heard)
		follow(t.Context(), b, "long").is(t, heard)
	})
}

// An attempt that is being followed gives its ending even if the book forgets it
// meanwhile.
func TestBookForgetsWhatIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := carrier.NewBook[string](lost)
		b.Open("a", "call")
		b.Happened("a", ringing)
		b.Open("b", "call")
		var events []carrier.Event
		end, err := b.Follow(t.Context(), "a", func(e carrier.Event) {
			events = append(events, e)
			b.End("a", heard)
			time.Sleep(5 * time.Minute)
			b.End("b", heard)
			if _, ok := b.Find("a"); ok {
				t.Error("it was not forgotten")
			}
		})
		(&followed{events, end, err}).is(t, heard, ringing)
		if b.Len() != 1 {
			t.Errorf("%d attempts are kept, want 1", b.Len())
		}
	})
}

// Many attempts at once: every event of each comes once, in order.
func TestBookManyAtOnce(t *testing.T) {
	t.Parallel()
	b := carrier.NewBook[string](lost)
	var want []carrier.Event
	for n := range 50 {
		want = append(want, carrier.Event{Kind: carrier.Reading, Readout: n})
	}
	var all sync.WaitGroup
	for i := range 50 {
		ref := carrier.Ref(fmt.Sprint(i))
		b.Open(ref, "call")
		all.Go(func() {
			for _, e := range want {
				b.Happened(ref, e)
			}
			b.End(ref, heard)
		})
		all.Go(func() { follow(t.Context(), b, ref).is(t, heard, want...) })
	}
	all.Wait()
	if n := b.Len(); n != 0 {
		t.Errorf("%d attempts are kept", n)
	}
}
