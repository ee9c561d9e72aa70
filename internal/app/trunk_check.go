package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pincall/pincall/internal/sipcall"
)

// Finding is one thing that was looked at, and whether it works.
type Finding struct {
	What, Detail string
	OK           bool
}

// ErrNoTrunk says that no route of that name is a trunk.
var ErrNoTrunk = errors.New("no route of this name has carrier trunk")

// CheckTrunk tries a trunk out: it resolves its proxies, pings each, and registers
// where it is configured to. It calls nobody. A server may run meanwhile: the
// trunk's port is then taken, and another one is used.
func CheckTrunk(ctx context.Context, cfg Config, name string) ([]Finding, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := cfg.readFile()
	if err != nil {
		return nil, err
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	i := slices.IndexFunc(f.Routes, func(r RouteFile) bool { return r.Carrier == "trunk" && or(r.Name, r.Carrier) == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: the configuration has %s", ErrNoTrunk, trunkNames(f.Routes))
	}
	line, err := cfg.line(f.Routes[i].Trunk)
	if err != nil {
		return nil, fmt.Errorf("routes[%d]: trunk.%w", i, err)
	}
	line.Name, line.OptionsInterval = name, -time.Hour // no pings beside those of Check
	line.Open = func() (sipcall.Stream, error) { return nil, errNoMedia }
	// Check registers by itself, and what it registers is taken back at the end.
	return checkLine(ctx, line)
}

func checkLine(ctx context.Context, cfg sipcall.Config) (out []Finding, err error) {
	caller, err := sipcall.New(cfg)
	if err != nil {
		return nil, err
	}
	err = caller.Start(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		out = append(out, Finding{"bind", cfg.Bind.String() + " is taken, by a running server perhaps; another port is used", true})
		cfg.Bind = netip.AddrPortFrom(cfg.Bind.Addr(), 0)
		if caller, err = sipcall.New(cfg); err == nil {
			err = caller.Start(ctx)
		}
	}
	if err != nil {
		return append(out, Finding{"bind", err.Error(), false}), nil
	}
	defer func() { _ = caller.Stop(context.WithoutCancel(ctx)) }() // what was registered runs out by itself
	for _, found := range caller.Check(ctx) {
		out = append(out, Finding(found))
	}
	return out, nil
}

func trunkNames(routes []RouteFile) string {
	var out []string
	for _, r := range routes {
		if r.Carrier == "trunk" {
			out = append(out, or(r.Name, r.Carrier))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
