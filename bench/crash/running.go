package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
)

// waitingMost bounds how many numbers are under way at a time.
const waitingMost = 2000

// unanswered is how long a client waits after a request that came to nothing.
const unanswered = 5 * time.Millisecond

// answerWait is how long the servers may take until they answer again.
const answerWait = time.Minute

// running is the load. Only one client at a time has a claim.
type running struct {
	*scene
	queue    queue
	replays  atomic.Int64 // answers that a repetition got
	retries  atomic.Int64 // requests that were sent again
	answered atomic.Int64
}

func newLoad(s *scene) *running { return &running{scene: s} }

// begin sets the clients to work, with new numbers or only with those that are
// under way, until the function that it gives is called.
func (l *running) begin(ctx context.Context, fresh bool) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for range l.clients {
		clients.Go(func() { l.client(ctx, fresh) })
	}
	return func() { cancel(); clients.Wait() }
}

func (l *running) client(ctx context.Context, fresh bool) {
	for turn := 0; ctx.Err() == nil; turn++ {
		var c *claim
		if fresh && turn%2 == 0 {
			c = l.queue.fresh(waitingMost)
		}
		if c == nil {
			c = l.queue.take()
		}
		moved := c != nil && l.advance(ctx, c)
		if c != nil && !c.done() {
			l.queue.put(c)
		}
		if !moved {
			time.Sleep(unanswered)
		}
	}
}

// quiet is after how long without an answer nothing more is to come.
const quiet = time.Second

// reaped is within what time after its end a lost node's calls are settled, or
// placed by another node if they never left: 10 s, and a little for the machine.
const reaped = 11 * time.Second

// finish works off what is under way, without anything new. When all calls have
// ended and no answer comes any more, what is left are claims whose call never
// reached the carrier: there is no code to check.
func (l *running) finish(ctx context.Context) error {
	stop := l.begin(ctx, false)
	defer stop()
	if l.cluster != nil { // what a dead node holds is in nobody's metrics
		time.Sleep(reaped)
	}
	if err := l.drain(ctx); err != nil {
		return err
	}
	for was, since := l.answered.Load(), time.Now(); time.Since(since) < quiet && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if now := l.answered.Load(); now != was {
			was, since = now, time.Now()
		}
	}
	// What a last retry started is to end, too.
	return l.drain(ctx)
}

// advance takes a claim as far as it goes and says whether it moved.
func (l *running) advance(ctx context.Context, c *claim) bool {
	if c.id == "" {
		return l.start(ctx, c)
	}
	if c.code == "" {
		code, ok := l.rec.Code(c.to)
		if !ok {
			return false
		}
		c.code = code
	}
	moved := false
	for !c.done() && ctx.Err() == nil {
		if !l.send(ctx, c) {
			return moved
		}
		c.stage++
		moved = true
	}
	return moved
}

func (l *running) start(ctx context.Context, c *claim) bool {
	// A client that gives up its request may still have been heard: the context
	// ends the waiting only between requests.
	v, a, err := l.api().Start(context.WithoutCancel(ctx), api.Body(c.to, "voice"), fmt.Sprintf("start-%d", c.n))
	if !api.Final(err) {
		l.retries.Add(1)
		return false
	}
	l.note(a)
	if err != nil {
		c.refused = api.StatusOf(err)
		return true
	}
	c.id = v.ID
	return true
}

// send makes the guesses of the stage that have no answer yet, all at once, and
// says whether all have one now.
func (l *running) send(ctx context.Context, c *claim) bool {
	var all sync.WaitGroup
	for _, g := range c.stages[c.stage] {
		if g.status != 0 {
			continue
		}
		if g.code == "" { // a repetition must say the same
			g.code = c.code
			if !g.right {
				g.code = api.Wrong(c.code)
			}
		}
		all.Go(func() { l.guess(context.WithoutCancel(ctx), c.id, g) })
	}
	all.Wait()
	for _, g := range c.stages[c.stage] {
		if g.status == 0 {
			return false
		}
	}
	return true
}

func (l *running) guess(ctx context.Context, id string, g *guess) {
	got, a, err := l.api().Check(ctx, id, g.code, g.once)
	if !api.Final(err) {
		l.retries.Add(1)
		return
	}
	l.note(a)
	g.status = a.Status
	g.valid = err == nil && got.Valid
}

// answer waits until the next answer that decides anything: the load is flowing.
func (l *running) answer(ctx context.Context) error {
	was := l.answered.Load()
	for end := time.Now().Add(answerWait); l.answered.Load() == was; time.Sleep(time.Millisecond) {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("nothing was answered for %s", answerWait)
		}
	}
	return nil
}

func (l *running) note(a api.Answer) {
	l.answered.Add(1)
	if a.Replayed {
		l.replays.Add(1)
	}
}
