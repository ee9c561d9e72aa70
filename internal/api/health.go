package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// healthPath is polled by whatever watches the server.
const healthPath = "/healthz"

// Health says that the server works.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"ok; a server that does not work answers 503." example:"ok"`
}

// health: GET /healthz.
func (s *server) health() {
	add[Health](s, operation{
		access: edge.Access{Public: true},
		errs:   []int{http.StatusServiceUnavailable},
		Operation: huma.Operation{
			OperationID: "health", Method: http.MethodGet, Path: healthPath, DefaultStatus: http.StatusOK,
			Summary: "Say whether the server works", Tags: []string{"server"}, Security: []map[string][]string{},
			Description: "Answers 200 when the server can take requests.",
		},
	}, func(ctx context.Context, _ *struct{}) (answer, error) {
		if s.cfg.Ready != nil {
			if err := s.cfg.Ready(ctx); err != nil {
				return answer{}, &verify.Error{Code: verify.Unavailable, Message: "the server is not ready", RetryAfter: time.Second, Err: err}
			}
		}
		b, err := encode(Health{Status: "ok"})
		return answer{status: http.StatusOK, document: b}, err
	})
}
