package main

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/pincall/pincall/bench/internal/api"
)

// attempts is how many guesses the program allows.
const attempts = 5

// claim is one number that is to be verified, with everything that the server has
// acknowledged of it.
type claim struct {
	n    int
	to   string
	id   string // of the verification; empty until it is acknowledged
	code string // empty until the carrier was told
	// stages are sent in turn, the guesses of each at the same moment.
	stages [][]*guess
	stage  int
	// refused is a start that the server refused for good: none should be.
	refused int
}

// guess is one check.
type guess struct {
	right bool
	once  string // Idempotency-Key

	code   string
	status int // of the final answer; 0: none yet
	valid  bool
}

// newClaim plans what happens to a number. Four plans take turns: several right
// answers at once; wrong ones and then the right one; wrong ones only; as many
// wrong ones as there are attempts, and then the right one, which is too late.
func newClaim(n int) *claim {
	c := &claim{n: n, to: api.Number(n)}
	switch n % 4 {
	case 0:
		c.add(4, true)
	case 1:
		c.add(2, false)
		c.add(1, true)
	case 2:
		c.add(3, false)
	case 3:
		c.add(attempts, false)
		c.add(2, true)
	}
	return c
}

func (c *claim) add(n int, right bool) {
	stage := make([]*guess, n)
	for i := range stage {
		stage[i] = &guess{right: right, once: fmt.Sprintf("check-%d-%d-%d", c.n, len(c.stages), i)}
	}
	c.stages = append(c.stages, stage)
}

// done says that nothing is left to send.
func (c *claim) done() bool { return c.stage == len(c.stages) || c.refused != 0 }

// tally is what the server has acknowledged.
type tally struct {
	right int // answers "valid"
	wrong int // guesses that were counted
	all   bool
}

func (c *claim) tally() tally {
	t := tally{all: c.done()}
	for _, stage := range c.stages {
		for _, g := range stage {
			switch {
			case g.valid:
				t.right++
			case g.status == http.StatusOK:
				t.wrong++
			}
		}
	}
	return t
}

// strange is the first final status that no guess should have: a wrong one is
// counted, and a right one is, or comes too late (409). 0: none.
func (c *claim) strange() int {
	for _, stage := range c.stages {
		for _, g := range stage {
			late := g.right && g.status == http.StatusConflict
			if g.status != 0 && g.status != http.StatusOK && !late {
				return g.status
			}
		}
	}
	return 0
}

// queue holds the claims that are under way.
type queue struct {
	mu      sync.Mutex
	waiting []*claim
	all     []*claim
}

// take gives the claim that has waited longest; nil when there is none.
func (q *queue) take() *claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	c := q.waiting[0]
	q.waiting = q.waiting[1:]
	return c
}

func (q *queue) put(c *claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
}

// fresh makes a new claim; nil when as many wait as may.
func (q *queue) fresh(most int) *claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= most {
		return nil
	}
	c := newClaim(len(q.all))
	q.all = append(q.all, c)
	return c
}
