package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/internal/app"
)

// doctorCmd looks for weakened settings and missing parts.
type doctorCmd struct {
	Data   string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config string `help:"Configuration file [$$PINCALL_CONFIG, else pincall.yaml in the data folder]." placeholder:"FILE"`
}

// Run prints a line for each thing that is wrong, with what to do. It changes
// nothing, and a server may run meanwhile.
func (c doctorCmd) Run(ctx context.Context, sys system) error {
	data, err := dataFolder(c.Data, sys)
	if err != nil {
		return err
	}
	lines, err := app.Doctor(ctx, app.Config{Data: data, ConfigFile: c.Config, Getenv: sys.Getenv})
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(sys.Out, withoutTokens(line))
	}
	if len(lines) > 0 {
		return errNotApproved
	}
	_, err = fmt.Fprintln(sys.Out, "nothing is wrong")
	return err
}
