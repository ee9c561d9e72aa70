package api

import (
	"net/http"
	"strings"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

const (
	onceHeader = "Idempotency-Key"
	maxOnce    = 255 // bytes
)

// onceKey reads the Idempotency-Key: none, or one of 1 to 255 printable ASCII
// characters.
func onceKey(r *edge.Request) (string, error) {
	values := r.Header.Values(onceHeader)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	ok := len(values) == 1 && key != "" && len(key) <= maxOnce
	for _, c := range []byte(key) {
		ok = ok && c >= ' ' && c <= '~'
	}
	if !ok {
		return "", &edge.Invalid{Errors: []edge.FieldError{{
			Location: "header." + onceHeader, Message: "want one key of 1 to 255 printable ASCII characters",
		}}}
	}
	return key, nil
}

// onceFor makes an action happen once for its Idempotency-Key. at is the action's
// own path, in parts, whatever way the request spelled it. Each API key and each client
// token has a scope of its own: an answer may tell its key more than another may
// know (the number, screen digits, a client token).
func onceFor[T any](r *edge.Request, encode func(T) ([]byte, error), at ...string) (verify.Once[T], error) {
	key, err := onceKey(r)
	if key == "" || err != nil {
		return verify.Once[T]{}, err
	}
	path := http.MethodPost + " " + strings.Join(at, "/")
	if r.Caller.Verification != "" {
		path += " by client token"
	} else {
		path += " by key " + r.Caller.Key
	}
	return verify.Once[T]{Key: key, Path: path, Body: r.Body, Encode: encode}, nil
}

// reply gives the document of an answer: the kept one, or a new one.
func reply[T any](status int, a verify.Answer[T], encode func(T) ([]byte, error)) (answer, error) {
	if a.Replay != nil {
		return answer{status: status, document: a.Replay, replayed: true}, nil
	}
	b, err := encode(a.Value)
	return answer{status: status, document: b}, err
}
