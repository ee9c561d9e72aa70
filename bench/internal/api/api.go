// Package api asks a pincall server what the generators ask it: plain requests,
// no retries, and every answer with its status.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Verification is what the benchmarks read of one.
type Verification struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Status    string    `json:"status"`
	Remaining int       `json:"remaining"`
	Attempts  []Attempt `json:"attempts"`
}

// Attempt is what they read of an attempt.
type Attempt struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Outcome string `json:"outcome"`
}

// Checked is the answer to a guess.
type Checked struct {
	Status    string `json:"status"`
	Valid     bool   `json:"valid"`
	Remaining int    `json:"remaining"`
}

// Client speaks to one server. Safe for concurrent use.
type Client struct {
	URL, Key string
	HTTP     *http.Client
}

// New makes a client that keeps so many connections.
func New(url, key string, connections int) *Client {
	return &Client{URL: url, Key: key, HTTP: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections},
	}}
}

// Answer is a status with where its body was read to.
type Answer struct {
	Status   int
	Replayed bool // of an Idempotency-Key
	Again    bool // the server asks to try again later
}

// Error is an answer that is no success.
type Error struct {
	Answer
	Body string
}

// Error tells the status.
func (e *Error) Error() string { return fmt.Sprintf("answered %d", e.Status) }

// Final says that the server has decided: it was a success, or a refusal that
// stands. No answer at all decides nothing.
func Final(err error) bool {
	if err == nil {
		return true
	}
	var e *Error
	return errors.As(err, &e) && !e.Again
}

// StatusOf is the status of an error; 0: there was no answer.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Body is a start's request.
func Body(to, channel string) []byte {
	return fmt.Appendf(nil, `{"to":%q,"channel":%q,"locale":"en"}`, to, channel)
}

// Start begins a verification.
func (c *Client) Start(ctx context.Context, body []byte, once string) (v Verification, a Answer, err error) {
	a, err = c.do(ctx, http.MethodPost, "/v1/verifications", request{body, once}, &v)
	return v, a, err
}

// Check makes a guess.
func (c *Client) Check(ctx context.Context, id, code, once string) (v Checked, a Answer, err error) {
	a, err = c.do(ctx, http.MethodPost, "/v1/verifications/"+id+"/check", request{fmt.Appendf(nil, `{"code":%q}`, code), once}, &v)
	return v, a, err
}

// Get reads a verification.
func (c *Client) Get(ctx context.Context, id string) (v Verification, err error) {
	_, err = c.do(ctx, http.MethodGet, "/v1/verifications/"+id, request{}, &v)
	return v, err
}

type request struct {
	body []byte
	once string
}

func (c *Client) do(ctx context.Context, method, path string, r request, into any) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(r.body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.once != "" {
		req.Header.Set("Idempotency-Key", r.once)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: no answer", method)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: the answer broke off", method)
	}
	a := Answer{Status: res.StatusCode, Replayed: res.Header.Get("Idempotent-Replayed") == "true",
		Again: res.Header.Get("Retry-After") != "" || res.StatusCode >= 500}
	if res.StatusCode/100 != 2 {
		return a, &Error{Answer: a, Body: string(b)}
	}
	return a, json.Unmarshal(b, into)
}

// Number gives the n-th of distinct Japanese mobile numbers, 0 <= n < 90,000,000.
func Number(n int) string { return fmt.Sprintf("+8180%08d", 10_000_000+n) }

// Wrong makes a code that differs.
func Wrong(code string) string {
	b := []byte(code)
	i := rand.IntN(len(b))
	b[i] = '0' + (b[i]-'0'+byte(1+rand.IntN(9)))%10
	return string(b)
}
