// Package verify is the core: what a verification is, the states it goes
// through, and the rules. Start, Check, Cancel, Resend, Next and Settle are
// pure plans over what a store has read and locked; the store carries them out
// all or nothing. It knows the words of carriers and of the guard; it knows no
// adapter, no sound, no HTTP and no SQL.
package verify

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/secret"
)

// Times of a call.
const (
	PlaceTimeout = 30 * time.Second // for a carrier to take the call
	RingTimeout  = 30 * time.Second
	LongestCall  = 120 * time.Second // from the answer
	// NeededForCall is the validity that must be left when a call is placed:
	// ringing, and a minute to hear and type.
	NeededForCall = RingTimeout + 60*time.Second
)

// Services is where the core looks settings up.
type Services interface {
	// Service gives a service's settings with their defaults filled in; id "" is
	// the account's default one. account.ErrNotFound for an unknown one.
	Service(ctx context.Context, account, id string) (account.Service, error)
	// Enabled says whether the account may still do anything.
	Enabled(ctx context.Context, account string) (bool, error)
}

// Config of a Core.
type Config struct {
	Store    Store           // required
	Keys     *secret.Keyring // required
	Services Services        // required
	// Routes in order of preference. Without one every start is refused.
	Routes []carrier.Route
	Limits guard.Limits // zero fields: guard's defaults
	// Retention is how long finished verifications are kept, before they are
	// reduced to counts: at least MinRetention; negative: for ever.
	// DefaultRetention.
	Retention time.Duration
	Now       func() time.Time // for ids only; the store's clock decides. time.Now
	Rand      io.Reader        // crypto/rand
	Signal    *Signal          // news inside the process; nil: none
	// Observe is told of starts, checks and limits.
	Observe Observer
	Log     *slog.Logger // slog.Default()
}

// Core carries out what front ends and delivery ask for. Safe for concurrent
// use.
type Core struct {
	cfg      Config
	inFlight inFlight
}

// New makes a Core.
func New(cfg Config) (*Core, error) {
	if cfg.Store == nil || cfg.Keys == nil || cfg.Services == nil {
		return nil, errors.New("verify: Config.Store, Keys and Services are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Signal == nil {
		cfg.Signal = NewSignal()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	var err error
	if cfg.Retention, err = retention(cfg.Retention); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.WithDefaults()
	return &Core{cfg: cfg}, nil
}

// Caller is who asks: a key of an account, or one verification's client token.
type Caller struct {
	Account string
	Key     string // id of the API key; empty with a client token
	// Verification is set with a client token: the only one it may touch.
	Verification string
}

// mayTouch says whether the caller may see the verification at all. Whose it is
// the store looks up, so nobody without an account may.
func (w Caller) mayTouch(id string) bool {
	return w.Account != "" && (w.Verification == "" || w.Verification == id)
}

// owns says whether the caller is the key that sent the number: the only one
// that is told it again, and one of the two that are shown the screen digits.
func (w Caller) owns(v Verification) bool { return w.Key != "" && w.Key == v.Settings.StartedBy }
