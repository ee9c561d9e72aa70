package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// What the administrative actions share. They go to the account's directory, not
// to the core: a change and its entry in the log are the directory's to keep
// together.

// Tags of the administrative actions.
const (
	tagServices = "services"
	tagKeys     = "keys"
	tagAudit    = "audit"
)

func admins() edge.Access { return edge.Access{Scopes: []account.Scope{account.ScopeAdmin}} }

func readers() edge.Access {
	return edge.Access{Scopes: []account.Scope{account.ScopeRead, account.ScopeAdmin}}
}

// clerk acts for whoever asks, on their own account only.
func (s *server) clerk(a Asked) account.Clerk {
	return s.cfg.Directory.Clerk(a.request.Caller.Account, a.request.Caller.Key)
}

// administration adds the actions, where there is a directory to act on.
func (s *server) administration() {
	if s.cfg.Directory == nil {
		return
	}
	s.huma.OpenAPI().Tags = append(s.huma.OpenAPI().Tags,
		&huma.Tag{Name: tagServices, Description: "Settings of the account's products, and their own words."},
		&huma.Tag{Name: tagKeys, Description: "The account's API keys."},
		&huma.Tag{Name: tagAudit, Description: "What was done to the account, by whom."})
	s.listServices()
	s.newService()
	s.getService()
	s.putService()
	s.deleteService()
	s.getTemplate()
	s.putTemplate()
	s.deleteTemplate()
	s.listKeys()
	s.newKey()
	s.revokeKey()
	s.audit()
}

// refused gives an error of the directory the caller's words. what names what was
// asked for.
func refused(err error, what string) error {
	var faults account.Faults
	switch {
	case err == nil:
		return nil
	case errors.As(err, &faults):
		out := &edge.Invalid{}
		for _, f := range faults {
			out.Errors = append(out.Errors, edge.FieldError{Message: f.Reason, Location: "body." + f.Field})
		}
		return out
	case errors.Is(err, account.ErrNotFound):
		return &verify.Error{Code: verify.NotFound, Message: "there is no such " + what, Err: err}
	case errors.Is(err, account.ErrDefault):
		return &verify.Error{Code: edge.Conflict, Message: "the default service cannot be deleted", Err: err}
	case errors.Is(err, account.ErrInUse):
		return &verify.Error{Code: edge.Conflict, Err: err,
			Message: "the service has pending verifications: stop starting them, and try again when they have ended, in ten minutes at the latest"}
	case errors.Is(err, account.ErrOnceMismatch):
		return &verify.Error{Code: verify.OnceMismatch, Message: "this Idempotency-Key was used for another request: use a new key", Err: err}
	}
	return err
}

// told gives the answer of an action that was carried out, or its refusal.
func told[T any](status int, v T, err error, what string) (answer, error) {
	if err != nil {
		return answer{}, refused(err, what)
	}
	b, err := encode(v)
	return answer{status: status, document: b}, err
}

// about is what an action is called, where it is, and what the document says.
type about struct{ name, path, tag, summary, description string }

// shown describes an action that reads.
func shown(a about) operation {
	return operation{access: readers(), Operation: huma.Operation{
		OperationID: a.name, Method: http.MethodGet, Path: a.path, DefaultStatus: http.StatusOK,
		Summary: a.summary, Description: a.description, Tags: []string{a.tag},
	}}
}

// changed describes an action that changes something: shown, for admins.
func changed(method string, op operation) operation {
	op.access, op.Method = admins(), method
	if method == http.MethodPost {
		op.DefaultStatus = http.StatusCreated
	}
	return op
}

// unknown adds the refusal of an id.
func unknown(op operation) operation {
	op.errs = append(op.errs, http.StatusNotFound)
	return op
}
