package app

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
	"github.com/pincall/pincall/internal/web"
)

// How often an event stream looks for news that it was not told: with one process
// on a folder there should be none; with several nodes, all that another does.
const (
	streamPoll = 5 * time.Second
	sharedPoll = time.Second
)

func (m *Main) streams() api.StreamTimes {
	if m.base.shared() {
		return api.StreamTimes{Poll: sharedPoll}
	}
	return api.StreamTimes{Poll: streamPoll}
}

// handler puts the front ends together.
func (m *Main) handler(f File, routes []carrier.Route, proxies []netip.Prefix) (*edge.Mux, error) {
	mux := edge.New(edge.Config{Keys: m.base.dir, Tokens: m.core, Accounts: m.base.dir, Log: m.cfg.Log,
		Proxies: proxies, Observe: m.stats.metrics.request})
	err := api.Register(mux, api.Config{Core: m.core, Directory: m.base.dir, Records: m.core, Ready: m.ready, Version: Version(),
		Streams: m.streams()})
	if err != nil {
		return nil, err
	}
	web.Register(mux, m.pages(f))
	for _, r := range routes {
		if _, ok := r.Carrier.(carrier.Hinted); ok {
			mux.Handle(m.callback(r.Name))
		}
	}
	return mux, nil
}

// ready says whether the store answers.
func (m *Main) ready(ctx context.Context) error {
	_, err := m.base.store.Account(ctx, DefaultAccount)
	return err
}

// callback is where a carrier posts that an attempt has news. The token in the
// path is all that is read; one that was never given out costs a hash. Where
// another node follows the attempt, word is left for it.
func (m *Main) callback(route string) (edge.Route, edge.Handler) {
	r := edge.Route{Method: http.MethodPost, Pattern: "/callbacks/" + route + "/{token}", Access: edge.Access{Public: true}, Unread: true}
	return r, func(w http.ResponseWriter, r *edge.Request) error {
		attempt, ok := m.core.CallbackAttempt(r.PathValue("token"))
		if !ok {
			return &verify.Error{Code: verify.NotFound, Message: "there is nothing at this address"}
		}
		if !m.core.Signal().Hint(attempt) {
			if err := m.base.store.Hint(r.Context(), attempt); err != nil {
				return err
			}
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// Version is the program's version: the module's, or the revision it was built
// from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}

// quiet gives the HTTP server's own complaints to our log, without what they
// quote from requests.
func quiet(l *slog.Logger) *log.Logger { return log.New(complaints{l}, "", 0) }

type complaints struct{ log *slog.Logger }

// Write logs the kind of the complaint only.
func (c complaints) Write(b []byte) (int, error) {
	kind, _, _ := strings.Cut(string(b), ":")
	c.log.Debug("http server", "complaint", kind)
	return len(b), nil
}
