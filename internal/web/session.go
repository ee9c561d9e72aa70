package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// pageKey stands where a key's id does for what the page asked for.
const pageKey = "page"

// session is the page's own credential: one random token for the life of the
// process, in a cookie that no script reads and no other site's request carries.
// It stands for one account. It is given to, and taken from, browsers on this
// machine only, and only where the configuration says that nobody else can get
// through to the server.
type session struct {
	open    bool
	account string
	token   string
}

// newSession draws the token.
func newSession(cfg Config) *session {
	from := cfg.Rand
	if from == nil {
		from = rand.Reader
	}
	b := make([]byte, 32)
	if _, err := io.ReadFull(from, b); err != nil {
		return &session{} // without randomness everybody needs a key
	}
	return &session{open: cfg.Open && cfg.Phones != nil, account: cfg.Account, token: base64.RawURLEncoding.EncodeToString(b)}
}

// welcome gives the page's cookie to a browser that may have it, before the page
// is written, and says whether it may: to any other the page must ask for a key.
func (s *session) welcome(w http.ResponseWriter, r *edge.Request) bool {
	if !s.open || !local(r.Request) {
		return false
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r.Request), Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	return true
}

// caller knows the page's cookie again.
func (s *session) caller(r *http.Request) (verify.Caller, bool) {
	if !s.open || !local(r) {
		return verify.Caller{}, false
	}
	cookies := r.CookiesNamed(cookieName(r))
	if len(cookies) != 1 || subtle.ConstantTimeCompare([]byte(cookies[0].Value), []byte(s.token)) != 1 {
		return verify.Caller{}, false
	}
	return verify.Caller{Account: s.account, Key: pageKey}, true
}

// cookieName names the cookie after the port: browsers share cookies between the
// ports of a host, and two servers must not take each other's away.
func cookieName(r *http.Request) string {
	_, port := hostPort(r.Host)
	if port == "" {
		return "pincall_page"
	}
	return "pincall_page_" + port
}

// local says that a browser on this machine asks this server by a name of this
// machine. Any other name in Host may be somebody's who pointed it here (DNS
// rebinding), and a proxy's word in the headers means that the request came from
// elsewhere; so does HTTP/1.0, which no browser speaks and some proxies do that
// say nothing of themselves.
func local(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return false
	}
	for _, h := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if len(r.Header.Values(h)) > 0 {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _ := hostPort(r.Host)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// hostPort divides a Host header; the port may be missing.
func hostPort(s string) (host, port string) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return host, port
	}
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ""
}
