package api

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is written field by field is what encoding/json makes of the same value,
// whichever of its fields are set.
func TestWrittenAlike(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	written := 0
	for range 5000 {
		var s Started
		var c Checked
		fill(random, reflect.ValueOf(&s).Elem())
		fill(random, reflect.ValueOf(&c).Elem())
		if random.IntN(2) == 0 {
			s.Told = Told{}
		}
		if !writeStarted(s).bad {
			written++
		}
		same(t, writeStarted(s), s)
		same(t, writeChecked(c), c)
	}
	if written < 500 {
		t.Errorf("only %d starts were written here", written)
	}
	same(t, writeStarted(Started{}), Started{})
}

// Texts that encoding/json escapes, and times that it refuses, are left to it.
func TestWrittenElsewhere(t *testing.T) {
	t.Parallel()
	for c := range rune(0x2100) {
		same(t, writeChecked(Checked{Status: "a" + string(c) + "b"}), Checked{Status: "a" + string(c) + "b"})
	}
	same(t, writeChecked(Checked{Status: "\xff"}), Checked{Status: "\xff"})
	for _, at := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 60, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
		time.Date(12026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(-1, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		s := Started{Verification: Verification{CreatedAt: at, Attempts: []Attempt{}}}
		same(t, writeStarted(s), s)
	}
}

func same[T any](t *testing.T, w writer, v T) {
	t.Helper()
	want, wantErr := encode(v)
	got, err := document(w, v)
	if diff := cmp.Diff(string(want), string(got)); diff != "" || (err == nil) != (wantErr == nil) {
		t.Errorf("%v, %v (-encoding/json +ours):\n%s", wantErr, err, diff)
	}
}

// fill gives some fields of a value something of their type.
func fill(random *rand.Rand, v reflect.Value) {
	if v.Kind() != reflect.Struct && random.IntN(3) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString([]string{"ü", "<&>", `"`, "+81312345678", "two words", "a"}[min(random.IntN(100), 5)])
	case reflect.Int:
		v.SetInt(int64(random.IntN(2000) - 1000))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(random.Int64N(1<<33), random.Int64N(1_000_000)*[]int64{0, 1, 1000}[random.IntN(3)]).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	default:
		panic(fmt.Sprintf("fill: %s", v.Type()))
	}
}
