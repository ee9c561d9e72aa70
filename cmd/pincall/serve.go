package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"

	"github.com/pincall/pincall/internal/app"
)

// serveCmd runs the server.
type serveCmd struct {
	Listen string `help:"Address and port [127.0.0.1:8420]; port 0 takes a free one." placeholder:"ADDR"`
	Data   string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config string `help:"Configuration file [$$PINCALL_CONFIG, else pincall.yaml in the data folder]." placeholder:"FILE"`
	Log    string `help:"How the log on stderr is written: text or json [the configuration's; text]." placeholder:"FORMAT"`
}

// Run serves until ctx ends, then lets the calls in progress finish. The server
// prints its address and the path of the file that holds the key.
func (c serveCmd) Run(ctx context.Context, sys system) error {
	if err := checkListen(c.Listen); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "text", "json"}, c.Log) {
		return usagef(`--log must be one of "text","json"`)
	}
	data, err := dataFolder(c.Data, sys)
	if err != nil {
		return err
	}
	server, err := app.New(ctx, app.Config{
		Listen: c.Listen, Data: data, ConfigFile: c.Config,
		Getenv: sys.Getenv, LogFormat: c.Log, Stderr: sys.Err, Stdout: sys.Out,
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
