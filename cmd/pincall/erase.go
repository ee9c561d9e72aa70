package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/verify"
)

// eraseCmd removes a person from all accounts; a server may run meanwhile.
type eraseCmd struct {
	placeFlags
	ForgetBlocks bool   `help:"Also forget that the person reported a service: it may then call again."`
	Number       string `arg:"" help:"The number, in E.164."`
}

// Run says what was removed, and how much.
func (c eraseCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	did, err := app.EraseNumber(ctx, cfg, verify.EraseRequest{Number: c.Number, ForgetBlocks: c.ForgetBlocks})
	if err != nil {
		return err
	}
	fmt.Fprintf(sys.Out, "erased: %d verifications, %d attempts, %d jobs, %d rows of counters, %d kept answers\n",
		did.Verifications, did.Attempts, did.Jobs, did.Limits, did.Answers)
	if did.BlocksKept > 0 {
		fmt.Fprintf(sys.Out, "kept: %d keyed hashes, because the person reported a service; --forget-blocks removes them\n", did.BlocksKept)
	}
	_, err = fmt.Fprintln(sys.Out, "backups still hold what they held")
	return err
}
