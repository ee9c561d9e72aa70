//go:build amd64 || arm64

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is the program under test, as its user runs it, with one trunk.
type server struct {
	dir, bin, key, url, metrics string
	cmd                         *exec.Cmd
}

// config lifts the limits that protect a real operator from such a load.
const config = `
metrics_listen: %s
stop_after: 1s
guard:
  countries: [JP]
  starts_per_number: 1000000/1h
  sends_per_number: 1000000/1h
  starts_per_account: 100000000/1m
  calls_per_day: 100000000
  concurrent_calls: 100000000
%sroutes:
- carrier: trunk
  trunk:
    proxies: ["%s"]
    bind: 127.0.0.1:0
    options_interval: 10s
`

// begin builds the program and leaves it running. BIN names one that is built.
func begin(ctx context.Context, proxy string) (*server, error) {
	dir, err := os.MkdirTemp("", "pincall-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, bin: os.Getenv("BIN")}
	if s.bin == "" {
		s.bin = filepath.Join(dir, "pincall")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", s.bin, "./cmd/pincall")
		build.Dir = ".."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return s, fmt.Errorf("build: %w: %s", err, out)
		}
	}
	if s.metrics, err = freeAddr(); err != nil {
		return s, err
	}
	text := fmt.Sprintf(config, s.metrics, extra(), proxy)
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(text), 0o600); err != nil {
		return s, err
	}
	out, err := exec.CommandContext(ctx, s.bin, "key", "new", "--data", dir, "--scope", "admin").Output()
	if err != nil {
		return s, fmt.Errorf("key new: %w", err)
	}
	s.key = strings.TrimSpace(string(out))
	return s, s.exec(ctx)
}

// extra is further configuration, for trying options out: EXTRA="max_calls: 10000".
func extra() string {
	if e := os.Getenv("EXTRA"); e != "" {
		return e + "\n"
	}
	return ""
}

// exec starts the program and waits until it is ready.
func (s *server) exec(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	s.url = "http://" + addr
	logs, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer logs.Close()
	s.cmd = exec.CommandContext(ctx, s.bin, "serve", "--listen", addr, "--data", s.dir)
	s.cmd.Stderr = logs
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get(s.url + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	b, _ := os.ReadFile(s.log())
	return fmt.Errorf("the server does not become ready: %.2000s", b)
}

func (s *server) log() string { return filepath.Join(s.dir, "log") }

// end kills the program. KEEP=1 leaves its folder.
func (s *server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	if os.Getenv("KEEP") == "" {
		os.RemoveAll(s.dir)
	} else {
		fmt.Println("kept:", s.dir)
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ticks are a second of CPU time in /proc: USER_HZ, 100 on every Linux.
const ticks = 100

// use is what the program has used so far: CPU seconds, and memory now.
type use struct{ cpu, kB float64 }

func (s *server) use() (u use, err error) {
	pid := s.cmd.Process.Pid
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	for _, text := range f[11:13] { // utime, stime: fields 14 and 15 of proc(5), the name being the second
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return u, err
		}
		u.cpu += n / ticks
	}
	b, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			u.kB, err = strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return u, err
		}
	}
	return u, errors.New("no VmRSS")
}

// measured are the server's own metrics, by name; those with labels are left out.
func (s *server) measured() (map[string]float64, error) {
	res, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 2 && f[0] != "#" {
			if out[f[0]], err = strconv.ParseFloat(f[1], 64); err != nil {
				return nil, err
			}
		}
	}
	return out, lines.Err()
}

// heard sums what the server wrote of its calls.
type heard struct {
	received, lost int // packets
	noRoom         int // calls refused because those in progress ran late
}

// heard reads the log from an offset on.
func (s *server) heard(offset int64) (h heard, err error) {
	f, err := os.Open(s.log())
	if err != nil {
		return h, err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return h, err
	}
	sums := map[string]*int{"received": &h.received, "lost": &h.lost}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, "there is no room for another call") {
			h.noRoom++
		}
		if !strings.Contains(line, `msg="call media"`) {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			name, text, _ := strings.Cut(word, "=")
			if sum := sums[name]; sum != nil {
				n, err := strconv.Atoi(text)
				if err != nil {
					return h, fmt.Errorf("the log: %s: %w", name, err)
				}
				*sum += n
			}
		}
	}
	return h, lines.Err()
}

// logged is the log's length.
func (s *server) logged() int64 {
	info, err := os.Stat(s.log())
	if err != nil {
		return 0
	}
	return info.Size()
}
