package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"

	"github.com/pincall/pincall/internal/app"
)

// serveCmd runs the server.
type serveCmd struct {
	Listen string `help:"Address and port [127.0.0.1:8420]; port 0 takes a free one." placeholder:"ADDR"`
	Data   string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config string `help:"Configuration file [pincall.yaml in the data folder]." placeholder:"FILE"`
	Log    string `help:"How the log on stderr is written: text or json." enum:"text,json" default:"text"`
}

// Run serves until ctx ends, then lets the calls in progress finish. The server
// prints its address and the path of the file that holds the key.
func (c serveCmd) Run(ctx context.Context, sys system) error {
	if err := checkListen(c.Listen); err != nil {
		return err
	}
	data, err := dataFolder(c.Data, sys)
	if err != nil {
		return err
	}
	var handler slog.Handler = slog.NewTextHandler(sys.Err, nil)
	if c.Log == "json" {
		handler = slog.NewJSONHandler(sys.Err, nil)
	}
	server, err := app.New(ctx, app.Config{
		Listen: c.Listen, Data: data, ConfigFile: c.Config,
		Getenv: sys.Getenv, Log: slog.New(handler), Stdout: sys.Out,
	})
	if err != nil {
		return err
	}
	return errors.Join(server.Run(ctx), server.Close())
}

// checkListen refuses what is no address; none at all is fine.
func checkListen(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--listen: write HOST:PORT, such as " + app.DefaultListen)
	}
	return nil
}
