package xoxzotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

const (
	number = "+818054695209"
	form   = "application/x-www-form-urlencoded"
)

// ask is one request as a careless client might make it.
type ask struct {
	method, path, contentType, body string
	token                           string // empty: the right one
}

// do returns the status and the body.
func do(t *testing.T, s *xoxzotest.Server, a ask) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), a.method, s.URL+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if a.token == "" {
		a.token = s.AuthToken
	}
	req.SetBasicAuth(s.SID, a.token)
	if a.contentType != "" {
		req.Header.Set("Content-Type", a.contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func call() url.Values {
	return url.Values{"caller": {"815012345678"}, "recipient": {number}, "tts_message": {"Your code is one"}, "tts_lang": {"en"}}
}

func TestPlaybackRefusals(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	for name, tc := range map[string]struct {
		change func(url.Values)
		field  string
	}{
		"trunk 0":            {func(f url.Values) { f.Set("recipient", "+8108012345678") }, "recipient"},
		"trunk 0, Britain":   {func(f url.Values) { f.Set("recipient", "+4402079460000") }, "recipient"},
		"no plus":            {func(f url.Values) { f.Set("recipient", "818054695209") }, "recipient"},
		"spaces":             {func(f url.Values) { f.Set("recipient", "+81 8054695209") }, "recipient"},
		"too long":           {func(f url.Values) { f.Set("recipient", "+8180546952091234") }, "recipient"},
		"short in Japan":     {func(f url.Values) { f.Set("recipient", "+8180546952") }, "recipient"},
		"no recipient":       {func(f url.Values) { f.Del("recipient") }, "recipient"},
		"no caller":          {func(f url.Values) { f.Del("caller") }, "caller"},
		"caller with plus":   {func(f url.Values) { f.Set("caller", "+815012345678") }, "caller"},
		"no message":         {func(f url.Values) { f.Del("tts_message") }, "tts_message"},
		"empty message":      {func(f url.Values) { f.Set("tts_message", " ") }, "tts_message"},
		"no language":        {func(f url.Values) { f.Del("tts_lang") }, "tts_lang"},
		"withdrawn language": {func(f url.Values) { f.Set("tts_lang", "id") }, "tts_lang"},
		"English as ja":      {func(f url.Values) { f.Set("tts_lang", "ja") }, "tts_message"},
		"Japanese as en":     {func(f url.Values) { f.Set("tts_message", "コードは一です") }, "tts_message"},
		"Russian as en":      {func(f url.Values) { f.Set("tts_message", "код") }, "tts_message"},
		"both":               {func(f url.Values) { f.Set("recording_url", "http://example.com/a.mp3") }, "non_field_errors"},
		"neither":            {func(f url.Values) { f.Del("tts_message"); f.Del("tts_lang") }, "recording_url"},
		"https recording": {func(f url.Values) {
			f.Del("tts_message")
			f.Del("tts_lang")
			f.Set("recording_url", "https://example.com/a.mp3")
		}, "recording_url"},
		"unknown key":  {func(f url.Values) { f.Set("language", "en") }, "language"},
		"repeated key": {func(f url.Values) { f.Add("tts_lang", "en") }, "tts_lang"},
		"empty tags":   {func(f url.Values) { f.Set("tags", "") }, "tags"},
		"empty tag":    {func(f url.Values) { f.Set("tags", "a,,b") }, "tags"},
		"callback":     {func(f url.Values) { f.Set("callbackurl", "nowhere") }, "callbackurl"},
		"not UTF-8":    {func(f url.Values) { f.Set("tts_message", "a\xff") }, "tts_message"},
	} {
		f := call()
		tc.change(f)
		status, body := do(t, s, ask{"POST", "/voice/simple/playbacks/", form, f.Encode(), ""})
		var fields map[string][]string
		if status != 400 || json.Unmarshal([]byte(body), &fields) != nil || len(fields[tc.field]) == 0 {
			t.Errorf("%s: %d %s, want a complaint about %s", name, status, body, tc.field)
		}
	}
	if len(s.Calls()) != 0 || s.Credits() != xoxzotest.DefaultCredits {
		t.Error("a refused call was placed or paid for")
	}
	f := call()
	f.Set("tts_lang", "ja")
	f.Set("tts_message", "Acmeです。コードは、いち、に、です。")
	if status, body := do(t, s, ask{"POST", "/voice/simple/playbacks/", form, f.Encode(), ""}); status != 201 {
		t.Errorf("Japanese as ja: %d %s", status, body)
	}
}

func TestOuterRefusals(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	good := call().Encode()
	sms := "/sms/messages/"
	for name, tc := range map[string]struct {
		ask    ask
		status int
		body   string // contained
	}{
		"token":          {ask{"POST", "/voice/simple/playbacks/", form, good, "wrong"}, 401, `{"detail":"Invalid sid/token"}`},
		"token, no path": {ask{"GET", "/nothing", "", "", "wrong"}, 401, "detail"},
		"no slash":       {ask{"POST", "/voice/simple/playbacks", form, good, ""}, 404, "detail"},
		"removed path":   {ask{"POST", "/voice/simple/playback/", form, good, ""}, 404, "detail"},
		"unknown call":   {ask{"GET", "/voice/calls/none/", "", "", ""}, 404, "detail"},
		"call, no slash": {ask{"GET", "/voice/calls/none", "", "", ""}, 404, "detail"},
		"method":         {ask{"PUT", "/voice/simple/playbacks/", form, good, ""}, 405, "detail"},
		"JSON":           {ask{"POST", "/voice/simple/playbacks/", "application/json", "{}", ""}, 415, "detail"},
		"no type":        {ask{"POST", "/voice/simple/playbacks/", "", good, ""}, 415, "detail"},
		"query":          {ask{"POST", "/voice/simple/playbacks/?a=b", form, good, ""}, 400, "non_field_errors"},
		"bad escapes":    {ask{"POST", "/voice/simple/playbacks/", form, "a=%zz", ""}, 400, "detail"},
		"large":          {ask{"POST", "/voice/simple/playbacks/", form, "tags=" + strings.Repeat("x", 1<<17), ""}, 413, "detail"},
		"long sender":    {ask{"POST", sms, form, "message=a&recipient=%2B818054695209&sender=ElevenChars", ""}, 400, "sender"},
		"long number":    {ask{"POST", sms, form, "message=a&recipient=%2B818054695209&sender=1234567890123456", ""}, 400, "sender"},
		"no sender":      {ask{"POST", sms, form, "message=a&recipient=%2B818054695209", ""}, 400, "sender"},
		"empty message":  {ask{"POST", sms, form, "message=&recipient=%2B818054695209&sender=Acme", ""}, 400, "message"},
	} {
		if status, body := do(t, s, tc.ask); status != tc.status || !strings.Contains(body, tc.body) {
			t.Errorf("%s: %d %s, want %d", name, status, body, tc.status)
		}
	}
	if n := len(s.Requests()); n != 16 {
		t.Errorf("%d requests on record, want all 16", n)
	}
}

// place makes a good call and returns its identifier.
func place(t *testing.T, s *xoxzotest.Server, f url.Values) string {
	t.Helper()
	status, body := do(t, s, ask{"POST", "/voice/simple/playbacks/", form, f.Encode(), ""})
	var list []struct{ CallID string }
	if status != 201 || json.Unmarshal([]byte(body), &list) != nil || len(list) != 1 || list[0].CallID == "" {
		t.Fatalf("%d %s", status, body)
	}
	return list[0].CallID
}

// read returns the status and the end time of a call.
func read(t *testing.T, s *xoxzotest.Server, id string) [2]string {
	t.Helper()
	_, body := do(t, s, ask{"GET", "/voice/calls/" + id + "/", "", "", ""})
	var v struct {
		Status string
		End    string `json:"end_time"`
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	return [2]string{v.Status, v.End}
}

func TestLives(t *testing.T) {
	t.Parallel()
	const unset = "0000-00-00 00:00:00"
	s := xoxzotest.New(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.SetNow(func() time.Time { return now })
	end := func(d time.Duration) string { return now.Add(d).Format(time.DateTime) }

	s.ScriptCalls(number, xoxzotest.Life{Statuses: []string{"A", "BUSY"}, Reads: 2})
	id := place(t, s, call())
	got := [][2]string{read(t, s, id), read(t, s, id), read(t, s, id), read(t, s, id)}
	want := [][2]string{{"A", unset}, {"A", unset}, {"BUSY", end(0)}, {"BUSY", end(0)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("by reads:", diff)
	}

	s.ScriptCalls(number, xoxzotest.Life{Statuses: []string{"A", "B", "C"}, Every: time.Minute, NoEndTime: true})
	id = place(t, s, call())
	first := read(t, s, id)
	s.SetNow(func() time.Time { return now.Add(time.Minute) })
	second := read(t, s, id)
	s.SetNow(func() time.Time { return now.Add(time.Hour) })
	if diff := cmp.Diff([][2]string{{"A", unset}, {"B", unset}, {"C", unset}}, [][2]string{first, second, read(t, s, id)}); diff != "" {
		t.Error("by time:", diff)
	}
	if calls := s.Calls(); len(calls) != 2 || calls[0].Reads != 4 || !calls[1].Ended || calls[0].Message != "Your code is one" {
		t.Errorf("record: %+v", calls)
	}
	if s.Credits() != xoxzotest.DefaultCredits-2*xoxzotest.CallCost {
		t.Errorf("credits %v", s.Credits())
	}
}

func TestCallback(t *testing.T) {
	t.Parallel()
	got := make(chan url.Values, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil {
			got <- r.PostForm
		}
	}))
	t.Cleanup(receiver.Close)
	s := xoxzotest.New(nil)
	f := call()
	f.Set("callbackurl", receiver.URL)
	f.Set("tags", "a,b")
	id := place(t, s, f)
	f.Set("callbackurl", "http://www.example.com/")
	stranger := place(t, s, f)
	first, again := s.End(id), s.End(id)
	if !first || !again || !s.End(stranger) || s.End("none") {
		t.Error("End reports the wrong thing")
	}
	form := <-got
	if form.Get("callid") != id || form.Get("status") != "ANSWERED" || form.Get("duration") != "15" || form.Get("tags") != "a,b" {
		t.Errorf("callback: %v", form)
	}
	s.Close()
	statuses := map[string]int{}
	for _, c := range s.Callbacks() {
		statuses[c.URL] = c.Status
	}
	if diff := cmp.Diff(map[string]int{receiver.URL: 200, "http://www.example.com/": 0}, statuses); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedRecipient(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	s.RefuseRecipient(number, xoxzotest.CountryNotAllowed())
	if status, body := do(t, s, ask{"POST", "/voice/simple/playbacks/", form, call().Encode(), ""}); status != 403 {
		t.Errorf("%d %s", status, body)
	}
	s.RefuseRecipient(number, xoxzotest.Fault{Status: 500, Acts: true})
	if status, body := do(t, s, ask{"POST", "/voice/simple/playbacks/", form, call().Encode(), ""}); status != 500 {
		t.Errorf("%d %s", status, body)
	}
	if n := len(s.Calls()); n != 1 {
		t.Errorf("%d calls, want the one that acted", n)
	}
	f := call()
	f.Set("recipient", "+818054695210")
	place(t, s, f)
}

func TestFaultsOfTheConnection(t *testing.T) {
	t.Parallel()
	s := xoxzotest.New(t)
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 200 * time.Millisecond}
	get := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/you/credits/", nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(s.SID, s.AuthToken)
		resp, err := hc.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	s.Fail(xoxzotest.OpCredits, xoxzotest.Fault{Drop: true}, xoxzotest.Fault{Hang: true})
	dropped, hung := get(), get()
	if dropped == nil || hung == nil {
		t.Error("drop or hang were answered")
	}
	s.DropConnections(1)
	if get() == nil {
		t.Error("a dropped connection was served")
	}
	if err := get(); err != nil {
		t.Error(err)
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests, want 3: the dropped connection had none", n)
	}
}
