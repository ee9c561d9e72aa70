package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/verify"
)

// Attempts are the calls and messages of a verification.
type Attempts struct {
	Attempts []AttemptInFull `json:"attempts" nullable:"false" doc:"Calls and messages, oldest first."`
}

// AttemptInFull is an attempt with what only API keys are told.
type AttemptInFull struct {
	Attempt
	N           int    `json:"n" doc:"Its number within the verification, counted from 1." example:"1"`
	Send        int    `json:"send" doc:"Which send it belongs to, counted from 1: the same send may be tried on another route." example:"1"`
	MayHaveRung *bool  `json:"may_have_rung,omitempty" doc:"The phone may have rung. Only once it has ended, and for API keys." example:"true"`
	Fault       string `json:"fault,omitempty" doc:"Whose fault the end was: the number's, the carrier's, ours or the person's. For API keys." example:"number"`
}

// attempts: GET /v1/verifications/{id}/attempts.
func (s *server) attempts() {
	add[Attempts](s, operation{
		access: watchers(),
		errs:   []int{http.StatusNotFound},
		Operation: huma.Operation{
			OperationID: "attempts", Method: http.MethodGet, Path: collection + "/{id}/attempts", DefaultStatus: http.StatusOK,
			Summary: "List calls and messages", Tags: []string{tag},
			Description: "Lists every call and message of a verification with its times and how it ended. An API key is also told whether the phone may have rung, and whose fault the end was.",
		},
	}, func(ctx context.Context, in *One) (answer, error) {
		v, err := s.one(ctx, in)
		if err != nil {
			return answer{}, err
		}
		b, err := encode(list(v.Attempts, in.request.Caller))
		return answer{status: http.StatusOK, document: b}, err
	})
}

// list gives attempts the form that the caller gets.
func list(attempts []verify.AttemptView, who verify.Caller) Attempts {
	out := Attempts{Attempts: make([]AttemptInFull, 0, len(attempts))}
	for _, a := range attempts {
		full := AttemptInFull{Attempt: showAttempt(a), N: a.N, Send: a.Send, Fault: string(a.Fault)}
		if who.Key != "" && a.State == verify.StateEnded {
			full.MayHaveRung = &a.MayHaveRung
		}
		out.Attempts = append(out.Attempts, full)
	}
	return out
}
