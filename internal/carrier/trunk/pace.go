package trunk

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errTooFast says that too many calls wait for their start already.
var errTooFast = errors.New("too many calls to start")

// paceLongest is how long a call waits for its start: short of what a person who
// looks at a screen notices, and long enough for a small crowd.
const paceLongest = 2 * time.Second

// pace spaces the starts of calls evenly: a carrier that counts by the second
// then never sees more. It is safe for concurrent use.
type pace struct {
	every time.Duration // zero: no limit
	mu    sync.Mutex
	next  time.Time // the first free start
}

func newPace(perSecond int) *pace {
	p := &pace{}
	if perSecond > 0 {
		p.every = time.Second / time.Duration(perSecond)
	}
	return p
}

// wait returns when a call may start. errTooFast at once where that would take
// more than paceLongest; ctx's error when it ends first.
func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) > paceLongest {
		p.mu.Unlock()
		return errTooFast
	}
	p.next = at.Add(p.every)
	p.mu.Unlock()
	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
