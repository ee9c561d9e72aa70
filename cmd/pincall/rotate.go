package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pincall/pincall/internal/app"
)

// keyringCmd manages the keys that the database is encrypted with.
type keyringCmd struct {
	Rotate rotateCmd `cmd:"" help:"Encrypt with a new key from now on; a running server takes it up within two seconds."`
}

// rotateCmd adds a key to the keyring. It is also under key, where API keys are.
type rotateCmd struct {
	Data    string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	DropOld bool   `help:"Also drop older keys that nothing in the database needs any more. Backups may still need them."`
}

// Run says which keys there are now. Their ids are public.
func (c rotateCmd) Run(ctx context.Context, sys system) error {
	data, err := dataFolder(c.Data, sys)
	if err != nil {
		return err
	}
	did, err := app.RotateKeyring(ctx, data, c.DropOld)
	if err != nil {
		return err
	}
	fmt.Fprintf(sys.Out, "new key: %s\n", did.Current)
	for _, l := range []struct {
		what string
		ids  []string
	}{{"still open and check", did.Kept}, {"dropped", did.Dropped}} {
		if len(l.ids) > 0 {
			fmt.Fprintf(sys.Out, "%s: %s\n", l.what, strings.Join(l.ids, ", "))
		}
	}
	_, err = fmt.Fprintln(sys.Out, "copy keyring.json of the data folder now: older copies cannot open what is written from now on")
	return err
}
