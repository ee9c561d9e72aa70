package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// accounts are all enabled, or none is.
type accounts bool

func (a accounts) Enabled(context.Context, string) (bool, error) { return bool(a), nil }

// site is a server with the page's cookie handed out at GET /welcome.
func site(cfg Config, enabled bool) *edge.Mux {
	m := edge.New(edge.Config{Keys: keys{}, Accounts: accounts(enabled), Log: slog.New(slog.DiscardHandler)})
	cfg.Times = cfg.Times.withDefaults()
	s := &server{cfg: cfg, page: newSession(cfg)}
	s.addPhones(m)
	s.addVerifications(m)
	m.Handle(edge.Route{Method: http.MethodGet, Pattern: "/welcome", Access: edge.Access{Public: true}},
		func(w http.ResponseWriter, r *edge.Request) error {
			if !s.page.welcome(w, r) {
				w.WriteHeader(http.StatusAccepted)
			}
			return nil
		})
	return m
}

// visit sends a request as a browser on this machine does; headers are pairs.
func visit(m *edge.Mux, what string, cookies []*http.Cookie, headers ...string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, "http://localhost:8420"+path, nil)
	r.RemoteAddr = "127.0.0.1:50000"
	for _, c := range cookies {
		r.AddCookie(c)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		switch headers[i] {
		case "Host":
			r.Host = headers[i+1]
		case "From":
			r.RemoteAddr = headers[i+1]
		case "Proto":
			r.Proto, r.ProtoMajor, r.ProtoMinor = headers[i+1], 1, 0
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

func TestPageCookie(t *testing.T) {
	t.Parallel()
	p := &phones{}
	cfg := Config{Phones: p, Account: "default", Open: true}
	m := site(cfg, true)
	got := visit(m, "GET /welcome", nil).Result().Cookies()
	if len(got) != 1 || !got[0].HttpOnly || got[0].SameSite != http.SameSiteStrictMode || len(got[0].Value) < 43 || got[0].Name != "pincall_page_8420" {
		t.Fatalf("cookies: %v", got)
	}
	const phone = "GET /sim/phones/+81312345678"
	if w := visit(m, phone, got, "Sec-Fetch-Site", "same-origin"); w.Code != 200 || len(p.did) != 1 || p.did[0] != "show default +81312345678" {
		t.Errorf("with the cookie: %d %v", w.Code, p.did)
	}
	if w := visit(m, "POST /sim/phones/+81312345678/answer", got, "Origin", "http://localhost:8420"); w.Code != 200 {
		t.Errorf("answered by the page: %d %s", w.Code, w.Body)
	}
	wrong := []*http.Cookie{{Name: "pincall_page_8420", Value: strings.Repeat("A", 43)}}
	for name, row := range map[string]struct {
		m       *edge.Mux
		cookies []*http.Cookie
		headers []string
		status  int
	}{
		"no cookie":          {m, nil, nil, 401},
		"another process's":  {m, wrong, nil, 401},
		"two cookies":        {m, append(wrong, got...), nil, 401},
		"another port":       {m, got, []string{"Host", "localhost:9000"}, 401},
		"page of a site":     {m, got, []string{"Sec-Fetch-Site", "same-site"}, 401},
		"foreign page":       {m, got, []string{"Sec-Fetch-Site", "cross-site"}, 401},
		"foreign origin":     {m, got, []string{"Origin", "http://localhost:9000"}, 403},
		"rebound name":       {m, got, []string{"Host", "evil.example:8420"}, 401},
		"another machine":    {m, got, []string{"From", "192.0.2.1:50000"}, 401},
		"a silent proxy":     {m, got, []string{"Proto", "HTTP/1.0"}, 401},
		"through a proxy":    {m, got, []string{"X-Forwarded-For", "192.0.2.1"}, 401},
		"a key goes before":  {m, got, []string{"Authorization", "Bearer pck_verify"}, 403},
		"an admin key":       {m, nil, []string{"Authorization", "Bearer pck_admin", "From", "192.0.2.1:50000", "Host", "pin.example"}, 200},
		"disabled account":   {site(Config{Phones: p, Account: "default", Open: true, Rand: strings.NewReader(strings.Repeat("x", 32))}, false), nil, nil, 401},
		"closed by the file": {site(Config{Phones: p, Account: "default"}, true), got, nil, 401},
		"no simulator":       {site(Config{Open: true}, true), nil, []string{"Authorization", "Bearer pck_admin"}, 404},
	} {
		cookies := row.cookies
		if name == "disabled account" {
			cookies = visit(row.m, "GET /welcome", nil).Result().Cookies()
		}
		if w := visit(row.m, phone, cookies, row.headers...); w.Code != row.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// The cookie is given to nobody who may not be on this machine.
func TestPageCookieIsRefused(t *testing.T) {
	t.Parallel()
	open := site(Config{Phones: &phones{}, Open: true}, true)
	for name, headers := range map[string][]string{
		"rebound name": {"Host", "evil.example:8420"}, "no name": {"Host", ""}, "another machine": {"From", "192.0.2.1:1"},
		"odd peer": {"From", "@"}, "a name below localhost's": {"Host", "localhost.evil.example"}, "another address": {"Host", "192.0.2.1:8420"},
		"Forwarded": {"Forwarded", "for=127.0.0.1"}, "X-Forwarded-Host": {"X-Forwarded-Host", "localhost"}, "X-Real-IP": {"X-Real-IP", "127.0.0.1"},
		"Via": {"Via", "1.1 proxy"}, "HTTP/1.0": {"Proto", "HTTP/1.0"},
	} {
		if w := visit(open, "GET /welcome", nil, headers...); w.Code != http.StatusAccepted || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, w.Result().Cookies())
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST:8420", "127.0.0.1:8420", "127.1.2.3", "[::1]:8420", "[::1]"} {
		if w := visit(open, "GET /welcome", nil, "Host", host); w.Code != http.StatusOK {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	for name, cfg := range map[string]Config{"closed": {Phones: &phones{}}, "no phones": {Open: true}} {
		if w := visit(site(cfg, true), "GET /welcome", nil); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestPageStandsForTheAccount(t *testing.T) {
	t.Parallel()
	s := newSession(Config{Phones: &phones{}, Open: true, Account: "default"})
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8420/", nil)
	r.RemoteAddr = "[::1]:50000"
	r.AddCookie(&http.Cookie{Name: "pincall_page_8420", Value: s.token})
	if who, ok := s.caller(r); !ok || who != (verify.Caller{Account: "default", Key: pageKey}) {
		t.Errorf("%+v, %v", who, ok)
	}
	empty := newSession(Config{Phones: &phones{}, Open: true, Rand: strings.NewReader("short")})
	r = httptest.NewRequest(http.MethodGet, "http://localhost:8420/", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.AddCookie(&http.Cookie{Name: "pincall_page_8420", Value: ""})
	if _, ok := empty.caller(r); ok {
		t.Error("a session without a token lets somebody in")
	}
}
