// Package web is what a browser is shown: the phone simulator's page, and the
// endpoints below it. They show the phones of the asking account, let the page or
// an admin key answer, listen, press keys and hang up, and start and check
// verifications. It knows phones by the interface declared here, and no carrier.
package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// Phones are simulated phones. A phone that was never called is idle.
type Phones interface {
	Shown
	Handled
}

// Shown is what can be seen and heard of phones.
type Shown interface {
	// Phone shows the account's phone with the number.
	Phone(account string, n phone.Number) Phone
	// List shows the account's phones with their numbers: what rings first, then
	// what is in a call, then the others, of each the latest first.
	List(account string) []Phone
	// Changed is closed as something happens to any phone.
	Changed() <-chan struct{}
	// Listen gives the sound of the phone's ringing or present call, to its end, in
	// real time: frames of 20 ms of G.711 mu-law, to which nobody writes. It must be
	// read, or ctx must end. ErrNotInCall, ErrListeners.
	Listen(ctx context.Context, account string, n phone.Number) (iter.Seq[[]byte], error)
}

// Handled is what a person does with phones.
type Handled interface {
	// Answer takes the call that rings. ErrNotRinging.
	Answer(account string, n phone.Number) error
	// Hangup ends the call, or declines the one that rings. ErrNotInCall.
	Hangup(account string, n phone.Number) error
	// Press presses keys: 0 to 9, * and #. ErrBadKeys, ErrNotInCall.
	Press(account string, n phone.Number, keys string) error
	// Behave says what the phone does with its next call: one of Behaviours.
	Behave(account string, n phone.Number, what string) error
}

// Errors of Phones.
var (
	ErrNotRinging = errors.New("web: the phone does not ring")
	ErrNotInCall  = errors.New("web: the phone is not in a call")
	ErrBadKeys    = errors.New("web: no phone has such keys")
	ErrListeners  = errors.New("web: too many listen to the phone")
)

// Phone is what a simulated phone does and what it took in. Heard and Messages
// hold codes in clear.
type Phone struct {
	Number   string   `json:"number,omitempty"`  // E.164, in lists and events
	State    string   `json:"state"`             // idle, ringing, in_call, ended
	Heard    []string `json:"heard"`             // of the present or last call, in order
	Messages []string `json:"messages"`          // all of them, oldest first
	Gate     string   `json:"gate,omitempty"`    // the gate that waits for keys
	Dialled  string   `json:"dialled,omitempty"` // the extension, as far as it was dialled
	// Call names the present or last call, Behaviour is what the phone does or did
	// about it, and Next what it will do about the next one, if that was said.
	Call      string `json:"call,omitempty"`
	Behaviour string `json:"behaviour,omitempty"`
	Next      string `json:"next,omitempty"`
	Says      string `json:"says,omitempty"` // hello or greeting, while the phone's end speaks
	// Outcome and Reason are how the last call ended.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Behaviours are the ways a simulated phone may take its next call; manual
// waits for what Answer, Press and Hangup do, and hello does so once it has
// answered by itself and said hello.
func Behaviours() []string {
	return []string{"manual", "answers", "hello", "busy", "no_answer", "voicemail", "hangs_up", "declines", "unreachable"}
}

// maxKeys bounds the keys pressed at once, as the phones do.
const maxKeys = 32

// Config of the pages.
type Config struct {
	Phones Phones // nil: there is no simulator, and its addresses say so
	Core   Core   // required with Phones
	// Account is whose phones the page shows to who has no key.
	Account string
	// Open lets the page work without a key for who asks from this machine: right
	// only where nobody else can reach the server.
	Open bool
	// Rand is where the page's token comes from; nil: crypto/rand.
	Rand io.Reader
	// Times of event streams; zero fields are defaults.
	Times Times
}

// Times say how patient event streams are.
type Times struct {
	Gap     time.Duration // between two looks at the phones; 50 ms
	Beat    time.Duration // between two comments on a silent stream; 15 s
	Readmit time.Duration // between two looks whether the caller still may; 5 s
}

func (t Times) withDefaults() Times {
	return Times{cmp.Or(t.Gap, 50*time.Millisecond), cmp.Or(t.Beat, 15*time.Second), cmp.Or(t.Readmit, 5*time.Second)}
}

// Register adds the routes to a Mux.
func Register(m *edge.Mux, cfg Config) {
	cfg.Times = cfg.Times.withDefaults()
	s := &server{cfg: cfg, page: newSession(cfg)}
	s.addPhones(m)
	s.addVerifications(m)
	s.addPage(m)
}

type server struct {
	cfg  Config
	page *session
}

// handle adds a route for admin keys and the page, which is there where there are
// phones.
func (s *server) handle(m *edge.Mux, method, pattern string, h edge.Handler) {
	m.Handle(edge.Route{
		Method: method, Pattern: pattern, SameOrigin: true, Quiet: true,
		Access: edge.Access{Scopes: []account.Scope{account.ScopeAdmin}, Page: s.page.caller},
	}, func(w http.ResponseWriter, r *edge.Request) error {
		if s.cfg.Phones == nil {
			return noPhones()
		}
		return told(h(w, r))
	})
}

// noPhones is the answer where real carriers are at work.
func noPhones() error {
	return &verify.Error{Code: verify.NotFound, Message: "this server has no phone simulator: it works with real carriers"}
}

// answer writes a document.
func answer[T any](w http.ResponseWriter, status int, document T) error {
	b, err := encode(document)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, status, b)
}

// encode never repeats what could not be encoded.
func encode[T any](document T) ([]byte, error) {
	b, err := json.Marshal(document)
	if err != nil {
		return nil, errors.New("web: an answer cannot be written as JSON")
	}
	return b, nil
}
