package store

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// ErrForeign says that an id belongs to another account, or to another
// verification.
var ErrForeign = errors.New("store: the id belongs to another account")

// Overlay is what a group knows: the rows that its members need, as they are
// stored and locked, and over them what the members so far have written. It is
// written at the end, each row once: a statement that names a row twice changes
// it once. An engine fills it with what it reads (Hold and the like), has plans
// carried out over it, and writes what is dirty. Not safe for concurrent use.
type Overlay struct {
	Now int64 // microseconds, read after everything was locked
	// Clock is the database's own reading of now, which leases are judged by: their
	// times are written by that clock, and it can go back, where another server took
	// over.
	Clock         int64
	Verifications map[string]*Held
	Limits        map[string]*Limit
	Once          map[string]*Kept
	Jobs          map[int64]Leased // by job: those that somebody has

	// What is to be written, beside the dirty rows.
	Written  map[string]Written // attempts
	Drop     map[string]bool    // subjects of jobs
	NewJobs  []jobs.New
	Finished map[int64]jobs.Lease

	pending  map[string][]string         // by binding: ids, some of which are no longer pending
	attempts map[string][]verify.Attempt // by verification; oldest first
}

// Held is a verification as the group sees it. What it points to is not changed.
type Held struct {
	*verify.Verification
	Stored *verify.Verification // as it is in the database; nil: there is none, or nobody has looked
	Dirty  bool
}

// Written is an attempt to be written.
type Written struct {
	verify.Attempt
	Stored bool           // it is in the database, with the same beginning: see sameBeginning
	Was    verify.Attempt // as it was read, where Stored
}

// Limit is a row of counters as the group sees it; a zero one was looked for in
// vain.
type Limit struct {
	Row    guard.Row
	Keep   int64 // microseconds
	Found  bool  // it is there, for the next member
	Stored bool  // it is in the database, and locked
	Blind  bool  // nobody has looked: it may be in the database
	Dirty  bool
	// Of a row that is in the database, for the engine: its own number of it, and the
	// Keep that it has there.
	Number, KeptUntil int64
}

// Kept is an answer as the group sees it.
type Kept struct {
	verify.Kept
	Found, Stored, Blind, Dirty bool // as those of Limit
}

// Leased is who has a job, and until when that node is alive.
type Leased struct {
	Lease jobs.Lease
	Alive int64 // microseconds
}

// NewOverlay makes one that knows nothing.
func NewOverlay() *Overlay {
	return &Overlay{
		Verifications: make(map[string]*Held), Limits: make(map[string]*Limit), Once: make(map[string]*Kept),
		Jobs: make(map[int64]Leased), Written: make(map[string]Written), Drop: make(map[string]bool),
		Finished: make(map[int64]jobs.Lease), pending: make(map[string][]string), attempts: make(map[string][]verify.Attempt),
	}
}

// Reset makes it know nothing.
func (o *Overlay) Reset() {
	clear(o.Verifications)
	clear(o.Limits)
	clear(o.Once)
	clear(o.Jobs)
	clear(o.Written)
	clear(o.Drop)
	clear(o.Finished)
	clear(o.pending)
	clear(o.attempts)
	o.NewJobs = o.NewJobs[:0]
}

// Hold adds a verification that was read, which must not be changed any more.
func (o *Overlay) Hold(v *verify.Verification) {
	o.Verifications[v.ID] = &Held{Verification: v, Stored: v}
	o.expect(v)
}

// HoldAttempts adds the attempts that were read of a verification. The list stays
// the caller's, who must not change it.
func (o *Overlay) HoldAttempts(verification string, list []verify.Attempt) {
	o.attempts[verification] = list
}

// Attempts gives the attempts of a verification, oldest first. They must not be
// changed.
func (o *Overlay) Attempts(verification string) []verify.Attempt { return o.attempts[verification] }

// LookedFor notes that a row of counters was looked for: where it was not found,
// it is not there.
func (o *Overlay) LookedFor(key string) {
	if key != "" && o.Limits[key] == nil {
		o.Limits[key] = &Limit{}
	}
}

// expect notes that a verification may be a pending one of its binding.
func (o *Overlay) expect(v *verify.Verification) {
	if v.Status == verify.Pending && len(v.Binding) > 0 && !slices.Contains(o.pending[string(v.Binding)], v.ID) {
		o.pending[string(v.Binding)] = append(o.pending[string(v.Binding)], v.ID)
	}
}

// ErrMissing says that a member needs a row of counters that was not read, because
// its verification is a neighbour's own.
var ErrMissing = errors.New("store: a row is needed that was not read")

// CarryOut runs a member's plan and takes over what it wants written. With an
// error nothing of it is. ErrMissing.
func (o *Overlay) CarryOut(op verify.Op) error {
	st, whole := o.state(op.Need)
	if !whole {
		return ErrMissing
	}
	w, err := RunPlan(op.Plan, st)
	if err != nil {
		return err
	}
	return o.put(w)
}

// state gives a member what it needs. whole is false where a row of counters is
// needed that was not read.
func (o *Overlay) state(need verify.Need) (st verify.State, whole bool) {
	st = verify.State{Now: Time(o.Now), Limits: make(map[string]guard.Row, len(need.Limits)+1)}
	whole = true
	for _, key := range need.Limits {
		whole = o.limit(key, &st) && whole
	}
	if h := o.Verifications[need.Verification]; h != nil && (need.Account == "" || h.Account == need.Account) {
		st.Verification, st.Attempts = h.Verification, o.attempts[h.ID]
		whole = o.limit(h.LimitKey, &st) && whole
	}
	st.Pending = o.pendingOf(need)
	for i := range st.Pending {
		whole = o.limit(st.Pending[i].Verification.LimitKey, &st) && whole
	}
	st.Once = o.Answer(need)
	if l := need.Lease; l != nil {
		j, ok := o.Jobs[l.Job]
		st.Leased = ok && j.Lease == *l && j.Alive >= o.Clock
	}
	return st, whole
}

// Answer gives the kept answer that is asked for, if its time is not over; nil: there is
// none.
func (o *Overlay) Answer(need verify.Need) *verify.Kept {
	k := o.Once[string(need.Once)]
	if len(need.Once) == 0 || k == nil || !k.Found || k.Account != need.Account || Micros(k.KeepUntil) <= o.Now {
		return nil
	}
	answer := k.Kept
	return &answer
}

// limit gives a member a row of counters, and says whether that could be done.
func (o *Overlay) limit(key string, st *verify.State) bool {
	l, ok := o.Limits[key]
	if ok && l.Found {
		st.Limits[key] = l.Row
	}
	return ok || key == ""
}

// LimitKeys names the counters of the verifications that are known to have been
// pending for a binding.
func (o *Overlay) LimitKeys(binding []byte) []string {
	var keys []string
	for _, id := range o.pending[string(binding)] {
		keys = append(keys, o.Verifications[id].LimitKey)
	}
	return keys
}

// pendingOf gives the pending verifications of a binding, oldest first.
func (o *Overlay) pendingOf(need verify.Need) []verify.Group {
	var out []verify.Group
	if len(need.Binding) == 0 {
		return nil
	}
	for _, id := range o.pending[string(need.Binding)] {
		h := o.Verifications[id]
		if h.Status == verify.Pending && h.Account == need.Account && bytes.Equal(h.Binding, need.Binding) {
			out = append(out, verify.Group{Verification: *h.Verification, Attempts: o.attempts[id]})
		}
	}
	slices.SortFunc(out, func(a, b verify.Group) int {
		return cmp.Or(a.Verification.CreatedAt.Compare(b.Verification.CreatedAt), cmp.Compare(a.Verification.ID, b.Verification.ID))
	})
	return out
}

// put takes over what a member wants written: all of it, or with an error
// nothing.
func (o *Overlay) put(w verify.Writes) error {
	if err := o.refuse(w); err != nil {
		return err
	}
	for i := range w.Verifications {
		v := &w.Verifications[i]
		h := o.Verifications[v.ID]
		if h == nil {
			h = &Held{}
			o.Verifications[v.ID] = h
		}
		h.Verification, h.Dirty = v, true
		o.expect(v)
	}
	for i := range w.Attempts {
		o.putAttempt(&w.Attempts[i])
	}
	for key, l := range w.Limits {
		before, known := o.Limits[key]
		if !known {
			before = &Limit{Blind: true}
		}
		o.Limits[key] = &Limit{
			Row: l.Row, Keep: Micros(l.KeepUntil), Found: true, Stored: before.Stored, Blind: before.Blind, Dirty: true,
			Number: before.Number, KeptUntil: before.KeptUntil,
		}
	}
	o.putJobs(w)
	if w.Once != nil {
		o.putOnce(*w.Once)
	}
	return nil
}

func (o *Overlay) putAttempt(a *verify.Attempt) {
	list := o.attempts[a.Verification]
	at := slices.IndexFunc(list, func(b verify.Attempt) bool { return b.ID == a.ID })
	written, again := o.Written[a.ID]
	if written.Attempt = *a; !again && at >= 0 {
		written.Stored, written.Was = true, list[at]
	}
	written.Stored = written.Stored && at >= 0 && sameBeginning(&list[at], a)
	o.Written[a.ID] = written
	list = slices.Clone(list) // which may be what an engine keeps
	if at >= 0 {
		list[at] = *a
	} else {
		list = append(list, *a)
	}
	SortAttempts(list)
	o.attempts[a.Verification] = list
}

// sameBeginning says that two states of an attempt differ in what changes only.
func sameBeginning(a, b *verify.Attempt) bool {
	return a.Verification == b.Verification && a.Account == b.Account && a.N == b.N && a.Send == b.Send && a.Step == b.Step &&
		a.Channel == b.Channel && a.CreatedAt.Equal(b.CreatedAt)
}

// refuse finds what is known already to fail.
func (o *Overlay) refuse(w verify.Writes) error {
	for i := range w.Verifications {
		if h := o.Verifications[w.Verifications[i].ID]; h != nil && h.Account != w.Verifications[i].Account {
			return ErrForeign
		}
	}
	for i := range w.Attempts {
		a := &w.Attempts[i]
		if b, ok := o.Written[a.ID]; ok && (a.Account != b.Account || a.Verification != b.Verification) {
			return ErrForeign
		}
	}
	if l := w.Finish; l != nil {
		if j, ok := o.Jobs[l.Job]; ok && j.Lease != *l {
			return jobs.ErrLeaseLost
		}
		if _, ok := o.Finished[l.Job]; ok {
			return jobs.ErrLeaseLost
		}
	}
	return nil
}

func (o *Overlay) putJobs(w verify.Writes) {
	for _, subject := range w.Drop {
		o.Drop[subject] = true
	}
	if len(w.Drop) > 0 { // nobody can have leased what is not written yet
		o.NewJobs = slices.DeleteFunc(o.NewJobs, func(j jobs.New) bool { return slices.Contains(w.Drop, j.Subject) })
	}
	o.NewJobs = append(o.NewJobs, w.Jobs...)
	if w.Finish != nil {
		o.Finished[w.Finish.Job] = *w.Finish
		o.Jobs[w.Finish.Job] = Leased{} // nobody's any more
	}
}

func (o *Overlay) putOnce(k verify.Kept) {
	before, known := o.Once[string(k.Key)]
	if !known {
		before = &Kept{Blind: true}
	}
	o.Once[string(k.Key)] = &Kept{Kept: k, Found: true, Stored: before.Stored, Blind: before.Blind, Dirty: true}
}

// SortAttempts puts attempts of one verification in order.
func SortAttempts(list []verify.Attempt) {
	if len(list) > 1 {
		slices.SortFunc(list, func(a, b verify.Attempt) int { return cmp.Compare(a.N, b.N) })
	}
}

// keepStep is what the time to keep a row of counters is rounded up to, in
// microseconds. It moves on with every use of the row, and an index has it: a row
// whose indexed columns stay as they are is changed where it stands, without a word
// to any index.
const keepStep = int64(10 * time.Minute / time.Microsecond)

// RoundKeep gives the stored form of Limit.Keep.
func RoundKeep(micros int64) int64 { return (micros + keepStep - 1) / keepStep * keepStep }

// Sorted gives the keys of a map in order, which is the order of locks.
func Sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
