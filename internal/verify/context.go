package verify

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a request tells beside the number, in bytes unless said
// otherwise.
const (
	maxExtension = 32
	maxHow       = 200 // characters
	maxUserRef   = 128
	maxPairs     = 10 // of metadata
	maxPairName  = 40
	maxPairValue = 128
)

// Consent is when and how the person agreed to be called: kept for audit.
type Consent struct {
	At  string // RFC 3339
	How string // at most 200 characters
}

// Context is what a request told beside the number. It decides nothing: it is
// kept sealed, for audit, and shown to the account's API keys.
type Context struct {
	ConsentAt  time.Time // zero: none
	ConsentHow string
	ClientIP   string // the person's address, as the caller says
	UserRef    string // the caller's name for the person
	Metadata   map[string]string
}

// isZero says that nothing was told.
func (x Context) isZero() bool {
	return x.ConsentAt.IsZero() && x.ConsentHow == "" && x.ClientIP == "" && x.UserRef == "" && len(x.Metadata) == 0
}

// storedContext is the sealed form.
type storedContext struct {
	ConsentAt  time.Time         `json:"consent_at,omitzero"`
	ConsentHow string            `json:"consent_how,omitempty"`
	ClientIP   string            `json:"client_ip,omitempty"`
	UserRef    string            `json:"user_ref,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// clocksApart is how far a caller's clock may be ahead of ours.
const clocksApart = 5 * time.Minute

// parseContext judges what a request tells. Its errors name the field and never
// a value, nor a name of metadata, which is the caller's as well.
func parseContext(req StartRequest, now time.Time) (Context, error) {
	x := Context{UserRef: req.UserRef}
	if len(req.Metadata) > 0 {
		x.Metadata = req.Metadata
	}
	if req.Consent != nil {
		var err error
		if x.ConsentAt, err = time.Parse(time.RFC3339, req.Consent.At); err != nil {
			return x, bad("consent.at", "consent.at is when the person agreed, as RFC 3339 writes it: 2026-01-02T03:04:05Z")
		}
		if x.ConsentAt.After(now.Add(clocksApart)) {
			return x, bad("consent.at", "consent.at is in the future: say when the person agreed")
		}
		x.ConsentAt, x.ConsentHow = x.ConsentAt.UTC(), req.Consent.How
	}
	if !words(x.ConsentHow) || utf8.RuneCountInString(x.ConsentHow) > maxHow {
		return x, bad("consent.how", "consent.how is at most 200 characters of plain text")
	}
	if req.ClientIP != "" {
		ip, err := netip.ParseAddr(req.ClientIP)
		if err != nil || ip.Zone() != "" {
			return x, bad("client_ip", "client_ip is one IPv4 or IPv6 address, without a port")
		}
		x.ClientIP = ip.Unmap().String()
	}
	if len(x.UserRef) > maxUserRef || !utf8.ValidString(x.UserRef) {
		return x, bad("user_ref", "user_ref is at most 128 bytes of text")
	}
	return x, checkMetadata(x.Metadata)
}

func checkMetadata(m map[string]string) error {
	if len(m) > maxPairs {
		return bad("metadata", "metadata has at most 10 pairs")
	}
	for name, value := range m {
		if name == "" || len(name) > maxPairName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return bad("metadata", "each name of metadata is 1 to 40 of a-z and _")
		}
		if len(value) > maxPairValue || !utf8.ValidString(value) {
			return bad("metadata", "each value of metadata is at most 128 bytes of text")
		}
	}
	return nil
}

// words says that s is text without control characters.
func words(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// checkExtension judges the keys to dial after the answer.
func checkExtension(req StartRequest, s Settings) error {
	if req.Extension == "" {
		return nil
	}
	if len(req.Extension) > maxExtension || strings.Trim(req.Extension, "0123456789*#wW") != "" {
		return bad("extension", "extension is 1 to 32 of 0 to 9, *, # and the pauses w (half a second) and W (a second)")
	}
	for _, step := range s.Workflow {
		if step.Channel == "sms" {
			return bad("extension", "a message cannot reach an extension: use channel voice")
		}
	}
	return nil
}

// sealContext gives the stored form; nil where nothing was told.
func (c *Core) sealContext(v Verification, x Context) ([]byte, error) {
	if x.isZero() {
		return nil, nil
	}
	plain, err := json.Marshal(storedContext(x))
	if err != nil {
		return nil, err
	}
	return c.cfg.Keys.Seal(plain, "context", v.Account, v.ID)
}

// context opens what was told at the start.
func (c *Core) context(v Verification) (Context, error) {
	if len(v.Context) == 0 {
		return Context{}, nil
	}
	b, err := c.cfg.Keys.Open(v.Context, "context", v.Account, v.ID)
	if err != nil {
		return Context{}, fmt.Errorf("open the context: %w", err)
	}
	var x storedContext
	if err := json.Unmarshal(b, &x); err != nil {
		return Context{}, fmt.Errorf("open the context: its stored form cannot be read")
	}
	return Context(x), nil
}

// shownContext is for the account's API keys: a client token is in the hands of
// the person, or of whoever holds the person's browser.
func (c *Core) shownContext(who Caller, v Verification) Context {
	if who.Key == "" {
		return Context{}
	}
	x, err := c.context(v)
	if err != nil {
		c.cfg.Log.Error("what a request told cannot be opened", "verification", v.ID, "error", err)
	}
	return x
}
