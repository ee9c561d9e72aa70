package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/edge"
)

// plainStart is the reader of a start's body.
func plainStart(t testing.TB) *plain {
	t.Helper()
	s := newAPI(edge.New(edge.Config{}), Config{})
	s.start()
	p := plainFor(reflect.TypeFor[startInput](), s.huma.OpenAPI().Components.Schemas)
	if p == nil {
		t.Fatal("a start cannot be read plainly")
	}
	return p
}

// alike reads a body plainly, and says whether that was possible; if it was, it
// must be what encoding/json reads, and what the schema allows.
func alike(t testing.TB, p *plain, body string) bool {
	t.Helper()
	if edge.CheckJSON([]byte(body)) != nil {
		return false
	}
	var got, want Start
	if !p.readBody([]byte(body), reflect.ValueOf(&got).Elem()) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		t.Errorf("%q was read: %v", body, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", body, diff)
	}
	if !bytes.Contains([]byte(body), []byte(`"to"`)) || utf8.RuneCountInString(got.Purpose) > 64 {
		t.Errorf("%q was read against its schema", body)
	}
	return true
}

func TestPlain(t *testing.T) {
	t.Parallel()
	p := plainStart(t)
	for body, plainly := range map[string]bool{
		`{"to":"+81312345678"}`: true,
		"\t{ \"to\" : \"+81312345678\" ,\r\n\"screen\" : true , \"channel\":\"\"} ": true,
		`{"screen":false,"to":"ü","locale":"ja","user_ref":"a","client_ip":"b"}`:    true,
		`{"to":"a","purpose":"` + strings.Repeat("a", 64) + `"}`:                    true,
		`{"to":"a","purpose":"` + strings.Repeat("a", 65) + `"}`:                    false,
		`{"to":"a","purpose":"` + strings.Repeat("ü", 33) + `"}`:                    false, // right, but huma's
		`{}`:                            false,
		`{"channel":"voice"}`:           false,
		`{"to":"a","colour":"b"}`:       false,
		`{"to":1}`:                      false,
		`{"to":true}`:                   false,
		`{"to":"a","screen":"true"}`:    false,
		`{"to":"a\u0062"}`:              false,
		`{"to":"a\"","locale":"b"}`:     false,
		`{"to":"a","metadata":{}}`:      false,
		`{"to":"a","workflow":[]}`:      false,
		`{"to":"a","consent":{"at":1}}`: false,
		`["to"]`:                        false,
		`"to"`:                          false,
		`1`:                             false,
	} {
		if got := alike(t, p, body); got != plainly {
			t.Errorf("%s: read plainly: %v", body, got)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{`{"to":"a","screen":true,"locale":"ü"}`, `{"to":"\"", "purpose" : "b"}`, `{}`, `[]`, `{"to":"a","workflow":[{"channel":"sms"}]}`} {
		f.Add(s)
	}
	p := plainStart(f)
	f.Fuzz(func(t *testing.T, body string) { alike(t, p, body) })
}

// Actions that want more than a flat body are huma's alone.
func TestPlainFor(t *testing.T) {
	t.Parallel()
	s := newAPI(edge.New(edge.Config{}), Config{})
	s.check()
	schemas := s.huma.OpenAPI().Components.Schemas
	if plainFor(reflect.TypeFor[checkInput](), schemas) == nil {
		t.Error("a check cannot be read plainly")
	}
	type asked struct {
		One
		Before string `query:"before"`
		Body   Check
	}
	type bare struct{ Asked }
	if plainFor(reflect.TypeFor[asked](), schemas) != nil || plainFor(reflect.TypeFor[bare](), schemas) != nil {
		t.Error("an input with more, or less, than a body is read plainly")
	}
}
