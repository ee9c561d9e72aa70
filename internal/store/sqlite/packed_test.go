package sqlite

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// fillIn gives every field a value of its own.
func fillIn(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Append(nil, "bytes", *n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillIn(t, v.Index(0), n)
		fillIn(t, v.Index(1), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(store.Time(1_700_000_000_000_000 + int64(*n))))
			return
		}
		for i := range v.NumField() {
			fillIn(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a field of kind %v", v.Kind())
	}
}

// TestPackedIsWhole packs a verification with something in every field: one that
// was added and forgotten would be lost.
func TestPackedIsWhole(t *testing.T) {
	t.Parallel()
	n, p := 0, &packer{}
	k := known{v: &verify.Verification{}, n: 1 << 40, attempts: make([]verify.Attempt, 2)}
	fillIn(t, reflect.ValueOf(k.v).Elem(), &n)
	for i := range k.attempts {
		fillIn(t, reflect.ValueOf(&k.attempts[i]).Elem(), &n)
		k.attempts[i].Verification, k.attempts[i].Account = k.v.ID, k.v.Account
	}
	k.attempts[1].MayHaveRung, k.attempts[1].Ungated = false, false
	for _, k := range []known{k, {v: &verify.Verification{}}} {
		for range 2 { // texts are known the second time
			got, ok := p.unpack(p.pack(k))
			if diff := cmp.Diff(k, got, cmp.AllowUnexported(known{})); !ok || diff != "" {
				t.Error(ok, diff)
			}
		}
	}
	for i := range 2 * maxTexts {
		k.v.Reason = fmt.Sprint(i)
		if got, ok := p.unpack(p.pack(k)); !ok || got.v.Reason != k.v.Reason {
			t.Fatal(ok, got.v.Reason)
		}
	}
}

// TestPackedFlags packs one flag at a time.
func TestPackedFlags(t *testing.T) {
	t.Parallel()
	p := &packer{}
	for _, a := range []verify.Attempt{{MayHaveRung: true}, {Permanent: true}, {Ungated: true}, {GatePassed: true}} {
		got, ok := p.unpack(p.pack(known{v: &verify.Verification{}, attempts: []verify.Attempt{a}}))
		if diff := cmp.Diff([]verify.Attempt{a}, got.attempts); !ok || diff != "" {
			t.Error(ok, diff)
		}
	}
}

// TestPackedTextsAreForgotten: nothing of one verification outlives what is packed.
func TestPackedTextsAreForgotten(t *testing.T) {
	t.Parallel()
	r, v := newRecent(), sample(store.NewClock(nil)).V
	v.Purpose = "of one"
	r.pack(v.ID, &slot{known{v: &v}})
	if slices.Contains(r.packer.texts, v.Purpose) || !slices.Contains(r.packer.texts, v.KeyID) {
		t.Error("shared are", r.packer.texts)
	}
	if k, ok := r.get(v.ID); !ok || k.v.Purpose != v.Purpose {
		t.Error(ok, k.v)
	}
	r.forget()
	if len(r.packer.texts)+len(r.packer.numbers)+len(r.packer.b) > 0 {
		t.Error("left are", r.packer.texts)
	}
	v.Status = verify.Approved
	if r.pack(v.ID, &slot{known{v: &v}}); r.packed.get(v.ID) != nil {
		t.Error("one that has ended was packed")
	}
}

func TestPackedLimit(t *testing.T) {
	t.Parallel()
	limits, now := guard.Limits{}.WithDefaults(), store.Time(1_700_000_000_000_000)
	l := &store.Limit{Row: limits.CountWrong(guard.Row{Open: 3, Blocked: true}, now), Keep: 5, Found: true, Stored: true, Number: 7, KeptUntil: 6}
	p := &packer{}
	got, ok := p.unpackLimit(p.packLimit(l))
	if diff := cmp.Diff(l, got, cmpopts.IgnoreFields(store.Limit{}, "Row")); !ok || diff != "" || string(got.Row.Encode()) != string(l.Row.Encode()) {
		t.Error(ok, diff)
	}
}

// TestShelf compares a shelf with a map: what it has is the newest, and it has
// what was put last.
func TestShelf(t *testing.T) {
	t.Parallel()
	s, model := newShelf(3*blockSize), make(map[string]string)
	random := rand.New(rand.NewPCG(1, 2))
	var last []string
	for i := range 5000 {
		key := fmt.Sprint("key", random.IntN(300))
		if random.IntN(5) == 0 {
			s.remove(key)
			delete(model, key)
		} else {
			model[key] = strings.Repeat(fmt.Sprint(i, " "), random.IntN(4000))
			s.put(key, []byte(model[key]))
			last = append(last, key)
		}
		for _, key := range last[max(len(last)-50, 0):] { // less than two blocks
			if want, ok := model[key]; ok && string(s.get(key)) != want {
				t.Fatalf("%d: %s is lost", i, key)
			}
		}
		for key, want := range model {
			if got := s.get(key); got != nil && string(got) != want {
				t.Fatalf("%d: %s is an old one", i, key)
			}
		}
	}
	if len(s.blocks) != 3 || len(s.at) > 300 {
		t.Errorf("%d blocks, %d entries", len(s.blocks), len(s.at))
	}
	s.put("huge", make([]byte, blockSize))
	s.forget()
	if s.get("huge") != nil || len(s.at) != 0 || s.blocks != nil {
		t.Error("something is left")
	}
}

// TestShelfKeepsNoSecret looks for what was removed or replaced.
func TestShelfKeepsNoSecret(t *testing.T) {
	t.Parallel()
	s := newShelf(blockSize)
	for _, key := range []string{"a", "b", "c"} {
		s.put(key, []byte("SEALED of "+key))
	}
	s.remove("a")
	s.put("b", []byte("another"))
	if all := string(s.blocks[0]); strings.Contains(all, "SEALED of a") || strings.Contains(all, "SEALED of b") || string(s.get("c")) != "SEALED of c" {
		t.Errorf("%q", all)
	}
	s.at[maphash.String(s.seed, "of one hash")] = s.at[maphash.String(s.seed, "c")]
	s.remove("of one hash")
	if string(s.get("c")) != "SEALED of c" {
		t.Error("another's was removed")
	}
}

// TestGuessOfAPackedOne has a verification packed by those after it: guesses count
// on, and what is on record is the same.
func TestGuessOfAPackedOne(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	x := sample(s.clock)
	ops := []verify.Op{x.Start(), x.Check()}
	for range recentRows + groupSize {
		ops = append(ops, sample(s.clock).Start())
	}
	for at := 0; at < len(ops); at += groupSize {
		group := make([]member, 0, groupSize)
		for _, op := range ops[at:min(at+groupSize, len(ops))] {
			group = append(group, member{op: op})
		}
		errs := make([]error, len(group))
		if s.w.apply(group, errs); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
	}
	if s.recent.packed.get(x.V.ID) == nil || s.recent.packedLimits.get(x.V.LimitKey) == nil {
		t.Fatal("it is not packed")
	}
	for guesses := 2; guesses < 4; guesses++ {
		if err := s.Do(ctx, x.Check()); err != nil {
			t.Fatal(err)
		}
		st, err := s.Read(ctx, "", x.V.ID)
		if err != nil || st.Verification.Guesses != guesses || len(st.Attempts) != 1 {
			t.Error(err, st.Verification.Guesses, st.Attempts)
		}
		if s.recent.packed.get(x.V.ID) != nil || s.recent.packedLimits.get(x.V.LimitKey) != nil {
			t.Error("it is kept twice")
		}
		if k, ok := s.recent.get(x.V.ID); !ok || !cmp.Equal(k.v, st.Verification) || !cmp.Equal(k.attempts, st.Attempts) {
			t.Error("what is known is not what is on record")
		}
	}
}
