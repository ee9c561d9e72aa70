package edge

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pincall/pincall/internal/verify"
)

func proxies() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	xff := func(v ...string) http.Header { return http.Header{"X-Forwarded-For": v} }
	fwd := func(v ...string) http.Header { return http.Header{"Forwarded": v} }
	for name, row := range map[string]struct {
		peer   string
		header http.Header
		want   string
	}{
		"nobody says anything":        {"192.0.2.1:99", nil, "192.0.2.1"},
		"stranger lies":               {"192.0.2.1:99", xff("203.0.113.7"), "192.0.2.1"},
		"stranger lies by RFC":        {"192.0.2.1:99", fwd("for=203.0.113.7"), "192.0.2.1"},
		"proxy says nothing":          {"10.1.1.1:99", nil, "10.1.1.1"},
		"proxy tells":                 {"10.1.1.1:99", xff("203.0.113.7"), "203.0.113.7"},
		"client lies to the proxy":    {"10.1.1.1:99", xff("8.8.8.8, 203.0.113.7"), "203.0.113.7"},
		"lie in a line of its own":    {"10.1.1.1:99", xff("8.8.8.8", "203.0.113.7"), "203.0.113.7"},
		"two proxies":                 {"10.1.1.1:99", xff("8.8.8.8,203.0.113.7 , 10.2.2.2"), "203.0.113.7"},
		"only proxies":                {"10.1.1.1:99", xff("10.3.3.3, 10.2.2.2"), "10.3.3.3"},
		"words before the proxy":      {"10.1.1.1:99", xff("nobody, 10.2.2.2"), "10.2.2.2"},
		"words":                       {"10.1.1.1:99", xff("unknown"), "10.1.1.1"},
		"a port":                      {"10.1.1.1:99", xff("203.0.113.7:1234"), "203.0.113.7"},
		"IPv6":                        {"[2001:db8::1]:99", xff("2001:beef::1"), "2001:beef::1"},
		"IPv6 in brackets, with port": {"[2001:db8::1]:99", xff("[2001:beef::1]:80"), "2001:beef::1"},
		"mapped peer":                 {"[::ffff:10.1.1.1]:99", xff("::ffff:203.0.113.7"), "203.0.113.7"},
		"RFC 7239":                    {"10.1.1.1:99", fwd(`for=8.8.8.8, For="[2001:beef::1]:80";proto=https;by=10.1.1.1`), "2001:beef::1"},
		"RFC 7239 hidden":             {"10.1.1.1:99", fwd(`for=_gazonk`), "10.1.1.1"},
		"RFC 7239 comma in quotes":    {"10.1.1.1:99", fwd(`for=203.0.113.7;x="a,for=8.8.8.8"`), "203.0.113.7"},
		"both agree":                  {"10.1.1.1:99", http.Header{"Forwarded": {"for=203.0.113.7"}, "X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7"},
		"both disagree":               {"10.1.1.1:99", http.Header{"Forwarded": {"for=8.8.8.8"}, "X-Forwarded-For": {"203.0.113.7"}}, "10.1.1.1"},
	} {
		if got := clientIP(row.peer, row.header, proxies()).String(); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
	if clientIP("@", nil, nil).IsValid() {
		t.Error("a peer without an address has one")
	}
}

// Whatever stands in the headers: a stranger is itself, and behind a proxy the
// answer is the proxy or one of the hops named.
func FuzzClientIP(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:8"`)
	f.Add(`"`, `for="\`)
	f.Add("[::1", ";;,=,")
	f.Fuzz(func(t *testing.T, xff, forwarded string) {
		h := http.Header{"X-Forwarded-For": {xff}, "Forwarded": {forwarded}}
		if got := clientIP("192.0.2.1:99", h, proxies()); got != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("a stranger is taken for %v", got)
		}
		delete(h, "Forwarded")
		got := clientIP("10.1.1.1:99", h, proxies())
		named := slices.ContainsFunc(strings.Split(xff, ","), func(s string) bool {
			ip, ok := hop(s)
			return ok && ip == got
		})
		if got != netip.MustParseAddr("10.1.1.1") && !named {
			t.Fatalf("%v is named nowhere", got)
		}
		h = http.Header{"Forwarded": {forwarded}}
		if got := clientIP("10.1.1.1:99", h, proxies()); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%v is no plain address", got)
		}
	})
}

func TestCoarse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"203.0.113.77": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48"} {
		if got := coarse(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if coarse(netip.Addr{}) != "" {
		t.Error("nobody has a network")
	}
}

// The log's line and the statistics have all that is useful, and neither the
// path nor an address.
func TestOneWideLine(t *testing.T) {
	t.Parallel()
	var seen []Observation
	var client netip.Addr
	m, log := newMux(func(w http.ResponseWriter, r *Request) error {
		client = r.ClientIP
		w.Header().Set("Idempotent-Replayed", "true")
		return WriteJSON(w, http.StatusCreated, []byte(`{"a":1}`))
	})
	m.cfg.Observe = func(o Observation) { seen = append(seen, o) }
	m.cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer
	h := http.Header{"Authorization": {"Bearer pck_reader"}, "X-Forwarded-For": {"203.0.113.77"}}
	ask(m, "POST", "/a/private", h)
	ask(m, "BREW", "/a/private", h)
	line := log.String()
	for _, want := range []string{"route=/a/{id}", "status=201", "bytes_in=0", "bytes_out=7", "remote=203.0.113.0/24", "replayed=true", "key=k1"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	if strings.Contains(line, "private") || strings.Contains(line, "203.0.113.77") || client.String() != "203.0.113.77" {
		t.Errorf("client %v, log %s", client, line)
	}
	want := []Observation{{Method: "POST", Route: "/a/{id}", Status: 201}, {Method: "other", Status: 405, Code: verify.MethodNotAllowed}}
	if diff := cmp.Diff(want, seen, cmpopts.IgnoreTypes(time.Duration(0))); diff != "" {
		t.Error(diff)
	}
}
