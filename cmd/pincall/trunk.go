package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pincall/pincall/internal/app"
)

// trunkCmd groups what is asked about SIP trunks.
type trunkCmd struct {
	Check trunkCheckCmd `cmd:"" help:"Try a trunk out: resolve, ping and register, without calling anybody."`
}

// trunkCheckCmd tries a trunk out.
type trunkCheckCmd struct {
	Name   string `arg:"" help:"The route's name in the configuration."`
	Data   string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config string `help:"Configuration file [$$PINCALL_CONFIG, else pincall.yaml in the data folder]." placeholder:"FILE"`
}

// Run prints a line for each thing that was tried; the status is 1 when something
// does not work. A server may run meanwhile.
func (c trunkCheckCmd) Run(ctx context.Context, sys system) error {
	data, err := dataFolder(c.Data, sys)
	if err != nil {
		return err
	}
	found, err := app.CheckTrunk(ctx, app.Config{Data: data, ConfigFile: c.Config, Getenv: sys.Getenv}, c.Name)
	if errors.Is(err, app.ErrNoTrunk) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	failed := 0
	for _, f := range found {
		how := "ok"
		if !f.OK {
			how = "failed"
			failed++
		}
		if _, err := fmt.Fprintf(sys.Out, "%-6s %s: %s\n", how, f.What, oneLine(f.Detail)); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errNotApproved
	}
	return nil
}
