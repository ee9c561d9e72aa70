// Package api is the native JSON API, version 1, one file for each action. It
// knows the shapes of requests and answers and the OpenAPI document that
// describes them; what they mean is verify's, and who may ask is edge's. A
// refusal never repeats a value that was sent.
package api

import (
	"context"
	"errors"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// Core carries out what is asked for: verify.Core.
type Core interface {
	// Start begins a verification. Every error of these methods is a
	// *verify.Error.
	Start(ctx context.Context, who verify.Caller, req verify.StartRequest, once verify.Once[verify.Started]) (verify.Answer[verify.Started], error)
	// Get shows a verification; NotFound for one that the caller may not see.
	Get(ctx context.Context, who verify.Caller, id string) (verify.View, error)
	// Check compares one guess. A wrong one is no error.
	Check(ctx context.Context, who verify.Caller, id string, req verify.CheckRequest, once verify.Once[verify.Checked]) (verify.Answer[verify.Checked], error)
	// Cancel ends a pending verification.
	Cancel(ctx context.Context, who verify.Caller, id string, once verify.Once[verify.View]) (verify.Answer[verify.View], error)
	// Resend sends the same code again; channel "" is that of the current step.
	Resend(ctx context.Context, who verify.Caller, id, channel string, once verify.Once[verify.View]) (verify.Answer[verify.View], error)
	// Next begins the next step of the workflow now.
	Next(ctx context.Context, who verify.Caller, id string, once verify.Once[verify.View]) (verify.Answer[verify.View], error)
	Watcher
}

// Config of the API.
type Config struct {
	Core Core // required
	// Directory is what the administrative actions work on; nil: there are none.
	Directory *account.Directory
	// Records is what erasing and statistics work on; nil: there are none.
	Records Records
	// Ready says why the server cannot work; nil: it always can. It decides what
	// GET /healthz answers.
	Ready func(ctx context.Context) error
	// Version is told in the OpenAPI document; "dev".
	Version string
	// Streams say how patient event streams are.
	Streams StreamTimes
}

// Register adds the API's routes to a Mux.
func Register(m *edge.Mux, cfg Config) error {
	if cfg.Core == nil {
		return errors.New("api: Config.Core is required")
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	a := newAPI(m, cfg)
	a.health()
	a.start()
	a.get()
	a.check()
	a.cancel()
	a.resend()
	a.next()
	a.attempts()
	a.events(m)
	a.administration()
	a.records()
	return a.serveDocument(m)
}

// Who may come where.
func starters() edge.Access {
	return edge.Access{Scopes: []account.Scope{account.ScopeVerify}}
}

func watchers() edge.Access {
	return edge.Access{Scopes: []account.Scope{account.ScopeRead, account.ScopeVerify}, Token: true}
}

func actors() edge.Access {
	return edge.Access{Scopes: []account.Scope{account.ScopeVerify}, Token: true}
}
