// Package echo is the machine's yardstick: a bare net/http handler that decodes
// the requests of a start and of a check and answers the same JSON, in a process
// of its own. It does nothing else: no key is looked at, nothing is kept.
package echo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// Argument is the first argument of the process that is the yardstick; the second
// is its address.
const Argument = "echo"

// Yardstick is the running process.
type Yardstick struct {
	URL string
	cmd *exec.Cmd
}

// Start runs this program again as the yardstick: its main must call Serve for
// Argument. Stop it.
func Start(ctx context.Context) (*Yardstick, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	y := &Yardstick{URL: "http://" + addr, cmd: exec.CommandContext(ctx, self, Argument, addr)}
	if err := y.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if res, err := http.Get(y.URL + "/healthz"); err == nil {
			res.Body.Close()
			return y, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	y.Stop()
	return nil, errors.New("the yardstick does not start")
}

// Stop ends the process.
func (y *Yardstick) Stop() {
	_ = y.cmd.Process.Kill()
	_ = y.cmd.Wait()
}

// PID is the process's.
func (y *Yardstick) PID() int { return y.cmd.Process.Pid }

// Serve is the yardstick's process. It returns only on failure.
func Serve(addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("POST /v1/verifications", start)
	mux.HandleFunc("POST /v1/verifications/{id}/check", check)
	return fmt.Errorf("yardstick: %w", http.ListenAndServe(addr, mux))
}

func start(w http.ResponseWriter, r *http.Request) {
	var in struct{ To, Channel, Locale string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now().UTC()
	answer(w, http.StatusCreated, map[string]any{
		"id": "01jd5x7k3v9q2m4n6p8r0s1t2v", "status": "pending", "to": in.To, "channel": in.Channel, "locale": in.Locale,
		"gate": "any_key", "created_at": now, "expires_at": now.Add(10 * time.Minute), "remaining": 5, "sends_remaining": 4,
		"step": 1, "steps": 1, "client_token": "pct_01jd5x7k3v9q2m4n6p8r0s1t2v_0000000000000000000000000000000000000000000000000000",
		"attempts": []map[string]any{{"id": "01jd5x7k3v9q2m4n6p8r0s1t2w", "channel": in.Channel, "state": "queued", "created_at": now}},
	})
}

func check(w http.ResponseWriter, r *http.Request) {
	var in struct{ Code string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "pending", "valid": in.Code == "", "remaining": 4})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away has nothing to be told
}
