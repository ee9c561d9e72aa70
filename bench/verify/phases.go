package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
	"github.com/pincall/pincall/bench/internal/echo"
	"github.com/pincall/pincall/bench/internal/load"
)

// verification is what the generator keeps of a start, to check it later.
type verification struct {
	id, to, code string
}

// number gives distinct Japanese mobile numbers.
func number(client, n int) string { return fmt.Sprintf("+8180%02d%06d", 10+client%80, n%1_000_000) }

// measureStarts starts verifications. Messages are delivered by the simulator
// while the load runs; of calls, as many ring as the server has places for, and
// the rest wait.
func measureStarts(ctx context.Context, g *load.Generator, s *subject, d time.Duration, channel string) (load.Result, []verification) {
	var mu sync.Mutex
	var begun []verification
	offset := 0
	if channel == "voice" {
		offset = 500_000 // other numbers than the messages had
	}
	r := g.Run(ctx, d, func(client, n int) (load.Request, bool) {
		to := number(client, offset+n)
		return load.Request{
			Method: http.MethodPost, URL: s.URL + "/v1/verifications", Body: api.Body(to, channel), Key: s.Key, Want: http.StatusCreated,
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
func measureChecks(ctx context.Context, g *load.Generator, s *subject, all []verification) (load.Result, error) {
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
			code = api.Wrong(code)
		}
		next++
		return load.Request{
			Method: http.MethodPost, URL: s.URL + "/v1/verifications/" + v.id + "/check",
			Body: fmt.Appendf(nil, `{"code":%q}`, code), Key: s.Key, Want: http.StatusOK,
		}, true
	})
	return r, r.Err("checks")
}

// readCode waits until the message has arrived at the simulated phone.
func (s *subject) readCode(ctx context.Context, v *verification) error {
	for range 2000 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/sim/phones/"+v.to, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+s.Key)
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
	y, err := echo.Start(ctx)
	if err != nil {
		return load.Result{}, err
	}
	defer y.Stop()
	r := g.Run(ctx, d, func(client, n int) (load.Request, bool) {
		return load.Request{Method: http.MethodPost, URL: y.URL + "/v1/verifications", Body: api.Body(number(client, n), "voice"),
			Key: "none", Want: http.StatusCreated}, true
	})
	return r, r.Err("requests of the yardstick")
}
