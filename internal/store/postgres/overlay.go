package postgres

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// overlay is what a group knows: the rows that its members need, as they are
// stored and locked, and over them what the members so far have written. It is
// written at the end, each row once: a statement that names a row twice changes
// it once. Not safe for concurrent use.
type overlay struct {
	now int64 // microseconds, read after everything was locked
	// The database's own reading of now, which leases are judged by: their times are
	// written by that clock, and it can go back, where another server took over.
	clock         int64
	verifications map[string]*held
	pending       map[string][]string         // by binding: ids, some of which are no longer pending
	attempts      map[string][]verify.Attempt // by verification; oldest first
	limits        map[string]*limit
	once          map[string]*kept
	jobs          map[int64]leased // by job: those that somebody has

	// What is to be written, beside the dirty rows.
	written  map[string]verify.Attempt
	drop     map[string]bool // subjects
	newJobs  []jobs.New
	finished map[int64]jobs.Lease
}

// held is a verification as the group sees it.
type held struct {
	verify.Verification
	stored *verify.Verification // as it is in the database; nil: there is none, or nobody has looked
	dirty  bool
}

// limit is a row of counters as the group sees it; a zero one was looked for in
// vain.
type limit struct {
	row    guard.Row
	keep   int64 // microseconds
	found  bool  // it is there, for the next member
	stored bool  // it is in the database, and locked
	blind  bool  // nobody has looked: it may be in the database
	dirty  bool
}

// kept is an answer as the group sees it.
type kept struct {
	verify.Kept
	found, stored, blind, dirty bool // as those of limit
}

// leased is who has a job, and until when that node is alive.
type leased struct {
	lease jobs.Lease
	alive int64 // microseconds
}

func newOverlay() *overlay {
	return &overlay{
		verifications: make(map[string]*held), pending: make(map[string][]string), attempts: make(map[string][]verify.Attempt),
		limits: make(map[string]*limit), once: make(map[string]*kept), jobs: make(map[int64]leased),
		written: make(map[string]verify.Attempt), drop: make(map[string]bool), finished: make(map[int64]jobs.Lease),
	}
}

// hold adds a verification that was read.
func (o *overlay) hold(v verify.Verification) {
	stored := v
	o.verifications[v.ID] = &held{Verification: v, stored: &stored}
	o.expect(v)
}

// expect notes that a verification may be a pending one of its binding.
func (o *overlay) expect(v verify.Verification) {
	if v.Status == verify.Pending && len(v.Binding) > 0 && !slices.Contains(o.pending[string(v.Binding)], v.ID) {
		o.pending[string(v.Binding)] = append(o.pending[string(v.Binding)], v.ID)
	}
}

// state gives a member what it needs. whole is false where a row of counters is
// needed that was not read, because its verification is a neighbour's own.
func (o *overlay) state(need verify.Need) (st verify.State, whole bool) {
	st = verify.State{Now: store.Time(o.now), Limits: make(map[string]guard.Row, len(need.Limits)+1)}
	keys := slices.Clone(need.Limits)
	if h := o.verifications[need.Verification]; h != nil && (need.Account == "" || h.Account == need.Account) {
		v := h.Verification
		st.Verification, st.Attempts = &v, slices.Clone(o.attempts[v.ID])
		keys = append(keys, v.LimitKey)
	}
	st.Pending = o.pendingOf(need)
	for _, g := range st.Pending {
		keys = append(keys, g.Verification.LimitKey)
	}
	for _, key := range keys {
		l, ok := o.limits[key]
		if !ok && key != "" {
			return st, false
		}
		if ok && l.found {
			st.Limits[key] = l.row
		}
	}
	if k := o.once[string(need.Once)]; len(need.Once) > 0 && k != nil && k.found && k.Account == need.Account && store.Micros(k.KeepUntil) > o.now {
		answer := k.Kept
		st.Once = &answer
	}
	if l := need.Lease; l != nil {
		j, ok := o.jobs[l.Job]
		st.Leased = ok && j.lease == *l && j.alive >= o.clock
	}
	return st, true
}

// pendingOf gives the pending verifications of a binding, oldest first.
func (o *overlay) pendingOf(need verify.Need) []verify.Group {
	var out []verify.Group
	if len(need.Binding) == 0 {
		return nil
	}
	for _, id := range o.pending[string(need.Binding)] {
		h := o.verifications[id]
		if h.Status == verify.Pending && h.Account == need.Account && bytes.Equal(h.Binding, need.Binding) {
			out = append(out, verify.Group{Verification: h.Verification, Attempts: slices.Clone(o.attempts[id])})
		}
	}
	slices.SortFunc(out, func(a, b verify.Group) int {
		return cmp.Or(a.Verification.CreatedAt.Compare(b.Verification.CreatedAt), cmp.Compare(a.Verification.ID, b.Verification.ID))
	})
	return out
}

// put takes over what a member wants written: all of it, or with an error
// nothing.
func (o *overlay) put(w verify.Writes) error {
	if err := o.refuse(w); err != nil {
		return err
	}
	for _, v := range w.Verifications {
		h := o.verifications[v.ID]
		if h == nil {
			h = &held{}
			o.verifications[v.ID] = h
		}
		h.Verification, h.dirty = v, true
		o.expect(v)
	}
	for _, a := range w.Attempts {
		o.written[a.ID] = a
		list := o.attempts[a.Verification]
		if i := slices.IndexFunc(list, func(b verify.Attempt) bool { return b.ID == a.ID }); i >= 0 {
			list[i] = a
		} else {
			list = append(list, a)
		}
		sortAttempts(list)
		o.attempts[a.Verification] = list
	}
	for key, l := range w.Limits {
		before, known := o.limits[key]
		if !known {
			before = &limit{blind: true}
		}
		o.limits[key] = &limit{
			row: l.Row, keep: store.Micros(l.KeepUntil), found: true, stored: before.stored, blind: before.blind, dirty: true,
		}
	}
	o.putJobs(w)
	if w.Once != nil {
		o.putOnce(*w.Once)
	}
	return nil
}

// refuse finds what is known already to fail.
func (o *overlay) refuse(w verify.Writes) error {
	for i := range w.Verifications {
		if h := o.verifications[w.Verifications[i].ID]; h != nil && h.Account != w.Verifications[i].Account {
			return errForeign
		}
	}
	for _, a := range w.Attempts {
		if b, ok := o.written[a.ID]; ok && (a.Account != b.Account || a.Verification != b.Verification) {
			return errForeign
		}
	}
	if l := w.Finish; l != nil {
		if j, ok := o.jobs[l.Job]; ok && j.lease != *l {
			return jobs.ErrLeaseLost
		}
		if _, ok := o.finished[l.Job]; ok {
			return jobs.ErrLeaseLost
		}
	}
	return nil
}

func (o *overlay) putJobs(w verify.Writes) {
	for _, subject := range w.Drop {
		o.drop[subject] = true
	}
	if len(w.Drop) > 0 { // nobody can have leased what is not written yet
		o.newJobs = slices.DeleteFunc(o.newJobs, func(j jobs.New) bool { return slices.Contains(w.Drop, j.Subject) })
	}
	o.newJobs = append(o.newJobs, w.Jobs...)
	if w.Finish != nil {
		o.finished[w.Finish.Job] = *w.Finish
		o.jobs[w.Finish.Job] = leased{} // nobody's any more
	}
}

func (o *overlay) putOnce(k verify.Kept) {
	before, known := o.once[string(k.Key)]
	if !known {
		before = &kept{blind: true}
	}
	o.once[string(k.Key)] = &kept{Kept: k, found: true, stored: before.stored, blind: before.blind, dirty: true}
}

// sorted gives the keys of a map in order, which is the order of locks.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
