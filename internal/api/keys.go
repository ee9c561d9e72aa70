package api

import (
	"context"
	"net/http"
	"time"

	"github.com/pincall/pincall/internal/account"
)

const keyCollection = "/v1/keys"

// NewKey says what a key is for.
type NewKey struct {
	Name   string   `json:"name,omitempty" maxLength:"64" doc:"A label for you. It goes into the audit log." example:"shop"`
	Scopes []string `json:"scopes" nullable:"false" minItems:"1" maxItems:"8" doc:"What the key may do: verify (start, check, resend, cancel), read, announce (free text and recordings), admin (verify, read and the administration)." example:"[\"verify\"]"`
}

// Key is an API key without its secret.
type Key struct {
	ID        string     `json:"id" doc:"Names the key: the part between its underscores. It opens nothing." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
	Name      string     `json:"name,omitempty" doc:"The label." example:"shop"`
	Scopes    []string   `json:"scopes" nullable:"false" doc:"What it may do." example:"[\"verify\"]"`
	CreatedAt time.Time  `json:"created_at" doc:"UTC." example:"2026-01-02T03:04:05Z"`
	RevokedAt *time.Time `json:"revoked_at,omitempty" doc:"UTC. Only once it has been revoked." example:"2026-02-02T03:04:05Z"`
}

// MadeKey is a new key.
type MadeKey struct {
	Key
	Secret string `json:"key" doc:"The key itself. It is shown this once and stored nowhere." example:"pck_01jd3c8t5w0zq4n7m2r9kx6yva_..."`
}

// Keys is a list.
type Keys struct {
	Keys []Key `json:"keys" nullable:"false" doc:"The oldest first; revoked ones too."`
}

func showKey(k account.Key) Key {
	out := Key{ID: k.ID, Name: k.Name, Scopes: []string{}, CreatedAt: k.CreatedAt.UTC(), RevokedAt: moment(k.RevokedAt)}
	for _, s := range k.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	return out
}

// listKeys: GET /v1/keys.
func (s *server) listKeys() {
	op := shown(about{"list_keys", keyCollection, tagKeys, "List the keys", "All keys of the account, without their secrets."})
	op.access = admins()
	add[Keys](s, op, func(ctx context.Context, in *Asked) (answer, error) {
		list, err := s.clerk(*in).Keys(ctx)
		out := Keys{Keys: make([]Key, 0, len(list))}
		for _, k := range list {
			out.Keys = append(out.Keys, showKey(k))
		}
		return told(http.StatusOK, out, err, "account")
	})
}

// newKeyInput is a request for a key.
type newKeyInput struct {
	Asked
	Body NewKey
}

// newKey: POST /v1/keys. Its answer is the one place where a key leaves the
// server, so no answer is kept.
func (s *server) newKey() {
	op := changed(http.MethodPost, shown(about{"new_key", keyCollection, tagKeys, "Make a key",
		"The answer holds the key, this once. An Idempotency-Key is refused: a kept answer would keep the key. If the answer is lost, " +
			"revoke the key and make another."}))
	op.unkept = true
	add[MadeKey](s, op, func(ctx context.Context, in *newKeyInput) (answer, error) {
		scopes := make([]account.Scope, len(in.Body.Scopes))
		for i, name := range in.Body.Scopes {
			scopes[i] = account.Scope(name)
		}
		k, tok, err := s.clerk(in.Asked).NewKey(ctx, in.Body.Name, scopes)
		if err != nil {
			return answer{}, refused(err, "account")
		}
		return told(http.StatusCreated, MadeKey{showKey(k), tok.Reveal()}, nil, "")
	})
}

// keyID names a key.
type keyID struct {
	Asked
	ID string `path:"id" doc:"The key's id, never the key." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
}

// revokeKey: DELETE /v1/keys/{id}.
func (s *server) revokeKey() {
	op := unknown(changed(http.MethodDelete, shown(about{"revoke_key", keyCollection + "/{id}", tagKeys, "Revoke a key",
		"It stops at once here, and within two seconds in other processes. Once more is no error. A key may revoke itself."})))
	add[Key](s, op, func(ctx context.Context, in *keyID) (answer, error) {
		k, err := s.clerk(in.Asked).Revoke(ctx, in.ID)
		return told(http.StatusOK, showKey(k), err, "key")
	})
}
