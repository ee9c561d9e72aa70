package api

import (
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// Verification is one proof of one number.
type Verification struct {
	ID             string     `json:"id" doc:"Names the verification; it is public and opens nothing." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
	Status         string     `json:"status" enum:"pending,approved,canceled,expired,max_attempts_reached,failed" doc:"All but pending are ends." example:"pending"`
	Reason         string     `json:"reason,omitempty" doc:"Why it ended." example:"superseded"`
	To             string     `json:"to" doc:"The number: in full for the key that started the verification, masked for all others." example:"+81312345678"`
	Service        string     `json:"service,omitempty" doc:"The service whose settings apply." example:"default"`
	Channel        string     `json:"channel" enum:"voice,sms" doc:"The channel of the current step." example:"voice"`
	Locale         string     `json:"locale" doc:"The language that is spoken." example:"ja"`
	Gate           string     `json:"gate" enum:"any_key,screen_digits,none" doc:"What must be keyed before the code is read." example:"any_key"`
	Purpose        string     `json:"purpose,omitempty" doc:"As it was given at the start." example:"login"`
	CreatedAt      time.Time  `json:"created_at" doc:"UTC." example:"2026-01-02T03:04:05Z"`
	ExpiresAt      time.Time  `json:"expires_at" doc:"UTC. The code is worth nothing from then on." example:"2026-01-02T03:14:05Z"`
	EndedAt        *time.Time `json:"ended_at,omitempty" doc:"UTC. Only once it has ended." example:"2026-01-02T03:05:10Z"`
	Remaining      int        `json:"remaining" doc:"Guesses that are left." example:"5"`
	SendsRemaining int        `json:"sends_remaining" doc:"Calls and messages that are left." example:"4"`
	Step           int        `json:"step" doc:"The current step of the workflow, counted from 1." example:"1"`
	Steps          int        `json:"steps" doc:"How many steps the workflow has." example:"1"`
	ScreenDigits   string     `json:"screen_digits,omitempty" doc:"What the person must key to hear the code: to be shown to them. Only between ringing and gate." example:"42"`
	Attempts       []Attempt  `json:"attempts" nullable:"false" doc:"Calls and messages, oldest first."`
	Told                      // for API keys only
}

// Attempt is one call or one message.
type Attempt struct {
	ID           string     `json:"id" doc:"Names the attempt." example:"01jd3c8t5x7c1hs9d0e4b8g3fm"`
	Channel      string     `json:"channel" enum:"voice,sms" doc:"What was made: a call or a message." example:"voice"`
	Route        string     `json:"route,omitempty" doc:"The configured carrier; empty while queued." example:"sim"`
	State        string     `json:"state" enum:"queued,dialling,placed,ringing,in_call,ended" doc:"How far it has come." example:"ended"`
	Outcome      string     `json:"outcome,omitempty" doc:"How it ended." example:"heard"`
	Reason       string     `json:"reason,omitempty" doc:"The outcome in words." example:"the code was read twice"`
	Ungated      bool       `json:"ungated,omitempty" doc:"A gate was wanted, and the route takes no keys." example:"false"`
	GatePassed   bool       `json:"gate_passed,omitempty" doc:"The right keys were pressed." example:"true"`
	Readouts     int        `json:"readouts" doc:"How often the whole code was read." example:"2"`
	CreatedAt    time.Time  `json:"created_at" doc:"UTC." example:"2026-01-02T03:04:05Z"`
	DialledAt    *time.Time `json:"dialled_at,omitempty" doc:"UTC. When it left for the carrier." example:"2026-01-02T03:04:06Z"`
	RungAt       *time.Time `json:"rung_at,omitempty" doc:"UTC. When the phone first rang, where the carrier says so." example:"2026-01-02T03:04:09Z"`
	AnsweredAt   *time.Time `json:"answered_at,omitempty" doc:"UTC." example:"2026-01-02T03:04:15Z"`
	GatePassedAt *time.Time `json:"gate_passed_at,omitempty" doc:"UTC. When the right keys were pressed." example:"2026-01-02T03:04:21Z"`
	EndedAt      *time.Time `json:"ended_at,omitempty" doc:"UTC. Only once it has ended." example:"2026-01-02T03:05:00Z"`
}

// show gives a verification its form in JSON.
func show(v verify.View) Verification {
	out := Verification{
		ID: v.ID, Status: string(v.Status), Reason: v.Reason, To: v.To, Service: v.Service, Channel: string(v.Channel),
		Locale: v.Locale, Gate: string(v.Gate), Purpose: v.Purpose, CreatedAt: v.CreatedAt.UTC(),
		ExpiresAt: v.ExpiresAt.UTC(), EndedAt: moment(v.EndedAt), Remaining: v.GuessesLeft, SendsRemaining: v.SendsLeft,
		Step: v.Step, Steps: v.Steps, ScreenDigits: v.ScreenDigits, Attempts: make([]Attempt, 0, len(v.Attempts)),
		Told: showTold(v.Context),
	}
	for _, a := range v.Attempts {
		out.Attempts = append(out.Attempts, showAttempt(a))
	}
	return out
}

// showAttempt gives an attempt its form in JSON.
func showAttempt(a verify.AttemptView) Attempt {
	return Attempt{
		ID: a.ID, Channel: string(a.Channel), Route: a.Route, State: string(a.State), Outcome: string(a.Outcome),
		Reason: a.Reason, Ungated: a.Ungated, GatePassed: a.GatePassed, Readouts: a.Readouts,
		CreatedAt: a.CreatedAt.UTC(), DialledAt: moment(a.DialledAt), RungAt: moment(a.RungAt), AnsweredAt: moment(a.AnsweredAt),
		GatePassedAt: moment(a.GateAt), EndedAt: moment(a.EndedAt),
	}
}

// moment is nil for what has not happened.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// encodeView gives the document of a verification.
func encodeView(v verify.View) ([]byte, error) { return encode(show(v)) }

// idChars is the length of a verification's id.
const idChars = 26

// One is the input of an action on one verification.
type One struct {
	Asked
	ID string `path:"id" doc:"The verification." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
}

// id gives the id where it has the form of one; any other belongs to no
// verification, and gets the answer that an unknown one gets.
func (o One) id() (string, error) {
	ok := len(o.ID) == idChars
	for _, c := range []byte(o.ID) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	if !ok {
		return "", &verify.Error{Code: verify.NotFound, Message: "there is no such verification"}
	}
	return o.ID, nil
}

// once names the action on the verification for its Idempotency-Key.
func once[T any](o One, action string, encode func(T) ([]byte, error)) (string, verify.Once[T], error) {
	id, err := o.id()
	if err != nil {
		return "", verify.Once[T]{}, err
	}
	which, err := onceFor(o.request, encode, collection, id, action)
	return id, which, err
}
