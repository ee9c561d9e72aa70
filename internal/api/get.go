package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/verify"
)

// get: GET /v1/verifications/{id}.
func (s *server) get() {
	add[Verification](s, operation{
		access: watchers(),
		errs:   []int{http.StatusNotFound},
		Operation: huma.Operation{
			OperationID: "get", Method: http.MethodGet, Path: collection + "/{id}", DefaultStatus: http.StatusOK,
			Summary: "Show a verification", Tags: []string{tag},
			Description: "Shows how far it has come. screen_digits are there between ringing and gate, for the key that started it and for its client token.",
		},
	}, func(ctx context.Context, in *One) (answer, error) {
		v, err := s.one(ctx, in)
		if err != nil {
			return answer{}, err
		}
		b, err := encodeView(v)
		return answer{status: http.StatusOK, document: b}, err
	})
}

// one reads the verification that the path names, as its caller may see it.
func (s *server) one(ctx context.Context, in *One) (verify.View, error) {
	id, err := in.id()
	if err != nil {
		return verify.View{}, err
	}
	return s.cfg.Core.Get(ctx, in.request.Caller, id)
}
