package sim

import (
	"cmp"
	"container/list"
	"errors"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
)

// The states of a phone.
const (
	Idle    = "idle"    // nobody has called it yet
	Ringing = "ringing" // and is called until it is answered
	InCall  = "in_call"
	Ended   = "ended" // its last call is over
)

// What a person's command on a phone can fail with.
var (
	ErrNotRinging = errors.New("sim: the phone is not ringing")
	ErrNotInCall  = errors.New("sim: the phone is not in a call")
	ErrBadKeys    = errors.New("sim: keys: press one to 32 of 0 to 9, * and #")
)

const (
	mostKeys     = 32 // of one command
	mostMessages = 20 // kept on a phone
)

// Phone is what can be seen and heard on a simulated phone. It holds codes in
// clear: it is for the phone's owner only, never for a log.
type Phone struct {
	Number phone.Number
	State  string // idle, ringing, in_call or ended
	// Heard is what was said in the current or last call, one string a part, the
	// part being said included; silences are left out.
	Heard []string
	// Messages are the texts received, the newest last, at most 20.
	Messages []string
	// Gate is any_key or screen_digits while the call waits for its gate's keys,
	// else empty.
	Gate string
	// Dialled is the extension that the caller's end has keyed in the current or
	// last call, pauses included; empty: none, or not yet.
	Dialled string
	// CallID is the carrier's reference of the current or last call, and Behaviour
	// what the phone does or did about it; Next is set for the call after.
	CallID          string
	Behaviour, Next Behaviour
	// Says is hello or greeting while somebody or something speaks at the phone's
	// end, else empty.
	Says string
	// Outcome and Reason are how the last call ended; empty before.
	Outcome outcome.Outcome
	Reason  string
}

// What is spoken at the phone's end.
const (
	SaysHello    = "hello"
	SaysGreeting = "greeting" // a mailbox's
)

// mostShown bounds the phones of a list.
const mostShown = 100

// handset is a phone. All of it is guarded by Carrier.mu.
type handset struct {
	line
	usual    Behaviour
	next     Behaviour // for the next call; empty: as usual
	call     *call     // the current or last call
	messages []string
	turn     uint64        // counts what happened to phones: the greater, the later
	place    *list.Element // in Carrier.idle; nil while in a call
}

// handset finds or makes a phone. Carrier.mu is held.
func (c *Carrier) handset(l line) *handset {
	h := c.phones[l]
	if h == nil {
		h = &handset{line: l, usual: fixed(l.number)}
		c.phones[l] = h
		c.rest(h)
	}
	return h
}

// rest makes a phone the newest of those that are not in a call, and forgets
// the oldest of too many. Carrier.mu is held.
func (c *Carrier) rest(h *handset) {
	if h.place != nil {
		c.idle.MoveToBack(h.place)
		return
	}
	h.place = c.idle.PushBack(h)
	for c.idle.Len() > c.cfg.Phones {
		old := c.idle.Remove(c.idle.Front()).(*handset)
		old.place = nil
		delete(c.phones, old.line)
	}
}

// ring gives the phone its next call. Carrier.mu is held.
func (h *handset) ring(c *Carrier, now *call) {
	h.call, now.state = now, Ringing
	c.touch(h)
	if h.place != nil {
		c.idle.Remove(h.place)
		h.place = nil
	}
}

// busy says whether the phone is in a call or ringing.
func (h *handset) busy() bool { return h.call != nil && h.call.end == nil }

// behaviour is what the phone does about an attempt. A call uses up what was set
// for it; one that finds the phone engaged does not.
func (h *handset) behaviour(ch phone.Channel) Behaviour {
	if ch == phone.SMS || h.busy() || h.next == "" {
		return h.usual
	}
	b := h.next
	h.next = ""
	return b
}

// deliver puts a message on its phone. Carrier.mu is held.
func (c *Carrier) deliver(now *call) {
	e := messageEnding(now.how)
	if e.Outcome == messageEnding(Manual).Outcome {
		h := now.phone
		if len(h.messages) == mostMessages {
			h.messages = slices.Delete(h.messages, 0, 1)
		}
		h.messages = append(h.messages, now.asked.Text.Reveal())
		if h.place != nil {
			c.rest(h)
		}
	}
	c.finish(now, e)
}

// Phone shows a phone. One that nobody has called or set is idle.
func (c *Carrier) Phone(account string, n phone.Number) Phone {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.phones[line{account, n}]
	if h == nil {
		return Phone{Number: n, State: Idle}
	}
	return h.show()
}

// show is what can be seen. Carrier.mu is held.
func (h *handset) show() Phone {
	p := Phone{Number: h.number, State: Idle, Messages: slices.Clone(h.messages), Next: h.next}
	if now := h.call; now != nil {
		p.State, p.Gate, p.CallID, p.Behaviour, p.Says = now.state, string(now.gate), string(now.ref), now.how, now.says
		p.Heard, p.Dialled = slices.Clone(now.heard), now.dialled
		if now.end != nil {
			p.Outcome, p.Reason = now.end.Outcome, now.end.Reason
		}
	}
	return p
}

// Phones shows the account's phones: what rings, then what is in a call, then the
// others, of each the latest first; at most 100.
func (c *Carrier) Phones(account string) []Phone {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*handset
	for l, h := range c.phones {
		if l.account == account {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *handset) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.turn, a.turn))
	})
	out := make([]Phone, min(len(all), mostShown))
	for i := range out {
		out[i] = all[i].show()
	}
	return out
}

// rank is the phone's place in a list by its state.
func (h *handset) rank() int {
	switch {
	case h.call != nil && h.call.state == Ringing:
		return 0
	case h.busy():
		return 1
	}
	return 2
}

// Changed is closed as the next thing happens that Phone or Phones shows, to any
// phone. Ask for it before you look.
func (c *Carrier) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// touch tells who waits that something happened to a phone. Carrier.mu is held.
func (c *Carrier) touch(h *handset) {
	c.turn++
	h.turn = c.turn
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// obeys says whether the call is in this state on a phone that a person operates.
func (now *call) obeys(state string) bool {
	return now != nil && (now.how == Manual || now.how == Hello) && now.state == state
}

// current is the call of a phone, or nil. Carrier.mu is held.
func (c *Carrier) current(account string, n phone.Number) *call {
	if h := c.phones[line{account, n}]; h != nil {
		return h.call
	}
	return nil
}

// Answer picks up a ringing phone. ErrNotRinging where it does not ring, or acts
// by itself.
func (c *Carrier) Answer(account string, n phone.Number) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.current(account, n)
	if !now.obeys(Ringing) {
		return ErrNotRinging
	}
	now.state = InCall
	c.touch(now.phone)
	close(now.answered)
	return nil
}

// HangupPhone declines a ringing call, or hangs up. ErrNotInCall where there is
// neither, or where the phone acts by itself.
func (c *Carrier) HangupPhone(account string, n phone.Number) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.current(account, n)
	if !now.obeys(Ringing) && !now.obeys(InCall) {
		return ErrNotInCall
	}
	now.hangUp()
	return nil
}

// Press presses keys, one after another: at most 32 of 0 to 9, * and #, else
// ErrBadKeys. ErrNotInCall where the phone is in no call, or acts by itself.
//
// At the fast pace nobody can tell how far the speech is, so keys for the gate
// wait until they count. At the real pace they come too early as they would on
// any phone.
func (c *Carrier) Press(account string, n phone.Number, keys string) error {
	if keys == "" || len(keys) > mostKeys || strings.Trim(keys, "0123456789*#") != "" {
		return ErrBadKeys
	}
	c.mu.Lock()
	now := c.current(account, n)
	if !now.obeys(InCall) {
		c.mu.Unlock()
		return ErrNotInCall
	}
	c.mu.Unlock()
	if c.cfg.Pace == Fast {
		<-now.listens // closed soon: what comes before takes no time
	}
	select {
	case <-now.over:
		return ErrNotInCall
	default:
	}
	now.press(keys)
	return nil
}

// Behave sets what the phone does about its next call, over what it does
// usually. ErrBehaviour for a word that is none.
func (c *Carrier) Behave(account string, n phone.Number, b Behaviour) error {
	b, err := ParseBehaviour(string(b))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.handset(line{account, n})
	h.next = b
	c.touch(h)
	if h.place != nil {
		c.rest(h)
	}
	return nil
}

var _ carrier.Carrier = (*Carrier)(nil)
