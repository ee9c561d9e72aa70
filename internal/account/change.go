package account

import (
	"encoding/json"
	"fmt"
	"time"
)

// Change is one administrative act on an account: what it reads, and a pure,
// repeatable plan over it. Everything it reads and writes belongs to Account.
type Change struct {
	Account string
	Service string // the service to read; empty: none
	Key     string // the key to read; empty: none
	Once    []byte // the kept answer to read; empty: none
	Plan    func(Held) (Writes, error)
}

// Held is what a plan is given; nil is what the account does not have.
type Held struct {
	Now     time.Time
	Account *Account
	Service *Service
	Pending bool // Service has pending verifications
	Key     *Key
	Once    *Kept
}

// Writes is what a plan wants written. Its zero value writes nothing.
type Writes struct {
	Account *Account // inserted or replaced
	Service *Service // inserted or replaced
	Key     *Key     // inserted, or revoked: nothing else of a key changes
	// DropService deletes the service of this id.
	DropService string
	Entry       *Entry // its number is the store's to give
	Once        *Kept
}

// Kept is an answer kept for an Idempotency-Key.
type Kept struct {
	Key       []byte
	Body      []byte // keyed hash of the request's body
	Answer    []byte // sealed
	KeepUntil time.Time
}

// Entry is one line of the log of administrative acts. It is written in the
// transaction of the act, and holds no code, no phone number and no secret of a
// key.
type Entry struct {
	N       int64  // counts the account's entries from 1, without gaps
	Account string // whose
	By      string // the id of an API key, or ByCLI
	Action  Action
	Target  string          // id of what was changed; of a template "service/language"
	Before  json.RawMessage // nil: it was not there
	After   json.RawMessage // nil: it is no longer there
	At      time.Time
}

// ByCLI is who acted where it was not an API key: who can open the data folder.
const ByCLI = "cli"

// Action is what was done.
type Action string

// The actions.
const (
	AccountCreated  Action = "account.created"
	AccountDisabled Action = "account.disabled"
	AccountEnabled  Action = "account.enabled"
	ServiceCreated  Action = "service.created"
	ServiceChanged  Action = "service.changed"
	ServiceDeleted  Action = "service.deleted"
	TemplateSaved   Action = "template.saved"
	TemplateDeleted Action = "template.deleted"
	KeyCreated      Action = "key.created"
	KeyRevoked      Action = "key.revoked"
)

// Actions lists all actions.
func Actions() []Action {
	return []Action{AccountCreated, AccountDisabled, AccountEnabled, ServiceCreated, ServiceChanged, ServiceDeleted,
		TemplateSaved, TemplateDeleted, KeyCreated, KeyRevoked, PersonErased}
}

// record gives the form of a value in the log.
func record(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // plain data: strings, numbers and times
		panic(fmt.Sprintf("account: a log entry cannot be written: %v", err))
	}
	return b
}

func (a Account) record() json.RawMessage {
	return record(struct {
		Name     string `json:"name"`
		Disabled bool   `json:"disabled"`
	}{a.Name, a.Disabled})
}

// record leaves the hash out.
func (k Key) record() json.RawMessage {
	return record(struct {
		Name    string  `json:"name"`
		Scopes  []Scope `json:"scopes"`
		Revoked bool    `json:"revoked"`
	}{k.Name, k.Scopes, !k.RevokedAt.IsZero()})
}

// record leaves the templates out, which have entries of their own, and gives
// times in seconds.
func (s Service) record() json.RawMessage {
	type step struct {
		Channel string `json:"channel"`
		Timeout int    `json:"timeout_seconds,omitempty"`
	}
	out := struct {
		Service
		Validity int    `json:"validity_seconds,omitempty"`
		Workflow []step `json:"workflow,omitempty"`
	}{Service: s, Validity: int(s.Validity / time.Second)}
	for _, w := range s.Workflow {
		out.Workflow = append(out.Workflow, step{string(w.Channel), int(w.Timeout / time.Second)})
	}
	out.Service.Validity, out.Service.Templates = 0, nil
	return record(out)
}
