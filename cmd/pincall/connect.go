package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
)

// keyVariable is the environment variable that may hold the API key.
const keyVariable = "PINCALL_API_KEY"

// serverFlags say which server to use, and with which key.
type serverFlags struct {
	Server  string `help:"Address of the server [the one that runs on the data folder; else one is run for the while]." placeholder:"URL"`
	KeyFile string `help:"File that holds the API key [$$PINCALL_API_KEY, else the data folder's]." placeholder:"FILE"`
	Data    string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config  string `help:"Configuration of a server that is run for the while." placeholder:"FILE"`
}

// server is a connection, and the server itself where it runs in this process.
type server struct {
	*client.Client
	close func() error // ends the server of this process; else nothing
}

// connect finds the server: the one named, the one that runs on the data
// folder, or one of its own that listens on a free port of this machine.
func (f serverFlags) connect(ctx context.Context, sys system) (*server, error) {
	data, err := dataFolder(f.Data, sys)
	if err != nil {
		return nil, err
	}
	if f.Server != "" {
		return f.remote(data, f.Server, sys)
	}
	if addr, ok := app.RunningServer(data); ok {
		return f.remote(data, "http://"+addr, sys)
	}
	s, err := f.inProcess(ctx, data, sys)
	if errors.Is(err, app.ErrLocked) {
		return nil, fmt.Errorf("%w, and it does not answer: wait until it has started, or name it with --server", app.ErrLocked)
	}
	return s, err
}

// remote uses a server that runs already.
func (f serverFlags) remote(data, url string, sys system) (*server, error) {
	key, err := f.key(data, sys)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{BaseURL: url, Key: key})
	if err != nil {
		return nil, usageError{err}
	}
	return &server{Client: c, close: func() error { return nil }}, nil
}

// key reads the API key: the named file, the variable, or the folder's file.
func (f serverFlags) key(data string, sys system) (client.Secret, error) {
	if f.KeyFile != "" {
		b, err := os.ReadFile(f.KeyFile)
		if err != nil {
			return "", usagef("--key-file: %w", err)
		}
		return client.Secret(strings.TrimSpace(string(b))), nil
	}
	if key := sys.Getenv(keyVariable); key != "" {
		return client.Secret(key), nil
	}
	key, err := app.ReadKeyFile(data)
	return client.Secret(key), err
}

// inProcess runs a server for as long as the command lasts.
func (f serverFlags) inProcess(ctx context.Context, data string, sys system) (*server, error) {
	main, err := app.New(ctx, app.Config{
		Listen: "127.0.0.1:0", Data: data, ConfigFile: f.Config,
		Getenv: sys.Getenv, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	// Its life is not ctx's: when the command is interrupted, the server must
	// still carry out the cancellation.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	ran := make(chan error, 1)
	go func() { ran <- main.Run(life) }()
	end := func() error {
		stop()
		return errors.Join(<-ran, main.Close())
	}
	// A key in the environment is for another server: this one's is in its folder.
	key, err := app.ReadKeyFile(data)
	if err == nil {
		var c *client.Client
		if c, err = client.New(client.Config{BaseURL: "http://" + main.Addr(), Key: client.Secret(key)}); err == nil {
			return &server{Client: c, close: end}, nil
		}
	}
	return nil, errors.Join(err, end())
}

// judged tells a refusal of what was asked from a refusal for other reasons.
func judged(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) {
		if refused.Status == http.StatusUnprocessableEntity || refused.Status == http.StatusBadRequest {
			return usageError{refused}
		}
		return refused
	}
	return err
}
