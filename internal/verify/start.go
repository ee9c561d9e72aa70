package verify

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/secret"
)

// TokenPrefix begins every client token.
const TokenPrefix = "pct"

// Started is the result of a start. The client token is shown here only.
type Started struct {
	View        View
	ClientToken secret.Token
}

// Start begins a verification: it draws the code, supersedes the pending
// verification of the same number and purpose, and promises the first attempt.
func (c *Core) Start(ctx context.Context, who Caller, req StartRequest, once Once[Started]) (started Answer[Started], err error) {
	defer func() { c.cfg.Observe.started(req, started, err) }()
	if who.Account == "" || who.Verification != "" {
		return Answer[Started]{}, fail(Forbidden, "only an account's API key can start a verification")
	}
	svc, err := c.cfg.Services.Service(ctx, who.Account, req.Service)
	if errors.Is(err, account.ErrNotFound) {
		return Answer[Started]{}, bad("service", "the account has no such service")
	}
	if err != nil {
		return Answer[Started]{}, internal("read the service", err)
	}
	w, err := judge(who, svc, req, c.cfg.Now())
	if err != nil {
		return Answer[Started]{}, err
	}
	embedded, err := c.servable(Verification{Settings: w.settings, Country: w.to.Country()})
	if err != nil {
		return Answer[Started]{}, err
	}
	n, err := c.draw(who, w)
	if err != nil {
		return Answer[Started]{}, internal("start", err)
	}
	need := Need{Account: who.Account, Binding: n.v.Binding, Limits: []string{n.v.LimitKey, accountKey(who.Account)}}
	return do(ctx, c, once, need, func(s State) (Writes, Started, error) { return c.planStart(s, who, n, embedded) })
}

// drawn is a new verification before it has a time and an attempt.
type drawn struct {
	v        Verification
	validity time.Duration
	to       phone.Number
	token    secret.Token
	attempt  string
	narrow   []string
	context  Context
}

// draw makes everything of a verification that needs randomness or keys.
func (c *Core) draw(who Caller, w wanted) (drawn, error) {
	k, now := c.cfg.Keys, c.cfg.Now()
	id := secret.NewID(now, c.cfg.Rand)
	shared := []string{who.Account, w.service.ID, w.to.E164(), w.purpose, strconv.FormatInt(w.payment.Money.Minor, 10),
		w.payment.Money.Currency, w.payment.Payee}
	if w.extension != "" { // another extension is another person
		shared = append(shared, w.extension)
	}
	n := drawn{to: w.to, validity: w.service.Validity, attempt: secret.NewID(now, c.cfg.Rand), narrow: w.service.Countries, context: w.context}
	e164 := w.to.E164()
	n.v = Verification{
		ID: id, Account: who.Account, Service: w.service.ID, Purpose: w.purpose,
		NumberIndex: k.Index("number", e164), Country: w.to.Country(), Prefix: w.to.Prefix(),
		LimitKey: c.limitKey(who.Account, w.service.ID, w.to),
		Binding:  k.Index("binding", joined(shared...)),
		Order:    k.Index("order", joined(who.Account, e164)), Status: Pending, KeyID: k.Current(), Settings: w.settings,
	}
	code, err := secret.NewCode(c.cfg.Rand, w.settings.CodeLength)
	if err != nil {
		return n, err
	}
	if n.v.CodeMAC, err = c.mac(n.v, code, w.payment); err != nil {
		return n, err
	}
	if n.v.Sealed, err = c.sealCode(n.v, code, w); err != nil {
		return n, err
	}
	if n.v.NumberSealed, err = k.Seal([]byte(e164), "number", who.Account, id); err != nil {
		return n, err
	}
	if n.v.Context, err = c.sealContext(n.v, w.context); err != nil {
		return n, err
	}
	if n.token, err = secret.NewToken(c.cfg.Rand, TokenPrefix, id); err != nil {
		return n, err
	}
	n.v.TokenHash = n.token.Hash()
	return n, nil
}

// planStart is the start's pure half.
func (c *Core) planStart(s State, who Caller, n drawn, embedded bool) (Writes, Started, error) {
	var d draft
	d.begin(c, s, who.Account)
	v := n.v
	due := s.Now
	for _, g := range s.Pending {
		d.at = after(s.Now, &g.Verification, g.Attempts)
		d.end(g, Canceled, ReasonSuperseded)
		due = afterLost(g.Attempts, due)
	}
	first := v.Settings.Workflow[0].Channel
	decision := d.charge(guard.Request{
		Start: true, Send: true, Call: first == phone.Voice, Country: v.Country, Premium: n.to.Premium(),
		Embedded: embedded, Narrow: n.narrow,
	}, v.LimitKey, s.Limits[v.LimitKey])
	if decision.Answer != guard.Allow {
		return Writes{}, Started{}, refused(decision, v.Country)
	}
	d.at = s.Now
	v.CreatedAt, v.ExpiresAt, v.Sends = s.Now, s.Now.Add(n.validity), 1
	d.put(v)
	if first != phone.Voice {
		due = s.Now
	}
	d.queue(v, Attempt{ID: n.attempt, N: 1, Send: 1, Channel: first}, due)
	w := d.writes()
	view := n.view(who, State{Now: s.Now, Verification: &v, Attempts: w.Attempts[len(w.Attempts)-1:]})
	return w, Started{View: view, ClientToken: n.token}, nil
}

// view shows a verification that has just been made, whose number and context need
// not be opened for that.
func (n drawn) view(who Caller, s State) View {
	out := show(who, s)
	out.To = n.to.E164()
	if !who.owns(*s.Verification) {
		out.To = n.to.String()
	}
	if who.Key != "" {
		out.Context = n.context
	}
	return out
}

// mac is the HMAC that a check is compared with. It covers everything that the
// code was made for, so a check must name the same amount and payee.
func (c *Core) mac(v Verification, code secret.Code, p payment) ([]byte, error) {
	return c.cfg.Keys.MAC(v.KeyID, "code", v.Account, v.Service, v.ID, v.Purpose, code.Reveal(),
		strconv.FormatInt(p.Money.Minor, 10), p.Money.Currency, p.Payee)
}

// sealedCode is what delivery needs, and nobody else.
type sealedCode struct {
	Code     string `json:"code"`
	Minor    int64  `json:"minor,omitempty"`
	Currency string `json:"currency,omitempty"`
	Payee    string `json:"payee,omitempty"`
	// Extension leaves with the code: nobody needs it afterwards.
	Extension string `json:"extension,omitempty"`
}

func (c *Core) sealCode(v Verification, code secret.Code, w wanted) ([]byte, error) {
	p := w.payment
	if p.isZero() && w.extension == "" { // what json makes of it
		return c.cfg.Keys.Seal([]byte(`{"code":"`+code.Reveal()+`"}`), "code", v.Account, v.ID)
	}
	plain, err := json.Marshal(sealedCode{code.Reveal(), p.Money.Minor, p.Money.Currency, p.Payee, w.extension})
	if err != nil {
		return nil, err
	}
	return c.cfg.Keys.Seal(plain, "code", v.Account, v.ID)
}

// joined makes one string of several so that no two lists give the same.
func joined(fields ...string) string {
	n := 0
	for _, f := range fields {
		n += 4 + len(f)
	}
	var b strings.Builder
	b.Grow(n)
	for _, f := range fields {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(f)))
		b.Write(n[:])
		b.WriteString(f)
	}
	return b.String()
}
