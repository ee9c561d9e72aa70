package deliver_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/deliver"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/verify"
)

// node is a worker that serves all routes but those named.
func (h *house) node(elsewhere ...string) {
	h.t.Helper()
	w, err := deliver.New(deliver.Config{
		Core: h.Core, Queue: h.store, StopAfter: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(h.log, nil)),
		Shared: true, Elsewhere: elsewhere,
	})
	h.ok(err)
	h.ok(w.Start(h.t.Context()))
	h.t.Cleanup(func() { h.ok(w.Stop(context.Background())) })
}

// A route is used by the node that serves it, and by no other.
func TestRouteServedElsewhere(t *testing.T) {
	t.Parallel()
	first, second := &fake{}, &fake{can: everything}
	h := newHouse(t, first, second)
	h.node("a")
	h.node("b")
	for i := range 8 {
		id := h.start(verify.StartRequest{To: fmt.Sprintf("+8180123456%02d", i)})
		if a := h.ended(id, 1)[0]; a.Route != "a" || a.Outcome != outcome.Heard {
			t.Errorf("route %s, %s", a.Route, a.Outcome)
		}
	}
	if len(second.calls()) != 0 {
		t.Error("the route of lower preference was used")
	}
}

// Where nobody serves the route that is preferred, the next is used after a
// while; where nobody serves any, the job waits, and no phone rings.
func TestRouteServedNowhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		elsewhere []string
		route     string
		atLeast   time.Duration
	}{
		"another is": {[]string{"a"}, "b", 4 * time.Second},
		"none is":    {[]string{"a", "b"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := &fake{}, &fake{}
			h := newHouse(t, first, second)
			h.node(tt.elsewhere...)
			began := time.Now()
			id := h.start(verify.StartRequest{})
			if tt.route == "" {
				time.Sleep(2 * time.Second)
				if v := h.view(id); v.Attempts[0].State != verify.StateQueued {
					t.Errorf("the attempt is %s", v.Attempts[0].State)
				}
			} else if a := h.ended(id, 1)[0]; a.Route != tt.route || time.Since(began) < tt.atLeast {
				t.Errorf("route %s after %v", a.Route, time.Since(began))
			}
			if len(first.calls()) != 0 {
				t.Error("a route was used that is served elsewhere")
			}
		})
	}
}
