package api

import (
	"context"
	"net/http"
)

// Resend says by which channel.
type Resend struct {
	Channel string `json:"channel,omitempty" doc:"voice or sms. Otherwise that of the current step." example:"voice"`
}

// resendInput is a request to send again.
type resendInput struct {
	One
	Body *Resend
}

// resend: POST /v1/verifications/{id}/resend.
func (s *server) resend() {
	add[Verification](s, s.action("resend", "Send the code again", "Calls again, or sends another message, with the same code. It does not prolong the validity."),
		func(ctx context.Context, in *resendInput) (answer, error) {
			id, once, err := once(in.One, "resend", encodeView)
			if err != nil {
				return answer{}, err
			}
			var channel string
			if in.Body != nil {
				channel = in.Body.Channel
			}
			got, err := s.cfg.Core.Resend(ctx, in.request.Caller, id, channel, once)
			if err != nil {
				return answer{}, err
			}
			return reply(http.StatusOK, got, encodeView)
		})
}
