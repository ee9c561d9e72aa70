package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/internal/app"
)

// migrateCmd brings the database's schema up to date; nodes may run meanwhile,
// as far as the new schema suits them.
type migrateCmd struct{ placeFlags }

// Run says what was done.
func (c migrateCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	did, err := app.Migrate(ctx, cfg)
	switch {
	case err != nil:
		return err
	case did.Before == did.After:
		_, err = fmt.Fprintf(sys.Out, "the schema is up to date (%d): nothing was done\n", did.After)
	default:
		_, err = fmt.Fprintf(sys.Out, "the schema is now %d; it was %d\n", did.After, did.Before)
	}
	return err
}
