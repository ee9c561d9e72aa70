package carrier

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/outcome"
)

const (
	// An attempt that ended and that nobody followed is forgotten after so long,
	// or when so many ended after it.
	forgetAfter = 5 * time.Minute
	mostEnded   = 10_000
)

// Book keeps what happened to attempts until somebody follows them, for a carrier
// that carries them itself: the events of each in their order, and its ending. An
// ending is given once, and the attempt is then forgotten. T is what the carrier
// knows an attempt by.
//
// It is safe for concurrent use, and calls nobody while it holds its lock: a
// carrier may hold its own.
type Book[T any] struct {
	unknown string

	mu    sync.Mutex // guards all below, and what page says it guards
	pages map[Ref]*page[T]
	ended *list.List // of *page[T] that ended and were not followed, the first first
}

// page is one attempt.
type page[T any] struct {
	ref     Ref
	attempt T
	news    chan struct{} // one token: there is something for Follow

	// Guarded by Book.mu.
	events   []Event // not yet followed
	followed bool    // somebody is following
	end      *outcome.Ending
	endedAt  time.Time
	forgot   *list.Element // place in Book.ended
}

// NewBook makes an empty book. unknown is the reason of the ending that Follow
// gives to what the book does not know: a safe sentence.
func NewBook[T any](unknown string) *Book[T] {
	return &Book[T]{unknown: unknown, pages: make(map[Ref]*page[T]), ended: list.New()}
}

// Open begins to keep an attempt. Its reference was never opened before.
func (b *Book[T]) Open(ref Ref, attempt T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages[ref] = &page[T]{ref: ref, attempt: attempt, news: make(chan struct{}, 1)}
}

// Find gives an attempt that is not forgotten; false: there is none.
func (b *Book[T]) Find(ref Ref) (attempt T, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[ref]
	if p == nil {
		return attempt, false
	}
	return p.attempt, true
}

// Len counts the attempts that are not forgotten.
func (b *Book[T]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pages)
}

// Happened keeps an event for Follow.
func (b *Book[T]) Happened(ref Ref, e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pages[ref]; p != nil {
		p.events = append(p.events, e)
		p.tell()
	}
}

// End keeps the ending for Follow: nothing happens to the attempt after it. It
// forgets the attempts that ended long ago and that nobody followed.
func (b *Book[T]) End(ref Ref, e outcome.Ending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[ref]
	if p == nil || p.end != nil {
		return
	}
	p.end, p.endedAt = &e, time.Now()
	p.forgot = b.ended.PushBack(p)
	p.tell()
	for first := b.ended.Front(); first != nil; first = b.ended.Front() {
		old := first.Value.(*page[T])
		if b.ended.Len() <= mostEnded && p.endedAt.Sub(old.endedAt) < forgetAfter {
			return
		}
		b.forget(old)
	}
}

func (p *page[T]) tell() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Follow reports what happened to an attempt and what happens until it ends. It
// may begin late: events are kept. An attempt is followed by one at a time; after
// its ending was given it is forgotten. What is not known, or is followed already,
// is said to have failed, and may have rung. The error is ctx's: another may
// follow then, from where this one was.
func (b *Book[T]) Follow(ctx context.Context, ref Ref, report func(Event)) (outcome.Ending, error) {
	p := b.take(ref)
	if p == nil {
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Reason: b.unknown, MayHaveRung: true, Fault: outcome.FaultOurs,
		}, nil
	}
	for {
		events, end := b.unseen(p)
		for _, e := range events {
			report(e)
		}
		if end != nil {
			return *end, nil
		}
		select {
		case <-p.news:
		case <-ctx.Done():
			b.mu.Lock()
			p.followed = false
			b.mu.Unlock()
			return outcome.Ending{}, ctx.Err()
		}
	}
}

// take makes the caller the one who follows; nil: it cannot be.
func (b *Book[T]) take(ref Ref) *page[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[ref]
	if p == nil || p.followed {
		return nil
	}
	p.followed = true
	return p
}

// unseen takes the events that were not reported, and the ending if they were
// the last; the attempt is then forgotten.
func (b *Book[T]) unseen(p *page[T]) ([]Event, *outcome.Ending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := p.events
	p.events = nil
	if p.end == nil {
		return events, nil
	}
	b.forget(p)
	return events, p.end
}

// forget forgets one attempt that ended. b.mu is held.
func (b *Book[T]) forget(p *page[T]) {
	delete(b.pages, p.ref)
	if p.forgot != nil {
		b.ended.Remove(p.forgot)
		p.forgot = nil
	}
}
