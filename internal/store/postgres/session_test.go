package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// A session that turns out to be shared while something is read is used otherwise
// from then on, unless the DSN says how.
func TestSharedSessionIsFoundOut(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	dsn := c.DSN(c.Database(t, template()))
	for _, said := range []bool{false, true} {
		cfg := Config{DSN: dsn, MaxConns: 1}
		if said {
			cfg.DSN += " default_query_exec_mode=cache_statement"
		}
		s := openTest(t, cfg)
		x := sampleStart()
		if err := s.Do(t.Context(), x.Start()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), x.V.Account, x.V.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.pool.Exec(t.Context(), "DEALLOCATE ALL"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Read(t.Context(), x.V.Account, x.V.ID)
		if (err != nil) != said || s.sessions.shared.Load() == said {
			t.Errorf("with the mode in the DSN %v: %v; shared: %v", said, err, s.sessions.shared.Load())
		}
		if err := s.Do(t.Context(), sampleStart().Start()); err != nil {
			t.Errorf("with the mode in the DSN %v: %v", said, err)
		}
	}
}

// So does one that an operator's act finds out, which reads whole tables.
func TestSharedSessionIsFoundOutByScans(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{MaxConns: 1})
	for name, act := range map[string]func() error{
		"Numbered": func() error { _, err := s.Numbered(t.Context(), "", []byte("x")); return err },
		"Scrub":    func() error { return s.Scrub(t.Context()) },
		"KeyInUse": func() error { _, err := s.KeyInUse(t.Context(), "k1"); return err },
	} {
		s.sessions.shared.Store(false)
		s.pool.Reset()
		for range 2 {
			if err := act(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.pool.Exec(t.Context(), "DEALLOCATE ALL", pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		if err := act(); err != nil || !s.sessions.shared.Load() {
			t.Errorf("%s: %v; shared: %v", name, err, s.sessions.shared.Load())
		}
	}
}
