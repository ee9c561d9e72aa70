// Package app builds everything from its configuration, starts it in order and
// stops it in reverse. It alone knows which adapters and which store there are;
// it decides nothing.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/deliver"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// Time-outs of the HTTP server.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 5 * time.Second
)

// Main is one running pincall.
type Main struct {
	cfg      Config
	lock     *flock.Flock
	base     *base
	carriers *carriers
	phones   *sim.Carrier // of carriers; nil where a real carrier is configured
	core     *verify.Core
	worker   *deliver.Worker
	lis      net.Listener
	server   *http.Server
	cert     *certificate // nil: plain HTTP
	stats    stats
	own      secret.Token // a command's own API key
	ownID    string
	flush    func() // writes what waits in the log
	closed   bool
}

// New builds a pincall, takes its data folder and listens; Run serves. Close
// must follow. ErrLocked when another process works on the folder.
func New(ctx context.Context, cfg Config) (*Main, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := cfg.readFile()
	if err != nil {
		return nil, err
	}
	flush := func() {}
	if cfg.Log == nil {
		cfg.Log, flush = cfg.logger(f.Log)
	}
	if err := ensureFolder(cfg.Data); err != nil {
		return nil, err
	}
	if cfg.Work != WorkAll { // a command's own server is for the command alone
		f.TLS, f.MetricsListen, f.StopAfter = TLSFile{}, "", min(f.StopAfter, commandStop)
	}
	m := &Main{cfg: cfg, flush: flush}
	if err := m.build(ctx, f); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// build makes the parts, from the ground up.
func (m *Main) build(ctx context.Context, f File) error {
	limits, err := f.Guard.limits()
	if err != nil {
		return err
	}
	keep, err := f.keep()
	if err != nil {
		return err
	}
	if m.carriers, err = m.cfg.carriers(f); err != nil {
		return err
	}
	m.phones = m.carriers.phones
	routes := m.carriers.routes
	if f.TLS.Cert != "" {
		if m.cert, err = loadCertificate(f.TLS, m.cfg.Log); err != nil {
			return err
		}
	}
	m.stats.metrics = newMetrics()
	m.warn(routes, limits.Countries)
	if err = m.take(ctx, m.cfg.place(f)); err != nil {
		return err
	}
	if err = m.takeOver(ctx); err != nil {
		return err
	}
	if err = m.ensureKey(ctx); err != nil {
		return err
	}
	if m.core, err = verify.New(verify.Config{
		Store: m.base.store, Keys: m.base.keys, Services: m.base.dir, Routes: routes, Limits: limits, Log: m.cfg.Log,
		Retention: keep, Observe: m.stats.metrics.core(),
	}); err != nil {
		return err
	}
	if m.works() {
		if err = m.carriers.lines.start(ctx, m.cfg); err != nil {
			return err
		}
		if m.worker, err = deliver.New(deliver.Config{
			Core: m.core, Queue: m.base.store, OwnOnly: m.cfg.Work == WorkOwn, StopAfter: f.StopAfter, Log: m.cfg.Log,
			Observe: m.stats.metrics.delivery(), Shared: m.base.shared(), Elsewhere: m.carriers.elsewhere,
		}); err != nil {
			return err
		}
	}
	return m.listen(f, routes)
}

// take opens the store, and takes the data folder where the work is in it: beside
// a shared database the folder only says to this machine's commands where a node
// is, so of several nodes one has it.
func (m *Main) take(ctx context.Context, p place) (err error) {
	if p.shared() && m.cfg.Work == WorkOwn {
		return errNoNode
	}
	if m.lock, err = lock(ctx, m.cfg.Data); err != nil && !(p.shared() && errors.Is(err, ErrLocked)) {
		return err
	}
	m.base, err = openBase(ctx, p)
	return err
}

// takeOver frees the jobs of processes that are no more. Where nodes share the
// database, each does so all the time, and one that cannot just now starts all the
// same.
func (m *Main) takeOver(ctx context.Context) error {
	_, err := m.base.store.Takeover(ctx)
	if err != nil && m.base.shared() {
		m.cfg.Log.Warn("jobs of lost nodes cannot be freed yet", "error", err)
		return nil
	}
	return err
}

// errNoNode says that a command cannot make calls: the nodes would take its work,
// and it would take theirs, and end in the middle of it.
var errNoNode = errors.New("a command makes no calls of its own on a shared database: run pincall serve on this data folder, or name a node with --server")

// works says whether there is work that this process can do.
func (m *Main) works() bool {
	return m.cfg.Work != WorkNone && len(m.carriers.elsewhere) < len(m.carriers.routes)
}

// warn says at the start what will refuse every call.
func (m *Main) warn(routes []carrier.Route, countries []string) {
	for _, r := range routes {
		if !r.Embedded && len(countries) == 0 {
			m.cfg.Log.Warn("no country may be called: list them in the configuration, such as guard.countries: [JP]", "route", r.Name)
		}
	}
}

// ensureKey sees to it that somebody can ask for something: a server on a data
// folder of its own makes an API key where the account has none, and keeps it in
// the folder; a command has one of its own, for as long as it runs.
func (m *Main) ensureKey(ctx context.Context) error {
	if m.cfg.Work != WorkAll {
		k, tok, err := m.base.dir.NewKey(ctx, DefaultAccount, "command", []account.Scope{account.ScopeAdmin})
		m.own, m.ownID = tok, k.ID
		return err
	}
	have, err := m.base.store.Keys(ctx, DefaultAccount)
	if err != nil {
		return err
	}
	working := slices.ContainsFunc(have, func(k account.Key) bool { return k.RevokedAt.IsZero() && k.Name != "command" })
	switch {
	case !working && m.base.shared(): // several nodes would make one each
		m.cfg.Log.Warn("there is no API key: make one with pincall key new --scope admin")
		return nil
	case !working:
		_, tok, err := m.base.dir.NewKey(ctx, DefaultAccount, "first start", []account.Scope{account.ScopeAdmin})
		if err != nil {
			return err
		}
		return writeFile(m.cfg.Data, keyFile, tok.Reveal()+"\n")
	}
	kept, err := ReadKeyFile(m.cfg.Data)
	if err != nil {
		return nil // the operator keeps it elsewhere
	}
	if _, err := m.base.dir.Authenticate(ctx, kept); errors.Is(err, account.ErrUnauthorized) {
		m.cfg.Log.Warn("the API key in the file does not work: delete the file, or put there what pincall key new prints", "file", m.KeyFile())
	}
	return nil
}

// OwnKey is the API key of a command's own server; zero for one that serves.
func (m *Main) OwnKey() secret.Token { return m.own }

// listen takes the address and writes down which it is.
func (m *Main) listen(f File, routes []carrier.Route) error {
	addr := f.Listen
	proxies, err := f.proxies()
	if err != nil {
		return err
	}
	handler, err := m.handler(f, routes, proxies)
	if err != nil {
		return err
	}
	if m.lis, err = net.Listen(network(addr), addr); err != nil {
		return fmt.Errorf("listen: %w: choose another address with --listen", err)
	}
	if m.cert == nil && !loopback(addr) {
		m.cfg.Log.Warn("listening off the loopback without TLS: set tls.cert and tls.key, or put a proxy that speaks TLS in front", "address", addr)
	}
	m.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: 32 << 10, DisableGeneralOptionsHandler: true, ErrorLog: quiet(m.cfg.Log),
	}
	m.server.RegisterOnShutdown(handler.CloseStreams)
	if m.cert != nil {
		m.server.TLSConfig = m.cert.config()
	}
	if err := m.listenForMetrics(f.MetricsListen); err != nil {
		return err
	}
	return m.list(f)
}

// list writes down where the server is, and with TLS, by which certificate it is
// known.
func (m *Main) list(f File) error {
	if m.lock == nil {
		return nil // the folder is another process's
	}
	if m.cert == nil {
		return writeFile(m.cfg.Data, addressFile, m.Addr()+"\n")
	}
	cert, err := filepath.Abs(f.TLS.Cert)
	if err != nil {
		return err
	}
	return writeFile(m.cfg.Data, addressFile, m.URL()+"\n"+cert+"\n")
}

// network keeps an IPv4 address to IPv4: 0.0.0.0 would otherwise be every address of IPv6, too.
func network(addr string) string {
	if at, err := netip.ParseAddrPort(addr); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// loopback says that only this machine can reach an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Addr is where the server listens.
func (m *Main) Addr() string { return m.lis.Addr().String() }

// URL is how the server is reached on this machine.
func (m *Main) URL() string {
	if m.cert != nil {
		return "https://" + m.Addr()
	}
	return "http://" + m.Addr()
}

// KeyFile is the path of the file with the API key of the first start.
func (m *Main) KeyFile() string { return filepath.Join(m.cfg.Data, keyFile) }

// Run serves until ctx ends, then takes no more requests and lets what is in
// progress end.
func (m *Main) Run(ctx context.Context) error {
	if m.worker != nil {
		if err := m.worker.Start(ctx); err != nil {
			return err
		}
	}
	if !m.base.shared() {
		raiseProcessors(m.cfg.Getenv, diskThreads)
	}
	defer runtime.KeepAlive(roomyHeap(m.cfg.Getenv))
	go m.watchKeyring(ctx)
	failed := make(chan error, 1)
	go func() { failed <- m.serve() }()
	m.stats.start(m.cfg.Log)
	fmt.Fprintf(m.cfg.Stdout, "pincall listens on %s\n", m.URL())
	if exists(m.KeyFile()) {
		fmt.Fprintf(m.cfg.Stdout, "the API key is in %s\n", m.KeyFile())
	}
	if m.phones != nil {
		fmt.Fprintf(m.cfg.Stdout, "the simulated phone is at %s/phone\n", m.URL())
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	m.unlist()
	return errors.Join(err, m.stop(context.WithoutCancel(ctx)))
}

// serve takes requests until the server is shut down.
func (m *Main) serve() error {
	if m.cert != nil {
		return m.server.ServeTLS(m.lis, "", "") // the certificate is the configuration's
	}
	return m.server.Serve(m.lis)
}

// stop takes nothing more, neither requests nor work, and lets both end at the
// same time: requests within drainTimeout, calls within StopAfter and the time
// that hanging up takes. What was promised and has not left stays promised.
func (m *Main) stop(ctx context.Context) error {
	var worked error
	var calls sync.WaitGroup
	if m.worker != nil {
		m.cfg.Log.Info("stopping: calls in progress may end", "in_progress", m.worker.InProgress())
		calls.Go(func() { worked = m.worker.Stop(ctx) })
	}
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var err error
	if m.server.Shutdown(drain) != nil {
		err = m.server.Close()
	}
	calls.Wait()
	return errors.Join(err, worked)
}

// unlist takes back the address: whoever looks for a server finds that this one
// is stopping.
func (m *Main) unlist() {
	if m.lock != nil {
		_ = os.Remove(filepath.Join(m.cfg.Data, addressFile))
	}
}

// Close frees everything. It may be called more than once.
func (m *Main) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	var errs []error
	if m.lis != nil {
		_ = m.lis.Close() // closed already where Run has ended
		m.unlist()
	}
	errs = append(errs, m.stats.close())
	if m.carriers != nil {
		errs = append(errs, m.carriers.close())
	}
	if m.base != nil && m.ownID != "" {
		errs = append(errs, m.base.dir.Revoke(context.Background(), DefaultAccount, m.ownID))
	}
	if m.base != nil {
		errs = append(errs, m.base.store.Close())
	}
	if m.lock != nil {
		errs = append(errs, m.lock.Unlock())
	}
	m.flush()
	return errors.Join(errs...)
}
