package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/edge"
)

// admin is a world with an admin key of account one.
func newAdmin(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t)
	_, key := w.key(t, "one", account.ScopeAdmin)
	return w, key
}

const fullSettings = `{"name":"Shop","brand":"Example Shop","domain":"shop.example.com","code_length":8,"validity_seconds":120,
	"max_guesses":3,"max_sends":2,"language":"ja","gate":"screen_digits","gate_policy":"require",
	"workflow":[{"channel":"sms","timeout_seconds":30},{"channel":"voice"}],"countries":["JP","GB"],"plain_digits":true}`

func TestServices(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	r := w.as(key, "POST /v1/services", fullSettings)
	location := r.Header.Get("Location")
	made := read[api.Service](t, r, http.StatusCreated)
	want := api.Service{ID: made.ID, Templates: []string{}, Settings: api.Settings{
		Name: "Shop", Brand: "Example Shop", Domain: "shop.example.com", CodeLength: 8, ValiditySeconds: 120, MaxGuesses: 3, MaxSends: 2,
		Language: "ja", Gate: "screen_digits", GatePolicy: "require", Countries: []string{"JP", "GB"}, PlainDigits: true,
		Workflow: []api.Step{{Channel: "sms", TimeoutSeconds: 30}, {Channel: "voice", TimeoutSeconds: 60}},
	}}
	if diff := cmp.Diff(want, made); diff != "" || location != "/v1/services/"+made.ID {
		t.Errorf("made at %s: %s", location, diff)
	}
	// A start uses it at once, and the changed one at once.
	start := fmt.Sprintf(`{"to":"+81312345678","service":%q,"channel":"voice"}`, made.ID)
	v := read[api.Started](t, w.as(key, "POST /v1/verifications", start), http.StatusCreated)
	if v.Service != made.ID || v.Remaining != 3 || v.Gate != "screen_digits" || v.ExpiresAt.Sub(v.CreatedAt).Seconds() != 120 {
		t.Errorf("started with other settings: %+v", v)
	}
	changed := read[api.Service](t, w.as(key, "PUT "+location, `{"name":"Shop","max_guesses":7}`), http.StatusOK)
	want.Settings = api.Settings{Name: "Shop", CodeLength: 6, ValiditySeconds: 600, MaxGuesses: 7, MaxSends: 5, GatePolicy: "prefer",
		Workflow: []api.Step{{Channel: "voice", TimeoutSeconds: 60}}}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("replaced: %s", diff)
	}
	got := read[api.Service](t, w.as(key, "GET "+location, ""), http.StatusOK)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown: %s", diff)
	}
	second := read[api.Started](t, w.as(key, "POST /v1/verifications", strings.Replace(start, "678", "679", 1)), http.StatusCreated)
	if second.Remaining != 7 {
		t.Errorf("the change is not used: %+v", second)
	}
	// In use, it stays.
	for _, id := range []string{v.ID, second.ID} {
		if p := read[edge.Problem](t, w.as(key, "DELETE "+location, ""), http.StatusConflict); p.Code != "conflict" {
			t.Errorf("deleted in use: %+v", p)
		}
		read[api.Verification](t, w.as(key, "POST /v1/verifications/"+id+"/cancel", ""), http.StatusOK)
	}
	if diff := cmp.Diff(want, read[api.Service](t, w.as(key, "DELETE "+location, ""), http.StatusOK)); diff != "" {
		t.Errorf("deleted: %s", diff)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if p := read[edge.Problem](t, w.as(key, method+" "+location, ""), http.StatusNotFound); p.Code != "not_found" {
			t.Errorf("%s after the end: %+v", method, p)
		}
	}
	if r := w.as(key, "POST /v1/verifications", start); r.StatusCode < 400 {
		t.Errorf("a start with the deleted service: %d", r.StatusCode)
	}
	list := read[api.Services](t, w.as(key, "GET /v1/services", ""), http.StatusOK)
	if len(list.Services) != 1 || list.Services[0].ID != "one" || !list.Services[0].Default {
		t.Errorf("the list: %+v", list)
	}
	if p := read[edge.Problem](t, w.as(key, "DELETE /v1/services/one", ""), http.StatusConflict); p.Code != "conflict" {
		t.Errorf("the default service: %+v", p)
	}
}

// Every bad value is refused at its place, and none is repeated.
func TestSettingsAreRefused(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	const mark = "zqxj"
	for value, location := range map[string]string{
		`"name":""`:                       "body.name",
		`"name":" "`:                      "body.name",
		`"name":"a\u0000b"`:               "body.name",
		`"name":"+81312345678"`:           "body.name",
		`"name":"pck_zqxj_zqxj"`:          "body.name",
		`"brand":"zqxj.com"`:              "body.brand",
		`"brand":"one two three four"`:    "body.brand",
		`"domain":"https://zqxj"`:         "body.domain",
		`"code_length":3`:                 "body.code_length",
		`"code_length":11`:                "body.code_length",
		`"code_length":"zqxj"`:            "body.code_length",
		`"validity_seconds":119`:          "body.validity_seconds",
		`"validity_seconds":601`:          "body.validity_seconds",
		`"max_guesses":0`:                 "body.max_guesses",
		`"max_guesses":11`:                "body.max_guesses",
		`"max_sends":-1`:                  "body.max_sends",
		`"max_sends":11`:                  "body.max_sends",
		`"language":"zqxj"`:               "body.language",
		`"gate":"zqxj"`:                   "body.gate",
		`"gate_policy":"zqxj"`:            "body.gate_policy",
		`"countries":["JP","zqxj"]`:       "body.countries[1]",
		`"workflow":[{"channel":"zqxj"}]`: "body.workflow[0].channel",
		`"workflow":[{"channel":"voice","timeout_seconds":4}]`: "body.workflow[0].timeout_seconds",
		`"zqxj":1`:       "body.zqxj",
		`"templates":[]`: "body.templates",
		`"default":true`: "body.default",
		`"id":"zqxj"`:    "body.id",
		`"workflow":[{"channel":"voice"},{"channel":"voice"},{"channel":"voice"},{"channel":"voice"},{"channel":"voice"},{"channel":"voice"}]`: "body.workflow",
	} {
		body := `{"name":"x",` + value + `}`
		if strings.Contains(value, `"name"`) {
			body = `{` + value + `}`
		}
		for _, what := range []string{"POST /v1/services", "PUT /v1/services/one"} {
			r := w.as(key, what, body)
			b := text(t, r)
			if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(b, `"location":"`+location+`"`) {
				t.Errorf("%s %s: %d %s", what, value, r.StatusCode, b)
			}
			if name := `"zqxj":1`; strings.Contains(b, mark) && value != name {
				t.Errorf("%s repeats: %s", value, b)
			}
		}
	}
	several := read[edge.Problem](t, w.as(key, "POST /v1/services", `{"name":"","countries":["X","Y"],"domain":"X"}`), 422)
	if len(several.Errors) != 4 {
		t.Errorf("not all faults are told: %+v", several)
	}
	if got := read[api.Audit](t, w.as(key, "GET /v1/audit", ""), 200); slices.ContainsFunc(got.Entries, func(e api.Entry) bool {
		return strings.HasPrefix(e.Action, "service")
	}) {
		t.Errorf("a refusal is in the log: %+v", got)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	const at = "/v1/services/one/templates/"
	for _, lang := range []string{"en", "tlh", "%00"} {
		for _, method := range []string{"GET ", "DELETE "} {
			if r := w.as(key, method+at+lang, ""); r.StatusCode != http.StatusNotFound {
				t.Errorf("%s%s before it is there: %d", method, lang, r.StatusCode)
			}
		}
	}
	body := `{"phrases":{"greeting":"Good day. {{brand}} is calling.","bye":"So long."},"sms":"{{brand}}: {{code}}"}`
	want := api.Template{Lang: "en", SMS: "{{brand}}: {{code}}", Phrases: map[string]string{"greeting": "Good day. {{brand}} is calling.", "bye": "So long."}}
	if diff := cmp.Diff(want, read[api.Template](t, w.as(key, "PUT "+at+"en", body), 200)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, read[api.Template](t, w.as(key, "GET "+at+"en", ""), 200)); diff != "" {
		t.Error(diff)
	}
	// A region's would replace its language's.
	if p := read[edge.Problem](t, w.as(key, "PUT "+at+"en-GB", `{"phrases":{"bye":"Ta."}}`), 422); p.Errors[0].Location != "path.lang" {
		t.Errorf("got %+v", p)
	}
	// Settings and words do not touch each other.
	s := read[api.Service](t, w.as(key, "PUT /v1/services/one", `{"name":"x"}`), 200)
	if diff := cmp.Diff([]string{"en"}, s.Templates); diff != "" {
		t.Error(diff)
	}
	used, err := w.dir.Service(t.Context(), "one", "")
	must(t, err)
	if used.Templates["en"].Phrases["bye"] != "So long." {
		t.Error("the words are not used at once")
	}
	for body, locations := range map[string][]string{
		`{"phrases":{"bye":"Bye. Call +1 415 now.","warning":"Have a nice day.","code":"Your code"},"sms":"no"}`: {
			"body.phrases.bye", "body.phrases.warning", "body.sms"},
		`{"phrases":{"nonsense":"a"}}`:   {"body"},
		`{"lang":"ja","sms":"{{code}}"}`: {"body"},
		`{"phrases":{"bye":1}}`:          {"body.phrases.bye"},
		`{"phrase":{}}`:                  {"body.phrase"},
	} {
		p := read[edge.Problem](t, w.as(key, "PUT "+at+"en", body), http.StatusUnprocessableEntity)
		for _, l := range locations {
			if !slices.ContainsFunc(p.Errors, func(e edge.FieldError) bool { return e.Location == l && e.Message != "" }) {
				t.Errorf("%s: nothing at %s: %+v", body, l, p)
			}
		}
	}
	if p := read[edge.Problem](t, w.as(key, "PUT "+at+"tlh", `{}`), 422); p.Errors[0].Location != "path.lang" {
		t.Errorf("an unknown language: %+v", p)
	}
	if s := read[api.Service](t, w.as(key, "DELETE "+at+"en", ""), 200); len(s.Templates) != 0 {
		t.Errorf("deleted: %+v", s)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	r := w.as(key, "POST /v1/keys", `{"name":"shop","scopes":["verify","announce","verify"]}`)
	made := read[api.MadeKey](t, r, http.StatusCreated)
	if diff := cmp.Diff([]string{"verify", "announce"}, made.Scopes); diff != "" || made.Name != "shop" || !strings.HasPrefix(made.Secret, "pck_"+made.ID+"_") {
		t.Errorf("made: %s", diff)
	}
	if r := w.as(made.Secret, "POST /v1/verifications", startBody); r.StatusCode != http.StatusCreated {
		t.Errorf("the new key: %d", r.StatusCode)
	}
	list := w.as(key, "GET /v1/keys", "")
	if b := text(t, list); strings.Contains(b, "pck_") || !strings.Contains(b, made.ID) {
		t.Error("the list lacks the key, or holds its secret")
	}
	for _, body := range []string{`{"scopes":[]}`, `{}`, `{"scopes":["root"]}`, `{"scopes":["read"],"name":"+81312345678"}`, `{"scopes":["read"],"id":"x"}`} {
		if p := read[edge.Problem](t, w.as(key, "POST /v1/keys", body), 422); strings.Contains(fmt.Sprint(p), "root") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	for what, body := range map[string]string{"POST /v1/keys": `{"scopes":["read"]}`, "POST /v1/erasures": `{"number":"+81312345678"}`} {
		p := read[edge.Problem](t, w.as(key, what, body, "Idempotency-Key", "a"), 422)
		if len(p.Errors) != 1 || p.Errors[0].Location != "header.Idempotency-Key" {
			t.Errorf("%s with an Idempotency-Key: %+v", what, p)
		}
	}
	first := read[api.Key](t, w.as(key, "DELETE /v1/keys/"+made.ID, ""), 200)
	again := read[api.Key](t, w.as(key, "DELETE /v1/keys/"+made.ID, ""), 200)
	if first.RevokedAt == nil || !first.RevokedAt.Equal(*again.RevokedAt) {
		t.Errorf("revoked: %+v, %+v", first, again)
	}
	if r := w.as(made.Secret, "POST /v1/verifications", startBody); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked key: %d", r.StatusCode)
	}
}

func TestServiceIsMadeOnce(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	_, second := w.key(t, "one", account.ScopeAdmin)
	ask := func(key, body string) *http.Response {
		return w.as(key, "POST /v1/services", body, "Idempotency-Key", "k")
	}
	first, again := ask(key, `{"name":"a"}`), ask(key, `{"name":"a"}`)
	a, b := text(t, first), text(t, again)
	if a != b || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Location") != again.Header.Get("Location") || again.StatusCode != 201 {
		t.Errorf("again: %d %v\n%s\n%s", again.StatusCode, again.Header, a, b)
	}
	if p := read[edge.Problem](t, ask(key, `{"name":"b"}`), http.StatusConflict); p.Code != "idempotency_mismatch" {
		t.Errorf("another body: %+v", p)
	}
	if r := ask(second, `{"name":"a"}`); r.StatusCode != 201 || r.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("another key: %d", r.StatusCode)
	}
	if list := read[api.Services](t, w.as(key, "GET /v1/services", ""), 200); len(list.Services) != 3 {
		t.Errorf("%d services", len(list.Services))
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w, key := newAdmin(t)
	id := strings.Split(key, "_")[1]
	svc := read[api.Service](t, w.as(key, "POST /v1/services", `{"name":"a"}`), 201)
	at := "/v1/services/" + svc.ID
	for range 2 { // the second changes nothing
		read[api.Service](t, w.as(key, "PUT "+at, `{"name":"b","validity_seconds":300}`), 200)
	}
	read[api.Template](t, w.as(key, "PUT "+at+"/templates/en", `{"phrases":{"bye":"So long."}}`), 200)
	read[api.Service](t, w.as(key, "DELETE "+at+"/templates/en", ""), 200)
	read[api.Service](t, w.as(key, "DELETE "+at, ""), 200)
	made := read[api.MadeKey](t, w.as(key, "POST /v1/keys", `{"scopes":["read"]}`), 201)
	read[api.Key](t, w.as(key, "DELETE /v1/keys/"+made.ID, ""), 200)
	r := w.as(key, "GET /v1/audit?limit=7", "")
	raw := text(t, r)
	if strings.Contains(raw, "pck_") || strings.Contains(raw, "hash") {
		t.Error("the log holds a key")
	}
	var got []string
	page := read[api.Audit](t, w.as(key, "GET /v1/audit?limit=7", ""), 200)
	for _, e := range page.Entries {
		if e.By != id {
			t.Errorf("by %s", e.By)
		}
		got = append(got, fmt.Sprintf("%d %s %s %v -> %v", e.ID, e.Action, strings.NewReplacer(svc.ID, "S", made.ID, "K").Replace(e.Target), e.Before, e.After))
	}
	want := []string{
		"9 key.revoked K map[name: revoked:false scopes:[read]] -> map[name: revoked:true scopes:[read]]",
		"8 key.created K <nil> -> map[name: revoked:false scopes:[read]]",
		"7 service.deleted S map[name:b validity_seconds:300] -> <nil>",
		"6 template.deleted S/en map[lang:en phrases:map[bye:So long.]] -> <nil>",
		"5 template.saved S/en <nil> -> map[lang:en phrases:map[bye:So long.]]",
		"4 service.changed S map[name:a] -> map[name:b validity_seconds:300]",
		"3 service.created S <nil> -> map[name:a]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rest := read[api.Audit](t, w.as(key, "GET /v1/audit?before=3", ""), 200)
	if len(rest.Entries) != 2 || rest.Entries[0].ID != 2 || rest.Entries[0].By != "cli" {
		t.Errorf("the rest: %+v", rest)
	}
	for _, q := range []string{"limit=0", "limit=501", "before=0", "before=x", "limit=zqxj"} {
		if b := text(t, w.as(key, "GET /v1/audit?"+q, "")); !strings.Contains(b, `"status":422`) || strings.Contains(b, "zqxj") {
			t.Errorf("%s: %s", q, b)
		}
	}
}

// A disabled account's keys and client tokens stop, and work again when it is
// enabled.
func TestDisabledAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	works := func() []int {
		return []int{
			w.as(w.keys["one"], "GET /v1/verifications/"+v.ID, "").StatusCode,
			w.as(v.ClientToken, "GET /v1/verifications/"+v.ID, "").StatusCode,
			w.as(w.keys["two"], "POST /v1/verifications", startBody).StatusCode,
		}
	}
	clerk := w.dir.Clerk("one", account.ByCLI)
	for _, step := range []struct {
		disabled bool
		want     []int
	}{{false, []int{200, 200, 201}}, {true, []int{401, 401, 201}}, {false, []int{200, 200, 201}}} {
		must(t, clerk.Disable(t.Context(), step.disabled))
		if diff := cmp.Diff(step.want, works()); diff != "" {
			t.Errorf("disabled %v: %s", step.disabled, diff)
		}
	}
}

// The document with everything in it is valid, and whole.
func TestWholeDocument(t *testing.T) {
	t.Parallel()
	raw := text(t, do(newWorld(t), "GET /openapi.json", ""))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(raw))
	must(t, err)
	must(t, doc.Validate(t.Context()))
	names := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			place := method + " " + path
			if op.Summary == "" || op.Description == "" || op.Responses.Value("500") == nil || names[op.OperationID] != "" {
				t.Errorf("%s is not described, or named like %s", place, names[op.OperationID])
			}
			names[op.OperationID] = place
			if once := op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil; once && method != "POST" || once && (path == "/v1/keys" || path == "/v1/erasures") {
				t.Errorf("%s takes no Idempotency-Key", place)
			}
		}
	}
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Value.Properties {
			if p.Value.Description == "" || p.Value.Example == nil && len(p.Value.Examples) == 0 && p.Value.Items == nil && p.Ref == "" {
				t.Errorf("%s.%s has no description or no example", name, field)
			}
		}
	}
}

// Whatever is sent to the administration, no answer and no log line repeats it
// but what was saved.
func TestAdministrationRepeatsNothing(t *testing.T) {
	t.Parallel()
	const mark = "Zq7Xj"
	w, key := newAdmin(t)
	var seen strings.Builder
	values := []string{`"` + mark + `"`, `["` + mark + `"]`, `{"a":"` + mark + `"}`, `{"` + mark + `":1}`, `[{"channel":"` + mark + `"}]`, `1` + mark}
	fields := []string{"name", "brand", "domain", "code_length", "validity_seconds", "language", "gate", "gate_policy", "workflow", "countries",
		"plain_digits", "phrases", "sms", "lang", "scopes", mark}
	for _, place := range w.places(t) {
		method, _, _ := strings.Cut(place, " ")
		if method != "POST" && method != "PUT" || strings.Contains(place, "verifications") {
			continue
		}
		what, _ := endpoints()[place].at(place, "one")
		for _, f := range fields {
			for _, v := range values {
				// max_guesses is refused everywhere, so nothing is saved.
				r := w.as(key, what, `{"`+f+`":`+v+`,"max_guesses":99}`)
				if r.StatusCode != http.StatusUnprocessableEntity {
					t.Errorf("%s with %s: %d", place, f, r.StatusCode)
				}
				seen.WriteString(text(t, r))
			}
		}
		r := w.as(key, strings.Replace(what, "one", mark, 1)+"?a="+mark, `{}`)
		seen.WriteString(text(t, r))
	}
	for _, path := range []string{"/v1/services/" + mark, "/v1/services/one/templates/" + mark, "/v1/audit?before=" + mark} {
		seen.WriteString(text(t, w.as(key, "GET "+path, "")))
	}
	for what, where := range map[string]string{"an answer": seen.String(), "the log": w.log.String()} {
		if i := strings.Index(where, mark); i >= 0 {
			t.Errorf("%s holds what was sent: %q", what, where[max(0, i-200):i+20])
		}
	}
}
