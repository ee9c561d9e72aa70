package sipcall

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Caller is one trunk: it places its calls and answers those that come from it.
// Its methods are safe for concurrent use.
type Caller struct {
	cfg     Config
	log     *slog.Logger
	peers   *peers
	proxies *proxies
	keys    *keyring
	reg     registration

	ua   *sipgo.UserAgent
	tx   *sip.TransactionLayer
	tp   *sip.TransportLayer
	addr netip.AddrPort // where it listens

	life    context.Context // of everything that runs beside calls
	end     context.CancelFunc
	work    tracker // calls on their way, what is sent beside them, the loops
	serving sync.WaitGroup
	dials   dials // connections that are being made
	closers []func() error

	mu       sync.Mutex
	stopping bool
	calls    map[string]*Call    // by dialogKey
	sending  map[string]*sending // INVITEs without a final answer, by branch
	incoming int
	routes   map[netip.Addr]netip.Addr // our own address towards another
}

// muteSipgo takes sipgo's own log away: it quotes what it cannot parse, and goes
// to the process's log unless told otherwise.
var muteSipgo = sync.OnceFunc(func() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) })

// New checks the configuration. The caller does nothing before Start.
func New(cfg Config) (*Caller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	muteSipgo()
	c := &Caller{
		cfg: cfg, log: cfg.Log, peers: newPeers(cfg.Peers), keys: newKeyring(cfg.Auth),
		calls: map[string]*Call{}, sending: map[string]*sending{}, routes: map[netip.Addr]netip.Addr{},
	}
	c.proxies = newProxies(&c.cfg, c.peers)
	if _, err := c.tlsConfig(); err != nil {
		return nil, err
	}
	return c, nil
}

// Start listens, resolves the proxies, and begins to ping and to register. ctx
// bounds the start only. A proxy that cannot be resolved now is no error: Check
// tells.
func (c *Caller) Start(ctx context.Context) error {
	conf, err := c.tlsConfig()
	if err != nil {
		return err
	}
	// sipgo logs whole messages where it cannot parse them: it gets no log.
	mute := slog.New(slog.DiscardHandler)
	c.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(userAgent),
		sipgo.WithUserAgenTLSConfig(conf),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(mute), c.dialling()),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(mute),
			sip.WithTransactionLayerTerminateOnConnClose(),
			sip.WithTransactionLayerUnhandledResponseHandler(c.stray),
		),
	)
	if err != nil {
		return fmt.Errorf("sipcall: start: %w", err)
	}
	c.tx, c.tp = c.ua.TransactionLayer(), c.ua.TransportLayer()
	c.tx.OnRequest(c.serve)
	c.tp.OnMessage(c.witness)
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.listen(ctx, conf); err != nil {
		c.close()
		return err
	}
	if _, err := c.proxies.resolve(ctx); err != nil {
		c.log.Warn("the trunk's proxies are not resolved", "error", err)
	}
	if c.cfg.OptionsInterval > 0 {
		c.work.Go(c.pingAll)
	}
	if c.cfg.Register.On {
		c.work.Go(c.keepRegistered)
	}
	return nil
}

// tlsConfig is how we meet the proxies over TLS, and how our own listener is met.
// nil: the trunk does not use TLS.
func (c *Caller) tlsConfig() (*tls.Config, error) {
	if c.cfg.Transport != TLS {
		return nil, nil
	}
	s := c.cfg.TLS
	conf := &tls.Config{MinVersion: or(s.MinVersion, tls.VersionTLS12), ServerName: s.ServerName}
	if s.CA != nil {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(s.CA) {
			return nil, errors.New("sipcall: tls: the CA file holds no certificate")
		}
	}
	if s.Cert != nil {
		pair, err := tls.X509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("sipcall: tls: our certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	for _, p := range c.cfg.Proxies {
		host, _, _ := splitProxy(p)
		switch {
		case s.ServerName != "":
		case conf.ServerName == "":
			conf.ServerName = host // RFC 5922: the name before SRV
		case conf.ServerName != host:
			return nil, errors.New("sipcall: tls: the proxies have several names: say which one their certificates hold (server name)")
		}
	}
	return conf, nil
}

// listen opens our socket. TLS is listened on only with a certificate of ours:
// requests of the other end then come on the connections that we made.
func (c *Caller) listen(ctx context.Context, conf *tls.Config) error {
	if c.cfg.Transport == UDP {
		return c.listenUDP(ctx)
	}
	if c.cfg.Transport == TLS && len(conf.Certificates) == 0 {
		c.addr = netip.AddrPortFrom(c.cfg.Bind.Addr(), 0)
		return nil
	}
	raw, err := (&net.ListenConfig{}).Listen(ctx, c.network("tcp"), c.cfg.Bind.String())
	if err != nil {
		return fmt.Errorf("sipcall: listen: %w", err)
	}
	c.addr = unmapped(raw.Addr().(*net.TCPAddr).AddrPort())
	c.closers = append(c.closers, raw.Close)
	guarded := net.Listener(&listener{raw, c.peers})
	if c.cfg.Transport == TLS {
		c.serving.Go(func() { _ = c.tp.ServeTLS(tls.NewListener(guarded, conf)) })
		return nil
	}
	c.serving.Go(func() { _ = c.tp.ServeTCP(guarded) })
	return nil
}

// listenUDP opens the one socket that everything leaves from and comes to: a
// trunk's access list, and a NAT's mapping, know one port of ours.
func (c *Caller) listenUDP(ctx context.Context) error {
	raw, err := (&net.ListenConfig{}).ListenPacket(ctx, c.network("udp"), c.cfg.Bind.String())
	if err != nil {
		return fmt.Errorf("sipcall: listen: %w", err)
	}
	udp := raw.(*net.UDPConn)
	wantErrors(udp, c.cfg.Bind.Addr().Is6())
	c.addr = unmapped(udp.LocalAddr().(*net.UDPAddr).AddrPort())
	c.closers = append(c.closers, udp.Close)
	ready := make(chan struct{})
	conn := &packetConn{
		UDPConn: udp, peers: c.peers, unreachable: c.unreachable, closed: c.standIn,
		ready: sync.OnceFunc(func() { close(ready) }), sources: map[netip.AddrPort]bool{},
	}
	c.serving.Go(func() { _ = c.tp.ServeUDP(conn) })
	<-ready // sipgo knows the socket from here on, and sends from it
	return nil
}

// network is "udp" or "tcp" for the address family that is bound.
func (c *Caller) network(name string) string {
	if bind := c.cfg.Bind.Addr(); bind.Is4() {
		return name + "4"
	}
	return name
}

// Stop hangs up every call, unregisters, and closes the sockets. It waits for
// what is still on its way at most until ctx ends.
func (c *Caller) Stop(ctx context.Context) error {
	c.mu.Lock()
	already := c.stopping || c.ua == nil
	c.stopping = true
	calls := make([]*Call, 0, len(c.calls))
	for _, call := range c.calls {
		calls = append(calls, call)
	}
	c.mu.Unlock()
	if already {
		return nil
	}
	c.end() // cancels what rings, beside the rest
	var all sync.WaitGroup
	for _, call := range calls {
		all.Go(func() { _ = call.Hangup(ctx) })
	}
	all.Wait()
	c.unregister(ctx)
	err := c.work.wait(ctx)
	c.close()
	if err != nil {
		return fmt.Errorf("sipcall: stop: %w", err)
	}
	return nil
}

// isStopping says that Stop has begun: it does not know calls that are made now.
func (c *Caller) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}

// Addr is where the caller listens. The port is 0 where it does not.
func (c *Caller) Addr() netip.AddrPort { return c.addr }

// Proxies are the trunk's addresses as they stand.
func (c *Caller) Proxies() []Proxy { return c.proxies.state() }

// Calls is the number of connected calls.
func (c *Caller) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

// localTo is the address that the other end at to is told to send to.
func (c *Caller) localTo(to netip.Addr) netip.AddrPort {
	port := c.addr.Port()
	if c.cfg.PublicIP.IsValid() {
		return netip.AddrPortFrom(c.cfg.PublicIP, port)
	}
	return netip.AddrPortFrom(c.ownIP(to), port)
}

// ownIP is our address on the way to another: the bound one, or what the
// kernel's routes choose.
func (c *Caller) ownIP(to netip.Addr) netip.Addr {
	if bound := c.addr.Addr(); bound.IsValid() && !bound.IsUnspecified() {
		return bound
	}
	c.mu.Lock()
	known, ok := c.routes[to]
	c.mu.Unlock()
	if ok {
		return known
	}
	own := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9))) // sends nothing
	if err != nil {
		return own
	}
	defer conn.Close()
	own = addrOf(conn.LocalAddr()).Unmap().WithZone("")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.routes) < 1024 {
		c.routes[to] = own
	}
	return own
}

// sending is an INVITE that has no final answer yet.
type sending struct {
	to      netip.AddrPort
	at      time.Time
	bounced chan struct{} // closed when ICMP proved that it was not delivered
	once    sync.Once
	rang    atomic.Bool // an 18x came
}

// witness sees every message in the order of its arrival. sipgo handles each in
// a goroutine of its own and drops a 180 that is overtaken by the final answer;
// that the phone rang must not be lost with it.
func (c *Caller) witness(msg sip.Message) {
	res, ok := msg.(*sip.Response)
	if !ok || res.StatusCode/10 != 18 || res.Via() == nil {
		return
	}
	c.mu.Lock()
	s := c.sending[res.Via().Params.GetOr("branch", "")]
	c.mu.Unlock()
	if s != nil {
		s.rang.Store(true)
	}
}

// unreachable takes an ICMP error in. Only the first copy of an INVITE that
// bounces proves anything: later ones may follow a copy that was delivered.
func (c *Caller) unreachable(to netip.AddrPort, quote []byte) {
	text := string(quote)
	_, rest, ok := strings.Cut(text, ";branch=")
	if !ok || !strings.HasPrefix(text, string(sip.INVITE)+" ") {
		return
	}
	end := strings.IndexAny(rest, ";\r\n")
	if end < 0 {
		return
	}
	c.mu.Lock()
	s := c.sending[rest[:end]]
	c.mu.Unlock()
	if s != nil && s.to == to && time.Since(s.at) < t1 {
		s.once.Do(func() { close(s.bounced) })
	}
}

// tracker counts goroutines that may start at any time, and waits for them.
type tracker struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to 0; nil: nobody waits
}

// enter counts the calling goroutine until leave.
func (t *tracker) enter() (leave func()) {
	t.mu.Lock()
	t.n++
	t.mu.Unlock()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.n--; t.n == 0 && t.idle != nil {
			close(t.idle)
			t.idle = nil
		}
	}
}

// Go runs f in a goroutine of its own.
func (t *tracker) Go(f func()) {
	leave := t.enter()
	go func() {
		defer leave()
		f()
	}()
}

// wait returns when nothing is counted, or with ctx's error.
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unmapped writes an IPv4 address as one, also where Go keeps it in IPv6's form.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
