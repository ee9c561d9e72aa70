package store

import (
	"context"
	"sync"
)

// maxGroup bounds how many operations share a transaction, where the engine does
// not say: a group is as slow as the sum of its members, and each of them waits
// for all.
const maxGroup = 128

// Writer makes operations that wait at the same moment share a transaction: a
// goroutine takes what waits and hands it to the engine as a group, so the price
// of durability is paid once a group. Safe for concurrent use.
type Writer[O any] struct {
	apply func(group []O, errs []error)
	group int            // at most so many operations in one
	share int            // of them, while both lanes wait, for work
	ended sync.WaitGroup // done after the last group
	pool  sync.Pool      // of *waiter[O]
	// settle makes durable what apply has carried out; nil: apply does.
	settle  func() error
	carried chan *batch[O] // carried out, and to be settled
	free    sync.Pool      // of *batch[O]

	mu     sync.Mutex
	some   sync.Cond // a lane is not empty, or closed is set
	lanes  [2][]*waiter[O]
	passed bool // the last group had no place for work that waited
	closed bool
	// unsettled is how many operations are carried out and not settled. As long as
	// there are any, fewer than that are not worth a group of their own.
	unsettled int
}

// The lanes of a Writer. While both wait, a group keeps a share of itself for the
// second, and the rest, which is one place at least, for the first: somebody waits for
// the answer to a request, and a burst of deliveries must not stand before it. Groups
// of one are each lane's in turn.
const (
	requests = iota
	work
	workShare = 4 // one of so many, where the engine does not say
)

// Size of a Writer's groups. The zero value has good numbers.
type Size struct {
	Group int // at most so many operations
	// Work is how many of them are for work while requests wait as well: 0 is a
	// quarter. A start makes two operations of work or more: with less of a share than
	// that, what is to be delivered piles up for as long as there are more requests than
	// can be carried out.
	Work int
}

// waiter is one operation in the queue. It belongs to Do until it is taken, then
// to the writer until the answer is in done, then to Do again; given up, it
// belongs to the writer. The fields that say so are under Writer.mu.
type waiter[O any] struct {
	op     O
	done   chan error // room for one
	taken  bool
	gaveUp bool
}

// batch is a group with its answers.
type batch[O any] struct {
	taken []*waiter[O]
	ops   []O
	errs  []error
}

// NewWriter makes a Writer. apply carries out a group in order, in one
// transaction as far as it can, and sets errs[i] for group[i] once the result is
// durable; it keeps neither slice. Calls of apply never overlap.
func NewWriter[O any](apply func(group []O, errs []error)) *Writer[O] {
	return NewWriters(1, Size{}, apply)
}

// NewWriters makes a Writer that has up to n groups in hand at once, so that one
// is prepared while another is being made durable: then apply is called by n
// goroutines, and the engine's locks decide which group comes first.
func NewWriters[O any](n int, size Size, apply func(group []O, errs []error)) *Writer[O] {
	w := makeWriter(size, apply)
	for range n {
		w.ended.Go(w.run)
	}
	return w
}

// NewSettled makes a Writer for an engine that carries out one group after the
// other and need not make each durable before the next: settle makes durable
// everything that apply has carried out before settle was called, while the next
// group is in hand. Nobody is answered before that, whatever the answer; its error
// is everyone's. Calls of settle do not overlap.
func NewSettled[O any](size int, apply func(group []O, errs []error), settle func() error) *Writer[O] {
	w := makeWriter(Size{Group: size}, apply)
	w.settle, w.carried = settle, make(chan *batch[O], 1)
	w.ended.Go(func() {
		defer close(w.carried)
		w.run()
	})
	w.ended.Go(w.settleAll)
	return w
}

func makeWriter[O any](size Size, apply func(group []O, errs []error)) *Writer[O] {
	w := &Writer[O]{apply: apply, group: size.Group, share: size.Work}
	if w.group <= 0 {
		w.group = maxGroup
	}
	if w.share <= 0 {
		w.share = max(w.group/workShare, 1)
	}
	w.some.L = &w.mu
	w.pool.New = func() any { return &waiter[O]{done: make(chan error, 1)} }
	w.free.New = func() any { return &batch[O]{} }
	return w
}

// Do has an operation carried out and returns after it is durable. A context
// that ends before the operation was taken takes it back: the context's error
// says that nothing was done. From then on Do waits for the result, whatever the
// context says, because the operation may be committed already. ErrClosed after
// Close.
func (w *Writer[O]) Do(ctx context.Context, op O) error { return w.do(ctx, op, requests) }

// DoWork is Do for what nobody waits for at the other end of a connection: it
// lets requests go first, as far as they leave it a share.
func (w *Writer[O]) DoWork(ctx context.Context, op O) error { return w.do(ctx, op, work) }

func (w *Writer[O]) do(ctx context.Context, op O, lane int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := w.pool.Get().(*waiter[O])
	x.op = op
	if !w.enqueue(x, lane) {
		w.recycle(x)
		return ErrClosed
	}
	select {
	case err := <-x.done:
		w.recycle(x)
		return err
	case <-ctx.Done():
	}
	if w.giveUp(x) {
		return ctx.Err()
	}
	err := <-x.done
	w.recycle(x)
	return err
}

// Close refuses further operations, carries out what waits, and returns after
// that.
func (w *Writer[O]) Close() {
	w.mu.Lock()
	w.closed = true
	w.some.Broadcast()
	w.mu.Unlock()
	w.ended.Wait()
}

func (w *Writer[O]) enqueue(x *waiter[O], lane int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.lanes[lane] = append(w.lanes[lane], x)
	if w.waiting() == max(w.unsettled, 1) {
		w.some.Signal()
	}
	return true
}

// giveUp takes an operation back, unless it was taken.
func (w *Writer[O]) giveUp(x *waiter[O]) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.gaveUp = !x.taken
	return x.gaveUp
}

// recycle puts a waiter that nobody else holds back into the pool.
func (w *Writer[O]) recycle(x *waiter[O]) {
	*x = waiter[O]{done: x.done}
	w.pool.Put(x)
}

// run is a goroutine that calls apply.
func (w *Writer[O]) run() {
	for {
		b := w.free.Get().(*batch[O])
		if b.taken = w.take(b.taken); len(b.taken) == 0 {
			return
		}
		for _, x := range b.taken {
			b.ops, b.errs = append(b.ops, x.op), append(b.errs, nil)
		}
		w.apply(b.ops, b.errs)
		if w.settle == nil {
			w.answer(b, nil)
		} else {
			w.owe(len(b.taken))
			w.carried <- b
		}
	}
}

// settleAll settles what was carried out, as many groups at a time as wait.
func (w *Writer[O]) settleAll() {
	for b := range w.carried {
		all := append(make([]*batch[O], 0, 2), b)
		for more := true; more; {
			select {
			case b, ok := <-w.carried:
				if more = ok; ok {
					all = append(all, b)
				}
			default:
				more = false
			}
		}
		err := w.settle()
		for _, b := range all {
			w.owe(-len(b.taken))
			w.answer(b, err)
		}
	}
}

// owe counts operations that are carried out and not settled.
func (w *Writer[O]) owe(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsettled += n
	if n < 0 {
		w.some.Signal()
	}
}

// answer gives everyone of a group the answer, or the error that is everyone's.
func (w *Writer[O]) answer(b *batch[O], all error) {
	for i, x := range b.taken {
		if all != nil {
			b.errs[i] = all
		}
		x.done <- b.errs[i]
	}
	// Nothing of a finished operation is kept reachable.
	clear(b.ops)
	clear(b.taken)
	clear(b.errs)
	b.ops, b.taken, b.errs = b.ops[:0], b.taken[:0], b.errs[:0]
	w.free.Put(b)
}

// waiting counts what is in the lanes. The lock is held.
func (w *Writer[O]) waiting() int { return len(w.lanes[requests]) + len(w.lanes[work]) }

// take waits for operations and takes the oldest of each lane; none means the end.
func (w *Writer[O]) take(into []*waiter[O]) []*waiter[O] {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for (w.waiting() == 0 || w.waiting() < w.unsettled) && !w.closed {
			w.some.Wait()
		}
		if w.waiting() == 0 {
			return into
		}
		share, least := min(w.share, len(w.lanes[work])), 1
		if w.passed && w.group == 1 {
			least = 0
		}
		into = w.takeFrom(requests, into, max(w.group-share, least))
		asked := len(into)
		if asked == 0 {
			share = w.group
		}
		into = w.takeFrom(work, into, min(asked+share, w.group))
		w.passed = len(into) == asked && len(w.lanes[work]) > 0
		if w.waiting() > 0 {
			w.some.Signal() // for another goroutine
		}
		if len(into) > 0 {
			return into
		}
	}
}

// takeFrom takes the oldest of a lane until there are limit operations. The lock
// is held.
func (w *Writer[O]) takeFrom(lane int, into []*waiter[O], limit int) []*waiter[O] {
	queue, n := w.lanes[lane], 0
	for _, x := range queue {
		if len(into) >= limit {
			break
		}
		n++
		if x.gaveUp {
			w.recycle(x)
			continue
		}
		x.taken = true
		into = append(into, x)
	}
	left := copy(queue, queue[n:])
	clear(queue[left:])
	w.lanes[lane] = queue[:left]
	return into
}
