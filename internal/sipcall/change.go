package sipcall

import (
	"bytes"
	"context"
	"time"

	"github.com/emiago/sipgo/sip"
)

// change answers a re-INVITE or an UPDATE: hold, another codec, another address,
// or no more than a refresh of the session (RFC 3264 section 8, RFC 3311, RFC 4028).
func (call *Call) change(req *sip.Request, tx *sip.ServerTx) {
	c := call.c
	if !call.takeTurn() { // RFC 3261 14.2
		c.respond(tx, c.reply(req, 491, "Request Pending"))
		return
	}
	defer call.endTurn()
	expires := timerOf(req)
	if expires.interval > 0 && expires.interval < c.cfg.SessionTimer.MinSE {
		c.respond(tx, c.reply(req, 422, "Session Interval Too Small"))
		return
	}
	body, ok := call.renegotiate(req)
	if !ok {
		c.respond(tx, c.reply(req, 488, "Not Acceptable Here"))
		return
	}
	call.d.refresh(req)
	call.d.resolve(call.life)
	res := c.reply(req, 200, "OK")
	res.AppendHeader(c.contact(call.d.user, call.d.origin))
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Supported", "timer"))
	if expires.interval > 0 {
		expires.refresher = or(expires.refresher, "uac")
		res.AppendHeader(expires.header())
		res.AppendHeader(sip.NewHeader("Require", "timer"))
	}
	if body != nil {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	if req.Method == sip.UPDATE {
		c.respond(tx, res)
	} else if ack := call.untilACK(call.life, tx, res); ack != nil && len(bytes.TrimSpace(req.Body())) == 0 {
		call.takeAnswer(ack.Body())
	}
	call.startTimer(expires, expires.interval > 0, false)
}

// turnWait is how long another change may take to end. Without it an answer and
// the request behind it, which sipgo hands up in any order, would meet here.
const turnWait = 100 * time.Millisecond

// takeTurn says whether no other change of the session is under way.
func (call *Call) takeTurn() bool {
	limit := time.NewTimer(turnWait)
	defer limit.Stop()
	select {
	case call.changing <- struct{}{}:
		return true
	case <-limit.C:
		return false
	}
}

// endTurn lets the next change in.
func (call *Call) endTurn() { <-call.changing }

// renegotiate makes the body of the 2xx: our answer, or our offer where a
// re-INVITE brought none. The stream follows an offer at once.
func (call *Call) renegotiate(req *sip.Request) (body []byte, ok bool) {
	if len(bytes.TrimSpace(req.Body())) == 0 {
		if req.Method == sip.UPDATE {
			return nil, true
		}
		return call.sess.offer(), true
	}
	before := *call.sess
	body, remote, err := call.sess.answer(req.Body())
	if err == nil {
		err = call.stream.Connect(remote)
	}
	if err != nil {
		*call.sess = before // RFC 3261 14.2: the session stays as it was
		return nil, false
	}
	return body, true
}

// takeAnswer takes the answer that an ACK brought to the offer in our 2xx.
func (call *Call) takeAnswer(body []byte) {
	remote, err := call.sess.accept(body)
	if err == nil {
		err = call.stream.Connect(remote)
	}
	if err != nil {
		call.finish(End{By: ByMedia, Reason: "the media could not be agreed on"}, true)
	}
}

// untilACK sends a 2xx to an INVITE, and again over UDP until the ACK comes
// (RFC 3261 13.3.1.4). It returns nil where none came.
func (call *Call) untilACK(ctx context.Context, tx *sip.ServerTx, res *sip.Response) *sip.Request {
	seq := res.CSeq().SeqNo
	ack := make(chan *sip.Request, 1)
	call.mu.Lock()
	call.acks[seq] = ack
	call.mu.Unlock()
	defer func() {
		call.mu.Lock()
		delete(call.acks, seq)
		call.mu.Unlock()
	}()
	limit := time.NewTimer(transactionTime)
	defer limit.Stop()
	wait := t1
	again := time.NewTimer(wait)
	defer again.Stop()
	call.c.respond(tx, res)
	for {
		select {
		case req := <-ack:
			return req
		case <-again.C:
			wait = min(2*wait, t2)
			again.Reset(wait)
			if call.c.cfg.Transport == UDP {
				call.c.respond(tx, res)
			}
		case <-limit.C:
			call.finish(End{By: ByTimer, Reason: "the other end did not acknowledge an answer"}, true)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// acknowledged takes an ACK to a 2xx of ours.
func (call *Call) acknowledged(req *sip.Request) {
	if req.CSeq() == nil {
		return
	}
	call.mu.Lock()
	ack := call.acks[req.CSeq().SeqNo]
	call.mu.Unlock()
	if ack != nil {
		select {
		case ack <- req:
		default: // a copy
		}
	}
}
