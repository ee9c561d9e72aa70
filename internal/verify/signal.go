package verify

import "sync"

// Signal carries news inside one process: that there is work, and that a call
// in progress must stop. It only saves waiting; polling the store is the truth.
type Signal struct {
	work chan struct{}
	mu   sync.Mutex
	stop map[string]chan struct{} // by attempt
}

// NewSignal makes a Signal.
func NewSignal() *Signal {
	return &Signal{work: make(chan struct{}, 1), stop: make(map[string]chan struct{})}
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

// Watch gives a channel that is closed when the attempt must stop, and a
// function that ends the watching.
func (s *Signal) Watch(attempt string) (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan struct{})
	s.stop[attempt] = ch
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stop[attempt] == ch {
			delete(s.stop, attempt)
		}
	}
}

// Stop tells whoever watches the attempt.
func (s *Signal) Stop(attempt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.stop[attempt]; ok {
		close(ch)
		delete(s.stop, attempt)
	}
}
