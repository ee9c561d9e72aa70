package api

import (
	"context"
	"net/http"
)

// next: POST /v1/verifications/{id}/next.
func (s *server) next() {
	add[Verification](s, s.action("next", "Go to the next step", "Begins the next step of the workflow now instead of at its time."),
		func(ctx context.Context, in *plainInput) (answer, error) {
			id, once, err := once(in.One, "next", encodeView)
			if err != nil {
				return answer{}, err
			}
			got, err := s.cfg.Core.Next(ctx, in.request.Caller, id, once)
			if err != nil {
				return answer{}, err
			}
			return reply(http.StatusOK, got, encodeView)
		})
}
