package sipcall

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// ask is who asks for credentials: a proxy (407) or the server itself (401).
type ask struct{ challenge, answer string }

var asks = []ask{
	{"Proxy-Authenticate", "Proxy-Authorization"},
	{"WWW-Authenticate", "Authorization"},
}

// errCredentials says that no challenge can be answered, or that the answer
// was refused.
var errCredentials = errors.New("sipcall: the credentials do not serve")

// keyring answers digest challenges (RFC 8760) and remembers them, so that the
// next request carries its credentials at once: one round trip less a call. A
// nonce is used with a rising count (RFC 7616 nc). Safe for concurrent use.
type keyring struct {
	auth Auth

	mu    sync.Mutex
	known map[string]*nonce // by the answer's header and the server's host
}

type nonce struct {
	challenge *digest.Challenge
	count     int
}

// newKeyring knows no challenge yet.
func newKeyring(auth Auth) *keyring { return &keyring{auth: auth, known: map[string]*nonce{}} }

// sign replaces the request's credentials by fresh ones for every challenge that
// the server at host is known to make.
func (k *keyring) sign(req *sip.Request, host string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range asks {
		for req.RemoveHeader(a.answer) {
		}
		n := k.known[a.answer+" "+host]
		if n == nil {
			continue
		}
		n.count++
		creds, err := digest.Digest(n.challenge, digest.Options{
			Method: string(req.Method), URI: req.Recipient.String(), Count: n.count,
			Username: k.auth.User, Password: k.auth.Password,
			GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil },
		})
		if err != nil {
			continue
		}
		req.AppendHeader(sip.NewHeader(a.answer, creds.String()))
	}
}

// rounds counts the challenges to one request, by the header of the answer.
type rounds map[string]int

// learn takes a 401 or 407 in. The first challenge may be to a remembered nonce;
// a second one to the same request says that the password is wrong, unless it
// says that the nonce went stale.
func (k *keyring) learn(res *sip.Response, host string, seen rounds) error {
	if k.auth.User == "" {
		return errCredentials
	}
	a := asks[1]
	if res.StatusCode == sip.StatusProxyAuthRequired {
		a = asks[0]
	}
	var best *digest.Challenge
	for _, h := range res.GetHeaders(a.challenge) {
		for _, text := range splitChallenges(h.Value()) {
			if c := k.usable(text); c != nil && best == nil {
				best = c // RFC 8760 2.4: the topmost that we can do
			}
		}
	}
	n := seen[a.answer]
	seen[a.answer]++
	if best == nil || n > 0 && !best.Stale || n >= authRounds {
		return errCredentials
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known[a.answer+" "+host] = &nonce{challenge: best}
	return nil
}

// usable is a challenge that we can answer, with its words as icholy/digest wants
// them, or nil: another scheme, realm or algorithm, or nothing readable.
func (k *keyring) usable(text string) *digest.Challenge {
	c, err := digest.ParseChallenge(strings.TrimSpace(text))
	if err != nil || c.Nonce == "" || k.auth.Realm != "" && c.Realm != k.auth.Realm {
		return nil
	}
	for i := range c.QOP {
		c.QOP[i] = strings.ToLower(strings.TrimSpace(c.QOP[i]))
	}
	if c.Algorithm = strings.ToUpper(c.Algorithm); !digest.CanDigest(c) {
		return nil
	}
	return c
}

// splitChallenges takes apart a header that holds several challenges.
func splitChallenges(value string) (all []string) {
	for _, part := range splitQuoted(value, ',') {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
		starts := rest != "" && !strings.Contains(scheme, "=")
		if starts || len(all) == 0 {
			all = append(all, part)
		} else {
			all[len(all)-1] += "," + part
		}
	}
	return all
}

// authRounds bounds the stale nonces of one request.
const authRounds = 3

// challenged says whether an answer asks for credentials.
func challenged(res *sip.Response) bool {
	return res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
}
