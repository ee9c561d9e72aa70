package sipcall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// countedDNS counts what it is asked, and fails after the first time.
type countedDNS struct{ asked int }

func (d *countedDNS) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errors.New("no such name")
}

func (d *countedDNS) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if d.asked++; d.asked > 1 {
		return nil, errors.New("no answer in time")
	}
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}

// While DNS fails, calls go to the addresses that are known, and do not wait for it
// one behind the other.
func TestFailingDNSIsNotAskedByEveryCall(t *testing.T) {
	t.Parallel()
	now, names := time.Unix(1000, 0), &countedDNS{}
	cfg := testConfig(t, func(cfg *Config) {
		cfg.Proxies, cfg.Resolver, cfg.Now = []string{"a.example:5060"}, names, func() time.Time { return now }
	})
	p := newProxies(cfg, newPeers(nil))
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {resolveAgain / 2, 1}, {resolveAgain, 2}, {resolveRetry / 2, 2}, {resolveRetry, 3}} {
		now = now.Add(step.after)
		if all, err := p.list(t.Context()); err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		if names.asked != step.asked {
			t.Errorf("after %v more: asked %d times, want %d", step.after, names.asked, step.asked)
		}
	}
}
