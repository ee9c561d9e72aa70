package sipcall

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// wire is the transport's name in Via.
func (c *Caller) wire() string { return strings.ToUpper(string(c.cfg.Transport)) }

// newRequest makes a request without dialog headers. Via comes first: an ICMP
// error quotes only a message's beginning, and its branch must be in there.
func (c *Caller) newRequest(method sip.RequestMethod, uri sip.Uri, to netip.AddrPort) *sip.Request {
	req := sip.NewRequest(method, uri)
	c.addVia(req, to)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	c.aim(req, to)
	return req
}

// addVia puts our Via on top. rport (RFC 3581) asks for answers to the port that
// the request came from, whatever Via says: they find their way through a NAT.
func (c *Caller) addVia(req *sip.Request, to netip.AddrPort) {
	local := c.localTo(to.Addr())
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: c.wire(),
		Host: local.Addr().String(), Port: int(local.Port()),
	}
	via.Params.Add("branch", sip.GenerateBranchN(24))
	via.Params.Add("rport", "") // RFC 3581
	req.PrependHeader(via)
}

// aim fixes where the request goes and where from. Over UDP it leaves from the
// socket that we listen on, always: from another port the trunk's access list,
// or a NAT, would not know it.
func (c *Caller) aim(req *sip.Request, to netip.AddrPort) {
	req.SetTransport(c.wire())
	req.SetDestination(to.String())
	if ip := c.addr.Addr(); c.cfg.Transport == UDP {
		req.Laddr = sip.Addr{IP: ip.AsSlice(), Port: int(c.addr.Port())}
	} else if ip.IsValid() && !ip.IsUnspecified() {
		req.Laddr = sip.Addr{IP: ip.AsSlice()}
	}
}

// uri makes a SIP URI. Its host may be a name, an address, or [IPv6].
func uri(user, host string, params ...string) sip.Uri {
	u := sip.Uri{Scheme: "sip", User: user, Host: strings.Trim(host, "[]")}
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		u.UriParams.Add(k, v)
	}
	return u
}

// contact is where the other end at to reaches us in a dialog. Where we do not
// listen (TLS without a certificate of ours), that is the connection that we made,
// by its port; begin writes it where the connection is not there yet.
func (c *Caller) contact(user string, to netip.AddrPort) *sip.ContactHeader {
	local := c.localTo(to.Addr())
	u := uri(user, local.Addr().String())
	u.Port = int(local.Port())
	if u.Port == 0 {
		if conn, err := c.tp.GetConnection(c.wire(), to.String()); err == nil {
			u.Port = portOf(conn)
		}
	}
	if c.cfg.Transport != UDP {
		u.UriParams.Add("transport", string(c.cfg.Transport))
	}
	return &sip.ContactHeader{Address: u}
}

// token is a random identifier of n bytes.
func token(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return fmt.Sprintf("%x", b)
}

// setBranch gives a request that is sent again a new transaction.
func setBranch(req *sip.Request) {
	via := req.Via()
	via.Params.Remove("branch")
	via.Params.Add("branch", sip.GenerateBranchN(24))
}

// requestTo makes a request outside of any dialog, from our own address of record.
func (c *Caller) requestTo(method sip.RequestMethod, t target, user string) *sip.Request {
	dest := uri("", t.host)
	if t.addr.Port() != c.proxies.defaultPort() {
		dest.Port = int(t.addr.Port())
	}
	req := c.newRequest(method, dest, t.addr)
	from := &sip.FromHeader{Address: uri(user, or(c.cfg.FromDomain, t.host))}
	from.Params.Add("tag", token(8))
	to := &sip.ToHeader{Address: dest}
	id, seq := sip.CallIDHeader(token(16)), &sip.CSeqHeader{SeqNo: 1, MethodName: method}
	for _, h := range []sip.Header{from, to, &id, seq, c.contact(user, t.addr), sip.NewHeader("User-Agent", userAgent)} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	return req
}

// do sends a request that is not an INVITE and returns its final answer. It
// answers challenges. host is whose credentials serve.
func (c *Caller) do(ctx context.Context, req *sip.Request, host string) (*sip.Response, error) {
	seen := rounds{}
	for {
		c.keys.sign(req, host)
		res, err := c.once(ctx, req)
		if err != nil || !challenged(res) || c.keys.learn(res, host, seen) != nil {
			return res, err
		}
		req = req.Clone()
		req.CSeq().SeqNo++
		setBranch(req)
	}
}

// once is one transaction.
func (c *Caller) once(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	tx, err := c.begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("sipcall: %s: %w", req.Method, tx.Err())
		case <-ctx.Done():
			return nil, fmt.Errorf("sipcall: %s: %w", req.Method, ctx.Err())
		}
	}
}

// begin sends a request. An error is errNotSent: what TCP or UDP did not take as a
// whole, nobody can have read as a request.
func (c *Caller) begin(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	err := c.comeBack(ctx, req)
	var tx *sip.ClientTx
	if err == nil {
		tx, err = c.tx.Request(ctx, req)
	}
	if err != nil {
		return nil, fmt.Errorf("sipcall: %s: %w: %w", req.Method, errNotSent, scrub(err))
	}
	return tx, nil
}

// comeBack connects, where we do not listen, and writes the connection's port into
// Contact: without it the other end would send its BYE to port 5061 of our host.
func (c *Caller) comeBack(ctx context.Context, req *sip.Request) error {
	own := req.Contact()
	if c.addr.Port() != 0 || own == nil {
		return nil
	}
	conn, err := c.tp.ClientRequestConnection(ctx, req)
	if err == nil {
		own.Address.Port = portOf(conn)
	}
	return err
}

// portOf is our port of a connection, which is given back.
func portOf(conn sip.Connection) int {
	defer func() { _, _ = conn.TryClose() }() // counts down; others hold it
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// scrub keeps the innermost cause of sipgo's error: the texts around it quote
// the request line, and with it the number.
func scrub(err error) error {
	for {
		var next error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			next = e.Unwrap()[0]
		}
		if next == nil {
			break
		}
		err = next
	}
	if strings.Contains(err.Error(), "sip:") {
		return errNotSent
	}
	return err
}

// values are the texts of all headers of a name.
func values(m sip.Message, name string) (all []string) {
	for _, h := range m.GetHeaders(name) {
		all = append(all, h.Value())
	}
	return all
}

// first is the text of a header, or "".
func first(m sip.Message, names ...string) string {
	for _, n := range names {
		if v := values(m, n); len(v) > 0 {
			return strings.TrimSpace(v[0])
		}
	}
	return ""
}

// tokens are the comma-separated words of all headers of a name, in lower case.
func tokens(m sip.Message, names ...string) (all []string) {
	for _, n := range names {
		for _, v := range values(m, n) {
			for _, t := range strings.Split(v, ",") {
				if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// allows says whether the other end's Allow holds a method.
func allows(m sip.Message, method sip.RequestMethod) bool {
	return slices.Contains(tokens(m, "Allow"), strings.ToLower(string(method)))
}

// tagOf is the tag of a From or To header's parameters.
func tagOf(p sip.HeaderParams) string { return p.GetOr("tag", "") }
