package sqlite

import (
	"slices"

	"github.com/pincall/pincall/internal/verify"
)

// bindings finds the pending verifications of a binding: there are as many as were
// begun in the last ten minutes, and an index in the file would cost every start
// and every end a page of its own. Only the writer uses it.
type bindings map[bindingKey][]string // ids

// bindingKey is the beginning of a binding, which is a keyed hash.
type bindingKey [16]byte

func keyOf(binding []byte) (k bindingKey) {
	copy(k[:], binding)
	return k
}

// The index on their time holds nothing but pending ones.
const selectBindings = `SELECT id, binding FROM verifications INDEXED BY verifications_expiry WHERE status = 'pending'`

// read takes over what the file has.
func (b *bindings) read(c *conn) error {
	all := make(bindings)
	err := c.query(selectBindings, func(r *row) error {
		id, binding := r.text(), r.bytes()
		if len(binding) > 0 {
			all.add(keyOf(binding), id)
		}
		return nil
	})
	if err == nil {
		*b = all
	}
	return err
}

// note takes over a verification as it was committed.
func (b bindings) note(v *verify.Verification) {
	if len(v.Binding) == 0 {
		return
	}
	k := keyOf(v.Binding)
	if v.Status == verify.Pending {
		b.add(k, v.ID)
	} else {
		b.remove(k, v.ID)
	}
}

// drop forgets verifications that are gone.
func (b bindings) drop(gone map[string][]byte) {
	for id, binding := range gone {
		b.remove(keyOf(binding), id)
	}
}

func (b bindings) remove(k bindingKey, id string) {
	if len(b[k]) == 0 {
		return
	}
	if left := slices.DeleteFunc(b[k], func(x string) bool { return x == id }); len(left) > 0 {
		b[k] = left
	} else {
		delete(b, k)
	}
}

func (b bindings) add(k bindingKey, id string) {
	if !slices.Contains(b[k], id) {
		b[k] = append(b[k], id)
	}
}
