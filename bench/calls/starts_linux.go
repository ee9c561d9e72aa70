//go:build amd64 || arm64

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// starter asks the server for calls, evenly spaced.
type starter struct {
	server *server
	client *http.Client
	next   int // number to call next
}

// connections bound how many requests are under way.
const connections = 128

func newStarter(s *server) *starter {
	return &starter{server: s, client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections},
	}}
}

// started is when each number's start was accepted, in Unix ns, and how many were
// not.
type started struct {
	accepted map[string]int64
	failed   int
	first    error
}

// start asks for n calls, rate a second.
func (g *starter) start(ctx context.Context, n, rate int) started {
	out := started{accepted: make(map[string]int64, n)}
	var mu sync.Mutex
	var workers sync.WaitGroup
	todo := make(chan string, n)
	for range min(connections, n) {
		workers.Go(func() {
			for to := range todo {
				err := g.one(ctx, to)
				at := time.Now().UnixNano()
				mu.Lock()
				if err != nil {
					out.failed++
					out.first = err
				} else {
					out.accepted[to] = at
				}
				mu.Unlock()
			}
		})
	}
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		todo <- fmt.Sprintf("+8180%08d", 10_000_000+g.next)
		g.next++
	}
	close(todo)
	workers.Wait()
	return out
}

func (g *starter) one(ctx context.Context, to string) error {
	body := fmt.Appendf(nil, `{"to":%q,"channel":"voice","locale":"en","gate":"none"}`, to)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.server.url+"/v1/verifications", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.server.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, b)
	}
	return err
}
