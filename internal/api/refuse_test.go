package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// Each row is refused before the core is asked.
func TestRefusedAtTheEdge(t *testing.T) {
	t.Parallel()
	const start, one = "/v1/verifications", "/v1/verifications/" + someID
	rows := map[string]struct {
		method, path, body string
		headers            []string
		status             int
		at                 string // location of the first error; "" for none
		detail             string // part of it
	}{
		"no body":            {"POST", start, "", nil, 422, "", "needs a body"},
		"not JSON":           {"POST", start, `{"to":`, nil, 422, "", "not valid JSON"},
		"two values":         {"POST", start, `{"to":"a"} {}`, nil, 422, "", "not valid JSON"},
		"an array":           {"POST", start, `[]`, nil, 422, "body", "expected object"},
		"a string":           {"POST", start, `"a"`, nil, 422, "body", "expected object"},
		"null":               {"POST", start, `null`, nil, 422, "", "null is no value"},
		"bad UTF-8":          {"POST", start, "{\"to\":\"\xff\"}", nil, 422, "", "not valid JSON"},
		"deep":               {"POST", start, `{"to":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`, nil, 422, "", "too deeply"},
		"no number":          {"POST", start, `{}`, nil, 422, "body", "property to"},
		"null number":        {"POST", start, `{"to":null}`, nil, 422, "", "null is no value"},
		"number as a number": {"POST", start, `{"to":81312345678}`, nil, 422, "body.to", "expected string"},
		"screen as text":     {"POST", start, `{"to":"a","screen":"true"}`, nil, 422, "body.screen", "expected boolean"},
		"amount as a number": {"POST", start, `{"to":"a","amount":12.5}`, nil, 422, "body.amount", "expected string"},
		"workflow as object": {"POST", start, `{"to":"a","workflow":{}}`, nil, 422, "body.workflow", "expected array"},
		"step as text":       {"POST", start, `{"to":"a","workflow":["sms"]}`, nil, 422, "body.workflow[0]", "expected object"},
		"step's channel":     {"POST", start, `{"to":"a","workflow":[{"channel":1}]}`, nil, 422, "body.workflow[0].channel", "expected string"},
		"half a second":      {"POST", start, `{"to":"a","workflow":[{"channel":"sms","timeout_seconds":7.5}]}`, nil, 422, "body.workflow[0].timeout_seconds", "expected integer"},
		"huge timeout":       {"POST", start, `{"to":"a","workflow":[{"channel":"sms","timeout_seconds":1e400}]}`, nil, 422, "body", "invalid value"},
		"long timeout":       {"POST", start, `{"to":"a","workflow":[{"channel":"sms","timeout_seconds":9000000000000000000}]}`, nil, 422, "body.workflow[0].timeout_seconds", "<= 600"},
		"six steps":          {"POST", start, `{"to":"a","workflow":[` + strings.Repeat(`{"channel":"sms"},`, 5) + `{"channel":"sms"}]}`, nil, 422, "body.workflow", "<= 5"},
		"unknown field":      {"POST", start, `{"to":"a","colour":"b"}`, nil, 422, "body.colour", "unknown field"},
		"unknown, unnamed":   {"POST", start, `{"to":"a","81312345678":"b"}`, nil, 422, "", "unknown field"},
		"unknown in a step":  {"POST", start, `{"to":"a","workflow":[{"channel":"sms","colour":1}]}`, nil, 422, "body.workflow[0].colour", "unknown field"},
		"other case":         {"POST", start, `{"TO":"a"}`, nil, 422, "", "lower-case"},
		"other case, nested": {"POST", start, `{"to":"a","workflow":[{"Channel":"sms"}]}`, nil, 422, "", "lower-case"},
		"Kelvin sign":        {"POST", one + "/check", `{"code":"1234","\u212aey":1}`, nil, 422, "", "lower-case"},
		"twice":              {"POST", start, `{"to":"a","to":"b"}`, nil, 422, "body.to", "twice"},
		"twice, escaped":     {"POST", start, `{"to":"a","t\u006f":"b"}`, nil, 422, "", "unknown field"},
		"twice, other case":  {"POST", start, `{"to":"a","To":"b"}`, nil, 422, "", "lower-case"},
		"twice, nested":      {"POST", start, `{"to":"a","workflow":[{"channel":"sms","channel":"voice"}]}`, nil, 422, "body.channel", "twice"},
		"too large":          {"POST", start, `{"to":"` + strings.Repeat("a", edge.MaxBody) + `"}`, nil, 413, "", "64 KiB"},
		"a form":             {"POST", start, `to=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "", "application/json"},
		"no type":            {"POST", start, `{"to":"a"}`, []string{"Content-Type", ""}, 415, "", "application/json"},
		"other charset":      {"POST", start, `{"to":"a"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "", "UTF-8"},
		"compressed":         {"POST", start, `{"to":"a"}`, []string{"Content-Encoding", "gzip"}, 415, "", "uncompressed"},
		"no credential":      {"POST", start, `{"to":"a"}`, []string{"Authorization", ""}, 401, "", "Authorization"},
		"unknown key":        {"POST", start, `{"to":"a"}`, []string{"Authorization", "Bearer pck_other_x"}, 401, "", "does not work"},
		"basic":              {"POST", start, `{"to":"a"}`, []string{"Authorization", "Basic " + starterKey}, 401, "", "does not work"},
		"dead token":         {"GET", one, "", []string{"Authorization", "Bearer pct_other_x"}, 401, "", "dead"},
		"reader starts":      {"POST", start, `{"to":"a"}`, []string{"Authorization", "Bearer " + readerKey}, 403, "", "scope verify"},
		"reader checks":      {"POST", one + "/check", `{"code":"1234"}`, []string{"Authorization", "Bearer " + readerKey}, 403, "", "scope verify"},
		"announcer reads":    {"GET", one, "", []string{"Authorization", "Bearer " + muteKey}, 403, "", "read or verify"},
		"token starts":       {"POST", start, `{"to":"a"}`, []string{"Authorization", "Bearer " + someToken}, 403, "", "API key"},
		"empty once":         {"POST", start, `{"to":"a"}`, []string{"Idempotency-Key", "\x00"}, 422, "header.Idempotency-Key", "printable"},
		"long once":          {"POST", start, `{"to":"a"}`, []string{"Idempotency-Key", strings.Repeat("a", 256)}, 422, "header.Idempotency-Key", "255"},
		"once not ASCII":     {"POST", one + "/cancel", "", []string{"Idempotency-Key", "é"}, 422, "header.Idempotency-Key", "ASCII"},
		"check without code": {"POST", one + "/check", `{}`, nil, 422, "body", "property code"},
		"code as a number":   {"POST", one + "/check", `{"code":123456}`, nil, 422, "body.code", "expected string"},
		"cancel with field":  {"POST", one + "/cancel", `{"reason":"x"}`, nil, 422, "body.reason", "unknown field"},
		"resend to an array": {"POST", one + "/resend", `{"channel":["sms"]}`, nil, 422, "body.channel", "expected string"},
		"malformed id":       {"GET", "/v1/verifications/x", "", nil, 404, "", "no such verification"},
		"unknown path":       {"GET", "/v2/verifications", "", nil, 404, "", "nothing at this address"},
		"unclean path":       {"POST", "/v1//verifications", `{"to":"a"}`, nil, 404, "", "nothing at this address"},
		"root":               {"GET", "/", "", nil, 404, "", "nothing at this address"},
		"docs":               {"GET", "/docs", "", nil, 404, "", "nothing at this address"},
		"delete":             {"DELETE", one, "", nil, 405, "", "GET, HEAD"},
		"get of an action":   {"GET", one + "/check", "", nil, 405, "", "POST"},
		"made-up method":     {"BREW", start, "", nil, 405, "", "POST"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core := &fake{}
			r := newServer(t, core).ask(row.method, row.path, row.body, row.headers...)
			if got := r.Header.Get("Content-Type"); got != edge.ProblemType {
				t.Errorf("content type %q", got)
			}
			p := read[edge.Problem](t, r, row.status)
			var at string
			if len(p.Errors) > 0 {
				at = p.Errors[0].Location
			}
			if at != row.at || !strings.Contains(p.Detail, row.detail) || p.Status != row.status || p.Title == "" {
				t.Errorf("got %+v", p)
			}
			if core.asked != 0 {
				t.Error("the core was asked")
			}
			if (r.Header.Get("WWW-Authenticate") == "Bearer") != (row.status == 401) || (r.Header.Get("Allow") != "") != (row.status == 405) {
				t.Errorf("headers %v", r.Header)
			}
		})
	}
}

// What only the core can judge is refused by it, with the place of the fault;
// nothing is begun.
func TestRefusedByTheCore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	check := "/v1/verifications/" + v.ID + "/check"
	const start = "/v1/verifications"
	for _, row := range []struct{ path, body, at, detail string }{
		{start, `{"to":"08012345678"}`, "to", "E.164"},
		{start, `{"to":"+8108012345678"}`, "to", "trunk 0"},
		{start, `{"to":"+81 3 1234 5678"}`, "to", "without spaces"},
		{start, `{"to":"+999999999999"}`, "to", "calling code"},
		{start, `{"to":""}`, "to", "E.164"},
		{start, `{"to":"+81312345678","locale":"tlh"}`, "locale", "want one of"},
		{start, `{"to":"+81312345678","locale":"en_"}`, "locale", "want one of"},
		{start, `{"to":"+81312345678","channel":"fax"}`, "channel", "voice or sms"},
		{start, `{"to":"+81312345678","channel":"voice","workflow":[{"channel":"voice"}]}`, "channel", "either"},
		{start, `{"to":"+81312345678","workflow":[{"channel":"fax"}]}`, "workflow[0].channel", "voice or sms"},
		{start, `{"to":"+81312345678","channel":"sms"}`, "channel", "landline"},
		{start, `{"to":"+81312345678","gate":"door"}`, "gate", ""},
		{start, `{"to":"+81312345678","service":"other"}`, "service", "no such service"},
		{start, `{"to":"+81312345678","amount":"12.50"}`, "currency", "belong together"},
		{start, `{"to":"+81312345678","amount":"12.50","currency":"EUR"}`, "payee", "belong together"},
		{start, `{"to":"+81312345678","payee":"Shop"}`, "amount", "belong together"},
		{start, `{"to":"+81312345678","amount":"1e3","currency":"EUR","payee":"Shop"}`, "amount", "decimal"},
		{start, `{"to":"+81312345678","brand":"www.example.com"}`, "brand", "web address"},
		{start, `{"to":"+81312345678","purpose":"` + strings.Repeat("a", 65) + `"}`, "purpose", "64"},
		{check, `{"code":"12345"}`, "code", "digits"},
		{check, `{"code":"12345a"}`, "code", "digits"},
		{check, `{"code":""}`, "code", "digits"},
		{check, `{"code":"123456","amount":"1"}`, "currency", "belong together"},
	} {
		p := read[edge.Problem](t, w.as(w.keys["one"], "POST "+row.path, row.body), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Location != "body."+row.at || !strings.Contains(p.Detail, row.detail) {
			t.Errorf("%s: %+v", row.body, p)
		}
	}
	if got := read[api.Verification](t, w.as(w.keys["one"], "GET /v1/verifications/"+v.ID, ""), 200); got.Status != "pending" || got.Remaining != 5 {
		t.Errorf("something was begun or counted: %+v", got)
	}
}

// A value that was sent comes back nowhere, whatever is wrong with the request.
func TestNothingIsEchoed(t *testing.T) {
	t.Parallel()
	const mark = "ZqXj7" // in no word of ours
	s := newServer(t, &fake{err: &verify.Error{Code: verify.BadInput, Field: "to", Message: "no", Err: errors.New("cause")}})
	var seen strings.Builder
	ask := func(method, path, body string, headers ...string) {
		r := s.ask(method, path, body, headers...)
		_ = r.Header.Write(&seen)
		seen.WriteString(text(t, r))
	}
	const start, one = "/v1/verifications", "/v1/verifications/" + someID
	fields := []string{"to", "channel", "workflow", "locale", "gate", "screen", "service", "purpose", "brand", "amount", "currency", "payee",
		"code", mark, strings.ToLower(mark)}
	values := []string{`"` + mark + `"`, `["` + mark + `"]`, `{"` + mark + `":1}`, `{"a":"` + mark + `"}`, `[{"channel":"` + mark + `"}]`,
		`[{"channel":{"a":"` + mark + `"}}]`, `[{"` + mark + `":"a"}]`, `1` + mark, `"` + mark}
	for _, path := range []string{start, one + "/check", one + "/cancel", one + "/resend", one + "/next"} {
		for _, f := range fields {
			for _, v := range values {
				ask("POST", path, `{"`+f+`":`+v+`}`)
				ask("POST", path, `{"to":"`+mark+`","code":"`+mark+`","`+f+`":`+v+`}`)
			}
		}
	}
	for _, header := range []string{"Authorization", "Cookie", "Content-Type", "Content-Encoding", "Idempotency-Key", "Origin", "Accept",
		"X-Request-Id", "Request-Id", "Sec-Fetch-Site", "User-Agent", "Forwarded", "X-Forwarded-For"} {
		for _, v := range []string{mark, "Bearer " + mark, "Bearer pck_" + mark, edge.CookieName + "=pct_" + mark, strings.Repeat(mark, 99), "application/" + mark + ";" + mark, "é" + mark} {
			ask("POST", start, `{"to":1}`, header, v)
			ask("GET", one, "", header, v, "Authorization", v)
		}
	}
	for _, path := range []string{"/" + mark, start + "/" + mark, start + "/" + mark + "/check", "/v1/" + mark + "/../x", "//" + mark, start + "?" + mark + "=" + mark} {
		for _, method := range []string{"GET", "POST", "PUT", mark} {
			ask(method, path, `{"code":"`+mark+`"}`)
		}
	}
	for what, where := range map[string]string{"an answer": seen.String(), "the log": s.log.String()} {
		for _, m := range []string{mark, "pck_"} {
			if i := strings.Index(where, m); i >= 0 {
				t.Errorf("%s holds what was sent: %q", what, where[max(0, i-200):i+20])
			}
		}
	}
	if strings.Count(s.log.String(), "\n") < 500 {
		t.Error("not every request was logged")
	}
}

// The core is given what was sent, and who sent it.
func TestStartIsUnderstood(t *testing.T) {
	t.Parallel()
	core := &fake{}
	r := newServer(t, core).ask("POST", "/v1/verifications", `{"to":"a","workflow":[{"channel":"sms","timeout_seconds":90},{"channel":"voice"}],
		"locale":"b","gate":"c","screen":true,"service":"d","purpose":"e","brand":"f","amount":"g","currency":"h","payee":"i"}`)
	if r.StatusCode != http.StatusCreated {
		t.Fatal(text(t, r))
	}
	want := verify.StartRequest{To: "a", Locale: "b", Gate: "c", Screen: true, Service: "d", Purpose: "e", Brand: "f", Amount: "g", Currency: "h", Payee: "i",
		Workflow: core.start.Workflow}
	if diff := cmp.Diff(want, core.start); diff != "" {
		t.Error(diff)
	}
	if s := core.start.Workflow; len(s) != 2 || s[0].Channel != "sms" || s[0].Timeout.Seconds() != 90 || s[1].Timeout != 0 {
		t.Errorf("workflow %+v", s)
	}
	if diff := cmp.Diff(verify.Caller{Account: "acc", Key: "k1"}, core.who); diff != "" {
		t.Error(diff)
	}
}
