package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/verify"
)

// Check is one guess.
type Check struct {
	Code     string `json:"code" doc:"What the person typed; spaces and dashes are fine." example:"123456"`
	Amount   string `json:"amount,omitempty" doc:"As at the start, where it had one." example:"12.50"`
	Currency string `json:"currency,omitempty" doc:"As at the start, where it had one." example:"EUR"`
	Payee    string `json:"payee,omitempty" doc:"As at the start, where it had one." example:"Example Shop"`
}

// Checked is the result of one guess.
type Checked struct {
	Status    string `json:"status" enum:"pending,approved,max_attempts_reached" doc:"Of the verification, after the guess." example:"approved"`
	Valid     bool   `json:"valid" doc:"The guess was right." example:"true"`
	Remaining int    `json:"remaining" doc:"Guesses that are left." example:"5"`
}

// checkInput is a request to check.
type checkInput struct {
	One
	Body Check
}

// check: POST /v1/verifications/{id}/check.
func (s *server) check() {
	add[Checked](s, s.action("check", "Check a code",
		"Compares one guess. A wrong one is an answer, not an error: it is counted, and the last allowed one ends the "+
			"verification. Of several right answers exactly one approves."),
		func(ctx context.Context, in *checkInput) (answer, error) {
			id, once, err := once(in.One, "check", encodeChecked)
			if err != nil {
				return answer{}, err
			}
			b := in.Body
			req := verify.CheckRequest{Code: b.Code, Amount: b.Amount, Currency: b.Currency, Payee: b.Payee}
			got, err := s.cfg.Core.Check(ctx, in.request.Caller, id, req, once)
			if err != nil {
				return answer{}, err
			}
			return reply(http.StatusOK, got, encodeChecked)
		})
}

// action describes one of the things that can be done with a verification.
func (s *server) action(name, summary, description string) operation {
	return operation{
		access: actors(),
		errs:   []int{http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		Operation: huma.Operation{
			OperationID: name, Method: http.MethodPost, Path: collection + "/{id}/" + name, DefaultStatus: http.StatusOK,
			Summary: summary, Description: description, Tags: []string{tag},
		},
	}
}

func encodeChecked(c verify.Checked) ([]byte, error) {
	out := Checked{Status: string(c.Status), Valid: c.Valid, Remaining: c.Remaining}
	return document(writeChecked(out), out)
}
