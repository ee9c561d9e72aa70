// Package server builds the program and runs it as its user does: a process of its
// own with a configuration file and a data folder, started, killed and started
// again. It knows the program from outside only: its commands, its configuration,
// its metrics and what the system counts of its process.
package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pincall/pincall/bench/internal/recorder"
)

// readyWait is how long a server may take until it answers.
const readyWait = 60 * time.Second

// Config of a Server.
type Config struct {
	// Carrier is the base address of a Xoxzo-like carrier; empty: the simulator, at
	// its fast pace.
	Carrier string
	// Command runs the server in place of the program's own serve, with a carrier
	// that it brings; nil: the program.
	Command []string
	// Database is a PostgreSQL URL or DSN; empty: SQLite in the data folder.
	Database string
	// Beside is a server on the same PostgreSQL database whose keyring, API key and
	// program this one uses: another node. Nil: none.
	Beside *Server
	// Bin is the program; empty: $BIN, or one that is built from the working tree.
	Bin string
}

// lifted are limits so high that such a load does not meet them. They are counted
// and charged as always.
const lifted = `
guard:
  countries: [JP]
  starts_per_number: 1000000/1h
  sends_per_number: 1000000/1h
  wrong_per_number: 1000000/1h
  starts_per_account: 100000000/1m
  calls_per_day: 100000000
  concurrent_calls: 100000000
`

// Server is the program under test. Its methods are one goroutine's.
type Server struct {
	Dir string // the data folder
	Key string // an API key of scope admin
	URL string

	cfg     Config
	bin     string
	metrics string // address
	keyring string // file; empty: the data folder's own
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has ended; nil before the first run
}

// New builds the program and sets it up in a folder of its own; $BIN names
// one that is built already. It does not run yet. Close it.
func New(ctx context.Context, cfg Config) (*Server, error) {
	dir, err := os.MkdirTemp("", "pincall-bench-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: filepath.Join(dir, "data"), cfg: cfg, bin: cfg.Bin}
	if err := s.setUp(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) setUp(ctx context.Context) error {
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return err
	}
	if s.cfg.Beside != nil {
		s.bin = s.cfg.Beside.bin
	}
	if s.bin == "" {
		var err error
		if s.bin, err = Build(ctx, filepath.Dir(s.Dir)); err != nil {
			return err
		}
	}
	if err := s.configure(); err != nil {
		return err
	}
	if s.cfg.Beside != nil {
		s.Key = s.cfg.Beside.Key
		return nil
	}
	if s.cfg.Database != "" {
		if _, err := s.command(ctx, "keyring", "new", s.keyring); err != nil {
			return err
		}
		if err := s.Migrate(ctx); err != nil {
			return err
		}
	}
	out, err := s.command(ctx, "key", "new", "--scope", "admin")
	s.Key = strings.TrimSpace(out)
	return err
}

// Migrate brings the database up to the program's schema.
func (s *Server) Migrate(ctx context.Context) error {
	_, err := s.command(ctx, "migrate")
	return err
}

// Become has another program run from the next start on.
func (s *Server) Become(bin string) { s.bin = bin }

// configure chooses addresses, which stay the same over restarts, and writes the
// configuration file.
func (s *Server) configure() error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	if s.metrics, err = freeAddr(); err != nil {
		return err
	}
	s.URL = "http://" + addr
	text := fmt.Sprintf("listen: %s\nmetrics_listen: %s\n%s", addr, s.metrics, lifted)
	if s.cfg.Carrier == "" && s.cfg.Command == nil {
		text += "sim: {pace: fast}\n"
	}
	if s.cfg.Carrier != "" {
		text += fmt.Sprintf("public_url: %s\nroutes:\n- {carrier: xoxzo, caller: \"815012345678\", sender: Bench, base_url: %q}\n", s.URL, s.cfg.Carrier)
	}
	if s.cfg.Database != "" {
		if s.keyring = filepath.Join(s.Dir, "keyring.json"); s.cfg.Beside != nil {
			s.keyring = s.cfg.Beside.keyring
		}
		text += fmt.Sprintf("database: {url: %q}\nkeyring: %q\n", s.cfg.Database, s.keyring)
	}
	return os.WriteFile(filepath.Join(s.Dir, "pincall.yaml"), []byte(text), 0o600)
}

// environ is what the program is given beside its configuration.
func (s *Server) environ() []string {
	return append(os.Environ(), "XOXZO_API_SID="+recorder.SID, "XOXZO_API_AUTH_TOKEN="+recorder.AuthToken, "PINCALL_DATA="+s.Dir)
}

// command runs one of the program's commands on the data folder.
func (s *Server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin, args...)
	cmd.Env = s.environ()
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, e.Stderr)
		}
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	return string(out), nil
}

// Run starts the program and returns when it is ready, with how long that took.
func (s *Server) Run(ctx context.Context) (time.Duration, error) {
	logs, err := os.OpenFile(s.LogFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer logs.Close()
	begin := time.Now()
	command := s.cfg.Command
	if command == nil {
		command = []string{s.bin, "serve"}
	}
	s.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	s.cmd.Env, s.cmd.Stderr = s.environ(), logs
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}(s.cmd, s.ended)
	for time.Since(begin) < readyWait && s.PID() != 0 {
		if res, err := http.Get(s.URL + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(begin), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	s.Kill()
	return 0, fmt.Errorf("the server does not become ready: %s", s.tail())
}

// LogFile holds the log of all runs.
func (s *Server) LogFile() string { return filepath.Join(filepath.Dir(s.Dir), "log") }

// tail is the end of the log.
func (s *Server) tail() string {
	b, _ := os.ReadFile(s.LogFile()) // none: nothing to tell
	return string(b[max(0, len(b)-600):])
}

// Kill is kill -9. It returns when the process is gone.
func (s *Server) Kill() {
	if s.PID() == 0 {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Stop ends the program as its service manager would.
func (s *Server) Stop() error {
	if s.PID() == 0 {
		return nil
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	<-s.ended
	return nil
}

// Close ends the program and removes its folder.
func (s *Server) Close() {
	s.Kill()
	os.RemoveAll(filepath.Dir(s.Dir))
}

// PID is the process's, 0 while none runs.
func (s *Server) PID() int {
	if s.ended == nil {
		return 0
	}
	select {
	case <-s.ended:
		return 0
	default:
		return s.cmd.Process.Pid
	}
}

// freeAddr finds a loopback address below the ports that the system gives to
// connections, so that none takes it while the server is down.
func freeAddr() (string, error) {
	for range 200 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(12_000)))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port")
}
