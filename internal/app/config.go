package app

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/pincall/pincall/internal/carrier"
)

// Config is how a process is started. Listen, Data and LogFormat go before the
// environment's and the file's.
type Config struct {
	Listen     string // host:port; DefaultListen
	Data       string // folder; DefaultData
	ConfigFile string // YAML; $PINCALL_CONFIG, else pincall.yaml in the data folder, where there is one
	Work       Work   // WorkAll
	Route      string // the only route to use; empty: all that are configured
	// Routes take the place of the configuration file's: carriers of a program that
	// embeds this one. Nil: none.
	Routes []carrier.Route
	Getenv func(string) string
	// Environ lists NAME=value; only the names are looked at, to find settings
	// that do not exist. os.Environ
	Environ   func() []string
	LogFormat string       // text, json; the file's
	Log       *slog.Logger // nil: one that writes to Stderr as the file says
	Stderr    io.Writer    // os.Stderr
	Stdout    io.Writer    // the address and the key file's path are printed here; nil: nowhere
}

// Work says which promised calls and messages a process carries out.
type Work int

// A server does all work; a command does what it asked for itself, or none: what
// another process left behind waits for a server, which does not end in the
// middle of a call.
const (
	WorkAll Work = iota
	WorkOwn
	WorkNone
)

// withDefaults fills what is empty, except Log.
func (c Config) withDefaults() (Config, error) {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Environ == nil {
		c.Environ = os.Environ
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.ConfigFile == "" {
		c.ConfigFile = c.Getenv("PINCALL_CONFIG")
	}
	if c.Data == "" {
		var err error
		if c.Data, err = DefaultData(c.Getenv); err != nil {
			return c, err
		}
	}
	return c, nil
}

// DefaultData is the data folder: $PINCALL_DATA, else pincall in the user's data
// folder.
func DefaultData(getenv func(string) string) (string, error) {
	if d := getenv("PINCALL_DATA"); d != "" {
		return d, nil
	}
	if d := getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "pincall"), nil
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "pincall"), nil
	}
	return "", errors.New("there is no home folder: say --data DIR")
}
