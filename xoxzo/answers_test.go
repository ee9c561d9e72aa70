package xoxzo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConferenceRef(t *testing.T) {
	t.Parallel()
	both := ConferenceRef{ID: "c", CallIDs: []string{"a", "b"}}
	for _, tc := range []struct {
		raw  string
		want ConferenceRef
	}{
		{`{"conferenceid":"c","calls":[{"callid":"a"},{"callid":"b"}]}`, both},
		{`[{"conferenceid":"c","callid":["a","b"]}]`, both},
		{`[{"conferenceid":"c"},{"callid":"a"},{"callid":"b"}]`, both},
		{`[{"conferenceid":"c","callid":"a"},{"conferenceid":"c","callid":"b"}]`, both},
		{`{"conferenceid":12,"participants":{"+81":{"callid":"a"},"+82":{"callid":"b"}}}`, ConferenceRef{ID: "12", CallIDs: both.CallIDs}},
		{`{"conferenceid":"c"}`, ConferenceRef{ID: "c"}},
		{`{"callid":"a"}`, ConferenceRef{}},
		{`{"conferenceid":"../x"}`, ConferenceRef{}},
		{`"c"`, ConferenceRef{}},
		{``, ConferenceRef{}},
	} {
		got, err := conferenceRef([]byte(tc.raw))
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want.ID != "") {
			t.Errorf("%s: %v, %s", tc.raw, err, diff)
		}
	}
}

func FuzzConference(f *testing.F) {
	for _, seed := range []string{
		`{"conferenceid":"c","calls":[{"callid":"a","duration":"1.5"},{"callid":"b","cost":null}]}`, `[{"callid":1}]`, `[]`,
		`{"callid":["a"]}`, `[[[[[[[{"callid":"x"}]]]]]]]`, `{"conferenceid":"c","start_time":"2018-06-18 20:50:40"}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ref, err := conferenceRef(raw)
		if (err == nil) != validID(ref.ID) || len(ref.CallIDs) > maxLegs {
			t.Errorf("reference %q, %d calls, %v", ref.ID, len(ref.CallIDs), err)
		}
		for _, id := range ref.CallIDs {
			if !validID(id) {
				t.Error("an unusable identifier")
			}
		}
		conference, err := parseConference(raw, "c")
		if err == nil && (conference.ID != "c" || len(conference.Legs) > maxLegs) {
			t.Errorf("conference %q, %d legs", conference.ID, len(conference.Legs))
		}
		for _, leg := range conference.Legs {
			if !validID(leg.ID) || leg.Duration < 0 {
				t.Error("an unusable leg")
			}
		}
	})
}

func TestParseCarrier(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`[{"mcc":"440","recipient":"+81"}]`:       true,
		`{"mcc":440,"recipient":81}`:              true,
		`[{"mcc":null,"recipient":null}]`:         true,
		`[{"mcc":"440","recipient":"+82"}]`:       false,
		`[]`:                                      false,
		`[{}]`:                                    false,
		`[{"mcc":null},{"mcc":null}]`:             false,
		`[{"mcc":"440","cost":"much"}]`:           false,
		`"KDDI"`:                                  false,
		`[{"mcc":{"a":1},"recipient":"+81"}]`:     false,
		`[{"mcc":"440","cost":5,"recipient":""}]`: true,
	} {
		got, err := parseCarrier([]byte(raw), "+81")
		if (err == nil) != want || want && got.Recipient != "+81" {
			t.Errorf("%s: %v, %v", raw, got, err)
		}
	}
}

func FuzzLists(f *testing.F) {
	for _, seed := range []string{
		`[{"id":"x","mcc":"440","carrier":"KDDI","recipient":"+81","cost":5}]`, `[{"msgid":"a","tags":"x,y"}]`, `{}`, `[null]`,
		`[{"din":"815012345678","din_uid":"a","monthly_cost":650.0,"action_url":null}]`, `[{"sin_uid":"b","prefix":3}]`, `[1]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := parseCarrier(raw, "+81"); err == nil && got.Recipient != "+81" {
			t.Error("a look-up of another number")
		}
		_ = each(raw, func(a numberAnswer) error {
			if s, err := a.subscription(); err == nil && !validID(s.Number.UID) {
				t.Error("an unusable number")
			}
			return nil
		})
		_ = each(raw, func(a messageAnswer) error {
			if m := a.message("a"); strings.Contains(m.String(), "+81805469") {
				t.Error("a number is shown")
			}
			return nil
		})
	})
}

// A code is right only where an object says so by itself.
func FuzzVerdict(f *testing.F) {
	for _, seed := range []string{
		`{"verified":true}`, `{"verified":false}`, `{"message":"OTP verified successfully."}`, `{"valid":true,"error":null}`,
		`{"status":"pending","verified":true}`, `[]`, `true`, ``, `{"success":true}`, `{"message":"VERIFIED"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		right, err := verdict(raw)
		if !right {
			return
		}
		var object map[string]any
		if err != nil || json.Unmarshal(raw, &object) != nil {
			t.Fatalf("%q is verified, %v", raw, err)
		}
		said := object["verified"] == true || object["valid"] == true || object["is_valid"] == true
		message, _ := object["message"].(string)
		if !said && !strings.Contains(strings.ToLower(message), "verified") || object["verified"] == false {
			t.Errorf("%q is verified", raw)
		}
	})
}

func TestParseIncoming(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		method, query string
		want          Incoming
		fails         bool
	}{
		{"GET", "caller=%2B818054695209&recipient=815012345678", Incoming{"818054695209", "815012345678"}, false},
		{"GET", "caller=+818054695209&recipient=+815012345678&key=a", Incoming{"818054695209", "815012345678"}, false},
		{"GET", "caller=anonymous&recipient=815012345678", Incoming{"", "815012345678"}, false},
		{"GET", "recipient=815012345678", Incoming{"", "815012345678"}, false},
		{"GET", "caller=818054695209", Incoming{}, true},
		{"GET", "caller=1&caller=2&recipient=815012345678", Incoming{}, true},
		{"GET", "caller=1&recipient=81501234567890123456789", Incoming{}, true},
		{"GET", "caller=%zz&recipient=815012345678", Incoming{}, true},
		{"POST", "caller=1&recipient=815012345678", Incoming{}, true},
	} {
		got, err := ParseIncoming(httptest.NewRequest(tc.method, "/din?"+tc.query, nil))
		if got != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s: %v, %v", tc.query, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "8150") {
			t.Error("a number is shown")
		}
	}
}

func FuzzParseIncoming(f *testing.F) {
	f.Add("caller=%2B818054695209&recipient=815012345678")
	f.Add("caller=&recipient=a;b")
	f.Add("recipient=%2B%2B81")
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{RawQuery: query}}
		in, err := ParseIncoming(r)
		if err != nil && in != (Incoming{}) || err == nil && !digitsOnly(in.Recipient) || in.Caller != "" && !digitsOnly(in.Caller) {
			t.Errorf("%q: %v", query, err)
		}
	})
}

func TestActionPlayback(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Action{
		"http://www.example.com/a.mp3":    "playback http://www.example.com/a.mp3",
		"https://www.example.com/a.mp3":   "",
		"http://":                         "",
		"a.mp3":                           "",
		"http://example.com/a\ntransfer":  "",
		"http://example.com/a b":          "",
		"http://example.com/a\u2028b":     "",
		"http://example.com/a.mp3\x00":    "",
		"http://example.com/%0atransfer1": "playback http://example.com/%0atransfer1",
	} {
		if got, err := ActionPlayback(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
