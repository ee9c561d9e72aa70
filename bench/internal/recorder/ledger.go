package recorder

import "sync"

// Ledger is what a carrier has carried: how often each number was called or
// written to, and the code that it was told. The zero value is empty. Safe for
// concurrent use.
type Ledger struct {
	mu      sync.Mutex
	placed  []string         // recipients, in order
	told    map[string]*told // by recipient
	repeats int              // to a number that had got one before
}

// told is what a recipient has got.
type told struct {
	times int
	code  string
}

// Record notes a call or a message and gives its number, from 0.
func (l *Ledger) Record(to, code string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, known := l.told[to]
	if !known {
		if l.told == nil {
			l.told = make(map[string]*told)
		}
		t = &told{}
		l.told[to] = t
	} else {
		l.repeats++
	}
	t.times++
	t.code = code
	l.placed = append(l.placed, to)
	return len(l.placed) - 1
}

// to is the recipient of the n-th.
func (l *Ledger) to(n int) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n >= len(l.placed) {
		return "", false
	}
	return l.placed[n], true
}

// Code is the code that a number was told.
func (l *Ledger) Code(to string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.told[to]
	if !ok {
		return "", false
	}
	return t.code, true
}

// Times is how often a number was called or written to.
func (l *Ledger) Times(to string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.told[to]; ok {
		return t.times
	}
	return 0
}

// Placed is how many calls and messages were taken, and how many of them went to
// a number that had got one before.
func (l *Ledger) Placed() (all, repeats int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.placed), l.repeats
}
