package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/pincall/pincall/bench/internal/load"
)

// verification is what the generator keeps of a start, to check it later.
type verification struct {
	id, to, code string
}

// number gives distinct Japanese mobile numbers.
func number(client, n int) string { return fmt.Sprintf("+8180%02d%06d", 10+client%80, n%1_000_000) }

func startBody(to, channel string) []byte {
	return fmt.Appendf(nil, `{"to":%q,"channel":%q,"locale":"en"}`, to, channel)
}

// measureStarts starts verifications. Messages are delivered by the simulator
// while the load runs; of calls, as many ring as the server has places for, and
// the rest wait.
func measureStarts(ctx context.Context, g *load.Generator, s *server, d time.Duration, channel string) (load.Result, []verification) {
	var mu sync.Mutex
	var begun []verification
	offset := 0
	if channel == "voice" {
		offset = 500_000 // other numbers than the messages had
	}
	r := g.Run(ctx, d, func(client, n int) (load.Request, bool) {
		to := number(client, offset+n)
		return load.Request{
			Method: http.MethodPost, URL: s.url + "/v1/verifications", Body: startBody(to, channel), Key: s.key, Want: http.StatusCreated,
			Read: func(b []byte) {
				var v struct {
					ID string `json:"id"`
				}
				if json.Unmarshal(b, &v) == nil {
					mu.Lock()
					defer mu.Unlock()
					begun = append(begun, verification{id: v.ID, to: to})
				}
			},
		}, true
	})
	return r, begun
}

// fetched is how many codes are read back from the simulated phones, newest
// first: the simulator keeps so many.
const fetched = 5000

var inMessage = regexp.MustCompile(`\b\d{6}\b`)

// measureChecks reads codes from the phones, and then checks a wrong one of each
// verification and after that the right one of each.
func measureChecks(ctx context.Context, g *load.Generator, s *server, all []verification) (load.Result, error) {
	recent := all[max(0, len(all)-fetched):]
	for i := range recent {
		if err := s.readCode(ctx, &recent[i]); err != nil {
			return load.Result{}, err
		}
	}
	var mu sync.Mutex
	next := 0
	r := g.Run(ctx, 30*time.Second, func(_, _ int) (load.Request, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == 2*len(recent) {
			return load.Request{}, false
		}
		v := recent[next%len(recent)]
		code := v.code
		if next < len(recent) {
			code = wrong(code)
		}
		next++
		return load.Request{
			Method: http.MethodPost, URL: s.url + "/v1/verifications/" + v.id + "/check",
			Body: fmt.Appendf(nil, `{"code":%q}`, code), Key: s.key, Want: http.StatusOK,
		}, true
	})
	if r.Failed > 0 {
		return r, fmt.Errorf("%d checks failed: %s", r.Failed, r.FirstFailure)
	}
	return r, nil
}

func wrong(code string) string {
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}

// readCode waits until the message has arrived at the simulated phone.
func (s *server) readCode(ctx context.Context, v *verification) error {
	for range 2000 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/sim/phones/"+v.to, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+s.key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var phone struct {
			Messages []string `json:"messages"`
		}
		err = json.NewDecoder(res.Body).Decode(&phone)
		res.Body.Close()
		if err == nil && len(phone.Messages) > 0 {
			v.code = inMessage.FindString(phone.Messages[len(phone.Messages)-1])
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("a message did not arrive within 20 s")
}

// yardstick measures a bare handler in a process of its own.
func yardstick(ctx context.Context, g *load.Generator, d time.Duration) (load.Result, error) {
	addr, err := freeAddr()
	if err != nil {
		return load.Result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return load.Result{}, err
	}
	cmd := exec.CommandContext(ctx, self, "echo", addr)
	if err := cmd.Start(); err != nil {
		return load.Result{}, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for range 500 {
		if res, err := http.Get("http://" + addr + "/healthz"); err == nil {
			res.Body.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r := g.Run(ctx, d, func(client, n int) (load.Request, bool) {
		return load.Request{Method: http.MethodPost, URL: "http://" + addr + "/v1/verifications", Body: startBody(number(client, n), "voice"),
			Key: "none", Want: http.StatusCreated}, true
	})
	if r.Failed > 0 {
		return r, fmt.Errorf("the yardstick failed: %s", r.FirstFailure)
	}
	return r, nil
}

// echo is the yardstick's process: it decodes a start and answers like one.
func echo() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("POST /v1/verifications", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ To, Channel, Locale string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		now := time.Now().UTC()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": "01jd5x7k3v9q2m4n6p8r0s1t2v", "status": "pending", "to": in.To, "channel": in.Channel, "locale": in.Locale,
			"gate": "any_key", "created_at": now, "expires_at": now.Add(10 * time.Minute), "remaining": 5, "sends_remaining": 4,
			"step": 1, "steps": 1, "client_token": "pct_01jd5x7k3v9q2m4n6p8r0s1t2v_0000000000000000000000000000000000000000000000000000",
			"attempts": []map[string]any{{"id": "01jd5x7k3v9q2m4n6p8r0s1t2w", "channel": in.Channel, "state": "queued", "created_at": now}},
		})
	})
	_ = http.ListenAndServe(os.Args[2], mux)
}
