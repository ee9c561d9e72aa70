package api_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
)

// endpoint is what the tests below know of a place of the API.
type endpoint struct {
	// id is whose id stands for ID in the address or the body: that of a
	// verification, a service or a key; empty: there is none.
	id     string
	body   string
	scopes []account.Scope // each suffices
	token  bool            // and so does a client token
	public bool
}

// endpoints has every place of the API: one without a row fails the tests.
func endpoints() map[string]endpoint {
	verifies, admins := []account.Scope{account.ScopeVerify, account.ScopeAdmin}, []account.Scope{account.ScopeAdmin}
	reads := []account.Scope{account.ScopeRead, account.ScopeAdmin}
	watches := account.Scopes()
	watches = slices.DeleteFunc(watches, func(s account.Scope) bool { return s == account.ScopeAnnounce })
	settings := `{"name":"mine"}`
	return map[string]endpoint{
		"GET /healthz":                              {public: true},
		"POST /v1/verifications":                    {id: "service", body: `{"to":"+81312345670","service":"ID"}`, scopes: verifies},
		"GET /v1/verifications/{id}":                {id: "verification", scopes: watches, token: true},
		"GET /v1/verifications/{id}/attempts":       {id: "verification", scopes: watches, token: true},
		"GET /v1/verifications/{id}/events":         {id: "verification", scopes: watches, token: true},
		"POST /v1/verifications/{id}/check":         {id: "verification", body: `{"code":"123456"}`, scopes: verifies, token: true},
		"POST /v1/verifications/{id}/cancel":        {id: "verification", scopes: verifies, token: true},
		"POST /v1/verifications/{id}/resend":        {id: "verification", scopes: verifies, token: true},
		"POST /v1/verifications/{id}/next":          {id: "verification", scopes: verifies, token: true},
		"GET /v1/services":                          {scopes: reads},
		"POST /v1/services":                         {body: settings, scopes: admins},
		"GET /v1/services/{id}":                     {id: "service", scopes: reads},
		"PUT /v1/services/{id}":                     {id: "service", body: settings, scopes: admins},
		"DELETE /v1/services/{id}":                  {id: "service", scopes: admins},
		"GET /v1/services/{id}/templates/{lang}":    {id: "service", scopes: reads},
		"PUT /v1/services/{id}/templates/{lang}":    {id: "service", body: `{"phrases":{"bye":"Bye."}}`, scopes: admins},
		"DELETE /v1/services/{id}/templates/{lang}": {id: "service", scopes: admins},
		"GET /v1/keys":                              {scopes: admins},
		"POST /v1/keys":                             {body: `{"scopes":["verify"]}`, scopes: admins},
		"DELETE /v1/keys/{id}":                      {id: "key", scopes: admins},
		"GET /v1/audit":                             {scopes: admins},
		"POST /v1/erasures":                         {body: `{"number":"+81312345678"}`, scopes: admins},
		"GET /v1/statistics":                        {scopes: reads},
	}
}

// at gives the address and the body with an id in them.
func (e endpoint) at(place, id string) (what, body string) {
	return strings.NewReplacer("{id}", id, "{lang}", "en").Replace(place), strings.ReplaceAll(e.body, "ID", id)
}

// places are the endpoints in the OpenAPI document.
func (w *world) places(t *testing.T) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text(t, do(w, "GET /openapi.json", ""))))
	must(t, err)
	var out []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			out = append(out, method+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

func TestEveryEndpointHasARow(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(endpoints())), newWorld(t).places(t)); diff != "" {
		t.Errorf("rows and endpoints (-row +endpoint):\n%s", diff)
	}
}

// key makes a key with scopes.
func (w *world) key(t *testing.T, acc string, scopes ...account.Scope) (id, secret string) {
	t.Helper()
	k, tok, err := w.dir.NewKey(t.Context(), acc, "test", scopes)
	must(t, err)
	return k.ID, tok.Reveal()
}

// all is everything that an account may see of itself.
func (w *world) all(t *testing.T, key, verification string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{"/v1/services", "/v1/keys", "/v1/audit", "/v1/verifications/" + verification} {
		r := w.as(key, "GET "+path, "")
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, r.StatusCode)
		}
		b.WriteString(text(t, r))
	}
	return b.String()
}

// Whatever another account asks for by an id that is not its own, it is told what
// it would be told of an id that nobody has; nothing changes, and no list holds
// what is not its own.
func TestEveryEndpointIsIsolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mineID, mine := w.key(t, "one", account.Scopes()...)
	_, other := w.key(t, "two", account.Scopes()...)
	v := read[api.Started](t, w.as(mine, "POST /v1/verifications", startBody), http.StatusCreated)
	svc := read[api.Service](t, w.as(mine, "POST /v1/services", `{"name":"secretive"}`), http.StatusCreated)
	r := w.as(mine, "PUT /v1/services/"+svc.ID+"/templates/en", `{"phrases":{"bye":"So long."}}`)
	read[api.Template](t, r, http.StatusOK)
	theirs := read[api.Started](t, w.as(other, "POST /v1/verifications", `{"to":"+81312345671"}`), http.StatusCreated)
	ids := map[string]string{"verification": v.ID, "service": svc.ID, "key": mineID}
	before := w.all(t, mine, v.ID)
	for _, place := range w.places(t) {
		e := endpoints()[place]
		for who, credential := range map[string]string{"key": other, "client token": theirs.ClientToken} {
			what, body := e.at(place, ids[e.id])
			got := w.as(credential, what, body)
			status, answer := got.StatusCode, text(t, got)
			for _, id := range ids {
				if strings.Contains(answer, id) {
					t.Errorf("%s, another's %s: the answer holds an id: %s", place, who, answer)
				}
			}
			if e.id == "" {
				continue
			}
			what, body = e.at(place, strings.Repeat("0", 26))
			unknown := w.as(credential, what, body)
			if b := text(t, unknown); status != unknown.StatusCode || answer != b {
				t.Errorf("%s, another's %s: %d %s, and for an unknown id %d %s", place, who, status, answer, unknown.StatusCode, b)
			}
			refused := status == http.StatusNotFound || who != "key" && status == http.StatusForbidden ||
				!strings.Contains(place, "{id}") && status == http.StatusUnprocessableEntity
			if !refused {
				t.Errorf("%s, another's %s: %d %s", place, who, status, answer)
			}
		}
	}
	if diff := cmp.Diff(before, w.all(t, mine, v.ID)); diff != "" {
		t.Errorf("another account changed something:\n%s", diff)
	}
}

// Each endpoint lets in the scopes of its row and nobody else.
func TestEveryEndpointWantsItsScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := read[api.Started](t, w.as(w.keys["one"], "POST /v1/verifications", `{"to":"+81312345672"}`), http.StatusCreated)
	credentials := map[string]string{"": v.ClientToken} // by scope; the token's is empty
	for _, s := range account.Scopes() {
		_, credentials[string(s)] = w.key(t, "one", s)
	}
	for _, place := range w.places(t) {
		e := endpoints()[place]
		what, body := e.at(place, strings.Repeat("0", 26))
		for scope, credential := range credentials {
			want := e.public || slices.Contains(e.scopes, account.Scope(scope)) || scope == "" && e.token
			r := w.as(credential, what, body)
			if got := r.StatusCode != http.StatusForbidden && r.StatusCode != http.StatusUnauthorized; got != want {
				t.Errorf("%s with %q: %d, want to be let in: %v", place, scope, r.StatusCode, want)
			}
		}
		if r := do(w, what, body); (r.StatusCode == http.StatusUnauthorized) == e.public {
			t.Errorf("%s without a credential: %d", place, r.StatusCode)
		}
	}
}
