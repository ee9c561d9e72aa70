package edge

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/verify"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	many := make([]string, maxFields+1)
	for i := range many {
		many[i] = `"` + strings.Repeat("a", i/26+1) + string(rune('a'+i%26)) + `":1`
	}
	for text, want := range map[string]string{
		`{}`: "", `[]`: "", `1`: "", `"a"`: "", `null`: "null", ` {"a":[{"a":1},{"a":"a"},"a","a"],"b":{"a":"null"}} `: "", `{"a":{"b":null}}`: "null", `[null]`: "null",
		`{"a":1e999999}`: "", `{"a":"a","b":"a"}`: "", `[1,1]`: "", `{"a":"\\\"{A","b":["\\","a",{"c":"\"B\":1"}]}`: "", `{"a":{},"b":[],"c":[[]]}`: "",
		"": "not valid", `{`: "not valid", `{"a":1,}`: "not valid", `{}{}`: "not valid", `{} x`: "not valid", `[1}`: "not valid",
		`{"a" 1}`: "not valid", `NaN`: "not valid", "{\"a\":\"\xff\"}": "not valid", `'a'`: "not valid", "\ufeff{}": "not valid",
		`{"a":1,"a":1}`: "a is there twice", `{"a":{"b":1,"b":2}}`: "b is there twice", `[{"a":1,"\u0061":2}]`: "unknown field",
		`{"a":{"a":1},"a":2}`: "twice", `{"a":[1,{"c":[]}],"b":2,"a":[]}`: "twice",
		`{"A":1}`: "unknown field", `{"a":1,"A":1}`: "unknown field", `{"":1}`: "unknown field", `{"a1":1}`: "unknown field",
		"{\"\u017f\":1}": "unknown field", `{"\u212a":1}`: "unknown field", `{"` + strings.Repeat("a", 41) + `":1}`: "unknown field",
		strings.Repeat("[", 8) + strings.Repeat("]", 8): "", strings.Repeat("[", 9) + strings.Repeat("]", 9): "too deeply",
		strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 8): "", strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9): "too deeply",
		"{" + strings.Join(many, ",") + "}": "too many", "{" + strings.Join(many[1:], ",") + "}": "",
	} {
		err := CheckJSON([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// What passes is read by encoding/json, and means the same to a reader that does
// not care for the case of names.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"to":"+81312345678","workflow":[{"channel":"sms","timeout_seconds":60}]}`, `{"a":1,"a":2}`, `{"a":1,"A":2}`,
		`{"a":{"b":[{},{"b":1}]},"b":null}`, `[[[[[[[[[1]]]]]]]]]`, `{"\u0061":1,"a":2}`, "{\"\u212a\":1,\"k\":2}", `1 2`, `{"a":`, `"\ud800"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := CheckJSON(data)
		if e := (*verify.Error)(nil); err != nil && (!errors.As(err, &e) || e.Code != verify.BadInput) {
			t.Fatalf("not a refusal: %v", err)
		}
		var v any
		bad := json.Unmarshal(data, &v)
		if tooBig := (*json.UnmarshalTypeError)(nil); err == nil && bad != nil && !errors.As(bad, &tooBig) {
			t.Fatalf("passed, and cannot be read: %v", bad)
		}
		if err == nil && bad == nil {
			unambiguous(t, data, count(v))
		}
	})
}

// count counts the fields of all objects.
func count(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, e := range v {
			n += count(e)
		}
	case []any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}

// unambiguous compares what was read with the names that are in the text: a name
// that was there twice is read once.
func unambiguous(t *testing.T, data []byte, fields int) {
	t.Helper()
	inString, colons := false, 0
	for i := 0; i < len(data); i++ {
		switch {
		case inString && data[i] == '\\':
			i++
		case data[i] == '"':
			inString = !inString
		case !inString && data[i] == ':':
			colons++
		}
	}
	if colons != fields {
		t.Fatalf("%d names in the text, %d fields read", colons, fields)
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	data := []byte(`{"to":"+81312345678","workflow":[{"channel":"sms","timeout_seconds":60},{"channel":"voice"}],"purpose":"login"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := CheckJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}
