package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// EraseNumber removes a person from all accounts of a data folder, and notes
// that in the log of each that knew the number. A server may run on it.
func EraseNumber(ctx context.Context, data string, req verify.EraseRequest) (verify.Erased, error) {
	var did verify.Everywhere
	err := onFolder(ctx, data, func(b *base) error {
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
// file. A server may run on it.
func Backup(ctx context.Context, data, file string) error {
	return onFolder(ctx, data, func(b *base) error { return b.store.Backup(ctx, file) })
}

// RotateKeyring gives a data folder's keyring a new key; a server that runs on it
// uses it within keyringEvery. With dropOld, keys that nothing on record needs
// any more are dropped.
func RotateKeyring(ctx context.Context, data string, dropOld bool) (secret.Rotation, error) {
	var did secret.Rotation
	err := onFolder(ctx, data, func(b *base) error {
		l := flock.New(filepath.Join(data, keyringFile+".lock"), flock.SetPermissions(0o600))
		if err := l.Lock(); err != nil {
			return fmt.Errorf("lock the keyring: %w", err)
		}
		var unused func(string) (bool, error)
		if dropOld {
			unused = func(id string) (bool, error) {
				used, err := b.store.KeyInUse(ctx, id)
				return !used, err
			}
		}
		var err error
		did, err = secret.RotateKeyring(filepath.Join(data, keyringFile), time.Now(), unused)
		return errors.Join(err, l.Unlock())
	})
	return did, err
}

// onFolder works on a data folder that is there already.
func onFolder(ctx context.Context, data string, do func(*base) error) error {
	if !exists(filepath.Join(data, databaseFile)) {
		return fmt.Errorf("there is no data folder %s: name the server's with --data", data)
	}
	b, err := openBase(ctx, data)
	if err != nil {
		return err
	}
	return errors.Join(do(b), b.store.Close())
}

// keyringEvery is how often it is looked whether the keyring's file is another.
const keyringEvery = time.Second

// watchKeyring takes over the keyring's file whenever it was replaced.
func (m *Main) watchKeyring(ctx context.Context) {
	path := filepath.Join(m.cfg.Data, keyringFile)
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
