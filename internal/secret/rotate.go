package secret

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dropAfter is how long a key must have been out of use before it can be dropped: a process that has not yet reloaded the file
// may still seal with it.
const dropAfter = time.Minute

// ErrOtherKeyring says that a file holds another keyring, not a later state of the same one.
var ErrOtherKeyring = errors.New("the file holds another keyring: its index key differs")

// Rotation is what happened to a keyring. Ids are public.
type Rotation struct {
	Current string   // the new key
	Dropped []string // older keys that are gone
	Kept    []string // older keys that still check and open, oldest first
}

// RotateKeyring adds a key to the keyring at path and makes it the current one; where AddKey has added one, it is that. Older keys go on to check and open. Of these,
// unused picks some to be dropped, if it is not nil; those of the last minute stay whatever it says. The file is replaced
// whole, mode 0600, and is on disk when this returns. Of several callers only one may be at work at a time.
func RotateKeyring(path string, now time.Time, unused func(id string) (bool, error)) (Rotation, error) {
	k, err := LoadKeyring(path)
	if err != nil {
		return Rotation{}, fmt.Errorf("rotate: %w", err)
	}
	next, out, err := k.in().rotated(now.UTC().Truncate(time.Second), unused)
	if err != nil {
		return Rotation{}, fmt.Errorf("rotate: %w", err)
	}
	if err := next.write(path, os.Rename); err != nil {
		return Rotation{}, fmt.Errorf("rotate: %w", err)
	}
	return out, nil
}

// rotated is the ring with a new current key and without those that are dropped.
func (in *ring) rotated(now time.Time, unused func(string) (bool, error)) (*ring, Rotation, error) {
	id := in.waiting()
	if id == "" {
		var err error
		if in, err = in.with(now); err != nil {
			return nil, Rotation{}, err
		}
		id = in.waiting()
	}
	out := Rotation{Current: id}
	next := &ring{current: id, keys: make(map[string]key), index: in.index}
	for i, old := range in.order[:len(in.order)-1] {
		// A key was in use until the one after it was made; the current one is until now.
		drop := unused != nil && old != in.current && now.Sub(in.keys[in.order[i+1]].created) >= dropAfter
		if drop {
			var err error
			if drop, err = unused(old); err != nil {
				return nil, out, err
			}
		}
		if drop {
			out.Dropped = append(out.Dropped, old)
			continue
		}
		out.Kept = append(out.Kept, old)
		next.keys[old] = in.keys[old]
	}
	next.keys[id] = key{secret: in.keys[id].secret, created: now} // the time since when it is in use
	next.order = append(slices.Clone(out.Kept), id)
	return next, out, nil
}

// nextID counts on from the greatest id there is, so that no id comes back as long as the current key is in the file.
func (in *ring) nextID() string {
	most := 0
	for _, id := range in.order {
		digits, ours := strings.CutPrefix(id, "k")
		if n, err := strconv.Atoi(digits); ours && err == nil {
			most = max(most, n)
		}
	}
	return "k" + strconv.Itoa(most+1)
}

// Reload takes over the keys of the file, and says whether they differ from those held. ErrOtherKeyring where the file is not
// a later state of this keyring; the keys are then left as they are, as they are at any other error.
func (k Keyring) Reload(path string) (bool, error) {
	loaded, err := LoadKeyring(path)
	if err != nil {
		return false, fmt.Errorf("reload: %w", err)
	}
	have, now := k.in(), loaded.in()
	if have.index != now.index || !now.continues(have) {
		return false, fmt.Errorf("reload: %w", ErrOtherKeyring)
	}
	if have.current == now.current && slices.Equal(have.order, now.order) {
		return false, nil
	}
	k.swap(now)
	return true, nil
}

// continues says that a keyring is a later state of an earlier one: it has the key
// that was current, and what both call the same is the same.
func (in *ring) continues(before *ring) bool {
	if _, ok := in.keys[before.current]; !ok {
		return false
	}
	for id, k := range before.keys {
		if mine, ok := in.keys[id]; ok && mine.secret != k.secret {
			return false
		}
	}
	return true
}

// KeyMark is how every value sealed with a key begins: for finding out whether anything still needs it.
func KeyMark(id string) []byte { return append([]byte{sealVersion, byte(len(id))}, id...) }
