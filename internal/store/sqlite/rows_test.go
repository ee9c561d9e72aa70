package sqlite

import (
	"reflect"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// TestIsBeginningLooksAtEveryField sets each field of an attempt alone: one that
// was added and forgotten would not be written.
func TestIsBeginningLooksAtEveryField(t *testing.T) {
	t.Parallel()
	begun := map[string]bool{
		"ID": true, "Verification": true, "Account": true, "N": true, "Send": true, "Step": true, "Channel": true, "CreatedAt": true, "State": true,
	}
	if !isBeginning(&verify.Attempt{}) {
		t.Error("an empty one is none")
	}
	typ := reflect.TypeFor[verify.Attempt]()
	for i := range typ.NumField() {
		var a verify.Attempt
		switch f := reflect.ValueOf(&a).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.SetBytes([]byte("x"))
		default:
			f.Set(reflect.ValueOf(time.Unix(1, 0)))
		}
		if name := typ.Field(i).Name; isBeginning(&a) != begun[name] {
			t.Errorf("%s: %v", name, !begun[name])
		}
	}
}
