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
	ended sync.WaitGroup // done after the last group
	pool  sync.Pool      // of *waiter[O]

	mu     sync.Mutex
	some   sync.Cond // the queue is not empty, or closed is set
	queue  []*waiter[O]
	closed bool
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

// NewWriter makes a Writer. apply carries out a group in order, in one
// transaction as far as it can, and sets errs[i] for group[i] once the result is
// durable; it keeps neither slice. Calls of apply never overlap.
func NewWriter[O any](apply func(group []O, errs []error)) *Writer[O] {
	return NewWriters(1, 0, apply)
}

// NewWriters makes a Writer that has up to n groups in hand at once, so that one
// is prepared while another is being made durable: then apply is called by n
// goroutines, and the engine's locks decide which group comes first. A group has
// at most size operations; 0 is a good number.
func NewWriters[O any](n, size int, apply func(group []O, errs []error)) *Writer[O] {
	w := &Writer[O]{apply: apply, group: size}
	if w.group <= 0 {
		w.group = maxGroup
	}
	w.some.L = &w.mu
	w.pool.New = func() any { return &waiter[O]{done: make(chan error, 1)} }
	for range n {
		w.ended.Go(w.run)
	}
	return w
}

// Do has an operation carried out and returns after it is durable. A context
// that ends before the operation was taken takes it back: the context's error
// says that nothing was done. From then on Do waits for the result, whatever the
// context says, because the operation may be committed already. ErrClosed after
// Close.
func (w *Writer[O]) Do(ctx context.Context, op O) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := w.pool.Get().(*waiter[O])
	x.op = op
	if !w.enqueue(x) {
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

func (w *Writer[O]) enqueue(x *waiter[O]) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, x)
	if len(w.queue) == 1 {
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
	taken := make([]*waiter[O], 0, w.group)
	group, errs := make([]O, 0, w.group), make([]error, w.group)
	for {
		taken = w.take(taken[:0])
		if len(taken) == 0 {
			return
		}
		group = group[:0]
		for _, x := range taken {
			group = append(group, x.op)
		}
		clear(errs)
		w.apply(group, errs[:len(group)])
		for i, x := range taken {
			x.done <- errs[i]
		}
		// Nothing of a finished operation is kept reachable.
		clear(group)
		clear(taken)
	}
}

// take waits for operations and takes the oldest of them; none means the end.
func (w *Writer[O]) take(into []*waiter[O]) []*waiter[O] {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.queue) == 0 && !w.closed {
			w.some.Wait()
		}
		if len(w.queue) == 0 {
			return into
		}
		n := 0
		for _, x := range w.queue {
			if len(into) == w.group {
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
		left := copy(w.queue, w.queue[n:])
		clear(w.queue[left:])
		w.queue = w.queue[:left]
		if left > 0 {
			w.some.Signal() // for another goroutine
		}
		if len(into) > 0 {
			return into
		}
	}
}
