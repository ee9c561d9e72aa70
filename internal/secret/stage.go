package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// ErrWaitingKey says that the keyring has a key already that was added and is not in use yet.
var ErrWaitingKey = errors.New("the keyring has a key that is not in use yet: rotate puts it into use")

// AddKey adds a key to the keyring at path and leaves the current one in use, so that every process that has a copy of the file
// can be given the new key before the first of them seals with it: RotateKeyring puts it into use. It gives the key's id. Of
// several callers only one may be at work at a time. ErrWaitingKey.
func AddKey(path string, now time.Time) (string, error) {
	k, err := LoadKeyring(path)
	if err != nil {
		return "", fmt.Errorf("add a key: %w", err)
	}
	in := k.in()
	if in.waiting() != "" {
		return "", fmt.Errorf("add a key: %w", ErrWaitingKey)
	}
	next, err := in.with(now.UTC().Truncate(time.Second))
	if err == nil {
		err = next.write(path, os.Rename)
	}
	if err != nil {
		return "", fmt.Errorf("add a key: %w", err)
	}
	return next.waiting(), nil
}

// waiting is the id of a key that was added after the current one; empty for none.
func (in *ring) waiting() string {
	if last := in.order[len(in.order)-1]; last != in.current {
		return last
	}
	return ""
}

// with is the ring with one more key, which waits.
func (in *ring) with(now time.Time) (*ring, error) {
	id := in.nextID()
	next := &ring{current: in.current, keys: make(map[string]key), order: append(slices.Clone(in.order), id), index: in.index}
	for id, k := range in.keys {
		next.keys[id] = k
	}
	fresh := key{created: now}
	if _, err := io.ReadFull(source(nil), fresh.secret[:]); err != nil {
		return nil, fmt.Errorf("random source: %w", err)
	}
	next.keys[id] = fresh
	return next, nil
}
