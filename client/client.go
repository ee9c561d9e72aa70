// Package client is the Go client of a pincall server's native API: it starts
// verifications, watches them and checks what people type. It knows the API's
// words and when a request may be sent again; it keeps nothing, and imports the
// standard library only.
//
// Every request that changes something carries an Idempotency-Key, so a lost
// answer is fetched again without a second call to the person: see
// [WithIdempotencyKey].
package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is where `pincall serve` listens unless told otherwise.
const DefaultBaseURL = "http://127.0.0.1:8420"

// defaultTimeout bounds one try of one request.
const defaultTimeout = 30 * time.Second

// Config of a Client.
type Config struct {
	BaseURL string // scheme, host and an optional path; DefaultBaseURL
	Key     Secret // an API key; required
	// HTTPClient sends the requests; one with a time-out of 30 s. Redirects are
	// never followed, whatever it says: they would carry the key elsewhere.
	HTTPClient *http.Client
}

// Client talks to one server with one key. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
	// key is a function because fmt prints the unexported fields of a struct
	// without asking their methods; of a function it prints the address.
	key func() string
}

// New makes a Client. It does not connect.
func New(cfg Config) (*Client, error) {
	if cfg.Key == "" {
		return nil, errors.New("client: Config.Key is required: an API key of the server")
	}
	if strings.ContainsFunc(cfg.Key.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("client: Config.Key has a character that no key has: copy it whole, without spaces")
	}
	base, err := url.Parse(cmp.Or(cfg.BaseURL, DefaultBaseURL))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("client: Config.BaseURL: want http:// or https:// and a host")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("client: Config.BaseURL: want no user, query or fragment")
	}
	sender := http.Client{Timeout: defaultTimeout}
	if cfg.HTTPClient != nil {
		sender = *cfg.HTTPClient
	}
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		base: strings.TrimRight(base.String(), "/"),
		http: &sender,
		key:  cfg.Key.Reveal,
	}, nil
}

// BaseURL is where the server is, without a slash at the end.
func (c *Client) BaseURL() string { return c.base }

// Start asks for a verification: the person's phone rings, or gets a message.
// The answer alone holds the ClientToken.
func (c *Client) Start(ctx context.Context, req StartRequest, opts ...Option) (Verification, error) {
	return send[Verification](ctx, c, post("start verification", req, opts, "v1", "verifications"))
}

// Get shows a verification.
func (c *Client) Get(ctx context.Context, id string) (Verification, error) {
	return send[Verification](ctx, c, get("get verification", "v1", "verifications", id))
}

// Check compares what the person typed. A wrong code is no error: look at
// Checked.Valid. A malformed one is an *Error of status 422 and is not counted.
func (c *Client) Check(ctx context.Context, id string, req CheckRequest, opts ...Option) (Checked, error) {
	return send[Checked](ctx, c, post("check code", req.wire(), opts, "v1", "verifications", id, "check"))
}

// Cancel ends a verification; a call in progress is hung up.
func (c *Client) Cancel(ctx context.Context, id string, opts ...Option) (Verification, error) {
	return send[Verification](ctx, c, post("cancel verification", empty{}, opts, "v1", "verifications", id, "cancel"))
}

// Resend brings the same code once more: by the channel named, or by that of
// the current step where it is empty.
func (c *Client) Resend(ctx context.Context, id, channel string, opts ...Option) (Verification, error) {
	body := resendWire{Channel: channel}
	return send[Verification](ctx, c, post("resend code", body, opts, "v1", "verifications", id, "resend"))
}

// Next goes to the next step of the workflow at once.
func (c *Client) Next(ctx context.Context, id string, opts ...Option) (Verification, error) {
	return send[Verification](ctx, c, post("next step", empty{}, opts, "v1", "verifications", id, "next"))
}

// Health says, by the absence of an error, that the server is ready to work.
func (c *Client) Health(ctx context.Context) error {
	_, err := send[discard](ctx, c, get("health", "healthz"))
	return err
}
