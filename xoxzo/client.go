// Package xoxzo is a client of the Xoxzo cloud telephony API: calls that speak a text or play a recording, conferences,
// text messages, one-time passwords, look-ups of carriers, rented numbers, and the account's credits
// (https://docs.xoxzo.com/en/).
//
// It knows Xoxzo's HTTP contract: form-encoded requests, HTTP Basic credentials, paths that end in a slash, 200 and 201
// as the only successes, errors in the shapes of Django REST framework. It must not know what its caller says to people
// or why: it imports nothing but the standard library, keeps nothing, logs nothing.
//
// Two properties matter more than the convenience of a smaller client:
//
//   - A request that may have made a telephone ring, or cost credits, is sent at most once, and every failure says
//     whether it may have been sent ([MayHaveBeenSent]). Only reads are tried again.
//   - No error text contains the token, a code, a message, or a whole telephone number, even where the server repeats
//     them; values that hold one mask it wherever they are printed, logged or written as JSON.
package xoxzo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is where Xoxzo serves its API.
const DefaultBaseURL = "https://api.xoxzo.com"

// The environment variables of Xoxzo's own tutorials; [ConfigFromEnv] reads them.
const (
	EnvSID       = "XOXZO_API_SID"
	EnvAuthToken = "XOXZO_API_AUTH_TOKEN"
)

// Defaults and time-outs of the client that [New] builds for itself.
const (
	defaultTimeout   = 20 * time.Second
	defaultRetries   = 2
	defaultRetryWait = 200 * time.Millisecond
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 30 * time.Second
	maxHeaderBytes   = 64 << 10
	defaultUserAgent = "pincall-xoxzo"
)

// ErrNoCredentials is returned by [New] when the SID or the token is missing.
const ErrNoCredentials = sentinel("xoxzo: no credentials: set Config.SID and Config.AuthToken (environment: " +
	EnvSID + " and " + EnvAuthToken + ")")

// Config says whose account is used and how. SID and AuthToken are required; the zero value of every other field works.
// A Config masks its token in every form of printing, logging and JSON.
type Config struct {
	// SID names the account (the user name of HTTP Basic). Xoxzo's dashboard shows it.
	SID string
	// AuthToken is the account's secret (the password of HTTP Basic).
	AuthToken string
	// BaseURL is the root of the API without a trailing path of its own; empty means [DefaultBaseURL]. It must be https,
	// or http on a loopback address, because the token travels with every request; see AllowPlainHTTP.
	BaseURL string
	// AllowPlainHTTP accepts an http BaseURL on any host, for a compatible server inside one's own network.
	AllowPlainHTTP bool
	// HTTPClient is used for all requests; nil means one made by New, which opens a new connection for every POST so
	// that a connection closed while idle can never leave a call in doubt. A given client is copied: redirects are
	// never followed, whatever its CheckRedirect says. Its transport must not repeat a POST by itself.
	HTTPClient *http.Client
	// Timeout bounds one exchange, from the dialling to the last byte of the answer; zero means 20 s.
	Timeout time.Duration
	// Retries is how often a read is tried again after a failed connection or a 502, 503 or 504; zero means 2, a
	// negative value means never. A POST or DELETE is never tried again.
	Retries int
	// RetryWait is the pause before the first repetition of a read; it doubles each time. Zero means 200 ms.
	RetryWait time.Duration
	// UserAgent is sent with every request; empty means "pincall-xoxzo".
	UserAgent string
}

// ConfigFromEnv returns a Config with the credentials found in XOXZO_API_SID and XOXZO_API_AUTH_TOKEN, without the white
// space around them. Pass os.Getenv. Missing variables give empty fields, which [New] refuses.
func ConfigFromEnv(getenv func(string) string) Config {
	return Config{
		SID:       strings.TrimSpace(getenv(EnvSID)),
		AuthToken: strings.TrimSpace(getenv(EnvAuthToken)),
	}
}

// String names the account and hides the token.
func (c Config) String() string {
	token := "none"
	if c.AuthToken != "" {
		token = "***"
	}
	return fmt.Sprintf("xoxzo.Config(sid %q, token %s)", c.SID, token)
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// Format writes String for every verb, because %d or %x of a plain struct would print the token.
func (c Config) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string. A Config is not meant to be stored as JSON.
func (c Config) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// Client speaks to one Xoxzo account. It is safe for concurrent use and holds no state between requests.
type Client struct {
	sid       string
	base      string // scheme://host[/path], no trailing slash
	userAgent string
	timeout   time.Duration
	retries   int // repetitions of a read, >= 0
	retryWait time.Duration
	reads     *http.Client
	writes    *http.Client // differs from reads only when New made both: no kept connections
	// credentials returns the token and the value of the Authorization header. A function, so that no printing of a
	// Client by reflection can reach them.
	credentials func() (token, header string)
}

// New returns a client for cfg. Errors: [ErrNoCredentials], or a description of the field that is wrong; neither
// contains the token.
func New(cfg Config) (*Client, error) {
	if cfg.SID == "" || cfg.AuthToken == "" {
		return nil, ErrNoCredentials
	}
	if strings.ContainsFunc(cfg.SID, func(r rune) bool { return r == ':' || r < 0x20 || r == 0x7f }) {
		return nil, errors.New("xoxzo: config: SID must not contain a colon or a control character (RFC 7617)")
	}
	base, err := parseBase(cfg.BaseURL, cfg.AllowPlainHTTP)
	if err != nil {
		return nil, err
	}
	token := cfg.AuthToken
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.SID+":"+token))
	c := &Client{
		sid: cfg.SID, base: base,
		userAgent:   orDefault(cfg.UserAgent, defaultUserAgent),
		timeout:     orDefault(cfg.Timeout, defaultTimeout),
		retries:     max(orDefault(cfg.Retries, defaultRetries), 0),
		retryWait:   orDefault(cfg.RetryWait, defaultRetryWait),
		credentials: func() (string, string) { return token, header },
	}
	c.reads, c.writes = httpClients(cfg.HTTPClient)
	return c, nil
}

// String names the account and the host; it cannot contain the token.
func (c *Client) String() string { return fmt.Sprintf("xoxzo.Client(sid %q, %s)", c.sid, c.base) }

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// Format writes String for every verb.
func (c *Client) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string.
func (c *Client) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// CloseIdleConnections closes the connections kept for later reads.
func (c *Client) CloseIdleConnections() {
	c.reads.CloseIdleConnections()
	c.writes.CloseIdleConnections()
}

// parseBase checks a base URL and returns it without its trailing slash.
func parseBase(raw string, plain bool) (string, error) {
	u, err := url.Parse(orDefault(raw, DefaultBaseURL))
	switch {
	case err != nil: // the cause would repeat the URL, which may hold a password
		return "", errors.New("xoxzo: config: BaseURL is not a URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("xoxzo: config: BaseURL must not contain a user, a query or a fragment")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("xoxzo: config: BaseURL must begin with https:// or http:// and name a host")
	case u.Scheme == "http" && !plain && !loopback(u.Hostname()):
		return "", errors.New("xoxzo: config: BaseURL must be https: the token would travel in clear (AllowPlainHTTP permits it)")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// httpClients returns the clients for reads and for writes.
func httpClients(given *http.Client) (reads, writes *http.Client) {
	// Credentials must not follow a redirect to another host, and a redirected POST would be a second request: a
	// redirect is an answer like any other that is neither 200 nor 201.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if given != nil {
		own := *given
		own.CheckRedirect = stay
		return &own, &own
	}
	kept := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}
	fresh := kept.Clone()
	fresh.DisableKeepAlives = true
	return &http.Client{Transport: kept, CheckRedirect: stay}, &http.Client{Transport: fresh, CheckRedirect: stay}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func writeMasked(f fmt.State, s string) {
	// A fmt.State that cannot be written to has nowhere to report it.
	_, _ = io.WriteString(f, s)
}

// wait sleeps for d, or returns early with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
