package sipcall

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Proxy is one address of the trunk as it stands now.
type Proxy struct {
	Host   string // as configured, or the SRV target
	Addr   netip.AddrPort
	Up     bool
	Until  time.Time     // of a mark "down" that ends by itself; zero otherwise
	Reason string        // why it is down
	RTT    time.Duration // of the last ping; zero: none was answered
}

// target is a proxy's address as requests use it.
type target struct {
	host string // the configured name: Request-URI, From domain, credentials
	addr netip.AddrPort
}

// mark is what is known of an address's health. A mark only orders the proxies
// for later calls; it never moves a call that may have left.
type mark struct {
	until  time.Time // down until then
	pinged bool      // the pings say down, until they say up
	reason string
	rtt    time.Duration
}

// resolveAgain is how old an answer of DNS may get.
const resolveAgain = time.Minute

// resolveRetry is how long DNS is not asked again after it failed: else every call
// would wait for it, one behind the other, though the addresses are known.
const resolveRetry = 10 * time.Second

// proxies resolves the configured proxies and keeps their marks.
type proxies struct {
	cfg   *Config
	peers *peers

	mu       sync.Mutex
	targets  []target
	resolved time.Time
	marks    map[netip.AddrPort]*mark

	resolving sync.Mutex
}

// newProxies knows no address before resolve.
func newProxies(cfg *Config, peers *peers) *proxies {
	return &proxies{cfg: cfg, peers: peers, marks: map[netip.AddrPort]*mark{}}
}

// list is every address, those that are up first, each part in the order of
// configuration and SRV. It fails only if not one address is known.
func (p *proxies) list(ctx context.Context) ([]target, error) {
	all, err := p.resolve(ctx)
	if len(all) == 0 {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	slices.SortStableFunc(all, func(a, b target) int { return p.rank(a, now) - p.rank(b, now) })
	return all, nil
}

// rank orders the addresses: 0 is up, 1 is down. p.mu is held.
func (p *proxies) rank(t target, now time.Time) int {
	if m := p.marks[t.addr]; m != nil && (m.pinged || now.Before(m.until)) {
		return 1
	}
	return 0
}

// resolve asks DNS when the last answer has grown old. An address that was known
// is kept while DNS fails.
func (p *proxies) resolve(ctx context.Context) ([]target, error) {
	p.resolving.Lock()
	defer p.resolving.Unlock()
	p.mu.Lock()
	known, fresh := slices.Clone(p.targets), p.cfg.Now().Sub(p.resolved) < resolveAgain
	p.mu.Unlock()
	if len(known) > 0 && fresh {
		return known, nil
	}
	var all []target
	var first error
	for _, proxy := range p.cfg.Proxies {
		found, err := p.lookup(ctx, proxy)
		if err != nil && first == nil {
			first = err
		}
		for _, t := range found {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	if len(all) == 0 {
		if len(known) > 0 && ctx.Err() == nil {
			p.mu.Lock()
			p.resolved = p.cfg.Now().Add(resolveRetry - resolveAgain)
			p.mu.Unlock()
		}
		return known, first
	}
	addrs := make([]netip.AddrPort, len(all))
	for i, t := range all {
		addrs[i] = t.addr
	}
	p.peers.setProxies(addrs)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets, p.resolved = all, p.cfg.Now()
	return slices.Clone(all), nil
}

// lookup resolves one configured proxy (RFC 3263, without NAPTR: the transport
// is configured).
func (p *proxies) lookup(ctx context.Context, proxy string) ([]target, error) {
	host, port, err := splitProxy(proxy)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []target{{host, netip.AddrPortFrom(ip, or(port, p.defaultPort()))}}, nil
	}
	if port == 0 && !p.cfg.NoSRV {
		if all := p.lookupSRV(ctx, host); len(all) > 0 {
			return all, nil
		}
	}
	return p.lookupHost(ctx, host, host, or(port, p.defaultPort()))
}

// lookupSRV gives every address of every record, in the records' order. A record
// whose target has no address is left out; nil: use the domain's own address.
func (p *proxies) lookupSRV(ctx context.Context, host string) (all []target) {
	service, proto := "sip", "udp"
	switch p.cfg.Transport {
	case TCP:
		proto = "tcp"
	case TLS:
		service, proto = "sips", "tcp"
	}
	_, records, err := p.cfg.Resolver.LookupSRV(ctx, service, proto, host)
	if err != nil {
		return nil
	}
	for _, r := range records {
		found, err := p.lookupHost(ctx, host, strings.TrimSuffix(r.Target, "."), r.Port)
		if err == nil {
			all = append(all, found...)
		}
	}
	return all
}

// lookupHost gives the addresses of host that our socket can reach. name is the
// configured one: credentials and the From domain go by it.
func (p *proxies) lookupHost(ctx context.Context, name, host string, port uint16) ([]target, error) {
	network := "ip"
	if bind := p.cfg.Bind.Addr(); bind.Is4() {
		network = "ip4" // an IPv4 socket reaches no IPv6 address
	} else if bind.Is6() && !bind.IsUnspecified() {
		network = "ip6"
	}
	ips, err := p.cfg.Resolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, fmt.Errorf("sipcall: look up %s: %w", host, err)
	}
	var all []target
	for _, ip := range ips {
		all = append(all, target{name, netip.AddrPortFrom(ip.Unmap(), port)})
	}
	return all, nil
}

// defaultPort is RFC 3261's: 5061 for TLS, else 5060.
func (p *proxies) defaultPort() uint16 {
	if p.cfg.Transport == TLS {
		return 5061
	}
	return 5060
}

// down marks an address for later calls.
func (p *proxies) down(a netip.AddrPort, d time.Duration, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mark(a)
	if until := p.cfg.Now().Add(d); until.After(m.until) {
		m.until = until
	}
	m.reason = reason
}

// alive takes back a mark that was made for silence: the address has answered.
func (p *proxies) alive(a netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.marks[a]; m != nil && m.reason == reasonSilent {
		m.until, m.reason = time.Time{}, ""
	}
}

// pinged takes the result of a ping in.
func (p *proxies) pinged(a netip.AddrPort, rtt time.Duration, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mark(a)
	m.rtt = rtt
	if m.pinged = reason != ""; m.pinged {
		m.reason = reason
	} else if m.reason == reasonSilent || m.until.IsZero() {
		m.until, m.reason = time.Time{}, ""
	}
}

// mark is the address's mark, made if it has none. p.mu is held.
func (p *proxies) mark(a netip.AddrPort) *mark {
	m := p.marks[a]
	if m == nil {
		m = &mark{}
		p.marks[a] = m
	}
	return m
}

// state is every address with its mark.
func (p *proxies) state() []Proxy {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	out := make([]Proxy, 0, len(p.targets))
	for _, t := range p.targets {
		one := Proxy{Host: t.host, Addr: t.addr, Up: p.rank(t, now) == 0}
		if m := p.marks[t.addr]; m != nil {
			one.RTT = m.rtt
			if !one.Up {
				one.Reason = m.reason
			}
			if now.Before(m.until) {
				one.Until = m.until
			}
		}
		out = append(out, one)
	}
	return out
}

// Why an address is marked down.
const (
	reasonSilent      = "it did not answer in time"
	reasonRetryAfter  = "it asked to be left alone"
	reasonUnreachable = "it cannot be reached"
)
