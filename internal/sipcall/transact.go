package sipcall

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// leg is an INVITE with its transaction and its final answer.
type leg struct {
	tx    *sip.ClientTx
	req   *sip.Request
	res   *sip.Response
	forks *forks
}

// errBounced says that ICMP brought an INVITE back.
var errBounced = errors.New("sipcall: the proxy's port is closed")

// transact sends one INVITE and waits for its final answer, however many
// provisional ones come before.
func (p *placing) transact(t target, req *sip.Request) (leg, *Failure) {
	c := p.c
	if p.ring.Err() != nil {
		return leg{}, p.gaveUp(nil)
	}
	leave := c.peers.hold(t.addr.Addr()) // DNS may name others meanwhile: this one must still be heard
	defer leave()
	waiting := &sending{to: t.addr, at: time.Now(), bounced: make(chan struct{})}
	branch := req.Via().Params.GetOr("branch", "")
	c.mu.Lock()
	c.sending[branch] = waiting
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.sending, branch)
		c.mu.Unlock()
	}()
	tx, err := c.begin(p.ring, req)
	if err != nil {
		return leg{}, p.notSent(t, err)
	}
	forks := &forks{c: c, req: req, t: t}
	tx.OnRetransmission(forks.again)
	silent := time.NewTimer(c.cfg.NoTrying)
	defer silent.Stop()
	bounced := waiting.bounced
	heard := false
	for {
		select {
		case res := <-tx.Responses():
			heard, bounced = true, nil
			silent.Stop()
			c.proxies.alive(t.addr)
			if !res.IsProvisional() {
				p.rang = p.rang || waiting.rang.Load()
				forks.first(res)
				return leg{tx, req, res, forks}, nil
			}
			p.note(res)
		case <-silent.C:
			c.proxies.down(t.addr, c.cfg.DownFor, reasonSilent)
		case <-bounced:
			tx.Terminate()
			c.proxies.down(t.addr, c.cfg.DownFor, reasonUnreachable)
			return leg{}, &Failure{Class: Failed, Fault: FaultCarrier, Reason: "the carrier's proxy is not there", Err: errors.Join(errNotSent, errBounced)}
		case <-tx.Done():
			if heard { // the connection broke; what rings behind the proxy does not know that
				c.work.Go(func() { c.cancel(req) })
			}
			return leg{}, &Failure{Class: Failed, Fault: FaultCarrier, Reason: "the carrier did not answer", MayHaveRung: true, Err: tx.Err()}
		case <-p.ring.Done():
			return leg{}, p.gaveUp(p.abandon(t, leg{tx: tx, req: req}, heard))
		}
	}
}

// notSent is the failure of an INVITE that did not leave.
func (p *placing) notSent(t target, err error) *Failure {
	if errors.Is(err, sip.ErrUDPMTUCongestion) {
		return &Failure{Class: Failed, Fault: FaultOurs, Reason: "the call's request is over 1300 bytes, which UDP does not carry: use tcp or tls", Err: err}
	}
	if p.ring.Err() != nil {
		return p.gaveUp(nil)
	}
	p.c.proxies.down(t.addr, p.c.cfg.DownFor, reasonUnreachable)
	return &Failure{Class: Failed, Fault: FaultCarrier, Reason: "the carrier's proxy cannot be reached", Err: err}
}

// gaveUp is the failure of a call that rang too long or that nobody wants any
// more. res is the final answer that came after all, or nil.
func (p *placing) gaveUp(left *abandoned) *Failure {
	f := &Failure{Class: NoAnswer, Fault: FaultPerson, Reason: "nobody answered in time", Err: context.DeadlineExceeded}
	if left != nil {
		f.MayHaveRung = true
		f.Status = left.status()
	}
	switch {
	case p.wish.Err() != nil:
		f.Class, f.Fault, f.Reason, f.Err = Canceled, FaultOurs, "the call was canceled", context.Cause(p.wish)
	case p.c.life.Err() != nil:
		f.Class, f.Fault, f.Reason, f.Err = Canceled, FaultOurs, "the caller stops", p.c.life.Err()
	case left == nil && !p.rang:
		f.Class, f.Fault, f.Reason = Failed, FaultCarrier, "the carrier's proxy could not be reached in time"
	case !p.rang && f.Status == 0 && left != nil && !left.heard:
		f.Class, f.Fault, f.Reason = Failed, FaultCarrier, "the carrier did not answer"
	}
	return f
}

// abandoned is an INVITE that is being canceled.
type abandoned struct {
	heard bool // a provisional answer had come

	mu    sync.Mutex
	final int
}

// status is the INVITE's final answer so far; 0: none.
func (a *abandoned) status() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.final
}

// abandon cancels an INVITE and follows it to its end, because it may be answered
// all the same: then the answer is acknowledged and hung up at once. It returns
// soon; what takes longer is followed unseen, at most for 64*T1 twice.
func (p *placing) abandon(t target, l leg, heard bool) *abandoned {
	left := &abandoned{heard: heard}
	over := make(chan struct{})
	c := p.c
	leave := c.peers.hold(t.addr.Addr())
	c.work.Go(func() {
		defer close(over)
		defer leave()
		res := c.follow(l, heard)
		if res == nil {
			return
		}
		left.mu.Lock()
		left.final = res.StatusCode
		left.mu.Unlock()
		if res.IsSuccess() {
			c.dropAnswer(t, l.req, res)
		}
	})
	wait := time.NewTimer(cancelWait)
	defer wait.Stop()
	select {
	case <-over:
	case <-wait.C:
	}
	return left
}

// follow sends CANCEL as soon as the INVITE had a provisional answer (RFC 3261
// 9.1) and waits for the INVITE's own final answer; nil: none came.
func (c *Caller) follow(l leg, heard bool) *sip.Response {
	limit := time.NewTimer(transactionTime + time.Second)
	defer limit.Stop()
	canceled := false
	cancel := func() {
		if !canceled {
			canceled = true
			limit.Reset(transactionTime + time.Second)
			c.work.Go(func() { c.cancel(l.req) })
		}
	}
	if heard {
		cancel()
	}
	for {
		select {
		case res := <-l.tx.Responses():
			if !res.IsProvisional() {
				return res
			}
			cancel()
		case <-l.tx.Done():
			return nil
		case <-limit.C:
			l.tx.Terminate()
			return nil
		}
	}
}

// cancel sends the CANCEL of an INVITE: to the very address that the INVITE went
// to, with its Via, its Route and its Request-URI, whatever the answers' headers say.
func (c *Caller) cancel(invite *sip.Request) {
	req := sip.NewRequest(sip.CANCEL, invite.Recipient)
	req.AppendHeader(invite.Via().Clone())
	sip.CopyHeaders("Route", invite, req)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	for _, name := range []string{"From", "To", "Call-ID"} {
		sip.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	ctx, stop := context.WithTimeout(context.WithoutCancel(c.life), transactionTime+time.Second)
	defer stop()
	_, _ = c.once(ctx, req) // the INVITE's own answer is what counts
}

// dropAnswer acknowledges an answer that nobody wants and hangs up.
func (c *Caller) dropAnswer(t target, req *sip.Request, res *sip.Response) {
	ctx := context.WithoutCancel(c.life)
	d := c.newDialog(ctx, req, res, t)
	d.send(d.ack(req, req.CSeq().SeqNo))
	_, _ = d.bye(ctx)
}

// forks answers what comes after the first 2xx: its copies, and the answers of
// other branches of a forked call, which are hung up.
type forks struct {
	c   *Caller
	req *sip.Request
	t   target

	mu    sync.Mutex
	tag   string          // of the answer that was taken
	ack   func()          // sends its ACK again
	other map[string]bool // tags of the others
}

// first takes the first final answer.
func (f *forks) first(res *sip.Response) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to := res.To(); to != nil {
		f.tag = tagOf(to.Params)
	}
}

// taken says how the answer that was taken is acknowledged again.
func (f *forks) taken(ack func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ack = ack
}

// again takes a further 2xx of the same INVITE.
func (f *forks) again(res *sip.Response) {
	tag := ""
	if to := res.To(); to != nil {
		tag = tagOf(to.Params)
	}
	f.mu.Lock()
	ack, known := f.ack, f.other[tag]
	ours := tag == f.tag
	if !ours && !known && len(f.other) < 16 {
		if f.other == nil {
			f.other = map[string]bool{}
		}
		f.other[tag] = true
	}
	f.mu.Unlock()
	switch {
	case ours && ack != nil:
		ack()
	case !ours && !known:
		f.c.work.Go(func() { f.c.dropAnswer(f.t, f.req, res) })
	}
}
