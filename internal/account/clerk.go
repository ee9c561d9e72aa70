package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// keepAnswers is how long an Idempotency-Key is remembered.
const keepAnswers = 24 * time.Hour

// Clerk carries out administrative acts on one account for one actor: each with
// its entry in the log, both or neither. What changes nothing leaves no entry. An
// act counts at once in this process, and within two seconds in others.
type Clerk struct {
	d       *Directory
	account string
	by      string
}

// Clerk gives the clerk of an account; by is the id of an API key, or ByCLI.
func (d *Directory) Clerk(account, by string) Clerk { return Clerk{d, account, by} }

// Once makes a request happen once for its Idempotency-Key. The zero value asks
// for nothing.
type Once struct {
	Key    string // as the client sent it; empty: none
	Path   string // the key's scope, with the account and the actor
	Body   []byte
	Encode func(Service) ([]byte, error) // the bytes to answer with again
}

// entry begins the line of the log for an act.
func (c Clerk) entry(h Held, a Action, target string) *Entry {
	return &Entry{Account: c.account, By: c.by, Action: a, Target: target, At: h.Now}
}

// change carries out an act on what is named.
func (c Clerk) change(ctx context.Context, what string, ch Change) error {
	ch.Account = c.account
	if err := c.d.cfg.Store.Change(ctx, ch); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// NewAccount makes the clerk's account with its default service, whose id is
// DefaultService. ErrExists; Faults for its name.
func (c Clerk) NewAccount(ctx context.Context, name string) (Account, error) {
	var made Account
	if err := CheckLabel(name); err != nil || strings.TrimSpace(name) == "" {
		return made, Faults{{"name", "want a name of at most 64 printable characters, without phone numbers and keys"}}
	}
	err := c.change(ctx, "new account", Change{Plan: func(h Held) (Writes, error) {
		if h.Account != nil {
			return Writes{}, ErrExists
		}
		made = Account{ID: c.account, Name: name, CreatedAt: h.Now}
		def := Service{ID: DefaultService, Account: made.ID, Default: true, Name: "Default"}
		e := c.entry(h, AccountCreated, made.ID)
		e.After = made.record()
		return Writes{Account: &made, Service: &def, Entry: e}, nil
	}})
	return made, err
}

// Disable stops the account's keys and client tokens, or lets them work again.
// ErrNotFound.
func (c Clerk) Disable(ctx context.Context, disabled bool) error {
	action := AccountEnabled
	if disabled {
		action = AccountDisabled
	}
	err := c.change(ctx, "disable account", Change{Plan: func(h Held) (Writes, error) {
		if h.Account == nil {
			return Writes{}, ErrNotFound
		}
		if h.Account.Disabled == disabled {
			return Writes{}, nil
		}
		now := *h.Account
		now.Disabled = disabled
		e := c.entry(h, action, now.ID)
		e.Before, e.After = h.Account.record(), now.record()
		return Writes{Account: &now, Entry: e}, nil
	}})
	c.d.accounts.drop(c.account)
	return err
}

// NewService makes a service with these settings and an id of its own. Faults for
// bad settings; ErrOnceMismatch. Where the Idempotency-Key was used before, the
// answer of then is given, and the service is zero.
func (c Clerk) NewService(ctx context.Context, s Service, once Once) (made Service, replay []byte, err error) {
	if faults := s.Check(); len(faults) > 0 {
		return Service{}, nil, faults
	}
	s.ID, s.Account, s.Default, s.Templates = secret.NewID(c.d.cfg.Now(), c.d.cfg.Rand), c.account, false, nil
	s.Brand = strings.TrimSpace(s.Brand)
	kept, err := c.kept(once)
	if err != nil {
		return Service{}, nil, err
	}
	err = c.change(ctx, "new service", Change{Once: kept.Key, Plan: func(h Held) (Writes, error) {
		replay = nil
		if h.Account == nil {
			return Writes{}, ErrNotFound
		}
		if h.Once != nil {
			var err error
			replay, err = c.replay(*h.Once, kept)
			return Writes{}, err
		}
		e := c.entry(h, ServiceCreated, s.ID)
		e.After = s.record()
		w := Writes{Service: &s, Entry: e}
		if kept.Key != nil {
			answer, err := c.answer(kept, s, once)
			if err != nil {
				return Writes{}, err
			}
			answer.KeepUntil = h.Now.Add(keepAnswers)
			w.Once = &answer
		}
		return w, nil
	}})
	if err != nil || replay != nil {
		return Service{}, replay, err
	}
	return s, nil, nil
}

// kept names the answer that is kept for an Idempotency-Key; zero without one.
func (c Clerk) kept(once Once) (Kept, error) {
	keys := c.d.cfg.Keys
	if once.Key == "" {
		return Kept{}, nil
	}
	if keys == nil {
		return Kept{}, errors.New("account: Config.Keys is needed to keep an answer")
	}
	scope := fmt.Sprintf("%q %q %q %q", c.account, c.by, once.Path, once.Key)
	return Kept{Key: keys.Index("idempotency-admin", scope), Body: keys.Index("idempotency-body", string(once.Body))}, nil
}

// answer seals what will answer the request again.
func (c Clerk) answer(k Kept, s Service, once Once) (Kept, error) {
	b, err := once.Encode(s)
	if err == nil {
		k.Answer, err = c.d.cfg.Keys.Seal(b, "answer", c.account, string(k.Key))
	}
	return k, err
}

func (c Clerk) replay(have, want Kept) ([]byte, error) {
	if !secret.Equal(have.Body, want.Body) {
		return nil, ErrOnceMismatch
	}
	return c.d.cfg.Keys.Open(have.Answer, "answer", c.account, string(want.Key))
}

// SetService replaces all settings of a service but its templates. Faults;
// ErrNotFound.
func (c Clerk) SetService(ctx context.Context, s Service) (Service, error) {
	if faults := s.Check(); len(faults) > 0 {
		return Service{}, faults
	}
	s.Brand = strings.TrimSpace(s.Brand)
	return c.edit(ctx, s.ID, func(h Held) (Service, *Entry) {
		now := s
		now.Account, now.Default, now.Templates = c.account, h.Service.Default, h.Service.Templates
		e := c.entry(h, ServiceChanged, s.ID)
		e.Before, e.After = h.Service.record(), now.record()
		return now, e
	})
}

// PutTemplate gives a service its own words for a language; script.LintTemplate
// must have found nothing in them. ErrNotFound.
func (c Clerk) PutTemplate(ctx context.Context, service string, t script.Template) (Service, error) {
	return c.edit(ctx, service, func(h Held) (Service, *Entry) {
		now, e := c.withTemplate(h, t.Lang, TemplateSaved)
		now.Templates[t.Lang] = t
		e.After = record(t)
		return now, e
	})
}

// DeleteTemplate lets our own words be said again. ErrNotFound, also where the
// service has no template of the language.
func (c Clerk) DeleteTemplate(ctx context.Context, service, lang string) (Service, error) {
	return c.edit(ctx, service, func(h Held) (Service, *Entry) {
		if _, ok := h.Service.Templates[lang]; !ok {
			return Service{}, nil
		}
		now, e := c.withTemplate(h, lang, TemplateDeleted)
		delete(now.Templates, lang)
		return now, e
	})
}

// withTemplate gives the service with templates of its own, and the entry.
func (c Clerk) withTemplate(h Held, lang string, a Action) (Service, *Entry) {
	now := *h.Service
	now.Templates = maps.Clone(now.Templates)
	if now.Templates == nil {
		now.Templates = make(map[string]script.Template)
	}
	e := c.entry(h, a, now.ID+"/"+lang)
	if old, ok := h.Service.Templates[lang]; ok {
		e.Before = record(old)
	}
	return now, e
}

// edit changes a service. A nil entry says that what was to be changed is not
// there.
func (c Clerk) edit(ctx context.Context, id string, edit func(Held) (Service, *Entry)) (Service, error) {
	var now Service
	err := c.change(ctx, "change service", Change{Service: id, Plan: func(h Held) (Writes, error) {
		if h.Service == nil {
			return Writes{}, ErrNotFound
		}
		var e *Entry
		if now, e = edit(h); e == nil {
			return Writes{}, ErrNotFound
		}
		if bytes.Equal(e.Before, e.After) {
			return Writes{}, nil
		}
		return Writes{Service: &now, Entry: e}, nil
	}})
	c.dropService(id)
	if err != nil {
		return Service{}, err
	}
	return now, nil
}

// DeleteService removes a service and gives what it was. ErrNotFound; ErrDefault;
// ErrInUse while it has pending verifications.
func (c Clerk) DeleteService(ctx context.Context, id string) (Service, error) {
	var was Service
	err := c.change(ctx, "delete service", Change{Service: id, Plan: func(h Held) (Writes, error) {
		switch {
		case h.Service == nil:
			return Writes{}, ErrNotFound
		case h.Service.Default:
			return Writes{}, ErrDefault
		case h.Pending:
			return Writes{}, ErrInUse
		}
		was = *h.Service
		e := c.entry(h, ServiceDeleted, id)
		e.Before = was.record()
		return Writes{DropService: id, Entry: e}, nil
	}})
	c.dropService(id)
	if err != nil {
		return Service{}, err
	}
	return was, nil
}

// dropService forgets a service, which may be the default one.
func (c Clerk) dropService(id string) {
	c.d.services.drop(c.account + "/" + id)
	c.d.services.drop(c.account + "/")
}

// NewKey makes a key and gives its secret, which is stored nowhere. Faults;
// ErrNotFound for an unknown account.
func (c Clerk) NewKey(ctx context.Context, name string, scopes []Scope) (Key, secret.Token, error) {
	var f Faults
	if err := CheckLabel(name); err != nil {
		f.add(true, "name", err.Error())
	}
	f.add(len(scopes) == 0, "scopes", "a key needs at least one scope")
	for i, s := range scopes {
		f.add(!slices.Contains(Scopes(), s), fmt.Sprintf("scopes[%d]", i), "want verify, read, announce or admin")
	}
	if len(f) > 0 {
		return Key{}, secret.Token{}, f
	}
	cfg := c.d.cfg
	k := Key{ID: secret.NewID(cfg.Now(), cfg.Rand), Account: c.account, Name: name}
	for _, s := range scopes {
		if !slices.Contains(k.Scopes, s) {
			k.Scopes = append(k.Scopes, s)
		}
	}
	tok, err := secret.NewToken(cfg.Rand, KeyPrefix, k.ID)
	if err != nil {
		return Key{}, secret.Token{}, fmt.Errorf("new key: %w", err)
	}
	k.Hash = tok.Hash()
	err = c.change(ctx, "new key", Change{Plan: func(h Held) (Writes, error) {
		if h.Account == nil {
			return Writes{}, ErrNotFound
		}
		k.CreatedAt = h.Now
		e := c.entry(h, KeyCreated, k.ID)
		e.After = k.record()
		return Writes{Key: &k, Entry: e}, nil
	}})
	if err != nil {
		return Key{}, secret.Token{}, err
	}
	return k, tok, nil
}

// Revoke ends a key; once more is no error, and the first time counts.
// ErrNotFound.
func (c Clerk) Revoke(ctx context.Context, id string) (Key, error) {
	var now Key
	err := c.change(ctx, "revoke key", Change{Key: id, Plan: func(h Held) (Writes, error) {
		if h.Key == nil {
			return Writes{}, ErrNotFound
		}
		now = *h.Key
		if !now.RevokedAt.IsZero() {
			return Writes{}, nil
		}
		now.RevokedAt = h.Now
		e := c.entry(h, KeyRevoked, id)
		e.Before, e.After = h.Key.record(), now.record()
		return Writes{Key: &now, Entry: e}, nil
	}})
	c.d.keys.drop(id)
	if err != nil {
		return Key{}, err
	}
	return now, nil
}

// Services lists the account's services as they are stored: the default one, then
// the others, oldest first.
func (c Clerk) Services(ctx context.Context) ([]Service, error) {
	return c.d.cfg.Store.Services(ctx, c.account)
}

// Service gives one service as it is stored. ErrNotFound, also for an empty id.
func (c Clerk) Service(ctx context.Context, id string) (Service, error) {
	if id == "" {
		return Service{}, ErrNotFound
	}
	return c.d.cfg.Store.Service(ctx, c.account, id)
}

// Keys lists the account's keys, oldest first, revoked ones too.
func (c Clerk) Keys(ctx context.Context) ([]Key, error) {
	return c.d.cfg.Store.Keys(ctx, c.account)
}

// Log lists at most n entries of the account, the newest first, of those with a
// number below before; 0 is no bound.
func (c Clerk) Log(ctx context.Context, before int64, n int) ([]Entry, error) {
	return c.d.cfg.Store.Log(ctx, c.account, before, n)
}
