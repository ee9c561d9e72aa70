package xoxzo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestParseRefusal(t *testing.T) {
	t.Parallel()
	scrub := scrubber{secrets: []string{"t0ken"}, echo: letters("say one two three"), digits: nil}
	for _, tc := range []struct {
		body string
		want Error
	}{
		{`{"recording_url":["This field is required."]}`, Error{Fields: map[string][]string{"recording_url": {"This field is required."}}}},
		{`{"recipient":"bad"}`, Error{Fields: map[string][]string{"recipient": {"bad"}}}},
		{`{"detail":"Invalid sid/token"}`, Error{Detail: "Invalid sid/token"}},
		{`{"detail":["a","b"]}`, Error{Detail: "a b"}},
		{`["a",["b"]]`, Error{Fields: map[string][]string{"non_field_errors": {"a", "b"}}}},
		{`"a"`, Error{Fields: map[string][]string{"non_field_errors": {"a"}}}},
		{`{"a":{"b":["c"]},"n":null,"x":[]}`, Error{Fields: map[string][]string{"a": {"c"}}}},
		{`{"a":"say one, TWO, three!"}`, Error{Fields: map[string][]string{"a": {withheld}}}},
		{`{"a":"xt0kenx"}`, Error{Fields: map[string][]string{"a": {withheld}}}},
		{`{"a":"call +81 80-5469-5209\n"}`, Error{Fields: map[string][]string{"a": {"call +** **-****-**** "}}}},
		{`{"a":"at most 15 digits"}`, Error{Fields: map[string][]string{"a": {"at most 15 digits"}}}},
		{``, Error{}},
		{`<html>no</html>`, Error{}},
		{`{"detail":"cut`, Error{}},
		{`null`, Error{}},
	} {
		got := parseRefusal([]byte(tc.body), scrub)
		if diff := cmp.Diff(tc.want.Fields, got.Fields); diff != "" || got.Detail != tc.want.Detail {
			t.Errorf("%s: detail %q, fields %s", tc.body, got.Detail, diff)
		}
	}
}

func FuzzParseRefusal(f *testing.F) {
	for _, seed := range []string{
		`{"recording_url":["This field is required."]}`, `{"detail":"Invalid sid/token"}`, `[]`, `{}`, ``, `<html>`, `"x"`,
		`{"non_field_errors":["Not enough credits, required: 20"]}`, `{"a":[[[[[["deep"]]]]]]}`, `{"a":1e400,"b":123456789}`,
		`{"detail":"+81 80-5469-5209"}`, `{"a":"１２３４５６"}`,
	} {
		f.Add([]byte(seed))
	}
	scrub := scrubber{secrets: []string{"t0ken"}, echo: letters("your code is"), digits: []string{"4815"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := parseRefusal(raw, scrub)
		text := e.Error()
		if strings.Contains(text, "t0ken") || strings.Contains(text, "4815") {
			t.Error("a secret is shown")
		}
		if len(e.Fields) > maxFields || len([]rune(text)) > (maxFields+1)*(maxMessages+1)*(maxText+10) {
			t.Errorf("%d fields, %d bytes", len(e.Fields), len(text))
		}
		run := 0
		for _, r := range e.Detail {
			if !unicode.IsDigit(r) {
				run = 0
				continue
			}
			if run++; run >= 5 {
				t.Fatal("five digits in a row are shown")
			}
		}
	})
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2018, 6, 18, 20, 50, 40, 0, time.UTC)
	for _, in := range []string{"2018-06-18 20:50:40", " 2018-06-18T20:50:40Z", "2018-06-18T22:50:40+02:00", "2018-06-18T20:50:40"} {
		if got, err := ParseTime(in); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", " ", "0000-00-00 00:00:00", "0000-00-00", "0000-00-00T00:00:00Z"} {
		if got, err := ParseTime(in); err != nil || !got.IsZero() {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"soon", "2018-13-01 00:00:00", "1529355040", "2018-06-18"} {
		if got, err := ParseTime(in); err == nil || strings.Contains(err.Error(), in) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2018-06-18 20:50:40", "0000-00-00 00:00:00", "2018-06-18T20:50:40.5Z", "", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseTime(in)
		if err != nil && !got.IsZero() {
			t.Error("an error and a time")
		}
		if err != nil || got.IsZero() {
			return
		}
		again, err := ParseTime(got.Format(time.RFC3339Nano))
		if year := got.Year(); year >= 0 && year <= 9999 && (err != nil || !again.Equal(got)) {
			t.Errorf("%v became %v, %v", got, again, err)
		}
	})
}

func FuzzCallAnswer(f *testing.F) {
	f.Add([]byte(`{"a":["x",1],"b":"1.5","c":"2018-06-18 20:50:40"}`))
	f.Add([]byte(`{"a":"x,y","b":null,"c":null}`))
	f.Add([]byte(`{"a":{},"b":"NaN","c":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v struct {
			A labels
			B number
			C moment
		}
		if json.Unmarshal(raw, &v) != nil {
			return
		}
		if d := v.B.seconds(); d < 0 || d > 24*time.Hour {
			t.Errorf("duration %v", d)
		}
		if id, err := ids(raw, "callid"); err == nil && !validID(id) {
			t.Error("an unusable identifier")
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ raw, want string }{
		{`[{"callid":"dabd8e76-390f"}]`, "dabd8e76-390f"},
		{` {"callid":"a"}`, "a"},
		{`[{"callid":12345}]`, "12345"},
		{`[{},{"callid":"b"}]`, "b"},
		{`[{"callid":null}]`, ""},
		{`[{"callid":""}]`, ""},
		{`[{"msgid":"a"}]`, ""},
		{`"a"`, ""},
		{`[null]`, ""},
	} {
		if got, err := ids(json.RawMessage(tc.raw), "callid"); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q, %v", tc.raw, got, err)
		}
	}
}
