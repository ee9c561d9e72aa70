package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// collection is where verifications are.
const collection = "/v1/verifications"

// Start says whom to verify, and how.
type Start struct {
	To       string `json:"to" doc:"The number, in E.164." example:"+81312345678"`
	Channel  string `json:"channel,omitempty" doc:"voice or sms, instead of the service's workflow." example:"voice"`
	Workflow []Step `json:"workflow,omitempty" nullable:"false" maxItems:"5" doc:"The steps, instead of the service's. One code throughout."`
	Locale   string `json:"locale,omitempty" doc:"The language to speak, as BCP 47 names it. Otherwise the service's, or that of the number's country." example:"ja"`
	Gate     string `json:"gate,omitempty" doc:"What must be keyed before the code is read: any_key, screen_digits or none. Otherwise the service's." example:"any_key"`
	Screen   bool   `json:"screen,omitempty" doc:"You will show screen_digits to the person, who keys them to hear the code." example:"false"`
	Service  string `json:"service,omitempty" doc:"The service whose settings apply. Otherwise the account's default one." example:"default"`
	Purpose  string `json:"purpose,omitempty" maxLength:"64" doc:"Tells proofs of one number apart. A new start ends the pending verification of the same number and purpose. At most 64 bytes." example:"login"`
	Brand    string `json:"brand,omitempty" doc:"Who calls, said instead of the service's brand. At most 40 letters." example:"Example Bank"`
	Amount   string `json:"amount,omitempty" doc:"The amount that the person agrees to, decimal. With currency and payee: they are said before the code, and a check must repeat them." example:"12.50"`
	Currency string `json:"currency,omitempty" doc:"ISO 4217." example:"EUR"`
	Payee    string `json:"payee,omitempty" doc:"Who is paid. At most 40 letters." example:"Example Shop"`

	Extension string `json:"extension,omitempty" doc:"Dialled after the answer, before anything is said: 1 to 32 of 0 to 9, *, # and the pauses w (half a second) and W (a second). Not for messages." example:"W204#"`
	Told
}

// Told is what a request tells beside the number. It decides nothing: it is kept
// encrypted, for audit, and shown to the account's API keys.
type Told struct {
	Consent  *Consent          `json:"consent,omitempty" doc:"When and how the person agreed to be called."`
	ClientIP string            `json:"client_ip,omitempty" doc:"The person's IP address, as you see it." example:"203.0.113.7"`
	UserRef  string            `json:"user_ref,omitempty" doc:"Your name for the person; nobody looks into it. At most 128 bytes." example:"user-4711"`
	Metadata map[string]string `json:"metadata,omitempty" doc:"At most 10 pairs of your own: names of 1 to 40 of a to z and _, values of at most 128 bytes." example:"{\"order\":\"1001\"}"`
}

// Consent is when and how the person agreed.
type Consent struct {
	At  string `json:"at" doc:"RFC 3339." example:"2026-01-02T03:04:00Z"`
	How string `json:"how,omitempty" doc:"At most 200 characters." example:"box ticked on the sign-up page"`
}

// Step is one step of a workflow.
type Step struct {
	Channel        string `json:"channel" doc:"voice or sms." example:"sms"`
	TimeoutSeconds int    `json:"timeout_seconds,omitempty" minimum:"5" maximum:"600" doc:"How long the person has before the next step: from the end of a call, or from the carrier's acceptance of a message. 60 unless given." example:"60"`
}

// Started is a new verification with its client token.
type Started struct {
	Verification
	ClientToken string `json:"client_token" doc:"For the person's browser: it may watch, check, resend, cancel and go to the next step of this verification. It is shown once and dies with the verification." example:"pct_01jd3c8t5w0zq4n7m2r9kx6yva_..."`
}

// startInput is a request to start.
type startInput struct {
	Asked
	Body Start
}

// start: POST /v1/verifications.
func (s *server) start() {
	add[Started](s, operation{
		access: starters(),
		errs:   []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		Operation: huma.Operation{
			OperationID: "start", Method: http.MethodPost, Path: collection, DefaultStatus: http.StatusCreated,
			Summary: "Start a verification", Tags: []string{tag},
			Description: "Draws a code and calls the number, or sends a message. The pending verification of the same number and purpose is superseded.",
		},
	}, func(ctx context.Context, in *startInput) (answer, error) {
		once, err := onceFor(in.request, encodeStarted, collection)
		if err != nil {
			return answer{}, err
		}
		got, err := s.cfg.Core.Start(ctx, in.request.Caller, in.Body.request(), once)
		if err != nil {
			return answer{}, err
		}
		out, err := reply(http.StatusCreated, got, encodeStarted)
		if err != nil {
			return answer{}, err
		}
		id := got.Value.View.ID
		if out.replayed {
			if id, err = idOf(got.Replay); err != nil {
				return answer{}, err
			}
		}
		out.location = collection + "/" + id
		return out, nil
	})
}

// request gives the core what it needs; it judges the text itself.
func (b Start) request() verify.StartRequest {
	var steps []account.Step
	for _, s := range b.Workflow {
		steps = append(steps, account.Step{Channel: phone.Channel(s.Channel), Timeout: time.Duration(s.TimeoutSeconds) * time.Second})
	}
	return verify.StartRequest{
		To: b.To, Channel: b.Channel, Workflow: steps, Locale: b.Locale, Gate: b.Gate, Screen: b.Screen, Service: b.Service,
		Purpose: b.Purpose, Brand: b.Brand, Amount: b.Amount, Currency: b.Currency, Payee: b.Payee,
		Extension: b.Extension, ClientIP: b.ClientIP, UserRef: b.UserRef, Metadata: b.Metadata, Consent: b.consent(),
	}
}

// consent gives what was told of it; an empty one is not none.
func (t Told) consent() *verify.Consent {
	if t.Consent == nil {
		return nil
	}
	return &verify.Consent{At: t.Consent.At, How: t.Consent.How}
}

// showTold gives what was told its form in JSON.
func showTold(x verify.Context) Told {
	out := Told{ClientIP: x.ClientIP, UserRef: x.UserRef, Metadata: x.Metadata}
	if !x.ConsentAt.IsZero() {
		out.Consent = &Consent{x.ConsentAt.Format(time.RFC3339Nano), x.ConsentHow}
	}
	return out
}

// encodeStarted gives the document of a start: the one place where a client
// token leaves the server.
func encodeStarted(s verify.Started) ([]byte, error) {
	out := Started{show(s.View), s.ClientToken.Reveal()}
	return document(writeStarted(out), out)
}

// idOf finds the id in a kept document.
func idOf(document []byte) (string, error) {
	var v struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(document, &v); err != nil {
		return "", fmt.Errorf("read a kept answer: %w", err)
	}
	return v.ID, nil
}
