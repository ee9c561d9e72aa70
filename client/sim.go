package client

import "context"

// Phone is one number of the server's simulator: a phone that rings, answers
// and presses keys when told to. It needs a key with the scope admin. Its
// requests carry no Idempotency-Key, so only State is ever sent again.
type Phone struct {
	c      *Client
	number string
}

// Phone gives the simulator's phone of a number in E.164.
func (c *Client) Phone(number string) Phone { return Phone{c, number} }

// String does not tell the number.
func (p Phone) String() string { return "simulated phone" }

// GoString is String.
func (p Phone) GoString() string { return p.String() }

// The states of a simulated phone.
const (
	PhoneIdle    = "idle"
	PhoneRinging = "ringing"
	PhoneInCall  = "in_call"
	PhoneEnded   = "ended"
)

// PhoneState is what a simulated phone does and what it took in. Heard and
// Messages hold codes in clear.
type PhoneState struct {
	State    string   `json:"state"`
	Heard    []string `json:"heard"`    // of the present or last call, in order
	Messages []string `json:"messages"` // all of them, oldest first
	Gate     string   `json:"gate"`     // the gate that waits for keys; empty or none: no gate
	Dialled  string   `json:"dialled"`  // the extension, as far as it was dialled
}

// State shows the phone.
func (p Phone) State(ctx context.Context) (PhoneState, error) {
	return send[PhoneState](ctx, p.c, get("simulated phone", "sim", "phones", p.number))
}

// Answer takes the call that rings.
func (p Phone) Answer(ctx context.Context) error { return press(ctx, p, "answer", empty{}) }

// Hangup ends the call, or declines the one that rings.
func (p Phone) Hangup(ctx context.Context) error { return press(ctx, p, "hangup", empty{}) }

// Press presses keys: 0 to 9, * and #.
func (p Phone) Press(ctx context.Context, keys string) error {
	return press(ctx, p, "keys", keysWire{keys})
}

type keysWire struct {
	Keys string `json:"keys"`
}

func press[B any](ctx context.Context, p Phone, action string, body B) error {
	r := post("simulated phone: "+action, body, nil, "sim", "phones", p.number, action)
	r.once, r.safe = "", false
	_, err := send[discard](ctx, p.c, r)
	return err
}
