package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
)

// audit is what was found. Everything but the counts of what happened must be 0.
type audit struct {
	mu sync.Mutex

	starts, approvals, wrong int // acknowledged
	calls                    int // that the carrier took
	unseen                   int // attempts that a kill took out of sight: settled, and never placed again
	replays, retries         int64

	lost          int // acknowledged starts that are gone or without their attempt
	lostApprovals int // acknowledged approvals that are not on record
	approvedTwice int
	dialledTwice  int
	wrongLost     int // verifications that forgot an acknowledged wrong guess
	wrongTwice    int // verifications that counted one twice
	late          int // right answers that were taken after the last attempt was used up
	refused       int // starts that were refused, and requests that were never answered
	unsettled     int // attempts that did not end, or whose end the carrier contradicts
	first         string
}

func (a *audit) clean() bool {
	return a.lost+a.lostApprovals+a.approvedTwice+a.dialledTwice+a.wrongLost+a.wrongTwice+a.late+a.refused+a.unsettled == 0 && a.starts > 0
}

// find counts a finding and keeps the first one's words.
func (a *audit) find(counter *int, format string, args ...any) {
	*counter++
	if a.first == "" {
		a.first = fmt.Sprintf(format, args...)
	}
}

// audit looks at every claim.
func (l *running) audit(ctx context.Context) *audit {
	a := &audit{replays: l.replays.Load(), retries: l.retries.Load()}
	a.calls, a.dialledTwice = l.rec.Placed()
	todo := make(chan *claim)
	var readers sync.WaitGroup
	for range l.clients {
		readers.Go(func() {
			for c := range todo {
				l.look(ctx, a, c)
			}
		})
	}
	for _, c := range l.queue.all {
		todo <- c
	}
	close(todo)
	readers.Wait()
	return a
}

// look compares what was acknowledged of a claim with what is on record.
func (l *running) look(ctx context.Context, a *audit, c *claim) {
	if c.id == "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.find(&a.refused, "a start was not taken: status %d", c.refused)
		return
	}
	v, err := l.api().Get(ctx, c.id)
	t := c.tally()
	again := false
	if t.right > 0 { // a new request with the right code must not approve once more
		got, _, err := l.api().Check(ctx, c.id, c.code, "")
		again = err == nil && got.Valid
	}
	placed := l.rec.Times(c.to)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.starts++
	a.approvals += t.right
	a.wrong += t.wrong
	if err != nil || v.To != c.to || len(v.Attempts) != 1 {
		a.find(&a.lost, "%s: %v, %d attempts", c.id, err, len(v.Attempts))
		return
	}
	if t.right > 1 || again {
		a.find(&a.approvedTwice, "%s: %d right answers, again %t", c.id, t.right, again)
	}
	if t.right > 0 && v.Status != "approved" {
		a.find(&a.lostApprovals, "%s: approved, and now %s", c.id, v.Status)
	}
	a.attempt(c, v.Attempts[0], placed)
	a.guesses(c, v, t)
}

// attempt compares the attempt's end with what the carrier recorded.
func (a *audit) attempt(c *claim, at api.Attempt, placed int) {
	switch {
	case at.Outcome == "answered" && placed == 1:
	case at.Outcome == "carrier_failed" && placed <= 1:
		a.unseen++
	default:
		a.find(&a.unsettled, "%s: attempt %s %s after %d calls", c.id, at.State, at.Outcome, placed)
	}
}

// guesses compares the count of wrong guesses with those that were acknowledged.
func (a *audit) guesses(c *claim, v api.Verification, t tally) {
	switch status := c.strange(); {
	case status != 0:
		a.find(&a.refused, "%s: a check was answered %d", c.id, status)
	case !t.all && c.code != "":
		a.find(&a.refused, "%s: a check was never answered", c.id)
	case v.Status == "pending" && v.Remaining > attempts-t.wrong:
		a.find(&a.wrongLost, "%s: %d wrong guesses, %d left", c.id, t.wrong, v.Remaining)
	case v.Status == "pending" && v.Remaining < attempts-t.wrong:
		a.find(&a.wrongTwice, "%s: %d wrong guesses, %d left", c.id, t.wrong, v.Remaining)
	case v.Status == "pending" && t.wrong >= attempts:
		a.find(&a.wrongLost, "%s: %d wrong guesses, and still pending", c.id, t.wrong)
	case v.Status == "max_attempts_reached" && t.wrong < attempts:
		a.find(&a.wrongTwice, "%s: ended after %d wrong guesses", c.id, t.wrong)
	case c.n%4 == 3 && t.right > 0:
		a.find(&a.late, "%s: approved after %d wrong guesses", c.id, t.wrong)
	case c.n%4 < 2 && t.all && t.right == 0:
		a.find(&a.lostApprovals, "%s: the right answer approved nothing: %s", c.id, v.Status)
	}
}

// report is what else is printed.
type report struct {
	kills    int
	victim   string
	postgres bool
	took     time.Duration
	away     []time.Duration // from each kill to the next answer
}

func (a *audit) report(r report) {
	db := "SQLite, integrity_check ok"
	if r.postgres {
		db = "PostgreSQL"
	}
	if r.victim == "upgrade" {
		r.victim = "node, which comes back with either program,"
	}
	fmt.Printf("%d kills of the %s under load in %s, %s\n", r.kills, r.victim, r.took.Round(time.Second), db)
	fmt.Printf("acknowledged: %d starts, %d approvals, %d wrong guesses; %d requests sent again, %d of them answered from the record\n",
		a.starts, a.approvals, a.wrong, a.retries, a.replays)
	fmt.Printf("the carrier took %d calls; %d attempts were lost from sight, and not placed again\n", a.calls, a.unseen)
	slices.Sort(r.away)
	median, longest := r.away[len(r.away)/2], r.away[len(r.away)-1]
	fmt.Printf("from the kill to the next answer: median %d ms, longest %d ms\n", median.Milliseconds(), longest.Milliseconds())
	if a.first != "" {
		fmt.Println("first finding:", a.first)
	}
	fmt.Printf("lost=%d approved_twice=%d dialled_twice=%d wrong_lost=%d kills=%d ", a.lost, a.approvedTwice, a.dialledTwice, a.wrongLost, r.kills)
	fmt.Printf("approvals_lost=%d wrong_twice=%d late_approved=%d refused=%d unsettled=%d starts=%d approvals=%d wrong=%d replays=%d calls=%d unseen=%d away_p50_ms=%d away_max_ms=%d\n",
		a.lostApprovals, a.wrongTwice, a.late, a.refused, a.unsettled, a.starts, a.approvals, a.wrong, a.replays, a.calls, a.unseen,
		median.Milliseconds(), longest.Milliseconds())
}
