package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// decode reads a body that edge has checked; an empty one leaves everything
// zero. The decoder's own errors can repeat values, so they go nowhere.
func decode[T any](body []byte, to *T) error {
	if len(body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(to) != nil {
		return &verify.Error{Code: verify.BadInput, Message: "the body has an unknown field, or a value of the wrong type"}
	}
	return nil
}

func invalid(location, message string) error {
	return &edge.Invalid{Errors: []edge.FieldError{{Location: location, Message: message}}}
}

// told gives the errors of Phones their words for the caller.
func told(err error) error {
	switch {
	case errors.Is(err, ErrNotRinging):
		return &verify.Error{Code: edge.WrongPhoneState, Message: "the phone does not ring"}
	case errors.Is(err, ErrNotInCall):
		return &verify.Error{Code: edge.WrongPhoneState, Message: "the phone is not in a call"}
	case errors.Is(err, ErrListeners):
		return &verify.Error{Code: verify.Limited, RetryAfter: time.Second, Message: "too many listen to this phone: close one"}
	case errors.Is(err, ErrBadKeys):
		return invalid("body.keys", "want 1 to 32 keys: 0 to 9, * and #")
	}
	return err
}
