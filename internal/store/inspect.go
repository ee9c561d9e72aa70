package store

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
)

// Inspection is what can be learned of a database without touching it.
type Inspection struct {
	Version, Known int    // of the schema: the database's, and the newest that this program knows
	KeyCheck       string // of the keyring it was made with; empty: none was noted
	Newest         time.Time
	Services       []account.Service
	// WorkingKeys are the keys that are not revoked, with their scopes.
	WorkingKeys map[string][]account.Scope
}

// Note keeps the newest time.
func (i *Inspection) Note(t time.Time) {
	if t.After(i.Newest) {
		i.Newest = t
	}
}

// AddService keeps a service with its stored settings.
func (i *Inspection) AddService(acc, id, settings string) error {
	s := account.Service{Account: acc, ID: id}
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return errors.New("the settings of service " + id + " cannot be read")
	}
	i.Services = append(i.Services, s)
	return nil
}

// AddKey keeps a working key with its stored scopes.
func (i *Inspection) AddKey(id, scopes string) {
	if i.WorkingKeys == nil {
		i.WorkingKeys = make(map[string][]account.Scope)
	}
	for _, s := range strings.Fields(scopes) {
		i.WorkingKeys[id] = append(i.WorkingKeys[id], account.Scope(s))
	}
}
