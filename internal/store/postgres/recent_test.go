package postgres

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// Who leases is told what the attempts belong to, as the database has it.
func TestLeasedAreKnown(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	var ids []string
	for range 3 {
		x := sampleStart()
		if err := s.Do(t.Context(), x.Start()); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.A.ID)
	}
	x := sampleStart() // two attempts of one verification
	second := x.A
	second.ID, second.N = x.A.ID+"b", 2
	put(t, s, verify.Writes{
		Verifications: []verify.Verification{x.V}, Attempts: []verify.Attempt{x.A, second},
		Jobs: []jobs.New{
			{Kind: jobs.Deliver, Subject: x.A.ID, Due: time.Now()}, {Kind: jobs.Deliver, Subject: second.ID, Due: time.Now()},
			{Kind: jobs.Deliver, Subject: "of no attempt", Due: time.Now()},
		},
	})
	ids = append(ids, x.A.ID, second.ID)
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Lease(t.Context(), node, 0, 9)
	if err != nil || len(got) != len(ids)+1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	for _, id := range ids {
		known, ok := s.recent.take(id)
		if !ok {
			t.Errorf("nothing is known of %s", id)
			continue
		}
		read, err := s.ReadAttempt(t.Context(), id) // from the database
		if err != nil {
			t.Fatal(err)
		}
		known.Now, read.Now = time.Time{}, time.Time{}
		if d := cmp.Diff(read, known); d != "" {
			t.Errorf("of %s is known (-stored +known):\n%s", id, d)
		}
	}
	if len(s.recent.known) > 0 {
		t.Errorf("%d more are remembered", len(s.recent.known))
	}
}

// What nobody has asked for is forgotten, although nothing else is remembered.
func TestRememberedIsForgotten(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	s.recent.put("old", remembered{since: time.Now().Add(-2 * maxAge)})
	s.recent.put("new", remembered{since: time.Now().Add(time.Minute)})
	if _, err := s.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there := s.recent.known["new"]; !there || len(s.recent.known) != 1 {
		t.Errorf("%d are remembered, the new one: %v", len(s.recent.known), there)
	}
}
