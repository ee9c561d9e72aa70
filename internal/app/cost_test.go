package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// These benchmarks tell what a request costs beside its storage: everything from
// the mux to the plan is the program's own, the store does nothing, and there is
// no socket. BenchmarkBareStart and BenchmarkBareCheck are the same requests to a
// handler that only reads and writes JSON, as bench/internal/echo does.

func BenchmarkStart(b *testing.B) {
	p := newProgram(b)
	p.run(b, p.mux, "/v1/verifications", http.StatusCreated, startBody)
}

func BenchmarkStartOnce(b *testing.B) {
	p := newProgram(b)
	p.once = true
	p.run(b, p.mux, "/v1/verifications", http.StatusCreated, startBody)
}

func BenchmarkCheck(b *testing.B) {
	p := newProgram(b)
	p.run(b, p.mux, p.begin(b), http.StatusOK, checkBody)
}

func BenchmarkBareStart(b *testing.B) {
	p := newProgram(b)
	p.run(b, bare(), "/v1/verifications", http.StatusCreated, startBody)
}

func BenchmarkBareCheck(b *testing.B) {
	p := newProgram(b)
	p.run(b, bare(), p.begin(b), http.StatusOK, checkBody)
}

func startBody(n int) []byte {
	return fmt.Appendf(nil, `{"to":"+8180%08d","channel":"voice","locale":"en"}`, 10_000_000+n%80_000_000)
}

// checkBody is a guess; one in a million of them is right.
func checkBody(n int) []byte { return fmt.Appendf(nil, `{"code":"%06d"}`, n%1_000_000) }

var plenty = guard.Limit{N: 1 << 40}

// program is the program above its store.
type program struct {
	mux   *edge.Mux
	store *noStore
	key   string
	once  bool // with an Idempotency-Key
}

func newProgram(b *testing.B) *program {
	b.Helper()
	keys, err := secret.NewKeyring(nil, time.Now())
	no(b, err)
	id := secret.NewID(time.Now(), nil)
	tok, err := secret.NewToken(nil, account.KeyPrefix, id)
	no(b, err)
	dir, err := account.New(account.Config{Keys: keys, Store: oneAccount{key: account.Key{
		ID: id, Account: DefaultAccount, Scopes: []account.Scope{account.ScopeAdmin}, Hash: tok.Hash(),
	}}})
	no(b, err)
	m := newMetrics()
	log, _ := Config{Stderr: io.Discard}.logger(LogFile{})
	p := &program{store: &noStore{}, key: tok.Reveal()}
	core, err := verify.New(verify.Config{
		Store: p.store, Keys: keys, Services: dir, Log: log, Observe: m.core(),
		Routes: []carrier.Route{{Name: "one", Carrier: anywhere{}}},
		Limits: guard.Limits{Countries: []string{"JP"}, AccountStarts: plenty, Calls: plenty, ConcurrentCalls: plenty.N},
	})
	no(b, err)
	p.mux = edge.New(edge.Config{Keys: dir, Tokens: core, Accounts: dir, Log: log, Observe: m.request})
	no(b, api.Register(p.mux, api.Config{Core: core, Directory: dir, Records: core}))
	return p
}

// begin starts a verification, of which the store gives every check the state, and
// gives the path of its checks.
func (p *program) begin(b *testing.B) string {
	b.Helper()
	w := &sink{}
	p.mux.ServeHTTP(w, p.request("/v1/verifications", startBody(0)))
	if w.status != http.StatusCreated {
		b.Fatalf("the start was answered %d", w.status)
	}
	v := p.store.wrote.Verifications[0]
	p.store.state = verify.State{Verification: &v, Attempts: p.store.wrote.Attempts}
	return "/v1/verifications/" + v.ID + "/check"
}

func (p *program) request(path string, body []byte) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: path}, Host: "127.0.0.1:8080", RemoteAddr: "127.0.0.1:40000",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{
			"Authorization": {"Bearer " + p.key}, "Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"},
			"Content-Length": {"50"}, "Accept-Encoding": {"gzip"},
		},
	}
}

// run sends requests, each with a body of its own.
func (p *program) run(b *testing.B, h http.Handler, path string, want int, body func(int) []byte) {
	b.Helper()
	pattern := p.request(path, nil)
	bodies := make([][]byte, 1000)
	for i := range bodies {
		bodies[i] = body(i * 7919)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r, reader := *pattern, bytes.NewReader(bodies[n%len(bodies)])
		r.Body, r.ContentLength = io.NopCloser(reader), int64(reader.Len())
		if p.once {
			r.Header.Set("Idempotency-Key", "start-"+strconv.Itoa(n))
		}
		n++
		w := sink{}
		if h.ServeHTTP(&w, &r); w.status != want {
			b.Fatalf("got %d", w.status)
		}
	}
}

// sink is a connection that nobody reads.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// noStore runs a plan on a state that is there already, and keeps no more than
// the rows of counters that the last one wrote: of accounts, as numbers differ.
type noStore struct {
	verify.Store
	state verify.State
	rows  map[string]guard.Row
	wrote verify.Writes
}

func (s *noStore) Do(_ context.Context, op verify.Op) (err error) {
	state := s.state
	state.Now, state.Limits = time.Now(), s.rows
	if s.wrote, err = op.Plan(state); err != nil || s.state.Verification != nil {
		return err
	}
	s.rows = make(map[string]guard.Row, len(s.wrote.Limits))
	for key, r := range s.wrote.Limits {
		s.rows[key] = r.Row
	}
	return nil
}

// oneAccount knows one key, one account and its service.
type oneAccount struct {
	account.Store
	key account.Key
}

func (o oneAccount) Key(context.Context, string) (account.Key, error) { return o.key, nil }

func (o oneAccount) Account(context.Context, string) (account.Account, error) {
	return account.Account{ID: o.key.Account}, nil
}

func (o oneAccount) Service(context.Context, string, string) (account.Service, error) {
	return account.Service{ID: account.DefaultService, Account: o.key.Account, Default: true, Name: "Default"}, nil
}

// anywhere is a carrier of which only the abilities are asked.
type anywhere struct{ carrier.Carrier }

func (anywhere) Can() carrier.Abilities {
	return carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true}
}

// bare answers what the API answers, and does nothing else.
func bare() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/verifications", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ To, Channel, Locale string }
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		now := time.Now().UTC()
		write(w, http.StatusCreated, map[string]any{
			"id": "01jd5x7k3v9q2m4n6p8r0s1t2v", "status": "pending", "to": in.To, "channel": in.Channel, "locale": in.Locale,
			"gate": "any_key", "created_at": now, "expires_at": now.Add(10 * time.Minute), "remaining": 5, "sends_remaining": 4,
			"step": 1, "steps": 1, "client_token": "pct_01jd5x7k3v9q2m4n6p8r0s1t2v_0000000000000000000000000000000000000000000000000000",
			"attempts": []map[string]any{{"id": "01jd5x7k3v9q2m4n6p8r0s1t2w", "channel": in.Channel, "state": "queued", "created_at": now}},
		})
	})
	mux.HandleFunc("POST /v1/verifications/{id}/check", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Code string }
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		write(w, http.StatusOK, map[string]any{"status": "pending", "valid": in.Code == "", "remaining": 4})
	})
	return mux
}

func write(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // it cannot fail
}

func no(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
