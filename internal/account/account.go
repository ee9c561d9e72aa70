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
// means the default written beside it. What Check finds no fault with can be
// stored. Holders of a Service share its slices and maps: they are never changed.
type Service struct {
	ID          string        `json:"-"`
	Account     string        `json:"-"`
	Default     bool          `json:"-"`                      // the account's default one; fixed when it is made
	Name        string        `json:"name,omitempty"`         // a label for the operator; required
	Brand       string        `json:"brand,omitempty"`        // said in the greeting; none
	Domain      string        `json:"domain,omitempty"`       // the host that a text message's code is for; any
	CodeLength  int           `json:"code_length,omitempty"`  // 4 to 10 digits; 6
	Validity    time.Duration `json:"validity,omitempty"`     // 2 to 10 minutes in whole seconds; 10
	MaxGuesses  int           `json:"max_guesses,omitempty"`  // 1 to 10; 5
	MaxSends    int           `json:"max_sends,omitempty"`    // 1 to 10; 5
	Language    string        `json:"language,omitempty"`     // BCP 47; by the number's country
	Gate        script.Gate   `json:"gate,omitempty"`         // any_key, or screen_digits where the start shows them
	GatePolicy  GatePolicy    `json:"gate_policy,omitempty"`  // prefer
	Workflow    []Step        `json:"workflow,omitempty"`     // at most 5 steps; one voice step
	Countries   []string      `json:"countries,omitempty"`    // narrows the server's list; ISO 3166 alpha-2
	PlainDigits bool          `json:"plain_digits,omitempty"` // no "number" before each digit
	// Templates are the tenant's own words, by language (script.Languages).
	Templates map[string]script.Template `json:"templates,omitempty"`
}

// DefaultService is the id of the service that is made with an account.
const DefaultService = "default"

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
	// ErrDefault says that the default service stays as long as its account.
	ErrDefault = errors.New("account: the default service cannot be deleted")
	// ErrInUse says that a service has pending verifications.
	ErrInUse = errors.New("account: the service has pending verifications")
	// ErrOnceMismatch says that an Idempotency-Key was used for another request.
	ErrOnceMismatch = errors.New("account: the idempotency key was used for another request")
)

// Store keeps accounts, services, keys and the log of what was done to them.
type Store interface {
	// InsertAccount writes an account with its default service, outside the log:
	// for the one that is made at the first start. ErrExists.
	InsertAccount(ctx context.Context, a Account, def Service) error
	// Accounts lists all, oldest first.
	Accounts(ctx context.Context) ([]Account, error)
	// Account gives one. ErrNotFound.
	Account(ctx context.Context, id string) (Account, error)
	// Services lists an account's services: the default one, then by id.
	Services(ctx context.Context, account string) ([]Service, error)
	// Service gives one of an account's services; id "" is its default one.
	// ErrNotFound.
	Service(ctx context.Context, account, id string) (Service, error)
	// Key gives one by id. ErrNotFound.
	Key(ctx context.Context, id string) (Key, error)
	// Keys lists an account's keys, oldest first.
	Keys(ctx context.Context, account string) ([]Key, error)
	// Change carries out one administrative act, all or nothing and one after the
	// other, and returns after it is durable. The plan's own error comes back
	// unchanged and nothing is written. ErrExists for a key whose id is taken.
	Change(ctx context.Context, c Change) error
	// Log lists at most n of an account's entries, the newest first, of those with
	// a number below before; before 0 is no bound.
	Log(ctx context.Context, account string, before int64, n int) ([]Entry, error)
}
