package postgres

import "sync"

// limitKeys are the names of the rows of counters that verifications have, which
// never change: whoever knows it can read the row without asking the verification.
// Safe for concurrent use; the zero value is ready.
type limitKeys struct {
	mu         sync.Mutex
	young, old map[string]string // by verification
}

// maxLimitKeys bounds each half of limitKeys: a full one replaces the other.
const maxLimitKeys = 8192

func (k *limitKeys) get(verification string) (key string, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, known = k.young[verification]; !known {
		key, known = k.old[verification]
	}
	return key, known
}

func (k *limitKeys) add(verification, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.young) >= maxLimitKeys || k.young == nil {
		k.young, k.old = make(map[string]string), k.young
	}
	k.young[verification] = key
}

// learn takes over what a group knows.
func (k *limitKeys) learn(o overlay) {
	for id, h := range o.Verifications {
		if h.LimitKey != "" {
			k.add(id, h.LimitKey)
		}
	}
}
