package verify

import (
	"context"
	"slices"
	"sync"
)

// Signal carries news inside one process: that there is work, that a call in
// progress must stop, that its carrier has news, and that a verification has moved
// on. It only saves waiting; polling is the truth.
type Signal struct {
	work chan struct{}
	mu   sync.Mutex
	stop map[string]watch           // by attempt
	news map[string][]chan struct{} // by verification; no empty lists

	hints hints // that carriers have news
}

// watch ends a context as the attempt must stop.
type watch struct {
	ctx context.Context
	end context.CancelFunc
}

// NewSignal makes a Signal.
func NewSignal() *Signal {
	return &Signal{work: make(chan struct{}, 1), stop: make(map[string]watch), news: make(map[string][]chan struct{})}
}

// Work yields once or more after new work was committed.
func (s *Signal) Work() <-chan struct{} { return s.work }

// Wake says that there is work.
func (s *Signal) Wake() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// Watch gives a context that ends when the attempt must stop, and not before,
// and a function that ends the watching.
func (s *Signal) Watch(attempt string) (stopped context.Context, unwatch func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := watch{}
	w.ctx, w.end = context.WithCancel(context.Background())
	s.stop[attempt] = w
	return w.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stop[attempt].ctx == w.ctx {
			delete(s.stop, attempt)
		}
	}
}

// Stop tells whoever watches the attempt.
func (s *Signal) Stop(attempt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.stop[attempt]; ok {
		w.end()
		delete(s.stop, attempt)
	}
}

// Subscribe gives a channel that yields once or more after a commit that touched
// the verification, and a function that ends the subscription.
func (s *Signal) Subscribe(verification string) (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan struct{}, 1)
	s.news[verification] = append(s.news[verification], ch)
	return ch, func() { s.leave(verification, ch) }
}

func (s *Signal) leave(verification string, ch chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.news[verification], func(c chan struct{}) bool { return c == ch })
	if len(left) == 0 {
		delete(s.news, verification)
		return
	}
	s.news[verification] = left
}

// Touch tells the subscribers of a verification.
func (s *Signal) Touch(verification string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.news[verification] {
		select {
		case ch <- struct{}{}:
		default: // it has been told already
		}
	}
}
