package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
)

const toldBody = `{"to":"+81312345678","consent":{"at":"2026-01-02T04:04:05+01:00","how":"box ticked"},"client_ip":"192.0.2.7",
	"user_ref":"user-zq4711zq","metadata":{"order_id":"order-zq1001zq"}}`

func TestWhatWasToldIsShownToKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func() *http.Response {
		return w.as(w.keys["one"], "POST /v1/verifications", toldBody, "Idempotency-Key", "once")
	}
	want := api.Told{
		Consent: &api.Consent{At: "2026-01-02T03:04:05Z", How: "box ticked"}, ClientIP: "192.0.2.7", UserRef: "user-zq4711zq",
		Metadata: map[string]string{"order_id": "order-zq1001zq"},
	}
	first := ask()
	v := read[api.Started](t, first, http.StatusCreated)
	again := ask()
	if again.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("the same request was carried out twice")
	}
	replayed := read[api.Started](t, again, http.StatusCreated)
	shown := read[api.Verification](t, w.as(w.keys["one"], "GET /v1/verifications/"+v.ID, ""), http.StatusOK)
	for what, got := range map[string]api.Told{"start": v.Told, "replay": replayed.Told, "get": shown.Told} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	byToken := text(t, w.as(v.ClientToken, "GET /v1/verifications/"+v.ID, ""))
	for _, secret := range []string{"consent", "192.0.2.7", "zq4711zq", "zq1001zq"} {
		if strings.Contains(byToken, secret) || strings.Contains(w.log.String(), secret) {
			t.Errorf("a client token, or the log, was told %s", secret)
		}
	}
}

func TestBadStartsNameTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, body := range map[string]string{
		"extension":   `"extension":"zqzq"`,
		"consent.at":  `"consent":{"at":"zqzq"}`,
		"consent.how": `"consent":{"at":"2026-01-02T03:04:05Z","how":"zqzq\n"}`,
		"client_ip":   `"client_ip":"zqzq"`,
		"user_ref":    `"user_ref":"` + strings.Repeat("zqzq", 33) + `"`,
		"metadata":    `"metadata":{"zqzq_name":"` + strings.Repeat("zqzq", 33) + `"}`,
	} {
		r := w.as(w.keys["one"], "POST /v1/verifications", `{"to":"+81312345678",`+body+`}`)
		if r.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", field, r.StatusCode)
		}
		if got := text(t, r); !strings.Contains(got, "body."+field) && !strings.Contains(got, field) || strings.Contains(strings.ToLower(got), "zqzq") {
			t.Errorf("%s: %s", field, got)
		}
	}
	r := w.as(w.keys["one"], "POST /v1/verifications", `{"to":"+81312345678","metadata":{"zqzq":7}}`)
	if got := text(t, r); r.StatusCode != http.StatusUnprocessableEntity || strings.Contains(got, ":7") {
		t.Errorf("a number in metadata: status %d, %s", r.StatusCode, got)
	}
}

func TestErasure(t *testing.T) {
	t.Parallel()
	w, admin := newAdmin(t)
	mine := w.started(t, "Idempotency-Key", "once")
	theirs := read[api.Started](t, w.as(w.keys["two"], "POST /v1/verifications", startBody), http.StatusCreated)
	const body = `{"number":"+81312345678"}`
	if r := w.as(w.keys["one"], "POST /v1/erasures", body); r.StatusCode != http.StatusForbidden {
		t.Errorf("a key without the scope: status %d", r.StatusCode)
	}
	got := read[api.Erased](t, w.as(admin, "POST /v1/erasures", body), http.StatusOK)
	if want := (api.Erased{Verifications: 1, Attempts: 1, Jobs: got.Jobs, Limits: 1, Answers: 1}); got != want {
		t.Errorf("erased %+v", got)
	}
	for key, status := range map[string]int{"one": http.StatusNotFound, "two": http.StatusOK} {
		id := map[string]string{"one": mine.ID, "two": theirs.ID}[key]
		if r := w.as(w.keys[key], "GET /v1/verifications/"+id, ""); r.StatusCode != status {
			t.Errorf("account %s: status %d, want %d", key, r.StatusCode, status)
		}
	}
	log := text(t, w.as(admin, "GET /v1/audit", ""))
	if !strings.Contains(log, string(account.PersonErased)) || strings.Contains(log, "312345678") {
		t.Errorf("the log: %s", log)
	}
	if again := read[api.Erased](t, w.as(admin, "POST /v1/erasures", body), http.StatusOK); again != (api.Erased{}) {
		t.Errorf("erased again %+v", again)
	}
	if r := w.as(admin, "POST /v1/erasures", `{"number":"03 1234 5678"}`); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a national number: status %d", r.StatusCode)
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	w, _ := newAdmin(t)
	_, reader := w.key(t, "one", account.ScopeRead)
	if got := read[api.Statistics](t, w.as(reader, "GET /v1/statistics?from=2026-01-01", ""), http.StatusOK); got.Counts == nil || len(got.Counts) != 0 {
		t.Errorf("got %+v", got)
	}
	if r := w.as(reader, "GET /v1/statistics?to=soon", ""); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no day: status %d", r.StatusCode)
	}
	if r := w.as(w.keys["one"], "GET /v1/statistics", ""); r.StatusCode != http.StatusForbidden {
		t.Errorf("a key without the scope: status %d", r.StatusCode)
	}
}
