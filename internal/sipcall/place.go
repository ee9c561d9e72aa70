package sipcall

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/pincall/pincall/internal/media"
)

// Invite is a call to place.
type Invite struct {
	To, From    string // user parts as the carrier wants them: "+815012345678"
	Display     string // zero: the trunk's
	RingTimeout time.Duration
	Headers     []Header // beside the trunk's
}

// ProgressKind says how far a call came before the answer.
type ProgressKind string

// The kinds. None of them is an answer, early media least of all.
const (
	Trying    ProgressKind = "trying"    // 100
	Ringing   ProgressKind = "ringing"   // 180
	Forwarded ProgressKind = "forwarded" // 181
	Queued    ProgressKind = "queued"    // 182
	Early     ProgressKind = "early"     // 183
)

// Progress is one provisional answer.
type Progress struct {
	Kind   ProgressKind
	Status int
}

// placing is one call on its way to an answer.
type placing struct {
	c        *Caller
	inv      Invite
	report   func(Progress)
	ring     context.Context // ends with the ring time-out or the caller's wish
	wish     context.Context // the caller's
	stream   Stream
	path     Path
	rang     bool // an 18x came, on any proxy
	minSE    time.Duration
	deadline time.Time
}

// Call places a call and waits for its answer. The error is a *Failure. The end
// of ctx, or of the ring time-out, cancels the ringing; after the answer ctx does
// not matter any more. report may be nil; it is called from Call's goroutine.
//
// The next proxy is tried only where the phone provably did not ring. Silence
// proves nothing.
func (c *Caller) Call(ctx context.Context, inv Invite, report func(Progress)) (*Call, error) {
	if f := c.refuse(inv); f != nil {
		return nil, f
	}
	if report == nil {
		report = func(Progress) {}
	}
	defer c.work.enter()()
	ring, cancel := context.WithTimeout(ctx, or(inv.RingTimeout, defaultRing))
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	targets, err := c.proxies.list(ring)
	if err != nil {
		return nil, &Failure{Class: Failed, Fault: FaultCarrier, Reason: "the carrier's proxies cannot be resolved", Err: err}
	}
	stream, err := c.cfg.Open()
	if err != nil {
		return nil, noMedia(err)
	}
	p := &placing{c: c, inv: inv, report: report, ring: ring, wish: ctx, stream: stream}
	p.deadline, _ = ring.Deadline()
	var f *Failure
	for _, t := range targets {
		var call *Call
		if call, f = p.try(t); f == nil {
			return c.kept(call)
		}
		f.Path, f.MayHaveRung = p.path, f.MayHaveRung || p.rang
		if !p.mayTryNext(f) {
			break
		}
		c.log.Info("the phone did not ring; the next proxy is tried", "proxy", t.addr, "status", f.Status, "reason", f.Reason)
	}
	_ = stream.Close() // nothing was sent on it
	return nil, f
}

// kept gives a call to who placed it, unless Stop began before it was answered and
// so does not know it: then it is hung up.
func (c *Caller) kept(call *Call) (*Call, error) {
	if !c.isStopping() {
		return call, nil
	}
	call.finish(End{By: ByUs, Reason: "the caller stops"}, true)
	return nil, &Failure{Class: Canceled, Fault: FaultOurs, Status: 200, Reason: "the caller stops", MayHaveRung: true, Path: call.path, Err: ErrGone}
}

// noMedia is the failure of a call that our own media refused; nothing was sent.
func noMedia(err error) *Failure {
	if errors.Is(err, media.ErrBusy) {
		return &Failure{Class: NoRoom, Fault: FaultOurs, Reason: "there is no room for another call", Err: err}
	}
	return &Failure{Class: Failed, Fault: FaultOurs, Reason: "our media could not be opened", Err: err}
}

// mayTryNext is the rule against a second ring.
func (p *placing) mayTryNext(f *Failure) bool {
	if f.MayHaveRung || p.ring.Err() != nil {
		return false
	}
	return f.Status == 0 && errors.Is(f.Err, errNotSent) || slices.Contains(p.c.cfg.Failover, f.Status)
}

// refuse checks what would break the request.
func (c *Caller) refuse(inv Invite) *Failure {
	c.mu.Lock()
	stopping := c.stopping || c.ua == nil
	c.mu.Unlock()
	ours := func(reason string) *Failure { return &Failure{Class: Failed, Fault: FaultOurs, Reason: reason} }
	if stopping {
		return ours("the caller is stopped")
	}
	if inv.To == "" || unsafeUser(inv.To) || unsafeUser(inv.From) || unsafeText(inv.Display) {
		return ours("the number or name has characters that SIP does not carry")
	}
	for _, h := range inv.Headers {
		if err := h.check(); err != nil {
			return &Failure{Class: Failed, Fault: FaultOurs, Reason: "a header of the call cannot be sent", Err: err}
		}
	}
	return nil
}

// unsafeUser says that a text is no user part of a SIP URI (RFC 3261 25.1); "#"
// is escaped by escapeUser.
func unsafeUser(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune("<>\"@:\\^`{|}[]%", r) {
			return true
		}
	}
	return false
}

// escapeUser writes "#", which a dialled number may have, as a URI carries it.
func escapeUser(s string) string { return strings.ReplaceAll(s, "#", "%23") }

// try calls through one address: an INVITE, and again where it was challenged or
// its session timer was too short.
func (p *placing) try(t target) (*Call, *Failure) {
	c := p.c
	sess := newSession(&c.cfg, c.mediaAddr(p.stream, t))
	req := p.invite(t, sess)
	seen := rounds{}
	for {
		c.keys.sign(req, t.host)
		l, f := p.transact(t, req)
		if f != nil {
			return nil, f
		}
		res := l.res
		switch {
		case res.IsSuccess():
			return p.answered(t, sess, l)
		case p.rang: // on one branch, whatever another says: a new INVITE would ring again
			return nil, p.final(t, res)
		case challenged(res) && c.keys.learn(res, t.host, seen) == nil:
		case res.StatusCode == 422 && p.minSE == 0 && p.longer(res, req):
		default:
			return nil, p.final(t, res)
		}
		req = req.Clone()
		c.aim(req, t.addr)
		req.CSeq().SeqNo++
		setBranch(req)
	}
}

// invite writes the INVITE.
func (p *placing) invite(t target, sess *session) *sip.Request {
	c, cfg := p.c, &p.c.cfg
	port := 0
	if t.addr.Port() != c.proxies.defaultPort() {
		port = int(t.addr.Port())
	}
	dest := uri(escapeUser(p.inv.To), t.host, cfg.URIParams...)
	dest.Port = port
	req := c.newRequest(sip.INVITE, dest, t.addr)
	own := uri(escapeUser(p.inv.From), or(cfg.FromDomain, t.host))
	from := &sip.FromHeader{DisplayName: or(p.inv.Display, cfg.Display), Address: own}
	from.Params.Add("tag", token(8))
	to := &sip.ToHeader{Address: uri(escapeUser(p.inv.To), t.host)}
	id := sip.CallIDHeader(token(16))
	all := []sip.Header{
		from, to, &id, &sip.CSeqHeader{SeqNo: 1, MethodName: sip.INVITE},
		c.contact(escapeUser(p.inv.From), t.addr),
		sip.NewHeader("Allow", allowed), sip.NewHeader("Supported", "timer"), sip.NewHeader("User-Agent", userAgent),
	}
	if cfg.PAI {
		all = append(all, sip.NewHeader("P-Asserted-Identity", "<"+own.String()+">"))
	}
	if cfg.Privacy != "" {
		all = append(all, sip.NewHeader("Privacy", cfg.Privacy))
	}
	if cfg.SessionTimer.Expires > 0 {
		all = append(all, timerHeaders(cfg.SessionTimer.Expires, cfg.SessionTimer.MinSE, cfg.SessionTimer.Refresher)...)
	}
	for _, h := range slices.Concat(cfg.Headers, p.inv.Headers) {
		all = append(all, sip.NewHeader(h.Name, h.Value))
	}
	all = append(all, sip.NewHeader("Content-Type", "application/sdp"))
	for _, h := range all {
		req.AppendHeader(h)
	}
	req.SetBody(sess.offer())
	return req
}

// longer raises the session timer to what a 422 wants (RFC 4028 section 7.3).
func (p *placing) longer(res *sip.Response, req *sip.Request) bool {
	n, ok := smallNumber(first(res, "Min-SE"))
	if !ok || n <= 0 || n > 24*3600 {
		return false
	}
	p.minSE = time.Duration(n) * time.Second
	req.RemoveHeader("Session-Expires")
	req.RemoveHeader("Min-SE")
	for _, h := range timerHeaders(max(p.minSE, p.c.cfg.SessionTimer.Expires), p.minSE, p.c.cfg.SessionTimer.Refresher) {
		req.AppendHeader(h)
	}
	return true
}

// final classifies an answer and marks the proxy where it asks for that.
func (p *placing) final(t target, res *sip.Response) *Failure {
	f := classify(res.StatusCode, parseReasons(values(res, "Reason")), p.rang)
	f.RetryAfter = parseRetryAfter(first(res, "Retry-After"))
	if res.StatusCode == 503 {
		p.c.proxies.down(t.addr, or(f.RetryAfter, p.c.cfg.DownFor), reasonRetryAfter)
	}
	return f
}

// note records a provisional answer.
func (p *placing) note(res *sip.Response) {
	p.path.read(res)
	kinds := map[int]ProgressKind{100: Trying, 180: Ringing, 181: Forwarded, 182: Queued, 183: Early}
	if res.StatusCode/10 == 18 {
		p.rang = true
	}
	if k, ok := kinds[res.StatusCode]; ok {
		p.report(Progress{k, res.StatusCode})
	}
}

// read records how the call was diverted: 181, History-Info (RFC 7044) and
// Diversion (RFC 5806). The numbers in them are not kept.
func (p *Path) read(res *sip.Response) {
	hops := 0
	add := func(reason string) {
		if reason = strings.ToLower(reason); reason != "" && len(reason) <= 40 && !slices.Contains(p.Reasons, reason) && len(p.Reasons) < 10 {
			p.Reasons = append(p.Reasons, reason)
		}
	}
	for _, v := range values(res, "Diversion") {
		for _, one := range splitQuoted(v, ',') {
			hops++
			p.Forwarded = true
			for _, param := range splitQuoted(one, ';') {
				if k, v, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(k, "reason") {
					add(unquote(v))
				}
			}
		}
	}
	entries := 0
	for _, v := range values(res, "History-Info") {
		for _, one := range splitQuoted(v, ',') {
			entries++
			if _, rest, ok := strings.Cut(one, "cause="); ok {
				end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
				if end < 0 {
					end = len(rest)
				}
				if n, ok := smallNumber(rest[:end]); ok && n < 1000 {
					add(strconv.Itoa(n))
				}
			}
		}
	}
	p.Forwarded = p.Forwarded || entries > 1 || res.StatusCode == 181
	p.Hops = max(p.Hops, hops, entries)
}
