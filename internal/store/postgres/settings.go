package postgres

import (
	"sync"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// settings decodes stored settings, for several goroutines.
type settings struct {
	mu    sync.Mutex
	cache store.SettingsCache
}

func (s *settings) decode(text string) (verify.Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cache.Decode(text)
}
