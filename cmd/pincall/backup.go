package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pincall/pincall/internal/app"
)

// backupCmd copies the database; a server may run meanwhile.
type backupCmd struct {
	placeFlags
	File string `arg:"" help:"The file to make. One that is there already is refused."`
}

// Run makes the copy and says what it lacks.
func (c backupCmd) Run(ctx context.Context, sys system) error {
	cfg, err := c.config(sys)
	if err != nil {
		return err
	}
	err = app.Backup(ctx, cfg, c.File)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("back up: %s is there already: name a new file", c.File)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sys.Out, "%s is whole\nit opens only with keyring.json of the data folder, which is not in it: keep a copy of that elsewhere\n", c.File)
	return err
}
