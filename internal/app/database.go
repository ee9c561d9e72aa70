package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/postgres"
	"github.com/pincall/pincall/internal/store/sqlite"
	"github.com/pincall/pincall/internal/verify"
)

// DatabaseFile names a PostgreSQL database, which several nodes may share.
type DatabaseFile struct {
	// URL holds a password: no log, error or line of doctor repeats it.
	URL      string `yaml:"url"`
	MaxConns int    `yaml:"max_conns"` // of one process
}

// leastConns is what two writers and the reads beside them need.
const leastConns = 4

// checkDatabase judges what belongs to a shared database.
func (f File) checkDatabase() error {
	if f.Database.MaxConns < leastConns {
		return fmt.Errorf("database.max_conns: write a number from %d", leastConns)
	}
	if f.Database.URL != "" {
		if f.Keyring == "" {
			return errors.New("keyring: name the keyring's file, the same on every node: pincall keyring new FILE makes one")
		}
		return nil
	}
	if f.Keyring != "" {
		return errors.New("keyring: it goes with database.url: without that, the keyring is the data folder's")
	}
	for i, r := range f.Routes {
		if r.elsewhere() {
			return fmt.Errorf("routes[%d].serve: without database.url there is no other node: use enabled", i)
		}
	}
	return nil
}

// elsewhere says that another node places on the route.
func (r RouteFile) elsewhere() bool { return r.Serve != nil && !*r.Serve }

// engine is what the program needs of a storage engine.
type engine interface {
	verify.Store
	jobs.Queue
	account.Store
	// Takeover frees the jobs of processes that are no more.
	Takeover(ctx context.Context) (int, error)
	// KeyInUse says whether anything on record needs a key of the keyring.
	KeyInUse(ctx context.Context, id string) (bool, error)
	// Depth counts the jobs that nobody has: due, and waiting for their time.
	Depth(ctx context.Context) (due, waiting int64, err error)
	// Backup writes a copy to a new file, where the engine does that itself.
	Backup(ctx context.Context, file string) error
	Close() error
}

// place is where things are kept.
type place struct {
	data     string // folder
	keyring  string // file
	database DatabaseFile
}

// place gives the place of a configuration.
func (c Config) place(f File) place {
	p := place{data: c.Data, keyring: filepath.Join(c.Data, keyringFile), database: f.Database}
	if f.Keyring != "" {
		p.keyring = f.Keyring
	}
	return p
}

// find reads the configuration for a command that needs only the place.
func (c Config) find() (place, error) {
	c, err := c.withDefaults()
	if err != nil {
		return place{}, err
	}
	f, err := c.readFile()
	return c.place(f), err
}

// shared says that other nodes may work on the same database.
func (p place) shared() bool { return p.database.URL != "" }

func (p place) sqlite() string { return filepath.Join(p.data, databaseFile) }

// postgres is the store's configuration, without the keyring's check value.
func (p place) postgres() postgres.Config {
	return postgres.Config{DSN: p.database.URL, MaxConns: p.database.MaxConns}
}

// mustBe refuses a data folder in which nothing was ever kept.
func (p place) mustBe() error {
	if !p.shared() && !exists(p.sqlite()) {
		return fmt.Errorf("there is no data folder %s: name the server's with --data", p.data)
	}
	return nil
}

// open opens the keyring and the store that belong together. A data folder is
// made where it is new; a shared database must be there, and its keyring.
func (p place) open(ctx context.Context) (*secret.Keyring, engine, error) {
	keys, err := p.openKeyring()
	if err != nil {
		return nil, nil, err
	}
	if p.shared() {
		cfg := p.postgres()
		cfg.KeyCheck = keys.CheckValue()
		s, err := postgres.Open(ctx, cfg)
		if err != nil {
			return nil, nil, err // not s: it would be an engine that is not nil
		}
		return keys, s, nil
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: p.sqlite(), KeyCheck: keys.CheckValue()})
	if err != nil {
		return nil, nil, err
	}
	return keys, s, nil
}

// openKeyring reads the keyring. It makes one only in a data folder that has no
// database yet: beside one, a new keyring could open nothing.
func (p place) openKeyring() (*secret.Keyring, error) {
	switch {
	case p.shared():
		keys, err := secret.LoadKeyring(p.keyring)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the keyring %s is missing: copy it from another node; pincall keyring new makes the first", p.keyring)
		}
		return keys, err
	case !exists(p.sqlite()):
		if err := ensureFolder(p.data); err != nil {
			return nil, err
		}
		keys, _, err := secret.LoadOrCreateKeyring(p.keyring)
		return keys, err
	case !exists(p.keyring):
		return nil, fmt.Errorf("%s is missing, and %s cannot be read without it: restore it from your copy", p.keyring, databaseFile)
	}
	return secret.LoadKeyring(p.keyring)
}

// Schema is the version of a database's schema, before and after.
type Schema struct{ Before, After int }

// Migrate brings the schema of the configured database up to date: of a shared
// one with other nodes at work, where the new schema suits them. It needs no
// keyring there.
func Migrate(ctx context.Context, cfg Config) (Schema, error) {
	p, err := cfg.find()
	if err != nil {
		return Schema{}, err
	}
	if err := p.mustBe(); err != nil {
		return Schema{}, err
	}
	before, err := p.schema(ctx)
	if err != nil {
		return Schema{}, err
	}
	if p.shared() {
		err = postgres.Migrate(ctx, p.postgres())
	} else {
		err = p.do(ctx, func(*base) error { return nil }) // opening it migrates it
	}
	if err != nil {
		return Schema{}, err
	}
	after, err := p.schema(ctx)
	return Schema{before, after}, err
}

func (p place) schema(ctx context.Context) (int, error) {
	if p.shared() {
		i, err := postgres.Inspect(ctx, p.postgres())
		return i.Version, err
	}
	i, err := sqlite.Inspect(ctx, p.sqlite())
	return i.Version, err
}

// NewKeyring makes a keyring's file, mode 0600, for the nodes of a database that
// is still empty. One that is there already is fs.ErrExist.
func NewKeyring(path string) error {
	keys, err := secret.NewKeyring(nil, time.Now())
	if err != nil {
		return err
	}
	return secret.CreateKeyring(path, keys)
}
