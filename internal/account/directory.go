package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/secret"
)

// KeyPrefix begins every API key.
const KeyPrefix = "pck"

// cacheFor is how long a key or a service may be used without asking the store:
// a revocation made by another process reaches this one within that time.
const cacheFor = 2 * time.Second

// maxCached bounds each cache; a full one is emptied.
const maxCached = 10_000

// Config of a Directory.
type Config struct {
	Store Store // required
	// Keys seal the answers kept for Idempotency-Keys. nil: requests with one fail.
	Keys *secret.Keyring
	Now  func() time.Time // time.Now
	Rand io.Reader        // crypto/rand
}

// Directory answers who is asking and what a service's settings are, with a
// short cache in front of the store.
type Directory struct {
	cfg      Config
	keys     cache[Key]
	services cache[Service]
	accounts cache[Account]
}

// New makes a Directory.
func New(cfg Config) (*Directory, error) {
	if cfg.Store == nil {
		return nil, errors.New("account: Config.Store is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Directory{cfg: cfg}, nil
}

// Authenticate turns an API key into what is kept of it. Every failure that the
// credential is to blame for is ErrUnauthorized.
func (d *Directory) Authenticate(ctx context.Context, presented string) (Key, error) {
	tok, err := secret.ParseToken(presented)
	if err != nil || tok.Prefix() != KeyPrefix {
		return Key{}, ErrUnauthorized
	}
	key, err := d.keys.get(tok.ID(), d.cfg.Now(), func() (Key, error) { return d.cfg.Store.Key(ctx, tok.ID()) })
	if errors.Is(err, ErrNotFound) {
		return Key{}, ErrUnauthorized
	}
	if err != nil {
		return Key{}, fmt.Errorf("authenticate: %w", err)
	}
	if !tok.Matches(key.Hash) || !key.RevokedAt.IsZero() {
		return Key{}, ErrUnauthorized
	}
	enabled, err := d.Enabled(ctx, key.Account)
	if err != nil {
		return Key{}, fmt.Errorf("authenticate: %w", err)
	}
	if !enabled {
		return Key{}, ErrUnauthorized
	}
	return key, nil
}

// Service gives a service's settings with the defaults filled in; id "" is the
// account's default one. ErrNotFound.
func (d *Directory) Service(ctx context.Context, account, id string) (Service, error) {
	s, err := d.services.get(account+"/"+id, d.cfg.Now(), func() (Service, error) {
		return d.cfg.Store.Service(ctx, account, id)
	})
	if err != nil {
		return Service{}, err
	}
	return s.WithDefaults(), nil
}

// Enabled says whether an account may do anything: it is there and not disabled.
// What another process changed counts within two seconds.
func (d *Directory) Enabled(ctx context.Context, id string) (bool, error) {
	acc, err := d.accounts.get(id, d.cfg.Now(), func() (Account, error) { return d.cfg.Store.Account(ctx, id) })
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up an account: %w", err)
	}
	return !acc.Disabled, nil
}

// NewKey makes a key for an account, as ByCLI, and gives back its secret, which is
// stored nowhere.
func (d *Directory) NewKey(ctx context.Context, account, name string, scopes []Scope) (Key, secret.Token, error) {
	return d.Clerk(account, ByCLI).NewKey(ctx, name, scopes)
}

// Revoke ends a key, as ByCLI: at once in this process, and within cacheFor in
// others.
func (d *Directory) Revoke(ctx context.Context, account, id string) error {
	_, err := d.Clerk(account, ByCLI).Revoke(ctx, id)
	return err
}

// cache keeps values for cacheFor. Only what was found is kept: a key that was
// just made elsewhere works at once.
type cache[T any] struct {
	mu sync.RWMutex
	m  map[string]cached[T]
	// drops counts what was dropped: a value that was being loaded meanwhile may
	// be older, and is not kept.
	drops uint64
}

type cached[T any] struct {
	value T
	until time.Time
}

func (c *cache[T]) get(id string, now time.Time, load func() (T, error)) (T, error) {
	c.mu.RLock()
	hit, ok := c.m[id]
	drops := c.drops
	c.mu.RUnlock()
	if ok && now.Before(hit.until) {
		return hit.value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops != drops {
		return value, nil
	}
	if c.m == nil || len(c.m) >= maxCached {
		c.m = make(map[string]cached[T])
	}
	c.m[id] = cached[T]{value: value, until: now.Add(cacheFor)}
	return value, nil
}

func (c *cache[T]) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, id)
	c.drops++
}
