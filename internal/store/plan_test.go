package store

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/verify"
)

// TestChangeOfLooksAtEveryField changes each field alone: a field that was
// added to a verification and forgotten here would not be written.
func TestChangeOfLooksAtEveryField(t *testing.T) {
	t.Parallel()
	now, b := Time(1_700_000_000_000_000), []byte("bytes")
	v := verify.Verification{
		ID: "id", Account: "acc", NumberIndex: b, NumberSealed: b, Binding: b, Order: b, CodeMAC: b, Sealed: b, TokenHash: b, Context: b,
		CreatedAt: now, ExpiresAt: now, EndedAt: now, Settings: verify.Settings{Workflow: []account.Step{{Timeout: time.Minute}}},
	}
	want := map[string]Change{
		"Guesses": Counts, "Sends": Counts, "Step": Counts, "ID": Counts,
		"Status": Progress, "Reason": Progress, "Sealed": Progress, "TokenHash": Progress, "ExpiresAt": Progress, "EndedAt": Progress,
	}
	if ChangeOf(&v, &v) != Counts {
		t.Error("a verification differs from itself")
	}
	each(t, reflect.TypeFor[verify.Verification](), func(i int, name string) {
		w := v
		alter(t, reflect.ValueOf(&w).Elem().Field(i))
		wanted, ok := want[name]
		if !ok {
			wanted = Whole
		}
		if got := ChangeOf(&v, &w); name != "Settings" && got != wanted {
			t.Errorf("%s: the change is %d, want %d", name, got, wanted)
		}
	})
	each(t, reflect.TypeFor[verify.Settings](), func(i int, name string) {
		w := v
		alter(t, reflect.ValueOf(&w.Settings).Elem().Field(i))
		if ChangeOf(&v, &w) != Whole {
			t.Errorf("Settings.%s is not looked at", name)
		}
	})
}

// TestAttemptChangeLooksAtEveryField changes each field alone, of an attempt that
// is stored and of a new one.
func TestAttemptChangeLooksAtEveryField(t *testing.T) {
	t.Parallel()
	begun := verify.Attempt{State: verify.StateQueued, CreatedAt: Time(1_700_000_000_000_000)}
	beginning := []string{"ID", "Verification", "Account", "N", "Send", "Step", "Channel", "CreatedAt"}
	dialled := []string{"ID", "Route", "State", "Gate", "Ungated", "Screen", "DialledAt"}
	each(t, reflect.TypeFor[verify.Attempt](), func(i int, name string) {
		a := begun
		alter(t, reflect.ValueOf(&a).Elem().Field(i))
		fresh, stored := Anew, Delivered
		if slices.Contains(beginning, name) {
			fresh, stored = Queued, Anew
		}
		if slices.Contains(dialled, name) {
			stored = Dialled
		}
		if got := (&Written{Attempt: a}).Change(); got != fresh {
			t.Errorf("%s of a new one: the change is %d, want %d", name, got, fresh)
		}
		if got := (&Written{Attempt: a, Stored: true, Was: begun}).Change(); got != stored {
			t.Errorf("%s: the change is %d, want %d", name, got, stored)
		}
	})
}

func each(t *testing.T, typ reflect.Type, f func(i int, name string)) {
	t.Helper()
	for i := range typ.NumField() {
		f(i, typ.Field(i).Name)
	}
}

// alter gives a field another value.
func alter(t *testing.T, f reflect.Value) {
	t.Helper()
	switch f.Kind() {
	case reflect.String:
		f.SetString(f.String() + "x")
	case reflect.Int:
		f.SetInt(f.Int() + 1)
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Struct: // a time, or the settings, which are altered field by field
		f.SetZero()
		if f.Type() == reflect.TypeFor[verify.Settings]() {
			return
		}
		f.Set(reflect.ValueOf(Time(42)))
	case reflect.Slice:
		if f.Type() == reflect.TypeFor[[]account.Step]() {
			f.Set(reflect.ValueOf([]account.Step{{Timeout: 1}}))
			return
		}
		f.SetBytes([]byte("altered"))
	default:
		t.Fatalf("a field of kind %v", f.Kind())
	}
}
