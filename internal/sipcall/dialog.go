package sipcall

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// dialog is one INVITE's dialog (RFC 3261 12), of either side: what it takes to
// send a request in it, and to know one of the other end.
type dialog struct {
	c      *Caller
	id     string         // Call-ID
	local  sip.FromHeader // our name and tag
	remote sip.ToHeader   // theirs
	user   string         // of our Contact
	host   string         // whose credentials serve
	origin netip.AddrPort // where the INVITE went to or came from

	mu        sync.Mutex
	target    sip.Uri   // their Contact
	routes    []sip.Uri // in the order in which we send them
	dest      netip.AddrPort
	seq       uint32 // the last that we used
	remoteSeq uint32 // the last that they used
	release   func() // lets go of dest
	leave     func() // lets go of origin
}

// dialogKey names a dialog for a request of the other end.
func dialogKey(callID, ourTag string) string { return callID + " " + ourTag }

func (d *dialog) key() string { return dialogKey(d.id, tagOf(d.local.Params)) }

// newDialog is the dialog that an answer to our INVITE makes.
func (c *Caller) newDialog(ctx context.Context, req *sip.Request, res *sip.Response, t target) *dialog {
	d := &dialog{
		c: c, id: string(*req.CallID()), local: *req.From(), remote: *req.To(), host: t.host, origin: t.addr,
		target: req.Recipient, seq: req.CSeq().SeqNo, release: func() {}, leave: c.peers.hold(t.addr.Addr()),
	}
	if to := res.To(); to != nil {
		d.remote = *to
	}
	if own := req.Contact(); own != nil {
		d.user = own.Address.User
	}
	d.refresh(res)
	for _, h := range res.GetHeaders("Record-Route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	slices.Reverse(d.routes)
	d.resolve(ctx)
	return d
}

// refresh takes the other end's newest Contact.
func (d *dialog) refresh(m interface{ Contact() *sip.ContactHeader }) {
	if h := m.Contact(); h != nil && !h.Address.Wildcard && h.Address.Host != "" {
		d.mu.Lock()
		d.target = *h.Address.Clone()
		d.mu.Unlock()
	}
}

// resolve finds the next hop: the first route, or the target. What cannot be
// resolved is reached through the INVITE's own address.
func (d *dialog) resolve(ctx context.Context) {
	d.mu.Lock()
	hop := d.target
	if len(d.routes) > 0 {
		hop = d.routes[0]
	}
	d.mu.Unlock()
	dest := d.origin
	port := uint16(hop.Port)
	if port == 0 {
		port = d.c.proxies.defaultPort()
	}
	host := trimBrackets(hop.Host)
	if ip, err := netip.ParseAddr(host); err == nil {
		dest = netip.AddrPortFrom(ip.Unmap(), port)
	} else if host != "" && host != d.host {
		ctx, cancel := context.WithTimeout(ctx, t1)
		defer cancel()
		if all, err := d.c.proxies.lookupHost(ctx, host, host, port); err == nil && len(all) > 0 {
			dest = all[0].addr
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if dest != d.dest {
		d.release()
		d.dest, d.release = dest, d.c.peers.hold(dest.Addr())
	}
}

// trimBrackets takes the brackets of an IPv6 reference away.
func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' {
		return host[1 : len(host)-1]
	}
	return host
}

// done lets go of what the dialog holds.
func (d *dialog) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
	d.leave()
}

// known says whether a request goes to the carrier, or to where the INVITE went or
// came from. Our credentials are for nobody else: Contact and Record-Route are the
// called party's words, and who challenges a BYE could try out passwords at leisure.
func (d *dialog) known(req *sip.Request) bool {
	to, err := netip.ParseAddrPort(req.Destination())
	return err == nil && (to.Addr().Unmap() == d.origin.Addr().Unmap() || d.c.peers.carrier(to.Addr()))
}

// request makes a request in the dialog. seq 0 takes the next number.
func (d *dialog) request(method sip.RequestMethod, seq uint32) *sip.Request {
	d.mu.Lock()
	if seq == 0 {
		d.seq++
		seq = d.seq
	}
	dest, target, routes := d.dest, d.target, slices.Clone(d.routes)
	d.mu.Unlock()
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router, RFC 3261 12.2.1.1
		routes, target = append(routes[1:], target), routes[0]
	}
	req := d.c.newRequest(method, target, dest)
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	from, to, id := d.local, d.remote, sip.CallIDHeader(d.id)
	from.Params, to.Params = from.Params.Clone(), to.Params.Clone()
	for _, h := range []sip.Header{&from, &to, &id, &sip.CSeqHeader{SeqNo: seq, MethodName: method}, sip.NewHeader("User-Agent", userAgent)} {
		req.AppendHeader(h)
	}
	if method == sip.INVITE || method == sip.UPDATE {
		req.AppendHeader(d.c.contact(d.user, dest))
		req.AppendHeader(sip.NewHeader("Allow", allowed))
		req.AppendHeader(sip.NewHeader("Supported", "timer"))
	}
	req.SetBody(nil)
	return req
}

// do sends a request of the dialog and returns its final answer.
func (d *dialog) do(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	seen := rounds{}
	for {
		known := d.known(req)
		if known {
			d.c.keys.sign(req, d.host)
		}
		res, err := d.c.once(ctx, req)
		if err != nil || !challenged(res) || !known || d.c.keys.learn(res, d.host, seen) != nil {
			return res, err
		}
		again := d.request(req.Method, 0)
		again.SetBody(req.Body())
		for _, name := range []string{"Content-Type", "Session-Expires", "Min-SE", "Reason"} {
			sip.CopyHeaders(name, req, again)
		}
		req = again
	}
}

// ack acknowledges a 2xx, with the INVITE's credentials (RFC 3261 22.1). It is
// sent again, as it is, for every copy of the 2xx.
func (d *dialog) ack(invite *sip.Request, seq uint32) *sip.Request {
	req := d.request(sip.ACK, seq)
	if !d.known(req) {
		return req
	}
	for _, a := range asks {
		sip.CopyHeaders(a.answer, invite, req)
	}
	return req
}

// send writes a request that has no transaction: an ACK. Where the dialog's own
// target cannot be reached, the INVITE's address is tried.
func (d *dialog) send(req *sip.Request) {
	if d.write(req.Clone()) == nil || req.Destination() == d.origin.String() {
		return
	}
	again := req.Clone()
	again.SetDestination(d.origin.String())
	_ = d.write(again) // the other end repeats its 2xx, and the ACK is tried again
}

// write sends a request over a connection that is made soon or not at all: sipgo's
// own write would dial a target that does not answer for a minute, and the call
// would wait for its ACK.
func (d *dialog) write(req *sip.Request) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.c.life), ackDial)
	defer cancel()
	conn, err := d.c.tp.ClientRequestConnection(ctx, req)
	if err != nil {
		return err
	}
	defer func() { _, _ = conn.TryClose() }() // counts down; others hold it
	return conn.WriteMsg(req)
}

// bye ends the dialog. It goes on for as long as the transaction does: a BYE
// that is lost would be a call that is charged on.
func (d *dialog) bye(ctx context.Context) (*sip.Response, error) {
	defer d.done()
	req := d.request(sip.BYE, 0)
	ctx, cancel := context.WithTimeout(ctx, transactionTime+time.Second)
	defer cancel()
	res, err := d.do(ctx, req)
	if err == nil && !challenged(res) || !d.fallBack() {
		return res, err
	}
	return d.do(ctx, d.request(sip.BYE, 0))
}

// fallBack makes the INVITE's own address the next hop. It says whether that is
// a change.
func (d *dialog) fallBack() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := d.dest != d.origin
	d.dest = d.origin
	return changed
}
