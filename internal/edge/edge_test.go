package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/verify"
)

type keys map[string]account.Key

func (k keys) Authenticate(_ context.Context, presented string) (account.Key, error) {
	if presented == "pck_broken" {
		return account.Key{}, errors.New("the store is down")
	}
	if key, ok := k[presented]; ok {
		return key, nil
	}
	return account.Key{}, account.ErrUnauthorized
}

type tokens string

func (t tokens) ClientToken(_ context.Context, presented string) (verify.Caller, error) {
	if presented == string(t) {
		return verify.Caller{Account: "acc", Verification: "v"}, nil
	}
	return verify.Caller{}, &verify.Error{Code: verify.Unauthorized, Message: "dead"}
}

// newMux has one route for keys with the scope read and for tokens, at GET and
// POST /a/{id}.
func newMux(h Handler) (*Mux, *bytes.Buffer) {
	var log bytes.Buffer
	m := New(Config{
		Keys: keys{
			"pck_reader": {ID: "k1", Account: "acc", Scopes: []account.Scope{account.ScopeRead}},
			"pck_admin":  {ID: "k2", Account: "acc", Scopes: []account.Scope{account.ScopeAdmin}},
			"pck_other":  {ID: "k3", Account: "acc", Scopes: []account.Scope{account.ScopeAnnounce}},
		},
		Tokens: tokens("pct_token"), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	access := Access{Scopes: []account.Scope{account.ScopeRead}, Token: true}
	m.Handle(Route{Method: "GET", Pattern: "/a/{id}", Access: access}, h)
	m.Handle(Route{Method: "POST", Pattern: "/a/{id}", Access: access}, h)
	m.Handle(Route{Method: "POST", Pattern: "/local", Access: Access{Public: true}, SameOrigin: true}, h)
	m.Handle(Route{Method: "GET", Pattern: "/nobody"}, h)
	return m, &log
}

func ok(w http.ResponseWriter, _ *Request) error { return WriteJSON(w, http.StatusOK, []byte("{}")) }

func ask(h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	cookie := "pincall_token=pct_token"
	for name, row := range map[string]struct {
		method string
		header http.Header
		status int
	}{
		"key":                  {"POST", http.Header{"Authorization": {"Bearer pck_reader"}}, 200},
		"lower-case scheme":    {"POST", http.Header{"Authorization": {"bearer  pck_reader"}}, 200},
		"admin has read":       {"POST", http.Header{"Authorization": {"Bearer pck_admin"}}, 200},
		"other scope":          {"POST", http.Header{"Authorization": {"Bearer pck_other"}}, 403},
		"unknown key":          {"POST", http.Header{"Authorization": {"Bearer pck_x"}}, 401},
		"store is down":        {"POST", http.Header{"Authorization": {"Bearer pck_broken"}}, 500},
		"two headers":          {"POST", http.Header{"Authorization": {"Bearer pck_reader", "Bearer pck_reader"}}, 401},
		"no scheme":            {"POST", http.Header{"Authorization": {"pck_reader"}}, 401},
		"empty":                {"POST", http.Header{"Authorization": {""}}, 401},
		"nothing":              {"POST", http.Header{}, 401},
		"neither":              {"POST", http.Header{"Authorization": {"Bearer xyz"}}, 401},
		"token":                {"POST", http.Header{"Authorization": {"Bearer pct_token"}}, 200},
		"dead token":           {"POST", http.Header{"Authorization": {"Bearer pct_dead"}}, 401},
		"cookie":               {"POST", http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		"cookie, old browser":  {"POST", http.Header{"Cookie": {cookie}, "Origin": {"https://example.com"}}, 200},
		"cookie, no browser":   {"POST", http.Header{"Cookie": {cookie}}, 200},
		"cookie, other site":   {"POST", http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"cookie, same site":    {"POST", http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-site"}}, 403},
		"cookie, other origin": {"POST", http.Header{"Cookie": {cookie}, "Origin": {"https://evil.example"}}, 403},
		"cookie, null origin":  {"POST", http.Header{"Cookie": {cookie}, "Origin": {"null"}}, 403},
		"cookie reads":         {"GET", http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"cross-site"}}, 200},
		"two cookies":          {"POST", http.Header{"Cookie": {cookie + "; " + cookie}}, 401},
		"key in the cookie":    {"POST", http.Header{"Cookie": {"pincall_token=pck_admin"}}, 401},
		"header before cookie": {"POST", http.Header{"Authorization": {"Bearer pck_x"}, "Cookie": {cookie}}, 401},
		"key of a foreign page": {"POST", http.Header{"Authorization": {"Bearer pck_reader"}, "Origin": {"https://evil.example"},
			"Sec-Fetch-Site": {"cross-site"}}, 200},
	} {
		asked := false
		m, _ := newMux(func(w http.ResponseWriter, r *Request) error { asked = true; return ok(w, r) })
		w := ask(m, row.method, "https://example.com/a/1", row.header)
		if w.Code != row.status || asked != (row.status == 200) {
			t.Errorf("%s: %d, handler asked: %v", name, w.Code, asked)
		}
	}
	m, _ := newMux(ok)
	if w := ask(m, "GET", "/nobody", http.Header{"Authorization": {"Bearer pck_admin"}}); w.Code != http.StatusForbidden {
		t.Errorf("a route for nobody: %d", w.Code)
	}
	bare := New(Config{Log: slog.New(slog.DiscardHandler)})
	bare.Handle(Route{Method: "GET", Pattern: "/a", Access: Access{Token: true, Scopes: account.Scopes()}}, ok)
	for _, credential := range []string{"Bearer pck_admin", "Bearer pct_token"} {
		if w := ask(bare, "GET", "/a", http.Header{"Authorization": {credential}}); w.Code != http.StatusUnauthorized {
			t.Errorf("without keys and tokens: %d", w.Code)
		}
	}
}

// disabledAccounts lets no account in.
type disabledAccounts struct{ err error }

func (d disabledAccounts) Enabled(context.Context, string) (bool, error) { return false, d.err }

// The client tokens of a disabled account stop. Keys are not asked about here.
func TestDisabledAccounts(t *testing.T) {
	t.Parallel()
	for status, accounts := range map[int]Accounts{200: nil, 401: disabledAccounts{}, 500: disabledAccounts{errors.New("the store is down")}} {
		m := New(Config{Tokens: tokens("pct_token"), Accounts: accounts, Log: slog.New(slog.DiscardHandler)})
		m.Handle(Route{Method: "GET", Pattern: "/a", Access: Access{Token: true}}, ok)
		if w := ask(m, "GET", "/a", http.Header{"Authorization": {"Bearer pct_token"}}); w.Code != status {
			t.Errorf("got %d, want %d", w.Code, status)
		}
	}
}

func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	m, _ := newMux(ok)
	for origin, status := range map[string]int{
		"http://example.com": 200, "http://EXAMPLE.com": 200, "": 403, "null": 403, "http://evil.example": 403,
		"http://example.com:81": 403, "http://example.com.evil.example": 403, "example.com": 403, "://": 403,
	} {
		if w := ask(m, "POST", "http://example.com/local", http.Header{"Origin": {origin}}); w.Code != status {
			t.Errorf("origin %q: %d, want %d", origin, w.Code, status)
		}
	}
	if w := ask(m, "POST", "http://example.com/local", nil); w.Code != 200 {
		t.Errorf("no origin: %d", w.Code)
	}
}

// The table of codes must have them all, with the words a caller needs.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	want := map[verify.Code]bool{WrongPhoneState: true, Conflict: true}
	for _, c := range verify.Codes() {
		want[c] = true
		p := problem(&verify.Error{Code: c, Message: "m"})
		if p.Code != string(c) || p.Status < 400 || p.Title == "" || p.Detail != "m" {
			t.Errorf("%s: %+v", c, p)
		}
	}
	if len(kinds) != len(want) {
		t.Errorf("%d codes in the table, %d in all", len(kinds), len(want))
	}
}

func TestErrorsBecomeProblems(t *testing.T) {
	t.Parallel()
	internal := Problem{Type: "urn:pincall:problem:internal", Title: "Internal error", Status: 500, Code: "internal", Detail: "something went wrong on our side"}
	for name, row := range map[string]struct {
		err  error
		want Problem
	}{
		"unknown": {errors.New("secret"), internal},
		"no code": {&verify.Error{Message: "secret"}, internal},
		"field": {&verify.Error{Code: verify.BadInput, Message: "m", Field: "to"}, Problem{Type: "urn:pincall:problem:invalid_input",
			Title: "The request is not valid", Status: 422, Code: "invalid_input", Detail: "m", Errors: []FieldError{{"m", "body.to"}}}},
		"several": {&Invalid{[]FieldError{{"m", "a"}, {"n", "b"}}}, Problem{Type: "urn:pincall:problem:invalid_input",
			Title: "The request is not valid", Status: 422, Code: "invalid_input", Detail: "a: m", Errors: []FieldError{{"m", "a"}, {"n", "b"}}}},
		"gone": {context.Canceled, Problem{Type: "urn:pincall:problem:unavailable", Title: "Not available now", Status: 503, Code: "unavailable",
			Detail: "the request ended before it was carried out: try again"}},
	} {
		if diff := cmp.Diff(row.want, problem(row.err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]string{0: "", time.Nanosecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Hour: "3600"} {
		m, _ := newMux(func(http.ResponseWriter, *Request) error {
			return &verify.Error{Code: verify.Limited, Message: "m", RetryAfter: wait}
		})
		w := ask(m, "POST", "/local", nil)
		if got := w.Header().Get("Retry-After"); w.Code != 429 || got != want {
			t.Errorf("%v: %d %q, want %q", wait, w.Code, got, want)
		}
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	t.Parallel()
	m, _ := newMux(ok)
	seen := map[string]bool{}
	for _, target := range []string{"/local", "/nothing", "/nobody"} {
		h := ask(m, "POST", target, nil).Header()
		for _, name := range []string{"Cache-Control", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Request-Id"} {
			if h.Get(name) == "" {
				t.Errorf("%s: no %s", target, name)
			}
		}
		seen[h.Get("Request-Id")] = true
	}
	if len(seen) != 3 {
		t.Error("request ids repeat")
	}
}

func TestOneLogLine(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		handler Handler
		status  int
		want    []string
	}{
		"success": {ok, 200, []string{"level=INFO", "method=POST", "route=/a/{id}", "status=200", "account=acc", "key=k1", "request=", "took="}},
		"refusal": {func(http.ResponseWriter, *Request) error {
			return &verify.Error{Code: verify.NoRoute, Message: "m", Err: errors.New("why")}
		}, 503, []string{"level=ERROR", "status=503", "code=no_route", `error="m: why"`}},
		"unknown error": {func(http.ResponseWriter, *Request) error { return errors.New("why") }, 500, []string{"code=internal", "why"}},
		"late error": {func(w http.ResponseWriter, r *Request) error {
			_ = ok(w, r)
			return errors.New("too late")
		}, 200, []string{"status=200", "too late"}},
		"nothing": {func(http.ResponseWriter, *Request) error { return nil }, 200, []string{"status=200"}},
		"panic":   {func(http.ResponseWriter, *Request) error { panic("hush") }, 500, []string{"panic with a string", "stack="}},
		"bug": {func(_ http.ResponseWriter, r *Request) error {
			r.Body = r.Body[:1]
			return nil
		}, 500, []string{"out of range"}},
	} {
		m, log := newMux(row.handler)
		w := ask(m, "POST", "/a/hush", http.Header{"Authorization": {"Bearer pck_reader"}})
		line := log.String()
		if w.Code != row.status || strings.Count(line, "\n") != 1 || strings.Contains(line, "hush") {
			t.Errorf("%s: %d %s", name, w.Code, line)
		}
		for _, want := range row.want {
			if !strings.Contains(line, want) {
				t.Errorf("%s: no %s in %s", name, want, line)
			}
		}
	}
}

// Half an answer must not look like a whole one.
func TestPanicAfterTheBeginningCutsTheConnection(t *testing.T) {
	t.Parallel()
	m, log := newMux(func(w http.ResponseWriter, _ *Request) error {
		_, _ = w.Write([]byte("{"))
		panic("late")
	})
	s := httptest.NewServer(m)
	defer s.Close()
	r, err := s.Client().Post(s.URL+"/local", "", nil)
	if err == nil {
		_, err = io.ReadAll(r.Body)
		r.Body.Close()
	}
	if err == nil {
		t.Error("the answer looks complete")
	}
	s.Close()
	if strings.Count(log.String(), "msg=request") != 1 {
		t.Error(log.String())
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	full := `{"a":"` + strings.Repeat("x", MaxBody-8) + `"}`
	for name, row := range map[string]struct {
		body    io.Reader
		length  int64
		ct, enc string
		status  int
	}{
		"empty":            {strings.NewReader(""), 0, "", "", 200},
		"empty, unknown":   {strings.NewReader(""), -1, "", "", 200},
		"JSON":             {strings.NewReader("{}"), 2, "application/json", "", 200},
		"with charset":     {strings.NewReader("{}"), 2, "Application/JSON; charset=UTF-8", "identity", 200},
		"chunked":          {strings.NewReader("{}"), -1, "application/json", "", 200},
		"full":             {strings.NewReader(full), MaxBody, "application/json", "", 200},
		"full, chunked":    {strings.NewReader(full), -1, "application/json", "", 200},
		"too long":         {strings.NewReader(full + " "), MaxBody + 1, "application/json", "", 413},
		"too long in fact": {strings.NewReader(full + " "), -1, "application/json", "", 413},
		"cut":              {strings.NewReader("{"), 2, "application/json", "", 422},
		"no type":          {strings.NewReader("{}"), 2, "", "", 415},
		"broken type":      {strings.NewReader("{}"), 2, "application/json;", "", 200},
		"problem type":     {strings.NewReader("{}"), 2, "application/problem+json", "", 415},
		"gzip":             {strings.NewReader("{}"), 2, "application/json", "gzip", 415},
	} {
		m, _ := newMux(ok)
		r := httptest.NewRequest("POST", "/local", row.body)
		r.ContentLength = row.length
		if row.ct != "" {
			r.Header.Set("Content-Type", row.ct)
		}
		if row.enc != "" {
			r.Header.Set("Content-Encoding", row.enc)
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != row.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, row.status, w.Body)
		}
	}
}

func TestUnreadBodies(t *testing.T) {
	t.Parallel()
	m, _ := newMux(ok)
	m.Handle(Route{Method: "POST", Pattern: "/hint", Access: Access{Public: true}, Unread: true}, func(w http.ResponseWriter, r *Request) error {
		if r.Body != nil {
			t.Error("the body was read")
		}
		return ok(w, r)
	})
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("POST", "/hint", strings.NewReader("a=b"))) // neither JSON nor said to be
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Whatever the path, the answer is a problem and no redirect.
func TestPathsWithoutARoute(t *testing.T) {
	t.Parallel()
	m, log := newMux(ok)
	for _, target := range []string{"/", "//", "/a", "/a/", "/a/1/", "/a/b/c", "/a/../local", "/./local", "/local/.", "//local", "/a//1", "/%2e%2e/local", "/local%2f"} {
		for _, method := range []string{"GET", "POST", "CONNECT", "OPTIONS", "X"} {
			w := ask(m, method, target, nil)
			if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != ProblemType {
				t.Errorf("%s %s: %d", method, target, w.Code)
			}
		}
	}
	w := ask(m, "DELETE", "/a/1", nil)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(log.String(), "local") || strings.Contains(log.String(), "method=X") {
		t.Error("a path or a made-up method is in the log")
	}
}
