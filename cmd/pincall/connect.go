package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/account"
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
	only    string // the only route of a server that is run for the while; empty: all
}

// server is a connection, and the server itself where it runs in this process.
type server struct {
	*client.Client
	keyFrom string       // where the key was found, for errors
	absent  string       // what to do when nothing answers there
	pinned  string       // file of the certificate that the server must have; empty: as the system has it
	close   func() error // ends the server of this process; else nothing
}

const (
	// comingPatience is how long a server may take to start or to stop.
	comingPatience = 2 * time.Second
	comingLook     = 50 * time.Millisecond
	// requestTimeout bounds one request, as the client does without our transport.
	requestTimeout = 30 * time.Second
)

// connect finds the server: the one named, the one that runs on the data
// folder, or one of its own that listens on a free port of this machine and
// does no more than work says.
func (f serverFlags) connect(ctx context.Context, sys system, work app.Work) (*server, error) {
	data, err := dataFolder(f.Data, sys)
	if err != nil {
		return nil, err
	}
	if f.Server != "" {
		if f.only != "" {
			return nil, usagef("--route goes with a server of this command's own, not with --server")
		}
		return f.remote(data, sys)
	}
	for patience := time.After(comingPatience); ; {
		if addr, ok := app.RunningServer(data); ok {
			if f.only != "" {
				return nil, usagef("--route goes with a server of this command's own, and one runs on %s: stop it first", data)
			}
			return f.local(ctx, data, addr, sys)
		}
		s, err := f.inProcess(ctx, data, sys, work)
		if !errors.Is(err, app.ErrLocked) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-patience:
			return nil, fmt.Errorf("the server on %s is starting or stopping: try again in a moment", data)
		case <-time.After(comingLook):
		}
	}
}

// remote uses the server that was named.
func (f serverFlags) remote(data string, sys system) (*server, error) {
	u, err := url.Parse(f.Server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usagef("--server: write http://127.0.0.1:8420, or another address that begins with http:// or https://")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, usagef("--server: write no user, query or fragment")
	}
	key, from, err := f.key(data, sys)
	if errors.Is(err, errNoKey) {
		return nil, usagef("there is no API key for --server: name its file with --key-file, or set %s", keyVariable)
	}
	if err != nil {
		return nil, err
	}
	return reach(f.Server, key, server{
		keyFrom: from, absent: "start one with pincall serve, or correct --server",
	})
}

// local uses the server that runs on the data folder. Where nobody keeps a key
// in the folder, as with the server of another command, it makes one for the
// while: who may write to the folder may do that.
func (f serverFlags) local(ctx context.Context, data, addr string, sys system) (*server, error) {
	const absent = "it has stopped: start one with pincall serve, or try again in a moment"
	var pinned string
	if strings.HasPrefix(addr, "https://") {
		pinned = app.RunningCertificate(data)
	} else {
		addr = "http://" + addr
	}
	key, from, err := f.key(data, sys)
	if !errors.Is(err, errNoKey) {
		if err != nil {
			return nil, err
		}
		return reach(addr, key, server{keyFrom: from, absent: absent, pinned: pinned})
	}
	admin, err := app.OpenAdminExisting(ctx, app.Config{Data: data, ConfigFile: f.Config, Getenv: sys.Getenv})
	if err != nil {
		return nil, err
	}
	token, made, err := admin.NewKey(ctx, app.DefaultAccount, "command", []account.Scope{account.ScopeAdmin})
	if err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	end := func() error {
		return errors.Join(admin.Revoke(context.WithoutCancel(ctx), app.DefaultAccount, made.ID), admin.Close())
	}
	s, err := reach(addr, client.Secret(token.Reveal()), server{keyFrom: "this command", absent: absent, pinned: pinned})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	s.close = end
	return s, nil
}

// reach fills in the connection.
func reach(address string, key client.Secret, s server) (*server, error) {
	cfg := client.Config{BaseURL: address, Key: key}
	if s.pinned != "" {
		transport := &http.Transport{TLSClientConfig: app.PinnedTLS(s.pinned), ForceAttemptHTTP2: true}
		cfg.HTTPClient = &http.Client{Transport: transport, Timeout: requestTimeout}
	}
	c, err := client.New(cfg)
	if err != nil { // the address has been judged
		return nil, usagef("%s holds no API key: write one key there, and nothing else", s.keyFrom)
	}
	s.Client, s.close = c, func() error { return nil }
	return &s, nil
}

// errNoKey says that the data folder gives no key.
var errNoKey = errors.New("no key in the data folder")

// key reads the API key and tells where it was: the named file, the variable,
// or the folder's file.
func (f serverFlags) key(data string, sys system) (key client.Secret, from string, err error) {
	if f.KeyFile != "" {
		b, err := os.ReadFile(f.KeyFile)
		if err != nil {
			return "", "", usagef("--key-file: %w", err)
		}
		text := strings.TrimSpace(string(b))
		if text == "" {
			return "", "", usagef("--key-file %s is empty", f.KeyFile)
		}
		return client.Secret(text), "--key-file " + f.KeyFile, nil
	}
	if key := strings.TrimSpace(sys.Getenv(keyVariable)); key != "" {
		return client.Secret(key), keyVariable, nil
	}
	text, err := app.ReadKeyFile(data)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", "", err
	case err != nil:
		return "", "", fmt.Errorf("%w: %w", errNoKey, err)
	}
	return client.Secret(text), "the data folder " + data, nil
}

// inProcess runs a server for as long as the command lasts.
func (f serverFlags) inProcess(ctx context.Context, data string, sys system, work app.Work) (*server, error) {
	main, err := app.New(ctx, app.Config{
		Listen: "127.0.0.1:0", Data: data, ConfigFile: f.Config, Work: work, Route: f.only,
		Getenv: sys.Getenv, Log: slog.New(slog.DiscardHandler),
	})
	if errors.Is(err, app.ErrNoRoute) {
		return nil, usagef("--route: %w", err)
	}
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
	s, err := reach("http://"+main.Addr(), client.Secret(main.OwnKey().Reveal()), server{
		keyFrom: "this command", absent: "it has stopped: try again",
	})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	s.close = end
	return s, nil
}
