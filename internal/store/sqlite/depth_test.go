package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

func TestDepth(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "pincall.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	err = s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) {
		return verify.Writes{Jobs: []jobs.New{
			{Kind: jobs.Deliver, Subject: "a", Due: now.Add(-time.Minute)}, {Kind: jobs.Deliver, Subject: "b", Due: now.Add(-time.Second)},
			{Kind: jobs.Step, Subject: "c", Due: now.Add(time.Hour)},
		}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := func(due, waiting int64) {
		t.Helper()
		d, w, err := s.Depth(t.Context())
		if err != nil || d != due || w != waiting {
			t.Errorf("%d due, %d waiting, %v; want %d and %d", d, w, err, due, waiting)
		}
	}
	want(2, 1)
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease(t.Context(), node, 0, 1); err != nil {
		t.Fatal(err)
	}
	want(1, 1)
}
