package sipcall

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// pingAll pings every proxy until the caller stops.
func (c *Caller) pingAll() {
	tick := time.NewTicker(c.cfg.OptionsInterval)
	defer tick.Stop()
	for {
		targets, err := c.proxies.resolve(c.life)
		if err != nil && c.life.Err() == nil {
			c.log.Warn("the trunk's proxies are not resolved", "error", err)
		}
		var all sync.WaitGroup
		for _, t := range targets {
			all.Go(func() { _, _, _ = c.ping(c.life, t) })
		}
		all.Wait()
		select {
		case <-tick.C:
		case <-c.life.Done():
			return
		}
	}
}

// ping asks one proxy whether it is there (RFC 3261 section 11) and marks it.
// Any answer but 503 (and its 502, 504 of a proxy that lost its own next hop) is a yes.
func (c *Caller) ping(ctx context.Context, t target) (status int, rtt time.Duration, err error) {
	wait := pingWait
	if c.cfg.OptionsInterval > 0 {
		wait = min(wait, c.cfg.OptionsInterval)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	began := time.Now()
	res, err := c.do(limited, c.requestTo(sip.OPTIONS, t, c.cfg.Auth.User), t.host)
	rtt = time.Since(began)
	if ctx.Err() != nil {
		return 0, 0, ctx.Err()
	}
	if err != nil {
		reason := reasonSilent
		if errors.Is(err, errNotSent) {
			reason = reasonUnreachable
		}
		c.proxies.pinged(t.addr, 0, reason)
		return 0, 0, err
	}
	switch res.StatusCode {
	case 502, 503, 504:
		c.proxies.pinged(t.addr, rtt, "it answers "+strconv.Itoa(res.StatusCode))
	default:
		c.proxies.pinged(t.addr, rtt, "")
	}
	return res.StatusCode, rtt, nil
}

// registration is how the last REGISTER went.
type registration struct {
	mu      sync.Mutex
	ok      bool
	why     string // not
	at      target // where it is
	expires time.Duration
	id      string
	seq     uint32
	fromTag string
}

// Registered says whether the trunk is registered, and if not, why.
func (c *Caller) Registered() (bool, string) {
	c.reg.mu.Lock()
	defer c.reg.mu.Unlock()
	switch {
	case c.reg.ok:
		return true, ""
	case !c.cfg.Register.On:
		return false, "the trunk does not register"
	}
	return false, or(c.reg.why, "it has not been tried yet")
}

// keepRegistered registers, and again well before it runs out.
func (c *Caller) keepRegistered() {
	wait := time.Duration(0)
	failures := 0
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.life.Done():
			timer.Stop()
			return
		}
		expires, err := c.registerAny(c.life)
		if err != nil {
			failures = min(failures+1, 6)
			wait = time.Second << failures // 2 s to 64 s
			if c.life.Err() == nil {
				c.log.Warn("the trunk is not registered", "error", err)
			}
			continue
		}
		failures, wait = 0, expires*8/10
	}
}

// registerAny registers at the first proxy that takes it.
func (c *Caller) registerAny(ctx context.Context) (time.Duration, error) {
	targets, err := c.proxies.list(ctx)
	for _, t := range targets {
		var expires time.Duration
		if expires, err = c.register(ctx, t, c.cfg.Register.Expires); err == nil {
			return expires, nil
		}
	}
	c.reg.mu.Lock()
	c.reg.ok, c.reg.why = false, "not registered"
	if err != nil {
		c.reg.why = err.Error()
	}
	c.reg.mu.Unlock()
	return 0, err
}

// register binds our contact, or unbinds it with 0, and returns for how long.
func (c *Caller) register(ctx context.Context, t target, expires time.Duration) (time.Duration, error) {
	for range 2 { // 423 wants a longer time once (RFC 3261 10.2.8)
		res, err := c.sendRegister(ctx, t, expires)
		switch {
		case err != nil:
			return 0, err
		case res.IsSuccess():
			granted := c.granted(res, expires)
			c.reg.mu.Lock()
			c.reg.ok, c.reg.why, c.reg.at, c.reg.expires = expires > 0, "", t, granted
			c.reg.mu.Unlock()
			return granted, nil
		}
		n, ok := smallNumber(first(res, "Min-Expires"))
		if res.StatusCode != 423 || !ok || expires == 0 {
			return 0, fmt.Errorf("sipcall: register: the carrier answers %d", res.StatusCode)
		}
		expires = time.Duration(n) * time.Second
	}
	return 0, errors.New("sipcall: register: the carrier wants another interval each time")
}

// sendRegister sends one REGISTER. All of a caller share a Call-ID and a rising CSeq.
func (c *Caller) sendRegister(ctx context.Context, t target, expires time.Duration) (*sip.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*pingWait)
	defer cancel()
	req := c.requestTo(sip.REGISTER, t, c.cfg.Register.ContactUser)
	req.To().Address.User = or(c.cfg.Auth.User, c.cfg.Register.ContactUser)
	req.To().Address.Host = or(c.cfg.FromDomain, t.host)
	req.To().Address.Port = 0
	req.From().Address = *req.To().Address.Clone()
	c.reg.mu.Lock()
	if c.reg.id == "" {
		c.reg.id, c.reg.fromTag = token(16), token(8)
	}
	c.reg.seq += 8 // challenges take numbers in between
	*req.CallID() = sip.CallIDHeader(c.reg.id)
	req.CSeq().SeqNo = c.reg.seq
	c.reg.mu.Unlock()
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int(expires/time.Second))))
	return c.do(ctx, req, t.host)
}

// granted is the time that the registrar gives: of our contact, or of all.
func (c *Caller) granted(res *sip.Response, asked time.Duration) time.Duration {
	for _, h := range res.GetHeaders("Contact") {
		contact, ok := h.(*sip.ContactHeader)
		if !ok || contact.Address.User != c.cfg.Register.ContactUser {
			continue
		}
		if n, ok := smallNumber(strings.TrimSpace(contact.Params.GetOr("expires", ""))); ok && n > 0 {
			return max(time.Duration(n)*time.Second, 10*time.Second)
		}
	}
	if n, ok := smallNumber(first(res, "Expires")); ok && n > 0 {
		return max(time.Duration(n)*time.Second, 10*time.Second)
	}
	return max(asked, 10*time.Second)
}

// unregister takes the binding back.
func (c *Caller) unregister(ctx context.Context) {
	c.reg.mu.Lock()
	bound, at := c.reg.ok, c.reg.at
	c.reg.mu.Unlock()
	if !bound {
		return
	}
	if _, err := c.register(ctx, at, 0); err != nil {
		c.log.Warn("the registration was not taken back; it runs out by itself", "error", err)
	}
}

// Finding is one line of Check.
type Finding struct {
	What, Detail string
	OK           bool
}

// Check looks at the trunk now: it resolves every configured proxy, pings each
// address, and registers where the trunk wants that.
func (c *Caller) Check(ctx context.Context) (all []Finding) {
	add := func(what string, err error, detail string) {
		if err != nil {
			detail = err.Error()
		}
		all = append(all, Finding{what, detail, err == nil})
	}
	for _, p := range c.cfg.Proxies {
		found, err := c.proxies.lookup(ctx, p)
		var texts []string
		for _, t := range found {
			texts = append(texts, t.addr.String())
		}
		add("resolve "+p, err, strings.Join(texts, ", "))
	}
	targets, _ := c.proxies.resolve(ctx) // its failures are the lines above
	for _, t := range targets {
		status, rtt, err := c.ping(ctx, t)
		add("OPTIONS "+t.addr.String(), err, fmt.Sprintf("answers %d in %s", status, rtt.Round(time.Millisecond)))
	}
	if c.cfg.Register.On {
		expires, err := c.registerAny(ctx)
		add("REGISTER", err, "for "+expires.String())
	}
	return all
}
