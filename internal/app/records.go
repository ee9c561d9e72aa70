package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// EraseNumber removes a person from all accounts, and notes that in the log of
// each that knew the number. Servers may run meanwhile.
func EraseNumber(ctx context.Context, cfg Config, req verify.EraseRequest) (verify.Erased, error) {
	var did verify.Everywhere
	p, err := cfg.find()
	if err != nil {
		return did.Erased, err
	}
	err = p.do(ctx, func(b *base) error {
		core, err := verify.New(verify.Config{
			Store: b.store, Keys: b.keys, Services: b.dir,
			// The server's limits are not known here: what it counts of accounts is
			// kept for as long as any could want it.
			Limits: guard.Limits{AccountStarts: guard.Limit{Window: 366 * 24 * time.Hour}},
		})
		if err != nil {
			return err
		}
		did, err = core.EraseEverywhere(ctx, req)
		for acc, n := range did.Accounts { // also where the files could not be scrubbed
			err = errors.Join(err, b.dir.Clerk(acc, account.ByCLI).Erased(ctx, n))
		}
		return err
	})
	return did.Erased, err
}

// Backup writes a copy of a data folder's database, without the keyring, to a new
// file. A server may run on it. A shared database is not copied:
// postgres.ErrBackup says how that is done.
func Backup(ctx context.Context, cfg Config, file string) error {
	p, err := cfg.find()
	if err != nil {
		return err
	}
	return p.do(ctx, func(b *base) error { return b.store.Backup(ctx, file) })
}

// Rotated is what happened to a keyring's file.
type Rotated struct {
	secret.Rotation
	File   string
	Shared bool // every node has a copy
}

// AddKey adds a key to the keyring that is not in use yet: RotateKeyring puts it
// into use, once every node has the file.
func AddKey(ctx context.Context, cfg Config) (Rotated, error) {
	return onKeyring(ctx, cfg, func(b *base) (did secret.Rotation, err error) {
		did.Current, err = secret.AddKey(b.keyring, time.Now())
		return did, err
	})
}

// RotateKeyring gives the keyring a new key, the one that AddKey has added or
// another; a server with the same file uses it
// within keyringEvery. With dropOld, keys that nothing on record needs any more
// are dropped.
func RotateKeyring(ctx context.Context, cfg Config, dropOld bool) (Rotated, error) {
	return onKeyring(ctx, cfg, func(b *base) (secret.Rotation, error) {
		var unused func(string) (bool, error)
		if dropOld {
			unused = func(id string) (bool, error) {
				used, err := b.store.KeyInUse(ctx, id)
				return !used, err
			}
		}
		return secret.RotateKeyring(b.keyring, time.Now(), unused)
	})
}

// onKeyring changes the keyring's file, one process at a time.
func onKeyring(ctx context.Context, cfg Config, change func(*base) (secret.Rotation, error)) (Rotated, error) {
	var did Rotated
	p, err := cfg.find()
	if err != nil {
		return did, err
	}
	did.File, did.Shared = p.keyring, p.shared()
	err = p.do(ctx, func(b *base) error {
		l := flock.New(p.keyring+".lock", flock.SetPermissions(0o600))
		if err := l.Lock(); err != nil {
			return fmt.Errorf("lock the keyring: %w", err)
		}
		var err error
		did.Rotation, err = change(b)
		return errors.Join(err, l.Unlock())
	})
	return did, err
}

// keyringEvery is how often it is looked whether the keyring's file is another.
const keyringEvery = time.Second

// watchKeyring takes over the keyring's file whenever it was replaced.
func (m *Main) watchKeyring(ctx context.Context) {
	path := m.base.keyring
	tick := time.NewTicker(keyringEvery)
	defer tick.Stop()
	var seen os.FileInfo // nil at first: it may have been replaced since it was read
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := os.Stat(path)
		if err != nil || seen != nil && os.SameFile(seen, now) && seen.ModTime().Equal(now.ModTime()) {
			continue
		}
		switch changed, err := m.base.keys.Reload(path); {
		case err != nil: // it is tried again
			m.cfg.Log.Error("the keyring's file cannot be used: the keys in use stay", "error", err)
			continue
		case changed:
			m.cfg.Log.Info("the keyring was replaced", "current", m.base.keys.Current())
		}
		seen = now
	}
}
