// Package load is a closed-loop generator of HTTP requests with the percentiles
// of what they took. It knows nothing of what it asks for.
package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is one request of a client, and the status that counts as success.
type Request struct {
	Method, URL string
	Body        []byte
	Key         string // Authorization: Bearer
	Want        int
	// Read is given the body of a success; nil: it is discarded.
	Read func([]byte)
}

// Result is what a phase measured.
type Result struct {
	Done, Failed int
	Elapsed      time.Duration
	Took         []time.Duration // sorted
	FirstFailure string
}

// Rate is successes per second.
func (r Result) Rate() float64 { return float64(r.Done) / r.Elapsed.Seconds() }

// Percentile gives the time that p of 100 requests stayed under.
func (r Result) Percentile(p float64) time.Duration {
	if len(r.Took) == 0 {
		return 0
	}
	return r.Took[min(int(float64(len(r.Took))*p/100), len(r.Took)-1)]
}

// Generator sends requests over keep-alive connections, one per client.
type Generator struct {
	Clients int
	http    *http.Client
}

// New makes a generator.
func New(clients int) *Generator {
	return &Generator{Clients: clients, http: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: clients, MaxIdleConnsPerHost: clients, DisableCompression: true,
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		},
	}}
}

// Run has every client send what next gives it (by client and count) until it
// gives false or the time is up.
func (g *Generator) Run(ctx context.Context, d time.Duration, next func(client, n int) (Request, bool)) Result {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var all Result
	var wg sync.WaitGroup
	begin := time.Now()
	for c := range g.Clients {
		wg.Go(func() {
			mine := g.client(ctx, c, next)
			mu.Lock()
			defer mu.Unlock()
			all.Done += mine.Done
			all.Failed += mine.Failed
			all.Took = append(all.Took, mine.Took...)
			if all.FirstFailure == "" {
				all.FirstFailure = mine.FirstFailure
			}
		})
	}
	wg.Wait()
	all.Elapsed = time.Since(begin)
	slices.Sort(all.Took)
	return all
}

func (g *Generator) client(ctx context.Context, c int, next func(client, n int) (Request, bool)) Result {
	var r Result
	for n := 0; ctx.Err() == nil; n++ {
		req, ok := next(c, n)
		if !ok {
			break
		}
		begin := time.Now()
		err := g.send(req)
		if err != nil {
			r.Failed++
			r.FirstFailure = err.Error()
			continue
		}
		r.Done++
		r.Took = append(r.Took, time.Since(begin))
	}
	return r
}

func (g *Generator) send(r Request) error {
	req, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := g.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s failed", r.Method)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != r.Want {
		return fmt.Errorf("%s answered %d, not %d", r.Method, res.StatusCode, r.Want)
	}
	if r.Read != nil {
		r.Read(body)
	}
	return nil
}
