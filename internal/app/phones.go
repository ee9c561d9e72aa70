package app

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/url"

	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/web"
)

// pages configures what browsers are shown. The phone's page is open to this
// machine's browsers where the server listens for this machine only and nothing
// says that it stands behind a proxy.
func (m *Main) pages(f File) web.Config {
	if m.phones == nil {
		return web.Config{}
	}
	return web.Config{
		Phones: phones{m.phones}, Core: m.core, Account: DefaultAccount,
		Open: loopback(f.Listen) && len(f.TrustedProxies) == 0 && private(f.PublicURL),
	}
}

// private says that an address of this server, if there is one, is for this
// machine only.
func private(public string) bool {
	if public == "" {
		return true
	}
	u, err := url.Parse(public)
	return err == nil && loopback(net.JoinHostPort(u.Hostname(), "0"))
}

// phones shows the simulator's phones to the web.
type phones struct{ sim *sim.Carrier }

// Phone shows one phone.
func (p phones) Phone(account string, n phone.Number) web.Phone {
	out := shownPhone(p.sim.Phone(account, n))
	out.Number = ""
	return out
}

// List shows the account's phones.
func (p phones) List(account string) []web.Phone {
	var out []web.Phone
	for _, one := range p.sim.Phones(account) {
		out = append(out, shownPhone(one))
	}
	return out
}

func shownPhone(s sim.Phone) web.Phone {
	return web.Phone{
		Number: s.Number.E164(), State: s.State, Heard: s.Heard, Messages: s.Messages, Gate: s.Gate, Dialled: s.Dialled, Call: s.CallID,
		Behaviour: string(s.Behaviour), Next: string(s.Next), Says: s.Says, Outcome: string(s.Outcome), Reason: s.Reason,
	}
}

// Changed is closed as something happens to any phone.
func (p phones) Changed() <-chan struct{} { return p.sim.Changed() }

// Listen gives the sound of a call.
func (p phones) Listen(ctx context.Context, account string, n phone.Number) (iter.Seq[[]byte], error) {
	frames, err := p.sim.Listen(ctx, account, n)
	return frames, phoneError(err)
}

// Answer takes the call that rings.
func (p phones) Answer(account string, n phone.Number) error {
	return phoneError(p.sim.Answer(account, n))
}

// Hangup ends or declines the call.
func (p phones) Hangup(account string, n phone.Number) error {
	return phoneError(p.sim.HangupPhone(account, n))
}

// Press presses keys.
func (p phones) Press(account string, n phone.Number, keys string) error {
	return phoneError(p.sim.Press(account, n, keys))
}

// Behave says what the phone does with its next call.
func (p phones) Behave(account string, n phone.Number, what string) error {
	b, err := sim.ParseBehaviour(what)
	if err != nil {
		return err
	}
	return phoneError(p.sim.Behave(account, n, b))
}

// phoneError puts the simulator's errors into the web's words.
func phoneError(err error) error {
	for ours, theirs := range map[error]error{
		sim.ErrNotRinging: web.ErrNotRinging, sim.ErrNotInCall: web.ErrNotInCall, sim.ErrBadKeys: web.ErrBadKeys,
		sim.ErrListeners: web.ErrListeners,
	} {
		if errors.Is(err, ours) {
			return theirs
		}
	}
	return err
}
