package api

import (
	"context"
	"net/http"
)

// Empty is a body that says nothing.
type Empty struct{}

// plainInput is a request for an action without details.
type plainInput struct {
	One
	Body *Empty
}

// cancel: POST /v1/verifications/{id}/cancel.
func (s *server) cancel() {
	add[Verification](s, s.action("cancel", "Cancel a verification", "Ends it. A call in progress is hung up after a short phrase."),
		func(ctx context.Context, in *plainInput) (answer, error) {
			id, once, err := once(in.One, "cancel", encodeView)
			if err != nil {
				return answer{}, err
			}
			got, err := s.cfg.Core.Cancel(ctx, in.request.Caller, id, once)
			if err != nil {
				return answer{}, err
			}
			return reply(http.StatusOK, got, encodeView)
		})
}
