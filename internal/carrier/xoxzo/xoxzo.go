// Package xoxzo places calls and sends messages through the Xoxzo cloud
// telephony API. It knows what each of Xoxzo's answers means for a phone that
// may be ringing; it does not know HTTP, which is the client's (package xoxzo at
// the root).
//
// Xoxzo's playback speaks a text and takes no keys: a call cannot be gated, and
// "answered" is all that can be learned of it.
package xoxzo

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	client "github.com/pincall/pincall/xoxzo"
)

// Config of a Carrier.
type Config struct {
	Client client.Config
	// Caller is the caller ID of calls: digits, with or without "+". Empty: no
	// calls.
	Caller string
	// Sender is the sender of messages. Empty: no messages.
	Sender string
	// Callback is the address to which Xoxzo may post when a call or message
	// has ended; the attempt's token is appended. Empty: none, only polling.
	Callback string
	// FirstPoll and LongestPoll bound the growing waits between two questions;
	// 2 s and 15 s.
	FirstPoll   time.Duration
	LongestPoll time.Duration
	// GiveUp is how long the end of a call is waited for; a message's end is
	// waited for three times as long. 4 min.
	GiveUp time.Duration
	Log    *slog.Logger // slog.Default()
}

// Carrier is the adapter. Safe for concurrent use.
type Carrier struct {
	cfg Config
	api *client.Client // nil without credentials
}

// New makes a Carrier. Without credentials it is made all the same, says so in
// the log, and refuses every call: the server's other parts are not to blame.
func New(cfg Config) (*Carrier, error) {
	if cfg.Caller == "" && cfg.Sender == "" {
		return nil, errors.New("xoxzo: set caller (the number shown to the person), sender (for messages), or both")
	}
	if cfg.FirstPoll == 0 {
		cfg.FirstPoll = 2 * time.Second
	}
	if cfg.LongestPoll == 0 {
		cfg.LongestPoll = 15 * time.Second
	}
	if cfg.GiveUp == 0 {
		cfg.GiveUp = 4 * time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	api, err := client.New(cfg.Client)
	if errors.Is(err, client.ErrNoCredentials) {
		cfg.Log.Error("every call and message will be refused: set " + client.EnvSID + " and " + client.EnvAuthToken)
	} else if err != nil {
		return nil, err
	}
	return &Carrier{cfg: cfg, api: api}, nil
}

// Can says what Xoxzo does: speak English and Japanese text, send messages, and
// tell later what became of them.
func (c *Carrier) Can() carrier.Abilities {
	return carrier.Abilities{
		Voice: c.cfg.Caller != "", SMS: c.cfg.Sender != "", Text: true, Payee: true, Resume: true,
		Languages: []string{"en", "ja"},
	}
}

// Refs say which kind of identifier they hold.
const (
	callRef    = "call:"
	messageRef = "msg:"
)

// Place asks Xoxzo for the call or the message, once.
func (c *Carrier) Place(ctx context.Context, call carrier.Call) (carrier.Ref, error) {
	if r := c.cannot(call); r != nil {
		return "", r
	}
	if err := ctx.Err(); err != nil {
		return "", refuse(outcome.Ending{
			Outcome: outcome.CarrierFailed, Reason: "the attempt was given up before it was placed", Fault: outcome.FaultOurs,
		}, err)
	}
	callback := c.callback(call)
	var ref carrier.Ref
	var id string
	var err error
	if call.Channel == phone.SMS {
		id, err = c.api.SendSMS(ctx, client.SMS{
			Message: call.Text.Reveal(), Recipient: call.To.E164(), Sender: c.cfg.Sender, CallbackURL: callback,
		})
		ref = carrier.Ref(messageRef + id)
	} else {
		id, err = c.api.CallTTSPlayback(ctx, client.TTSPlayback{
			Caller: c.cfg.Caller, Recipient: call.To.E164(), Message: call.Script.Text(), Lang: call.Script.Lang,
			CallbackURL: callback,
		})
		ref = carrier.Ref(callRef + id)
	}
	if err != nil {
		return "", refuse(classify(err), err)
	}
	return ref, nil
}

// callback is the address at which Xoxzo may tell of a call; empty: there is none.
func (c *Carrier) callback(call carrier.Call) string {
	if c.cfg.Callback == "" || call.Callback.IsZero() {
		return ""
	}
	return strings.TrimSuffix(c.cfg.Callback, "/") + "/" + call.Callback.Reveal()
}

// cannot says what is wrong with a call that must not even be asked for.
func (c *Carrier) cannot(call carrier.Call) *carrier.Refusal {
	e := outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true}
	switch {
	case c.api == nil:
		e.Reason = "the carrier's credentials are not configured"
	case !c.Can().Carries(call.Channel):
		e.Reason = "the carrier is not configured for this channel"
	case call.Channel == phone.Voice && !c.Can().Speaks(call.Script.Lang):
		e.Reason = "the carrier does not speak this language"
	case call.Channel == phone.Voice && gated(call.Script):
		e.Reason = "the carrier takes no keys, so it cannot gate a call"
	default:
		return nil
	}
	return refuse(e, nil)
}

// gated says whether the script waits for keys, which a playback cannot.
func gated(s script.Script) bool {
	for _, p := range s.Parts {
		if p.Kind == script.KindGate {
			return true
		}
	}
	return false
}

func refuse(e outcome.Ending, err error) *carrier.Refusal {
	if e.Detail == "" && err != nil {
		e.Detail = err.Error() // the client masks its errors
	}
	return &carrier.Refusal{Ending: e, Err: err}
}

// Hangup is not in Xoxzo's API.
func (c *Carrier) Hangup(context.Context, carrier.Ref) error { return carrier.ErrCannot }
