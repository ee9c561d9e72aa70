package sipcall

import (
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// serve takes every request that comes from a peer. It runs in a goroutine of
// its own for each.
func (c *Caller) serve(req *sip.Request, tx *sip.ServerTx) {
	defer tx.TerminateGracefully()
	if req.IsAck() {
		if call := c.callOf(req); call != nil {
			call.acknowledged(req)
		}
		return
	}
	if status, reason := c.screen(req); status != 0 {
		c.respond(tx, c.reply(req, status, reason))
		return
	}
	call := c.callOf(req)
	inDialog := tagOf(req.To().Params) != ""
	switch {
	case req.Method == sip.OPTIONS:
		c.respond(tx, c.reply(req, 200, "OK"))
	case req.Method == sip.INVITE && !inDialog:
		c.incomingCall(req, tx)
	case !slices.Contains(strings.Split(allowed, ", "), string(req.Method)):
		c.respond(tx, c.reply(req, 405, "Method Not Allowed"))
	case call == nil:
		c.respond(tx, c.reply(req, 481, "Call/Transaction Does Not Exist"))
	case !call.d.inOrder(req):
		c.respond(tx, c.reply(req, 500, "Server Internal Error"))
	default:
		call.serve(req, tx)
	}
}

// serve takes a request within the call.
func (call *Call) serve(req *sip.Request, tx *sip.ServerTx) {
	c := call.c
	switch req.Method {
	case sip.BYE:
		c.respond(tx, c.reply(req, 200, "OK"))
		call.finish(End{By: ByThem, Q850: parseReasons(values(req, "Reason")), Reason: "the other end hung up"}, false)
	case sip.INVITE, sip.UPDATE:
		call.change(req, tx)
	case sip.INFO:
		call.info(req)
		c.respond(tx, c.reply(req, 200, "OK"))
	default: // NOTIFY: of a subscription that we never made, but some carriers send it
		c.respond(tx, c.reply(req, 200, "OK"))
	}
}

// screen refuses what is no request for us; 0: it is one.
func (c *Caller) screen(req *sip.Request) (status int, reason string) {
	switch {
	case req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil || tagOf(req.From().Params) == "":
		return 400, "Bad Request"
	case req.CSeq().MethodName != req.Method:
		return 400, "Bad Request"
	case req.SipVersion != "SIP/2.0":
		return 505, "Version Not Supported"
	case req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips":
		return 416, "Unsupported URI Scheme"
	}
	if len(unsupported(req)) > 0 && req.Method != sip.CANCEL {
		return 420, "Bad Extension"
	}
	return 0, ""
}

// unsupported are the extensions that a request requires and we do not have.
func unsupported(req *sip.Request) (all []string) {
	for _, t := range tokens(req, "Require") {
		if t != "timer" {
			all = append(all, t)
		}
	}
	return all
}

// reply makes an answer with what such an answer has to tell.
func (c *Caller) reply(req *sip.Request, status int, reason string) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	res.AppendHeader(sip.NewHeader("Server", userAgent))
	switch status {
	case 200:
		if req.Method == sip.OPTIONS {
			res.AppendHeader(sip.NewHeader("Allow", allowed))
			res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
			res.AppendHeader(sip.NewHeader("Supported", "timer"))
		}
	case 405:
		res.AppendHeader(sip.NewHeader("Allow", allowed))
	case 420:
		res.AppendHeader(sip.NewHeader("Unsupported", strings.Join(unsupported(req), ", ")))
	case 422:
		res.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(int(c.cfg.SessionTimer.MinSE.Seconds()))))
	}
	return res
}

// respond sends an answer. One that cannot be sent is asked for again by the other
// end's next copy of the request.
func (c *Caller) respond(tx *sip.ServerTx, res *sip.Response) {
	if err := tx.Respond(res); err != nil {
		c.log.Debug("an answer could not be sent", "status", res.StatusCode, "error", scrub(err))
	}
}

// callOf is the call that a request of the other end belongs to, or nil.
func (c *Caller) callOf(req *sip.Request) *Call {
	if req.CallID() == nil || req.To() == nil || req.From() == nil {
		return nil
	}
	c.mu.Lock()
	call := c.calls[dialogKey(string(*req.CallID()), tagOf(req.To().Params))]
	c.mu.Unlock()
	if call == nil || tagOf(call.d.remote.Params) != tagOf(req.From().Params) {
		return nil
	}
	return call
}

// stray takes an answer that belongs to no transaction any more: a late copy of
// the 2xx to a re-INVITE of ours, whose ACK was lost.
func (c *Caller) stray(res *sip.Response) {
	if !res.IsSuccess() || res.CSeq() == nil || res.CSeq().MethodName != sip.INVITE || res.From() == nil || res.CallID() == nil {
		return
	}
	c.mu.Lock()
	call := c.calls[dialogKey(string(*res.CallID()), tagOf(res.From().Params))]
	c.mu.Unlock()
	if call != nil {
		call.d.send(call.d.request(sip.ACK, res.CSeq().SeqNo))
	}
}

// inOrder says that a request is newer than the last one (RFC 3261 12.2.2).
func (d *dialog) inOrder(req *sip.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if req.CSeq().SeqNo < d.remoteSeq {
		return false
	}
	d.remoteSeq = req.CSeq().SeqNo
	return true
}

// info takes keys that come as "Signal=5" (application/dtmf-relay) or "5"
// (application/dtmf), where the trunk is configured to.
func (call *Call) info(req *sip.Request) {
	kind := ""
	if h := req.ContentType(); h != nil {
		kind = strings.ToLower(h.Value())
	}
	if call.keys == nil || !strings.HasPrefix(kind, "application/dtmf") || len(req.Body()) > 200 {
		return
	}
	text := string(req.Body())
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(line, "=")
		if !ok && !strings.Contains(kind, "relay") {
			k, v = "signal", line
		}
		v = strings.ToUpper(strings.TrimSpace(v))
		if strings.EqualFold(strings.TrimSpace(k), "signal") && len(v) == 1 && strings.Contains("0123456789*#ABCD", v) {
			call.pressed(v[0])
			return
		}
	}
}
