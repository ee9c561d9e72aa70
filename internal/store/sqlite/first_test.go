package sqlite

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// The database of testdata/first.db was written by the program of the first
// schema, with a row of every kind, at firstAt. Its keyring beside it was made for
// it and opens nothing else; the numbers are nobody's.
const firstAt = 1767323045 // seconds since 1970

// first is a core over a copy of it.
type first struct {
	*verify.Core
	t     *testing.T
	store *Store
	keys  *secret.Keyring
	now   time.Time
	who   verify.Caller
	ids   map[string]string
}

type able struct{ carrier.Carrier }

func (able) Can() carrier.Abilities {
	return carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true}
}

func openFirst(t *testing.T) *first {
	t.Helper()
	dir := t.TempDir()
	f := &first{t: t, now: time.Unix(firstAt, 0).Add(time.Minute)}
	for _, name := range []string{"first.db", "first-keyring.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		f.ok(err)
		f.ok(os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	var err error
	f.keys, err = secret.LoadKeyring(filepath.Join(dir, "first-keyring.json"))
	f.ok(err)
	f.store = openTest(t, Config{Path: filepath.Join(dir, "first.db"), Now: func() time.Time { return f.now }, KeyCheck: f.keys.CheckValue()})
	services, err := account.New(account.Config{Store: f.store})
	f.ok(err)
	f.Core, err = verify.New(verify.Config{
		Store: f.store, Keys: f.keys, Services: services, Limits: guard.Limits{Countries: []string{"JP"}},
		Routes: []carrier.Route{{Name: "one", Carrier: able{}}, {Name: "two", Carrier: able{}}},
	})
	f.ok(err)
	b, err := os.ReadFile(filepath.Join("testdata", "first.json"))
	f.ok(err)
	var names struct {
		Key           string            `json:"key"`
		Verifications map[string]string `json:"verifications"`
	}
	f.ok(json.Unmarshal(b, &names))
	f.who, f.ids = verify.Caller{Account: "default", Key: names.Key}, names.Verifications
	return f
}

func (f *first) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// code opens the sealed code of a pending verification.
func (f *first) code(id string) string {
	f.t.Helper()
	s, err := f.store.Read(f.t.Context(), f.who.Account, id)
	f.ok(err)
	b, err := f.keys.Open(s.Verification.Sealed, "code", f.who.Account, id)
	f.ok(err)
	var plain struct{ Code string }
	f.ok(json.Unmarshal(b, &plain))
	return plain.Code
}

func TestFirstSchemaIsRead(t *testing.T) {
	t.Parallel()
	f := openFirst(t)
	got := map[string]string{}
	for name, id := range f.ids {
		v, err := f.Get(t.Context(), f.who, id)
		f.ok(err)
		last := v.Attempts[len(v.Attempts)-1]
		got[name] = string(v.Status) + " " + v.To + " " + string(last.State) + " " + string(last.Outcome)
	}
	want := map[string]string{
		"approved": "approved +818012345601 ended heard", "canceled": "canceled +818012345602 ended canceled",
		"reported": "failed +818012345603 ended reported", "step": "pending +818012345604 ended sent",
		"in a call": "pending +818012345605 ringing ", "queued": "pending +818012345606 queued ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	v, err := f.Get(t.Context(), f.who, f.ids["in a call"])
	if f.ok(err); v.ScreenDigits != "42" {
		t.Error("the screen digits cannot be opened")
	}
	// The block of a report holds, and the kept answer is given again.
	start := func(to, key string) (verify.Answer[verify.Started], error) {
		return f.Start(t.Context(), f.who, verify.StartRequest{To: to}, verify.Once[verify.Started]{
			Key: key, Path: "POST /v1/verifications", Body: []byte("{}"), Encode: func(verify.Started) ([]byte, error) { return []byte("{}"), nil },
		})
	}
	if _, err := start("+818012345603", ""); err == nil {
		t.Error("a number that reported the service is called again")
	}
	a, err := start("+818012345606", "kept")
	if f.ok(err); len(a.Replay) == 0 {
		t.Error("a kept answer was not given again")
	}
	k, err := f.store.Key(t.Context(), f.who.Key)
	if f.ok(err); k.Name != "first" || len(k.Scopes) != 1 {
		t.Errorf("the key is %q with %d scopes", k.Name, len(k.Scopes))
	}
}

func TestFirstSchemaGoesOn(t *testing.T) {
	t.Parallel()
	f := openFirst(t)
	ctx := context.Background()
	for name, pay := range map[string]verify.CheckRequest{"in a call": {}, "step": {}, "queued": {Amount: "12.50", Currency: "EUR", Payee: "Shop"}} {
		if name == "queued" { // it is delivered first
			f.deliverQueued(ctx)
		}
		pay.Code = f.code(f.ids[name])
		got, err := f.Check(ctx, f.who, f.ids[name], pay, verify.Once[verify.Checked]{})
		if f.ok(err); !got.Value.Valid {
			t.Errorf("%s: the code is not right", name)
		}
	}
	_, err := f.Start(ctx, f.who, verify.StartRequest{To: "+818012345607", UserRef: "new"}, verify.Once[verify.Started]{})
	f.ok(err)
	// What is old is reduced to counts, what is of one number is erased: a kept
	// answer of which it is not known what it tells goes with it.
	did, err := f.Erase(ctx, f.who, verify.EraseRequest{Number: "+818012345606"})
	if f.ok(err); did.Verifications != 1 || did.Answers != 1 {
		t.Errorf("erased %+v", did)
	}
	f.now = f.now.Add(40 * 24 * time.Hour)
	_, err = f.Sweep(ctx)
	f.ok(err)
	f.ok(f.Forget(ctx))
	counts, err := f.Statistics(ctx, f.who, verify.Days{})
	f.ok(err)
	n := int64(0)
	for _, c := range counts {
		n += c.N
	}
	if n != 5 {
		t.Errorf("%d verifications are in the counts: %+v", n, counts)
	}
}

// deliverQueued takes the old queue's jobs over and makes the call that waits.
func (f *first) deliverQueued(ctx context.Context) {
	f.t.Helper()
	_, err := f.store.Takeover(ctx)
	f.ok(err)
	node, err := f.store.Join(ctx)
	f.ok(err)
	due, err := f.store.Lease(ctx, node, 0, 10)
	f.ok(err)
	inCall := false // it had a lease, which ended with its process
	for _, j := range due {
		if j.Kind == jobs.Step {
			f.ok(f.Step(ctx, j.Lease, j.Subject))
			continue
		}
		d, err := f.Delivery(ctx, j.Lease, j.Subject)
		f.ok(err)
		inCall = inCall || d.Verification.ID == f.ids["in a call"]
		if d.Verification.ID == f.ids["queued"] {
			if d.Message.Payee != "Shop" || d.To.E164() != "+818012345606" {
				f.t.Error("the delivery is another")
			}
			may, err := f.Dial(ctx, d, verify.Dialling{Route: "one"})
			if f.ok(err); !may {
				f.t.Error("the call may not be placed")
			}
		}
		f.ok(f.Settle(ctx, d, outcome.Ending{Outcome: outcome.Heard, MayHaveRung: true}))
	}
	if !inCall {
		f.t.Error("the call in progress was not taken over")
	}
}
