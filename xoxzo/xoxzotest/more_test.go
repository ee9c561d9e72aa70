package xoxzotest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

const (
	conferences = "/voice/simple/conferences/"
	otpVerify   = "/otp/verify/"
	templateSix = "/sms/templates/6/messages/"
	dinSubs     = "/voice/dins/subscriptions/"
	jsonType    = "application/json"
)

func TestMoreRefusals(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	const two = "%2B818054695209,%2B815012345678"
	vars := `"variables":{"name":"a","order_number":"b"}`
	for name, tc := range map[string]struct {
		ask    ask
		status int
		body   string // contained
	}{
		"one participant":    {ask{"POST", conferences, form, "caller=81&participants=%2B818054695209", ""}, 400, "participants"},
		"the same twice":     {ask{"POST", conferences, form, "caller=815&participants=%2B818054695209,%2B818054695209", ""}, 400, "participants"},
		"trunk 0 in a leg":   {ask{"POST", conferences, form, "caller=815&participants=%2B818054695209,%2B8108054695209", ""}, 400, "participants"},
		"caller with plus":   {ask{"POST", conferences, form, "caller=%2B815&participants=" + two, ""}, 400, "caller"},
		"unknown field":      {ask{"POST", conferences, form, "caller=815&recording=x&participants=" + two, ""}, 400, "recording"},
		"list of them":       {ask{"GET", conferences, "", "", ""}, 405, "detail"},
		"unknown conference": {ask{"GET", conferences + "x/", "", "", ""}, 404, "detail"},
		"two levels":         {ask{"GET", conferences + "x/y/", "", "", ""}, 404, "detail"},

		"JSON of a conference": {ask{"POST", conferences, jsonType, `{"caller":"815"}`, ""}, 415, "detail"},
		"template, not JSON":   {ask{"POST", templateSix, jsonType, `{"sender":`, ""}, 400, "detail"},
		"template, a list":     {ask{"POST", templateSix, jsonType, `[]`, ""}, 400, "detail"},
		"template, null":       {ask{"POST", templateSix, jsonType, `null`, ""}, 400, "detail"},
		"a null field":         {ask{"POST", templateSix, jsonType, `{"sender":null}`, ""}, 400, "sender"},
		"a list field":         {ask{"POST", templateSix, jsonType, `{"tags":["a"]}`, ""}, 400, "tags"},
		"text for variables":   {ask{"POST", templateSix, jsonType, `{"sender":"A","recipient":"+818054695209","variables":"x"}`, ""}, 400, "variables"},
		"numbers in variables": {ask{"POST", templateSix, jsonType, `{"sender":"A","recipient":"+818054695209","variables":{"name":1,"order_number":"b"}}`, ""}, 400, "variables"},
		"no sender":            {ask{"POST", templateSix, jsonType, `{"recipient":"+818054695209",` + vars + `}`, ""}, 400, "sender"},
		"template, unknown":    {ask{"POST", "/sms/templates/5/messages/", jsonType, `{"sender":"A","recipient":"+818054695209",` + vars + `}`, ""}, 404, "detail"},
		"template, JSON":       {ask{"POST", templateSix, jsonType, `{"sender":"A","recipient":"+818054695209",` + vars + `}`, ""}, 201, "msgid"},
		"template, form":       {ask{"POST", templateSix, form, "sender=A&recipient=%2B818054695209&variables=" + url.QueryEscape(`{"name":"a","order_number":"b"}`), ""}, 201, "msgid"},

		"look-up, no plus": {ask{"POST", "/utilities/carrierlookup/", form, "recipient=818054695209", ""}, 400, "recipient"},
		"look-up, read":    {ask{"GET", "/utilities/carrierlookup/", "", "", ""}, 405, "detail"},

		"website, bare":     {ask{"POST", "/otp/register-website/", form, "website=example.com", ""}, 400, "website"},
		"website, path":     {ask{"POST", "/otp/register-website/", form, "website=https://example.com/a", ""}, 400, "website"},
		"template 4":        {ask{"POST", "/otp/register-website/", form, "website=https://example.com&template_id=4", ""}, 400, "template_id"},
		"not registered":    {ask{"POST", "/otp/request/", jsonType, `{"website":"https://none.example.com","phone_number":"+818054695209"}`, ""}, 400, "website"},
		"request, no phone": {ask{"POST", "/otp/request/", form, "website=https://example.com", ""}, 400, "phone_number"},
		"verify, no code":   {ask{"POST", otpVerify, jsonType, `{"otp_id":"x"}`, ""}, 400, "code"},
		"verify, no name":   {ask{"POST", otpVerify, form, "code=123456&website=https://example.com", ""}, 400, "otp_id"},
		"verify, unknown":   {ask{"POST", otpVerify, jsonType, `{"otp_id":"x","code":"123456"}`, ""}, 400, "otp_id"},

		"both filters":      {ask{"GET", "/voice/dins/?country=JP&prefix=813", "", "", ""}, 400, "non_field_errors"},
		"small letters":     {ask{"GET", "/voice/dins/?country=jp", "", "", ""}, 400, "country"},
		"unknown filter":    {ask{"GET", "/sms/sins/?city=Tokyo", "", "", ""}, 400, "city"},
		"filter of rented":  {ask{"GET", dinSubs + "?country=JP", "", "", ""}, 400, "non_field_errors"},
		"unknown number":    {ask{"POST", dinSubs, form, "din_uid=x", ""}, 400, "din_uid"},
		"the other kind":    {ask{"POST", "/sms/sins/subscriptions/", form, "din_uid=JPsin00000000001", ""}, 400, "sin_uid"},
		"action, not ours":  {ask{"POST", dinSubs + "JPafr34rafic76tf/", form, "action_url=http://example.com/", ""}, 404, "detail"},
		"action, no URL":    {ask{"POST", dinSubs + "JPafr34rafic76tf/", form, "action_url=there", ""}, 400, "action_url"},
		"give back another": {ask{"DELETE", dinSubs + "JPafr34rafic76tf/", "", "", ""}, 404, "detail"},
		"delete the list":   {ask{"DELETE", dinSubs, "", "", ""}, 405, "detail"},
	} {
		if status, body := do(t, s, tc.ask); status != tc.status || !strings.Contains(body, tc.body) {
			t.Errorf("%s: %d %s, want %d", name, status, body, tc.status)
		}
	}
	if len(s.Calls()) != 0 || len(s.Messages()) != 2 || s.Credits() != xoxzotest.DefaultCredits-2*xoxzotest.MessageCost {
		t.Error("a refused request had an effect")
	}
}

// The client of the API's own makers sends the operator raw, or encodes < and >, as its HTTP library pleases.
func TestSentQueries(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	for _, back := range []int{100, 90, 1, 0} {
		s.SetNow(func() time.Time { return now.AddDate(0, 0, -back) })
		do(t, s, ask{"POST", "/sms/messages/", form, "message=a&sender=A&recipient=%2B818054695209", ""})
	}
	s.SetNow(func() time.Time { return now })
	for query, want := range map[string]int{
		"": 3, "?sent_date=2026-06-30": 1, "?sent_date>=2026-06-29": 2, "?sent_date>2026-06-29": 1, "?sent_date<2026-06-29": 1,
		"?sent_date<=2026-06-29": 2, "?sent_date%3E=2026-06-29": 2, "?sent_date%3E%3D2026-06-29": 2, "?sent_date>=2026-04-01": 3,
	} {
		status, body := do(t, s, ask{"GET", "/sms/messages/" + query, "", "", ""})
		if n := strings.Count(body, `"msgid"`); status != 200 || n != want {
			t.Errorf("%s: %d, %d messages, want %d", query, status, n, want)
		}
	}
	for _, query := range []string{
		"?sent_date>=2026-03-31", "?sent_date<2026-03-31", "?sent_date>=30-06-2026", "?sent_date>=2026-06-31", "?sent_date>=",
		"?sent_date", "?sent_date2026-06-30", "?sent_date==2026-06-30", "?sent_date=>2026-06-30", "?date=2026-06-30",
		"?sent_date>=2026-06-29&sent_date<2026-06-30", "?sent_date>=%zz", "?sent_date>=+2026-06-29",
	} {
		status, body := do(t, s, ask{"GET", "/sms/messages/" + query, "", "", ""})
		if status != 400 || !strings.Contains(body, `{"sent_date":["Invalid sent_date`) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

// Each of the ways that the two sources have to name a code is enough.
func TestVerifyByEitherSource(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"tutorial": `{"otp_id":"%[1]s","code":"%[2]s"}`,
		"msgid":    `{"msgid":"%[1]s","code":"%[2]s"}`,
		"table":    `{"website":"https://example.com","phone_number":"+818054695209","code":"%[2]s"}`,
		"all":      `{"otp_id":"%[1]s","website":"https://example.com","phone_number":"+818054695209","code":"%[2]s"}`,
	} {
		s := xoxzotest.New(t)
		if status, body := do(t, s, ask{"POST", "/otp/register-website/", form, "website=https://example.com", ""}); status != 201 {
			t.Fatal(status, body)
		}
		status, _ := do(t, s, ask{"POST", "/otp/request/", form, "website=https://example.com&phone_number=%2B818054695209", ""})
		if status != 201 || len(s.OTPs()) != 1 {
			t.Fatal(status)
		}
		sent := s.OTPs()[0]
		if !strings.Contains(s.Messages()[0].Text, sent.Code) || strings.Contains(fmt.Sprintf("%v %+v %#v", sent, sent, sent), sent.Code) {
			t.Error("the code is not in the message, or shown")
		}
		status, _ = do(t, s, ask{"POST", otpVerify, jsonType, fmt.Sprintf(body, sent.ID, sent.Code), ""})
		if status != 200 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestRefusedRecipientEverywhere(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	s.RefuseRecipient(number, xoxzotest.CountryNotAllowed())
	for path, body := range map[string]string{
		conferences:                  "caller=815&participants=%2B815012345678,%2B818054695209",
		"/utilities/carrierlookup/":  "recipient=%2B818054695209",
		"/otp/request/":              "website=https://example.com&phone_number=%2B818054695209",
		"/sms/templates/6/messages/": "sender=A&recipient=%2B818054695209&variables=" + url.QueryEscape(`{"name":"a","order_number":"b"}`),
	} {
		if status, text := do(t, s, ask{"POST", path, form, body, ""}); status != 403 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	answer := make(chan [2]string, 1) // type, text
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := <-answer
		w.Header().Set("Content-Type", a[0])
		if r.FormValue("caller") == "818054695209" && r.FormValue("recipient") == "815012345678" && r.FormValue("key") == "a" {
			_, _ = w.Write([]byte(a[1]))
		}
	}))
	t.Cleanup(server.Close)
	s := xoxzotest.New(t)
	ring := func() (string, error) { return s.Ring(t.Context(), "815012345678", "818054695209") }
	if _, err := ring(); err == nil {
		t.Error("a number that nobody rents was answered")
	}
	do(t, s, ask{"POST", dinSubs, form, "din_uid=JPafr34rafic76tf", ""})
	action := func(target string) {
		body := url.Values{"action_url": {target}}.Encode()
		if status, text := do(t, s, ask{"POST", dinSubs + "JPafr34rafic76tf/", form, body, ""}); status != 200 {
			t.Fatal(status, text)
		}
	}
	action("http://www.example.com/")
	if _, err := ring(); err == nil {
		t.Error("a stranger's server was called")
	}
	action(server.URL + "/?key=a")
	const plain = "text/plain; charset=utf-8"
	for text, want := range map[[2]string]string{
		{plain, "playback http://example.com/a.mp3"}:              "http://example.com/a.mp3",
		{plain, "playback http://example.com/a.mp3\n"}:            "http://example.com/a.mp3",
		{plain, "playback https://example.com/a.mp3"}:             "",
		{plain, "playback http://example.com/a.mp3\nplayback x"}:  "",
		{plain, "Playback http://example.com/a.mp3"}:              "",
		{plain, "http://example.com/a.mp3"}:                       "",
		{plain, ""}:                                               "",
		{"text/html", "playback http://example.com/a.mp3"}:        "",
		{"application/json", "playback http://example.com/a.mp3"}: "",
	} {
		answer <- text
		if got, err := ring(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
