package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pincall/pincall/internal/app"
)

// keyringCmd manages the keys that the database is encrypted with.
type keyringCmd struct {
	New    keyringNewCmd `cmd:"" help:"Make the keyring of a new PostgreSQL database: once, for all nodes."`
	Add    keyringAddCmd `cmd:"" help:"Add a key that is not used yet: copy the file to every node, then rotate."`
	Rotate rotateCmd     `cmd:"" help:"Encrypt with a new key from now on; a running server takes it up within two seconds."`
}

// keyringNewCmd makes a keyring's file.
type keyringNewCmd struct {
	File string `arg:"" help:"The file to make. One that is there already is refused."`
}

// Run makes the file and says what to do with it.
func (c keyringNewCmd) Run(sys system) error {
	err := app.NewKeyring(c.File)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keyring new: %s is there already: name a new file", c.File)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sys.Out, "copy %s to every node, and name it there as keyring\nkeep another copy elsewhere: the database cannot be read without it\n", c.File)
	return err
}

// keyringAddCmd adds a key that waits.
type keyringAddCmd struct{ placeFlags }

// Run says what to do next.
func (c keyringAddCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	did, err := app.AddKey(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sys.Out, "added, and not used yet: %s\ncopy %s to every node; then pincall keyring rotate puts the key into use, and the file is copied again\n",
		did.Current, did.File)
	return err
}

// rotateCmd puts a new key into use. It is also under key, where API keys are.
type rotateCmd struct {
	placeFlags
	DropOld bool `help:"Also drop older keys that nothing in the database needs any more. Backups may still need them."`
}

// Run says which keys there are now. Their ids are public.
func (c rotateCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	did, err := app.RotateKeyring(ctx, cfg, c.DropOld)
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
	last := "copy keyring.json of the data folder now: older copies cannot open what is written from now on"
	if did.Shared {
		last = "copy " + did.File + " to every node now, and to where you keep it: a node that has not got the new key cannot open what this one writes"
	}
	_, err = fmt.Fprintln(sys.Out, last)
	return err
}
