package postgres

import (
	"hash/fnv"
	"maps"
	"slices"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// needs is the union of what the members of a group need; each list is sorted,
// without repetition.
type needs struct {
	ids      []string
	bindings [][]byte
	accounts []string // the rows of counters that the accounts have
	limits   []string // all others
	theirs   []string // verifications whose rows of counters are not known by name
	once     [][]byte
	jobs     []int64
	leases   map[int64]jobs.Lease
	careful  bool // everything is locked by itself
	own      bool // over a session of its own: see ownSession
}

// accountKey names the row that counts an account, as verify does.
func accountKey(id string) string { return "a/" + id }

// named gathers what may be named more than once.
type named struct{ ids, limits, accounts, bindings, once map[string]bool }

// union gathers. A member that does not name its account's row makes the group a
// careful one, and so do two who claim one job.
func (s *Store) union(ops []verify.Op) needs {
	u := named{make(map[string]bool), make(map[string]bool), make(map[string]bool), make(map[string]bool), make(map[string]bool)}
	n := needs{leases: make(map[int64]jobs.Lease)}
	for _, op := range ops {
		own := accountKey(op.Need.Account)
		u.add(op.Need, own)
		n.careful = n.careful || op.Need.Account == "" || !slices.Contains(op.Need.Limits, own)
		if l := op.Need.Lease; l != nil {
			if other, claimed := n.leases[l.Job]; claimed && other != *l {
				n.careful = true
			}
			n.leases[l.Job] = *l
		}
	}
	for id := range u.ids {
		if key, known := s.limitKeys.get(id); known {
			u.limits[key] = true
		} else {
			n.theirs = append(n.theirs, id)
		}
	}
	n.jobs = slices.Sorted(maps.Keys(n.leases))
	n.ids, n.limits, n.accounts = store.Sorted(u.ids), store.Sorted(u.limits), store.Sorted(u.accounts)
	for _, b := range store.Sorted(u.bindings) {
		n.bindings = append(n.bindings, []byte(b))
	}
	for _, k := range store.Sorted(u.once) {
		n.once = append(n.once, []byte(k))
	}
	return n
}

func (u named) add(need verify.Need, own string) {
	if need.Verification != "" {
		u.ids[store.Text(need.Verification)] = true
	}
	for _, key := range need.Limits {
		if key == own {
			u.accounts[key] = true
			continue
		}
		u.limits[key] = true
	}
	if len(need.Binding) > 0 {
		u.bindings[string(need.Binding)] = true
	}
	if len(need.Once) > 0 {
		u.once[string(need.Once)] = true
	}
}

// locks gives the numbers of the locks on bindings, in order. Two bindings may
// share one: they wait for each other, no more.
func (n needs) locks() []int64 {
	out := make([]int64, len(n.bindings))
	for i, b := range n.bindings {
		h := fnv.New64a()
		h.Write([]byte("pincall binding "))
		h.Write(b)
		out[i] = int64(h.Sum64())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
