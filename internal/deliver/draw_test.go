package deliver

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
)

func TestDraw(t *testing.T) {
	t.Parallel()
	route := func(name string, priority, weight int) carrier.Route {
		return carrier.Route{Name: name, Priority: priority, Weight: weight}
	}
	for name, c := range map[string]struct {
		routes []carrier.Route
		want   map[string]int // how many of the numbers draw it
	}{
		"no weight: the first": {
			[]carrier.Route{route("a", 0, 0), route("b", 0, 0)}, map[string]int{"a": 1},
		},
		"by weight": {
			[]carrier.Route{route("a", 0, 3), route("b", 0, 1)}, map[string]int{"a": 3, "b": 1},
		},
		"those without a weight come later": {
			[]carrier.Route{route("a", 0, 0), route("b", 0, 1), route("c", 0, 1)}, map[string]int{"b": 1, "c": 1},
		},
		"a later priority is not drawn": {
			[]carrier.Route{route("a", 1, 1), route("b", 1, 1), route("c", 2, 98)}, map[string]int{"a": 1, "b": 1},
		},
		"a later priority's weight does not count": {
			[]carrier.Route{route("a", 1, 0), route("b", 2, 5)}, map[string]int{"a": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]int{}
			for at, n := 0, 1; at < n; at++ {
				got[draw(c.routes, func(of int) int { n = of; return at }).Name]++
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
