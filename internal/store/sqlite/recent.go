package sqlite

import (
	"slices"
	"sync"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// recentRows is how many verifications, and how many rows of counters, are at hand:
// two seconds of the greatest load, and 30 MB.
const recentRows = 16_000

// few rows in a minute are not worth what is kept in mind: see rest.
const few = 2000

// Beyond, verifications that are pending and rows of counters are kept in bytes:
// half a minute of the greatest load, which is how long it takes to be called, to
// listen and to type.
const (
	packedBytes       = 96 << 20
	packedLimitsBytes = 24 << 20
)

// recent is what the last transactions have written or read, as it was committed:
// what a delivery or a guess needs next is mostly there. Only this process writes
// the file while it works, and it finds out where another has (see notice). A row
// is at hand or packed, not both. Safe for concurrent use.
type recent struct {
	mu     sync.Mutex
	all    window[*slot]
	owners map[string]*slot // by attempt
	limits window[*store.Limit]

	packer       packer
	packed       *shelf // verifications
	packedLimits *shelf
}

// known is a verification as it is stored, with its attempts. What it points to is
// never changed.
type known struct {
	v        *verify.Verification
	n        int64            // its number in the file
	attempts []verify.Attempt // oldest first
}

// slot is where the newest of a verification is kept.
type slot struct{ known }

func newRecent() *recent {
	r := &recent{packed: newShelf(packedBytes), packedLimits: newShelf(packedLimitsBytes)}
	r.forget()
	return r
}

// forget empties it.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.empty()
}

// rest empties it when little came since the last time: a server that is idle stays
// small. much says that it was worth a collection.
func (r *recent) rest() (much bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all.came+r.limits.came < few && len(r.all.keys)+len(r.limits.keys) > few {
		much = len(r.packed.blocks)+len(r.packedLimits.blocks) > 0
		r.empty()
	}
	r.all.came, r.limits.came = 0, 0
	return much
}

// empty forgets everything. The lock is held.
func (r *recent) empty() {
	r.all, r.limits, r.owners = newWindow[*slot](), newWindow[*store.Limit](), make(map[string]*slot)
	r.packed.forget()
	r.packedLimits.forget()
	r.packer = packer{} // nothing it has written is left
}

// dropLimits forgets some rows of counters.
func (r *recent) dropLimits(gone []fresh) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range gone {
		delete(r.limits.rows, l.key)
		r.packedLimits.remove(l.key)
	}
}

// publish keeps what a group has read and written.
func (r *recent) publish(o *store.Overlay, numbers map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, h := range o.Verifications {
		if k := (known{h.Verification, numbers[id], o.Attempts(id)}); k.over() {
			r.remove(id)
		} else {
			r.put(k)
		}
	}
	for key, l := range o.Limits {
		if l.Found {
			l.Stored, l.Blind, l.Dirty = true, false, false
			r.putLimit(key, l)
		}
	}
}

// put keeps a verification with its attempts. The lock is held.
func (r *recent) put(k known) {
	s := r.all.rows[k.v.ID]
	before := 0
	if s == nil {
		s = &slot{}
		r.packed.remove(k.v.ID)
		if id, gone := r.all.put(k.v.ID, s); gone != nil {
			r.disown(gone)
			r.pack(id, gone)
		}
	} else {
		before = len(s.attempts)
	}
	s.known = k
	if len(k.attempts) != before { // none is ever taken away
		for i := range k.attempts {
			r.owners[k.attempts[i].ID] = s
		}
	}
}

// pack keeps a verification in bytes. The lock is held.
func (r *recent) pack(id string, s *slot) {
	if s.v.Status != verify.Pending { // there is little to come
		return
	}
	if body := r.packer.pack(s.known); body != nil {
		r.packed.put(id, body)
	}
}

// putLimit keeps a row of counters. The lock is held.
func (r *recent) putLimit(key string, l *store.Limit) {
	if r.limits.rows[key] == nil {
		r.packedLimits.remove(key)
	}
	if old, gone := r.limits.put(key, l); gone != nil {
		r.packedLimits.put(old, r.packer.packLimit(gone))
	}
}

// drop forgets some verifications.
func (r *recent) drop(ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.remove(id)
	}
}

// remove forgets one. The lock is held.
func (r *recent) remove(id string) {
	r.packed.remove(id)
	if s := r.all.rows[id]; s != nil {
		r.disown(s)
		delete(r.all.rows, id)
	}
}

func (r *recent) disown(s *slot) {
	for i := range s.attempts {
		delete(r.owners, s.attempts[i].ID)
	}
}

// over says that nothing more is to be expected of a verification.
func (k known) over() bool {
	return k.v.Status != verify.Pending && !slices.ContainsFunc(k.attempts, func(a verify.Attempt) bool { return a.State != verify.StateEnded })
}

// get gives a verification; false: it is not known.
func (r *recent) get(id string) (known, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.all.rows[id].get(); ok {
		return k, true
	}
	if body := r.packed.get(id); body != nil {
		return r.packer.unpack(body)
	}
	return known{}, false
}

// of gives the verification of an attempt that is at hand.
func (r *recent) of(attempt string) (known, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[attempt].get()
}

func (s *slot) get() (known, bool) {
	if s == nil {
		return known{}, false
	}
	return s.known, true
}

// limit gives a row of counters, which must not be changed; nil: it is not known.
func (r *recent) limit(key string) *store.Limit {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.limits.rows[key]; l != nil {
		return l
	}
	if body := r.packedLimits.get(key); body != nil {
		if l, ok := r.packer.unpackLimit(body); ok {
			return l
		}
	}
	return nil
}

// state is what is known of an attempt's verification, for a reader.
func (k known) state(now int64) verify.State {
	return verify.State{Now: store.Time(now), Verification: k.v, Attempts: k.attempts}
}

// window holds the rows that were put last, by key.
type window[V any] struct {
	rows map[string]V
	keys []string // in the order in which they came; a ring once it is full
	next int
	came int // since the last rest
}

func newWindow[V any]() window[V] { return window[V]{rows: make(map[string]V)} }

// put keeps a row and gives the one that has to go for a new one, if it is still
// there: the oldest.
func (w *window[V]) put(key string, row V) (oldest string, gone V) {
	if _, ok := w.rows[key]; ok {
		w.rows[key] = row
		return "", gone
	}
	w.rows[key] = row
	w.came++
	if len(w.keys) < recentRows {
		w.keys = append(w.keys, key)
		return "", gone
	}
	oldest = w.keys[w.next]
	gone = w.rows[oldest]
	delete(w.rows, oldest)
	w.keys[w.next] = key
	w.next = (w.next + 1) % recentRows
	return oldest, gone
}
