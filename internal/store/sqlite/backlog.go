package sqlite

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
)

// backlog is the queue in memory. The file has which jobs there are; who works on
// them only one process has to know, and that ends with it. Safe for concurrent
// use.
type backlog struct {
	mu      sync.Mutex
	last    int64 // number of a job
	all     map[int64]*job
	subject map[string][]*job
	order   map[string][]*job // those of one order, by number: the first may be leased
	due     dueFirst          // free, and the first of their order
	alive   map[string]int64  // nodes, and until when; microseconds
	news    map[int64]*job    // those of whose subject there is news for their node
	taker   jobs.Taker        // nil: nobody takes jobs as they are written
}

// job is an unfinished one.
type job struct {
	id      int64
	kind    jobs.Kind
	subject string
	order   string // empty: none
	due     int64  // microseconds
	node    string // empty: nobody has it
	leases  int    // how often it was leased: the fence
	at      int    // in due; -1: not there
	going   bool   // it is being deleted: nobody may lease it
}

// ahead is what a transaction will do to the backlog once it is committed.
type ahead struct {
	added    []*job
	dropped  []*job
	finished []int64
}

func newBacklog() *backlog {
	return &backlog{
		all: make(map[int64]*job), subject: make(map[string][]*job), order: make(map[string][]*job), alive: make(map[string]int64),
		news: make(map[int64]*job),
	}
}

const selectJobs = `SELECT id, kind, subject, order_key, due_at FROM jobs ORDER BY id`

// read takes over which jobs the file has: those that are new to it, and those
// that are gone from there.
func (b *backlog) read(c *conn) error {
	there := make(map[int64]bool)
	var found []*job
	err := c.query(selectJobs, func(r *row) error {
		j := &job{id: r.int64(), kind: jobs.Kind(r.text()), subject: r.text(), order: string(r.bytes()), due: r.int64(), at: -1}
		there[j.id] = true
		found = append(found, j)
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, j := range b.all {
		if !there[id] {
			b.remove(j)
		}
	}
	for _, j := range found {
		if b.all[j.id] == nil {
			b.add(j)
		}
	}
	return nil
}

// number makes a job of one that is to be written.
func (b *backlog) number(n *jobs.New) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	return &job{id: b.last, kind: n.Kind, subject: n.Subject, order: string(n.Order), due: store.Micros(n.Due), at: -1}
}

// drop marks the jobs of these subjects that nobody has.
func (b *backlog) drop(subjects map[string]bool, a *ahead) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for subject := range subjects {
		for _, j := range b.subject[subject] {
			if j.node == "" && !j.going {
				j.going = true
				b.place(j)
				a.dropped = append(a.dropped, j)
			}
		}
	}
}

// erase takes out the jobs of these subjects, whoever has them.
func (b *backlog) erase(subjects []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, subject := range subjects {
		for _, j := range slices.Clone(b.subject[subject]) {
			b.remove(j)
		}
	}
}

// undo takes back what a transaction would have done.
func (b *backlog) undo(a *ahead) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range a.dropped {
		j.going = false
		b.place(j)
	}
	*a = ahead{}
}

// commit does what a transaction has done, and hands jobs that are due to the
// taker.
func (b *backlog) commit(a *ahead, now int64) {
	if len(a.added)+len(a.dropped)+len(a.finished) == 0 {
		return
	}
	b.mu.Lock()
	for _, id := range a.finished {
		if j := b.all[id]; j != nil {
			b.remove(j)
		}
	}
	for _, j := range a.dropped {
		b.remove(j)
	}
	for _, j := range a.added {
		b.add(j)
	}
	taker, hand, unused := b.hand(a.added, now)
	*a = ahead{added: a.added[:0], dropped: a.dropped[:0], finished: a.finished[:0]}
	b.mu.Unlock()
	if len(hand)+unused > 0 {
		taker.Take(hand, unused)
	}
}

// hand leases of new jobs what the taker has room for, as long as no older one
// waits for a place as well. The lock is held.
func (b *backlog) hand(added []*job, now int64) (taker jobs.Taker, leased []jobs.Job, unused int) {
	ready := 0
	for _, j := range added {
		if j.at >= 0 && j.due <= now {
			ready++
		}
	}
	if b.taker == nil || ready == 0 || b.due[0].id < added[0].id {
		return nil, nil, 0
	}
	node, places := b.taker.Reserve(ready)
	if b.alive[node] >= now {
		for len(leased) < places && len(b.due) > 0 && b.due[0].due <= now && b.due[0].id >= added[0].id {
			leased = append(leased, b.lease(b.due[0], node))
		}
	}
	return b.taker, leased, places - len(leased)
}

// add takes a job in. The lock is held, here and below.
func (b *backlog) add(j *job) {
	b.last = max(b.last, j.id)
	b.all[j.id] = j
	b.subject[j.subject] = append(b.subject[j.subject], j)
	if j.order != "" {
		b.order[j.order] = append(b.order[j.order], j)
	}
	b.place(j)
}

// remove takes a job out; the next of its order may be leased then.
func (b *backlog) remove(j *job) {
	delete(b.all, j.id)
	delete(b.news, j.id)
	without(b.subject, j.subject, j)
	if j.at >= 0 {
		heap.Remove(&b.due, j.at)
	}
	if j.order != "" {
		without(b.order, j.order, j)
		if next := b.order[j.order]; len(next) > 0 {
			b.place(next[0])
		}
	}
}

// without takes a job from a list; an empty list is dropped.
func without(lists map[string][]*job, key string, j *job) {
	if list := slices.DeleteFunc(lists[key], func(x *job) bool { return x == j }); len(list) > 0 {
		lists[key] = list
	} else {
		delete(lists, key)
	}
}

// place has a job stand among those that may be leased, or not.
func (b *backlog) place(j *job) {
	may := j.node == "" && !j.going && b.all[j.id] == j && (j.order == "" || b.order[j.order][0] == j)
	switch {
	case may && j.at < 0:
		heap.Push(&b.due, j)
	case may:
		heap.Fix(&b.due, j.at)
	case j.at >= 0:
		heap.Remove(&b.due, j.at)
	}
}

// lease gives a job to a node.
func (b *backlog) lease(j *job, node string) jobs.Job {
	j.node = node
	j.leases++
	b.place(j)
	return jobs.Job{Lease: jobs.Lease{Job: j.id, Node: node, N: j.leases}, Kind: j.kind, Subject: j.subject}
}

// take leases at most n jobs that are due, the longest due first.
func (b *backlog) take(node string, now, after int64, n int) []jobs.Job {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.alive[node] < now {
		return nil
	}
	var got []jobs.Job
	var older []*job
	for len(got) < n && len(b.due) > 0 && b.due[0].due <= now {
		j := b.due[0]
		if j.id <= after {
			heap.Pop(&b.due)
			older = append(older, j)
			continue
		}
		got = append(got, b.lease(j, node))
	}
	for _, j := range older {
		heap.Push(&b.due, j)
	}
	return got
}

// holder says who has a job, and until when that node is alive.
func (b *backlog) holder(id int64) store.Leased {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.all[id]
	if j == nil || j.node == "" {
		return store.Leased{}
	}
	return store.Leased{Lease: jobs.Lease{Job: id, Node: j.node, N: j.leases}, Alive: b.alive[j.node]}
}

// held says whether a lease is that of its job.
func (b *backlog) held(l jobs.Lease) bool { return b.holder(l.Job).Lease == l }

// postpone gives a job back, if the lease holds.
func (b *backlog) postpone(l jobs.Lease, now int64, d time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.all[l.Job]
	if j == nil || j.node != l.Node || j.leases != l.N || b.alive[l.Node] < now {
		return false
	}
	j.due = now + d.Microseconds()
	b.free(j)
	return true
}

// freeOf gives back what nodes hold that are not there any more, and says how
// much.
func (b *backlog) freeOf(gone func(node string, until int64) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for node, until := range b.alive {
		if gone(node, until) {
			delete(b.alive, node)
		}
	}
	n := 0
	for _, j := range b.all {
		if _, ok := b.alive[j.node]; j.node != "" && !ok {
			b.free(j)
			n++
		}
	}
	return n
}

func (b *backlog) free(j *job) {
	j.node = ""
	delete(b.news, j.id)
	b.place(j)
}

// renew says until when a node is alive.
func (b *backlog) renew(node string, until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive[node] = until
}

// next says when the earliest job that could be leased is due.
func (b *backlog) next() (due int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.due) == 0 {
		return 0, false
	}
	return b.due[0].due, true
}

// depth counts the jobs that nobody has.
func (b *backlog) depth(now int64) (due, waiting int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.all {
		switch {
		case j.node != "":
		case j.due <= now:
			due++
		default:
			waiting++
		}
	}
	return due, waiting
}

// dueFirst is a heap of jobs: the longest due first, of those the lowest number.
type dueFirst []*job

func (d dueFirst) Len() int { return len(d) }
func (d dueFirst) Less(i, k int) bool {
	return cmp.Or(cmp.Compare(d[i].due, d[k].due), cmp.Compare(d[i].id, d[k].id)) < 0
}

func (d dueFirst) Swap(i, k int) {
	d[i], d[k] = d[k], d[i]
	d[i].at, d[k].at = i, k
}

// Push adds a job; see container/heap.
func (d *dueFirst) Push(x any) {
	j := x.(*job)
	j.at = len(*d)
	*d = append(*d, j)
}

// Pop takes the last one.
func (d *dueFirst) Pop() any {
	last := len(*d) - 1
	j := (*d)[last]
	(*d)[last] = nil
	*d, j.at = (*d)[:last], -1
	return j
}
