// Package account knows tenants: accounts, their API keys with scopes, and
// their services (the settings of one product). It does not know HTTP, nor what
// a verification does with a setting.
package account

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// Account is a tenant.
type Account struct {
	ID        string
	Name      string
	Disabled  bool
	CreatedAt time.Time
}

// Scope is one thing a key may do.
type Scope string

// The scopes. Admin includes verify and read; announce (free text and
// recordings) must always be named.
const (
	ScopeVerify   Scope = "verify"
	ScopeRead     Scope = "read"
	ScopeAnnounce Scope = "announce"
	ScopeAdmin    Scope = "admin"
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{ScopeVerify, ScopeRead, ScopeAnnounce, ScopeAdmin} }

// Key is an API key as it is kept: the secret itself is shown once and stored
// only as a hash.
type Key struct {
	ID        string
	Account   string
	Name      string
	Scopes    []Scope
	Hash      []byte
	CreatedAt time.Time
	RevokedAt time.Time // zero while it works
}

// Has says whether the key holds a scope, by name or through admin.
func (k Key) Has(s Scope) bool { return hasScope(k.Scopes, s) }

func hasScope(have []Scope, s Scope) bool {
	if slices.Contains(have, s) {
		return true
	}
	return s != ScopeAnnounce && slices.Contains(have, ScopeAdmin)
}

// GatePolicy says what happens on a route that takes no keys.
type GatePolicy string

// The gate policies.
const (
	GateRequire GatePolicy = "require" // such a route is not eligible
	GatePrefer  GatePolicy = "prefer"  // it is used, and the attempt is marked ungated
)

// Step is one step of a workflow.
type Step struct {
	Channel phone.Channel `json:"channel"`
	// Timeout is how long the person has before the next step: counted from the
	// end of a call, or from the carrier's acceptance of a message.
	Timeout time.Duration `json:"timeout"`
}

// Service is an account's settings for one product. The zero value of a field
// means the default written beside it.
type Service struct {
	ID          string        `json:"-"`
	Account     string        `json:"-"`
	Name        string        `json:"name"`
	Brand       string        `json:"brand"`        // said in the greeting; none
	CodeLength  int           `json:"code_length"`  // 4 to 10 digits; 6
	Validity    time.Duration `json:"validity"`     // 2 to 10 minutes; 10
	MaxGuesses  int           `json:"max_guesses"`  // 1 to 10; 5
	MaxSends    int           `json:"max_sends"`    // 1 to 10; 5
	Language    string        `json:"language"`     // by the number's country
	Gate        script.Gate   `json:"gate"`         // any_key, or screen_digits where the start shows them
	GatePolicy  GatePolicy    `json:"gate_policy"`  // prefer
	Workflow    []Step        `json:"workflow"`     // one voice step
	Countries   []string      `json:"countries"`    // narrows the server's list; ISO 3166 alpha-2
	PlainDigits bool          `json:"plain_digits"` // no "number" before each digit
}

// Defaults of a service.
const (
	DefaultCodeLength  = 6
	DefaultValidity    = 10 * time.Minute
	DefaultMaxGuesses  = 5
	DefaultMaxSends    = 5
	DefaultStepTimeout = 60 * time.Second
)

// WithDefaults fills what is zero.
func (s Service) WithDefaults() Service {
	if s.CodeLength == 0 {
		s.CodeLength = DefaultCodeLength
	}
	if s.Validity == 0 {
		s.Validity = DefaultValidity
	}
	if s.MaxGuesses == 0 {
		s.MaxGuesses = DefaultMaxGuesses
	}
	if s.MaxSends == 0 {
		s.MaxSends = DefaultMaxSends
	}
	if s.GatePolicy == "" {
		s.GatePolicy = GatePrefer
	}
	if len(s.Workflow) == 0 {
		s.Workflow = []Step{{Channel: phone.Voice, Timeout: DefaultStepTimeout}}
	}
	return s
}

// Errors of the store and the directory.
var (
	ErrNotFound = errors.New("account: not found")
	ErrExists   = errors.New("account: exists already")
	// ErrUnauthorized is the one answer to every bad credential: malformed,
	// unknown, revoked, or of a disabled account.
	ErrUnauthorized = errors.New("account: unknown or revoked key")
)

// Store keeps accounts, services and keys.
type Store interface {
	// InsertAccount writes an account with its default service. ErrExists.
	InsertAccount(ctx context.Context, a Account, def Service) error
	// Accounts lists all, oldest first.
	Accounts(ctx context.Context) ([]Account, error)
	// Account gives one. ErrNotFound.
	Account(ctx context.Context, id string) (Account, error)
	// Service gives one of an account's services; id "" is its default one.
	// ErrNotFound.
	Service(ctx context.Context, account, id string) (Service, error)
	// PutService writes a service's settings, new or changed.
	PutService(ctx context.Context, s Service) error
	// InsertKey writes a key. ErrExists.
	InsertKey(ctx context.Context, k Key) error
	// Key gives one by id. ErrNotFound.
	Key(ctx context.Context, id string) (Key, error)
	// Keys lists an account's keys, oldest first.
	Keys(ctx context.Context, account string) ([]Key, error)
	// RevokeKey ends a key of the account at the given time. ErrNotFound.
	RevokeKey(ctx context.Context, account, id string, at time.Time) error
}
