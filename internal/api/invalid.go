package api

import (
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// invalid turns huma's refusal of a request into ours. huma repeats values in
// the Value of a detail, in some messages, and in the names of fields: the first
// is dropped, of messages only those that speak of the schema are kept, and of
// names only those that cannot be a value.
func invalid(m *huma.ErrorModel) error {
	out := &edge.Invalid{}
	for _, d := range m.Errors {
		out.Errors = append(out.Errors, edge.FieldError{Message: message(d.Message), Location: place(d.Location)})
	}
	switch {
	case len(out.Errors) > 0:
		return out
	case m.Status >= 500:
		// Our mistake: an action's error comes as a *failure.
		return errors.New("huma could not work on the request")
	}
	// Its one other refusal: a body is required.
	return &verify.Error{Code: verify.BadInput, Message: "the request needs a body: JSON with Content-Type: application/json"}
}

// message keeps what speaks of the schema.
func message(m string) string {
	switch {
	case m == validation.MsgUnexpectedProperty:
		return "unknown field"
	case strings.HasPrefix(m, "expected "):
		return m
	case strings.HasPrefix(m, "required ") && strings.HasSuffix(m, " parameter is missing"):
		return m
	}
	return "invalid value"
}

// place keeps the parts of a location that are names of fields or numbers of
// array elements, such as body.workflow[0].channel, and replaces others.
func place(location string) string {
	parts := strings.Split(location, ".")
	for i, p := range parts {
		name, index, _ := strings.Cut(p, "[")
		if !edge.PlainName(strings.ToLower(strings.ReplaceAll(name, "-", "_"))) || !isIndex(index) {
			return strings.Join(append(parts[:i], "..."), ".")
		}
	}
	return location
}

// isIndex says whether s is the rest of "[0]"; a body holds no more than five
// digits' worth of elements.
func isIndex(s string) bool {
	digits := strings.TrimSuffix(s, "]")
	return len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}
