package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// server is the program under test, as its user runs it.
type server struct {
	dir, bin, key, url string
	cmd                *exec.Cmd
	startup            time.Duration
	idleMB             float64
}

// config lifts the limits that protect a real operator from such a load.
const config = `
sim: {pace: fast}
guard:
  starts_per_number: 1000000/1h
  sends_per_number: 1000000/1h
  wrong_per_number: 1000000/1h
  starts_per_account: 100000000/1m
  calls_per_day: 100000000
  concurrent_calls: 100000000
`

// begin builds the program, measures how it starts and leaves it running.
func begin(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "pincall-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, bin: filepath.Join(dir, "pincall")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", s.bin, "./cmd/pincall")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, s.bin, "key", "new", "--data", dir, "--scope", "admin").Output()
	if err != nil {
		return nil, fmt.Errorf("key new: %w", err)
	}
	s.key = strings.TrimSpace(string(out))
	var took []time.Duration
	for range 5 {
		if s.cmd != nil {
			s.kill()
		}
		d, err := s.exec(ctx)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	s.startup = took[2]
	time.Sleep(3 * time.Second)
	s.idleMB, err = resident(s.cmd.Process.Pid)
	return s, err
}

// exec starts the program and waits until it is ready.
func (s *server) exec(ctx context.Context) (time.Duration, error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	s.url = "http://" + addr
	logs, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return 0, err
	}
	defer logs.Close()
	begin := time.Now()
	s.cmd = exec.CommandContext(ctx, s.bin, "serve", "--listen", addr, "--data", s.dir)
	s.cmd.Stderr = logs
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(begin) < 10*time.Second {
		if res, err := http.Get(s.url + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(begin), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("the server does not become ready")
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) end() {
	s.kill()
	os.RemoveAll(s.dir)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// resident reads VmRSS, which /proc gives in kB.
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS")
}
