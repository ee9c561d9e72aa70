package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/internal/app"
)

// doctorCmd looks for weakened settings and missing parts.
type doctorCmd struct{ placeFlags }

// Run prints a line for each thing that is wrong, with what to do. It changes
// nothing, and a server may run meanwhile.
func (c doctorCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	lines, err := app.Doctor(ctx, cfg)
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
