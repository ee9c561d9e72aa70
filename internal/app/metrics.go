package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pincall/pincall/internal/deliver"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// metrics counts what happens. Every label is of a bounded set: words of ours,
// the configured routes, ISO 3166 countries, HTTP statuses. There is no account,
// no number and no id among them.
type metrics struct {
	registry  *prometheus.Registry
	starts    *prometheus.CounterVec
	checks    *prometheus.CounterVec
	limits    *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	ring      prometheus.Histogram
	talk      prometheus.Histogram
	dial      *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// callBuckets are in seconds: up to the ring time-out, and up to the longest call.
func callBuckets() []float64 { return []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 150} }

// waitBuckets are in seconds, from what group commit takes to a stuck queue.
func waitBuckets() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pincall_" + name, Help: help}, labels)
	}
	opts := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: "pincall_" + name, Help: help, Buckets: buckets}
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		starts:   counter("starts_total", "Verifications asked for, by the first channel and how it went: started, or the refusal's code.", "channel", "code"),
		checks:   counter("checks_total", "Guesses, by result.", "result"),
		limits:   counter("limits_total", "Requests that a rule of the guard refused or put off.", "rule"),
		attempts: counter("attempts_total", "Calls and messages that have ended.", "channel", "route", "country", "outcome"),
		ring:     prometheus.NewHistogram(opts("call_ring_seconds", "How long phones rang.", callBuckets())),
		talk:     prometheus.NewHistogram(opts("call_answered_seconds", "How long calls lasted from the answer.", callBuckets())),
		dial: prometheus.NewHistogramVec(opts("start_to_dial_seconds", "From a start to its first call or message leaving.", waitBuckets()),
			[]string{"channel"}),
		requests: counter("http_requests_total", "HTTP requests, by the route's pattern.", "method", "route", "status"),
		durations: prometheus.NewHistogramVec(opts("http_request_seconds", "How long HTTP requests took, by the route's pattern.", waitBuckets()),
			[]string{"method", "route"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "pincall_build_info", Help: "1, with the program's version.",
		ConstLabels: prometheus.Labels{"version": Version()}})
	info.Set(1)
	m.registry.MustRegister(m.starts, m.checks, m.limits, m.attempts, m.ring, m.talk, m.dial, m.requests, m.durations, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// core is what the core tells.
func (m *metrics) core() verify.Observer {
	return verify.Observer{
		Started: func(ch phone.Channel, refused verify.Code) {
			m.starts.WithLabelValues(orNone(string(ch)), or(string(refused), "started")).Inc()
		},
		Checked: func(r verify.CheckResult) { m.checks.WithLabelValues(string(r)).Inc() },
		Limited: func(r guard.Rule) { m.limits.WithLabelValues(string(r)).Inc() },
	}
}

// delivery is what delivery tells.
func (m *metrics) delivery() deliver.Observer {
	return deliver.Observer{
		Dialled: func(ch phone.Channel, d time.Duration) { m.dial.WithLabelValues(string(ch)).Observe(d.Seconds()) },
		Called: func(t deliver.CallTimes) {
			if t.Rang {
				m.ring.Observe(t.Ring.Seconds())
			}
			if t.Answered {
				m.talk.Observe(t.Talk.Seconds())
			}
		},
		Ended: func(a deliver.Attempted) {
			country := a.Country
			if !phone.IsCountry(country) {
				country = "other"
			}
			m.attempts.WithLabelValues(string(a.Channel), orNone(a.Route), country, string(a.Outcome)).Inc()
		},
	}
}

// request is what the edge tells.
func (m *metrics) request(o edge.Observation) {
	m.requests.WithLabelValues(o.Method, orNone(o.Route), strconv.Itoa(o.Status)).Inc()
	if strings.HasSuffix(o.Route, "/events") { // a stream lasts as long as its verification
		return
	}
	m.durations.WithLabelValues(o.Method, orNone(o.Route)).Observe(o.Took.Seconds())
}

func orNone(s string) string { return or(s, "none") }

func or(s, empty string) string {
	if s == "" {
		return empty
	}
	return s
}

// depthOf counts the jobs that nobody has: due now, and waiting for their time.
type depthOf func(ctx context.Context) (due, waiting int64, err error)

// queue is read when it is asked for.
type queue struct {
	depth      depthOf
	inProgress func() int
	log        *slog.Logger
	jobs, busy *prometheus.Desc
}

func newQueue(depth depthOf, inProgress func() int, log *slog.Logger) *queue {
	return &queue{depth: depth, inProgress: inProgress, log: log,
		jobs: prometheus.NewDesc("pincall_queue_jobs", "Promised calls, messages and steps that nobody works on: due, or waiting for their time.",
			[]string{"state"}, nil),
		busy: prometheus.NewDesc("pincall_attempts_in_progress", "Calls and messages being placed or followed.", nil, nil),
	}
}

// Describe names what Collect gives.
func (q *queue) Describe(ch chan<- *prometheus.Desc) { ch <- q.jobs; ch <- q.busy }

// depthTimeout bounds the one query of a scrape.
const depthTimeout = 2 * time.Second

// Collect reads the depth; where it cannot be read, it is left out.
func (q *queue) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(q.busy, prometheus.GaugeValue, float64(q.inProgress()))
	ctx, cancel := context.WithTimeout(context.Background(), depthTimeout)
	defer cancel()
	due, waiting, err := q.depth(ctx)
	if err != nil {
		q.log.Warn("the queue cannot be counted for the metrics", "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(q.jobs, prometheus.GaugeValue, float64(due), "due")
	ch <- prometheus.MustNewConstMetric(q.jobs, prometheus.GaugeValue, float64(waiting), "waiting")
}

// stats is the metrics with their listener and server, where there is one.
type stats struct {
	metrics *metrics
	lis     net.Listener
	server  *http.Server
}

// listenForMetrics takes the address; none is fine.
func (m *Main) listenForMetrics(addr string) (err error) {
	if addr == "" {
		return nil
	}
	if m.stats.lis, err = net.Listen(network(addr), addr); err != nil {
		return fmt.Errorf("metrics_listen: %w", err)
	}
	if !loopback(addr) {
		m.cfg.Log.Warn("the metrics are for everybody who reaches this address: choose a loopback or private one", "address", addr)
	}
	busy := func() int { return 0 }
	if m.worker != nil {
		busy = m.worker.InProgress
	}
	m.stats.metrics.registry.MustRegister(newQueue(m.base.store.Depth, busy, m.cfg.Log))
	return nil
}

// MetricsAddr is where /metrics is served; empty: nowhere.
func (m *Main) MetricsAddr() string {
	if m.stats.lis == nil {
		return ""
	}
	return m.stats.lis.Addr().String()
}

// start serves /metrics, and nothing else, until close.
func (s *stats) start(log *slog.Logger) {
	if s.lis == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorLog: quiet(log)}))
	s.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: 32 << 10, ErrorLog: quiet(log),
	}
	go func() {
		if err := s.server.Serve(s.lis); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the metrics are served no more", "error", err)
		}
	}()
}

// close ends the server; it outlives the calls, so that their end is seen.
func (s *stats) close() error {
	switch {
	case s.server != nil:
		return s.server.Close()
	case s.lis != nil:
		return s.lis.Close()
	}
	return nil
}
