// Package load generates HTTP requests, in a closed loop or at a fixed rate, and
// gives the percentiles of what they took. It knows nothing of what it asks for.
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
	"sync/atomic"
	"time"
)

// Request is one request of a client, and the status that counts as success.
type Request struct {
	Method, URL string
	Body        []byte
	Key         string // Authorization: Bearer
	Once        string // Idempotency-Key; empty: none
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
func (r Result) Rate() float64 {
	if r.Elapsed == 0 {
		return 0
	}
	return float64(r.Done) / r.Elapsed.Seconds()
}

// Percentile gives the time that p of 100 requests stayed under.
func (r Result) Percentile(p float64) time.Duration {
	if len(r.Took) == 0 {
		return 0
	}
	return r.Took[min(int(float64(len(r.Took))*p/100), len(r.Took)-1)]
}

// Add joins another part of the same phase.
func (r *Result) Add(part Result) {
	r.Done += part.Done
	r.Failed += part.Failed
	r.Elapsed += part.Elapsed
	r.Took = append(r.Took, part.Took...)
	slices.Sort(r.Took)
	if r.FirstFailure == "" {
		r.FirstFailure = part.FirstFailure
	}
}

// Err tells of failed requests.
func (r Result) Err(what string) error {
	if r.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%d %s failed: %s", r.Failed, what, r.FirstFailure)
}

// Generator sends requests over keep-alive connections, one per client.
type Generator struct {
	Clients int
	// Rate is how many requests per second are begun; 0: each client begins its
	// next when the last was answered. At a rate, what a request took counts from
	// the moment it should have been sent, so waiting for a free client counts.
	Rate int
	http *http.Client
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
	due := g.schedule(begin)
	for c := range g.Clients {
		wg.Go(func() {
			mine := g.client(ctx, due, func(n int) (Request, bool) { return next(c, n) })
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

// schedule says when each next request is due: now, or in turn at the rate.
func (g *Generator) schedule(begin time.Time) func() time.Time {
	if g.Rate <= 0 {
		return time.Now
	}
	var ticket atomic.Int64
	return func() time.Time {
		n := ticket.Add(1) - 1
		return begin.Add(time.Duration(float64(n) / float64(g.Rate) * float64(time.Second)))
	}
}

func (g *Generator) client(ctx context.Context, due func() time.Time, next func(n int) (Request, bool)) Result {
	var r Result
	for n := 0; ctx.Err() == nil; n++ {
		at := due()
		if !sleep(ctx, time.Until(at)) {
			break
		}
		req, ok := next(n)
		if !ok {
			break
		}
		if err := g.send(req); err != nil {
			r.Failed++
			r.FirstFailure = err.Error()
			continue
		}
		r.Done++
		r.Took = append(r.Took, time.Since(at))
	}
	return r
}

// sleep says whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (g *Generator) send(r Request) error {
	req, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	req.Header.Set("Content-Type", "application/json")
	if r.Once != "" {
		req.Header.Set("Idempotency-Key", r.Once)
	}
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
