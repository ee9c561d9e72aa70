package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"

	"github.com/pincall/pincall/bench/internal/server"
)

// upgrade is a program and an earlier one, which stand beside each other.
type upgrade struct {
	dir      string
	old, now string // the programs
	migrated bool
}

// newUpgrade builds both. Close it.
func newUpgrade(ctx context.Context, revision string) (*upgrade, error) {
	if revision == "" {
		return nil, errors.New("OLD: name the revision to come from, such as OLD=HEAD~10")
	}
	u := &upgrade{}
	var err error
	if u.dir, err = os.MkdirTemp("", "pincall-bench-"); err != nil {
		return nil, err
	}
	if u.now, err = server.Build(ctx, u.dir); err == nil {
		u.old, err = server.BuildOld(ctx, revision, u.dir)
	}
	if err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

// change chooses the program that a server comes back with. The first is the new
// one, which brings the schema up to date while the others work.
func (u *upgrade) change(ctx context.Context, s *server.Server) error {
	if u.migrated && rand.IntN(2) == 0 {
		s.Become(u.old)
		return nil
	}
	s.Become(u.now)
	if u.migrated {
		return nil
	}
	u.migrated = true
	return s.Migrate(ctx)
}

func (u *upgrade) close() { os.RemoveAll(u.dir) }
