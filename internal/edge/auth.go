package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/verify"
)

// Keys knows API keys.
type Keys interface {
	// Authenticate turns a key into what is kept of it. account.ErrUnauthorized
	// for one that does not work.
	Authenticate(ctx context.Context, presented string) (account.Key, error)
}

// Tokens knows client tokens.
type Tokens interface {
	// ClientToken tells whom a token stands for. A *verify.Error with the code
	// Unauthorized for one that does not work.
	ClientToken(ctx context.Context, presented string) (verify.Caller, error)
}

// Accounts knows which accounts may do anything.
type Accounts interface {
	// Enabled says whether an account is there and not disabled.
	Enabled(ctx context.Context, account string) (bool, error)
}

// CookieName names the HttpOnly cookie that may carry a client token.
const CookieName = "pincall_token"

// admit finds out who asks and whether they may. The Authorization header goes
// before the cookies.
func (m *Mux) admit(r *http.Request, a Access) (verify.Caller, error) {
	if a.Page != nil && len(r.Header.Values("Authorization")) == 0 && ownPage(r) {
		if caller, ok := a.Page(r); ok {
			return caller, m.enabled(r.Context(), caller)
		}
	}
	presented, byCookie, err := credential(r)
	if err != nil {
		return verify.Caller{}, err
	}
	if byCookie {
		// A browser sends the cookie whoever made it ask; a page of another
		// origin cannot set the Authorization header.
		if m.cross.Check(r) != nil {
			return verify.Caller{}, &verify.Error{Code: verify.Forbidden, Message: "a request with the cookie must come from a page of this origin"}
		}
	}
	switch {
	case strings.HasPrefix(presented, verify.TokenPrefix+"_"):
		return m.admitToken(r.Context(), presented, a)
	case strings.HasPrefix(presented, account.KeyPrefix+"_") && !byCookie:
		return m.admitKey(r.Context(), presented, a)
	}
	return verify.Caller{}, badCredential()
}

func (m *Mux) admitToken(ctx context.Context, presented string, a Access) (verify.Caller, error) {
	if m.cfg.Tokens == nil {
		return verify.Caller{}, badCredential()
	}
	caller, err := m.cfg.Tokens.ClientToken(ctx, presented)
	if err != nil {
		return verify.Caller{}, fmt.Errorf("client token: %w", err)
	}
	if err := m.enabled(ctx, caller); err != nil {
		return verify.Caller{}, fmt.Errorf("client token: %w", err)
	}
	if !a.Token {
		return verify.Caller{}, &verify.Error{Code: verify.Forbidden, Message: "a client token cannot do this: use an API key"}
	}
	return caller, nil
}

// enabled refuses the callers of disabled accounts, other than keys.
func (m *Mux) enabled(ctx context.Context, who verify.Caller) error {
	if m.cfg.Accounts == nil {
		return nil
	}
	enabled, err := m.cfg.Accounts.Enabled(ctx, who.Account)
	if err == nil && !enabled {
		return badCredential()
	}
	return err
}

func (m *Mux) admitKey(ctx context.Context, presented string, a Access) (verify.Caller, error) {
	if m.cfg.Keys == nil {
		return verify.Caller{}, badCredential()
	}
	key, err := m.cfg.Keys.Authenticate(ctx, presented)
	if errors.Is(err, account.ErrUnauthorized) {
		return verify.Caller{}, badCredential()
	}
	if err != nil {
		return verify.Caller{}, fmt.Errorf("api key: %w", err)
	}
	if !slices.ContainsFunc(a.Scopes, key.Has) {
		return verify.Caller{}, &verify.Error{Code: verify.Forbidden, Message: "this key may not do this: it needs the scope " + scopes(a.Scopes)}
	}
	return verify.Caller{Account: key.Account, Key: key.ID}, nil
}

func scopes(of []account.Scope) string {
	words := make([]string, len(of))
	for i, s := range of {
		words[i] = string(s)
	}
	return strings.Join(words, " or ")
}

// credential finds the one credential of a request.
func credential(r *http.Request) (presented string, byCookie bool, err error) {
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		scheme, rest, _ := strings.Cut(values[0], " ")
		if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
			return "", false, badCredential()
		}
		return strings.TrimLeft(rest, " "), false, nil
	}
	if cookies := r.CookiesNamed(CookieName); len(cookies) == 1 {
		return cookies[0].Value, true, nil
	}
	return "", false, &verify.Error{Code: verify.Unauthorized, Message: "send an API key or a client token: Authorization: Bearer ..."}
}

// badCredential is the one answer to every key that does not work.
func badCredential() error {
	return &verify.Error{Code: verify.Unauthorized, Message: "this credential does not work: it is malformed, unknown or revoked"}
}

// ownPage says that a page of this very origin asks, or no browser: another port
// of this host is the same site, whose requests carry even strict cookies (Fetch
// Metadata, Sec-Fetch-Site).
func ownPage(r *http.Request) bool {
	if foreignOrigin(r) {
		return false
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" {
			return false
		}
	}
	return true
}

// foreignOrigin says that a browser sent the request for a page of another
// origin, or that the origin cannot be told ("null").
func foreignOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		o, err := url.Parse(origin)
		if err != nil || o.Host == "" || !strings.EqualFold(o.Host, r.Host) {
			return true
		}
	}
	return false
}
