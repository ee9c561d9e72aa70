package sipcall

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// Incoming is a call to us that waits to be answered or rejected. A handler that
// returns without doing either rejects it with 480.
type Incoming struct {
	From, To string // user parts as the carrier wrote them

	c    *Caller
	req  *sip.Request
	tx   *sip.ServerTx
	once sync.Once
	done chan struct{} // closed when it was answered or rejected
}

// errDecided says that an incoming call was answered, rejected or given up before.
var errDecided = errors.New("sipcall: the incoming call is decided already")

// incomingCall takes an INVITE outside of any dialog.
func (c *Caller) incomingCall(req *sip.Request, tx *sip.ServerTx) {
	leave := c.work.enter()
	defer leave()
	if status, reason := c.admit(req); status != 0 {
		c.reject(req, tx, status, reason)
		return
	}
	ctx, cancel := context.WithCancel(c.life)
	defer cancel()
	if !tx.OnCancel(func(*sip.Request) { cancel() }) { // sipgo answers the CANCEL and sends 487
		c.leaveIncoming()
		return
	}
	in := &Incoming{c: c, req: req, tx: tx, done: make(chan struct{})}
	in.From, in.To = req.From().Address.User, req.To().Address.User
	c.cfg.Incoming(ctx, in)
	if ctx.Err() != nil {
		in.once.Do(func() { close(in.done); c.leaveIncoming() })
		return
	}
	_ = in.Reject(480) // nothing happens if it was decided
}

// admit counts an incoming call in; 0: it may come.
func (c *Caller) admit(req *sip.Request) (status int, reason string) {
	if c.cfg.Incoming == nil || c.cfg.MaxIncoming < 0 {
		return 403, "Forbidden"
	}
	if s := timerOf(req); s.interval > 0 && s.interval < c.cfg.SessionTimer.MinSE {
		return 422, "Session Interval Too Small"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopping:
		return 503, "Service Unavailable"
	case c.incoming >= c.cfg.MaxIncoming:
		return 486, "Busy Here"
	}
	c.incoming++
	return 0, ""
}

// leaveIncoming takes back what admit counted.
func (c *Caller) leaveIncoming() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incoming--
}

// reject sends a final answer and waits for its ACK where sipgo would else keep
// a goroutine for it.
func (c *Caller) reject(req *sip.Request, tx *sip.ServerTx, status int, reason string) {
	c.respond(tx, c.reply(req, status, reason))
	c.work.Go(func() {
		select {
		case <-tx.Acks():
		case <-tx.Done():
		case <-c.life.Done():
		}
	})
}

// Reject refuses the call: 403, 480, 486 or 603.
func (in *Incoming) Reject(status int) error {
	reasons := map[int]string{403: "Forbidden", 480: "Temporarily Unavailable", 486: "Busy Here", 603: "Decline"}
	if _, ok := reasons[status]; !ok {
		status = 480
	}
	err := errDecided
	in.once.Do(func() {
		err = nil
		close(in.done)
		in.c.leaveIncoming()
		in.c.reject(in.req, in.tx, status, reasons[status])
	})
	return err
}

// Answer takes the call and returns when the other end has acknowledged that.
func (in *Incoming) Answer(ctx context.Context) (*Call, error) {
	var call *Call
	err := errDecided
	in.once.Do(func() {
		close(in.done)
		if call, err = in.answer(ctx); err != nil {
			in.c.leaveIncoming()
		}
	})
	return call, err
}

// answer opens media, agrees on it, and sends the 2xx until it is acknowledged. The
// call is counted as incoming from here until it ends.
func (in *Incoming) answer(ctx context.Context) (*Call, error) {
	c := in.c
	stream, err := c.cfg.Open()
	if err != nil {
		c.reject(in.req, in.tx, 486, "Busy Here")
		return nil, noMedia(err)
	}
	source, _ := netip.ParseAddrPort(in.req.Source())
	d := c.answeringDialog(ctx, in.req, source)
	sess := newSession(&c.cfg, c.mediaAddr(stream, target{addr: source}))
	call := c.newCall(d, stream, sess)
	call.changing <- struct{}{} // it is free: the call has just been made
	defer call.endTurn()
	body, ok := call.renegotiate(in.req)
	if !ok {
		c.reject(in.req, in.tx, 488, "Not Acceptable Here")
		call.finish(End{By: ByMedia, Reason: "the media could not be agreed on"}, false)
		return nil, &Failure{Class: Failed, Fault: FaultCarrier, Status: 488, Reason: "the incoming call's media cannot be used"}
	}
	res := c.reply(in.req, 200, "OK")
	res.To().Params = d.local.Params.Clone()
	for _, h := range []sip.Header{
		c.contact(d.user, d.origin), sip.NewHeader("Allow", allowed), sip.NewHeader("Supported", "timer"),
		sip.NewHeader("Content-Type", "application/sdp"),
	} {
		res.AppendHeader(h)
	}
	expires := timerOf(in.req)
	if expires.interval > 0 {
		expires.refresher = or(expires.refresher, "uac")
		res.AppendHeader(expires.header())
		res.AppendHeader(sip.NewHeader("Require", "timer"))
	}
	res.SetBody(body)
	ack := call.untilACK(call.life, in.tx, res)
	if ack != nil && len(bytes.TrimSpace(in.req.Body())) == 0 {
		call.takeAnswer(ack.Body())
	}
	if call.life.Err() != nil || ack == nil || c.isStopping() {
		call.finish(End{By: ByTimer, Reason: "the other end did not acknowledge the answer"}, true)
		return nil, ErrGone
	}
	call.mu.Lock()
	call.incoming = call.end == nil
	over := !call.incoming
	call.secure, call.update = sess.agreed != nil && sess.agreed.Send != nil, allows(in.req, sip.UPDATE)
	call.mu.Unlock()
	if over {
		return nil, ErrGone
	}
	call.startTimer(expires, expires.interval > 0, false)
	return call, nil
}

// answeringDialog is the dialog of an INVITE that we answer.
func (c *Caller) answeringDialog(ctx context.Context, req *sip.Request, source netip.AddrPort) *dialog {
	from, to := req.From(), req.To()
	d := &dialog{
		c: c, id: string(*req.CallID()), user: to.Address.User, host: from.Address.Host,
		origin: netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), target: from.Address,
		remoteSeq: req.CSeq().SeqNo, release: func() {}, leave: c.peers.hold(source.Addr()),
		local:  sip.FromHeader{DisplayName: to.DisplayName, Address: to.Address},
		remote: sip.ToHeader{DisplayName: from.DisplayName, Address: from.Address, Params: from.Params.Clone()},
	}
	d.local.Params.Add("tag", token(8))
	d.refresh(req)
	for _, h := range req.GetHeaders("Record-Route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	d.routes = slices.Clip(d.routes)
	d.resolve(ctx)
	return d
}
