package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// StartRequest is what a caller sends, as text: everything is judged here.
type StartRequest struct {
	To       string // E.164
	Channel  string // voice, sms; empty: the service's workflow
	Workflow []account.Step
	Locale   string // BCP 47; empty: the service's, else by the number's country
	Gate     string // any_key, screen_digits, none; empty: the service's
	Screen   bool   // the caller will show screen digits to the person
	Service  string // id; empty: the account's default service
	Purpose  string // at most 64 characters; tells proofs of one number apart
	Brand    string // said instead of the service's
	// Amount (decimal, in the currency's major unit), Currency (ISO 4217) and
	// Payee belong together.
	Amount   string
	Currency string
	Payee    string
	// Extension is dialled after the answer, before anything is said: 1 to 32 of
	// 0-9, *, # and the pauses w (half a second) and W (a second).
	Extension string
	// Kept for audit: see Context. Metadata has at most 10 pairs.
	Consent  *Consent // nil: none
	ClientIP string
	UserRef  string
	Metadata map[string]string
}

// CheckRequest is one guess.
type CheckRequest struct {
	Code string // digits; spaces and dashes are fine
	// The same as in the start, where it had them.
	Amount   string
	Currency string
	Payee    string
}

// payment is amount, currency and payee; the zero value is none.
type payment struct {
	Money script.Money
	Payee string
}

func (p payment) isZero() bool { return p.Payee == "" }

// parsePayment reads the three fields that belong together.
func parsePayment(amount, currency, payee string) (payment, error) {
	if amount == "" && currency == "" && payee == "" {
		return payment{}, nil
	}
	switch {
	case amount == "":
		return payment{}, bad("amount", "amount, currency and payee belong together: give the amount")
	case currency == "":
		return payment{}, bad("currency", "amount, currency and payee belong together: give the currency")
	case payee == "":
		return payment{}, bad("payee", "amount, currency and payee belong together: give the payee")
	}
	money, err := script.ParseMoney(amount, currency)
	if errors.Is(err, script.ErrCurrency) {
		return payment{}, bad("currency", plainly(err))
	}
	if err != nil {
		return payment{}, bad("amount", plainly(err))
	}
	payee = script.NormalizePayee(payee)
	if err := script.CheckPayee(payee); err != nil {
		return payment{}, bad("payee", plainly(err))
	}
	return payment{Money: money, Payee: payee}, nil
}

// plainly drops the package prefix of an error that has one.
func plainly(err error) string {
	_, text, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return err.Error()
	}
	return text
}

// wanted is a start request that has been judged.
type wanted struct {
	to       phone.Number
	service  account.Service
	settings Settings
	purpose  string
	payment  payment
	// extension is as it was asked for.
	extension string
	context   Context
}

// judge turns a request into what is wanted, or says what is wrong with it.
func judge(who Caller, svc account.Service, req StartRequest, now time.Time) (wanted, error) {
	w := wanted{service: svc, purpose: req.Purpose, extension: req.Extension}
	var err error
	if w.to, err = phone.Parse(req.To); err != nil {
		return w, bad("to", plainly(err))
	}
	if len(req.Purpose) > 64 || !words(req.Purpose) {
		return w, bad("purpose", "purpose is at most 64 bytes of plain text")
	}
	if w.payment, err = parsePayment(req.Amount, req.Currency, req.Payee); err != nil {
		return w, err
	}
	w.settings = Settings{
		StartedBy: who.Key, Brand: svc.Brand, CodeLength: svc.CodeLength, MaxGuesses: svc.MaxGuesses,
		MaxSends: svc.MaxSends, GatePolicy: svc.GatePolicy, PlainDigits: svc.PlainDigits,
		Words: !w.payment.isZero(), Extension: req.Extension != "",
	}
	if req.Brand != "" {
		w.settings.Brand = strings.TrimSpace(req.Brand)
		if err := script.CheckBrand(w.settings.Brand); err != nil {
			return w, bad("brand", plainly(err))
		}
	}
	if w.settings.Language, err = language(req.Locale, svc.Language, w.to); err != nil {
		return w, err
	}
	if w.settings.Gate, err = gate(req, svc); err != nil {
		return w, err
	}
	if w.settings.Workflow, err = workflow(req, svc, w.to); err != nil {
		return w, err
	}
	if err := checkExtension(req, w.settings); err != nil {
		return w, err
	}
	if w.context, err = parseContext(req, now); err != nil {
		return w, err
	}
	return w, w.sayable()
}

// sayable composes the call once, with a code of zeros: a name that the linter
// would refuse must not wait until the phone should ring.
func (w wanted) sayable() error {
	if w.settings.Brand == "" && w.payment.isZero() && len(w.service.Templates) == 0 {
		return nil
	}
	code, err := secret.ParseCode(strings.Repeat("0", w.settings.CodeLength))
	if err != nil {
		return internal("compose", err)
	}
	m := script.Message{
		Lang: w.settings.Language, Brand: w.settings.Brand, Code: code, Gate: w.settings.Gate, Menu: true,
		PlainDigits: w.settings.PlainDigits, Longest: LongestCall,
	}
	if !w.payment.isZero() {
		money := w.payment.Money
		m.Amount, m.Payee = &money, w.payment.Payee
	}
	withWords(&m, w.service)
	if _, err := script.Compose(m); err != nil {
		return bad("brand", "the brand or the payee cannot be said: use a name that does not sound like a code, and a shorter one")
	}
	return nil
}

// language chooses: the request, else the service, else the number's country.
func language(locale, service string, to phone.Number) (string, error) {
	if locale == "" {
		locale = service
	}
	if locale == "" {
		return script.ForCountry(to.Country()), nil
	}
	lang, err := script.Match(locale)
	if err != nil {
		return "", bad("locale", plainly(err))
	}
	return lang, nil
}

// gate chooses: the request, else screen digits where they will be shown, else
// the service, else any key.
func gate(req StartRequest, svc account.Service) (script.Gate, error) {
	switch {
	case req.Gate != "":
		g, err := script.ParseGate(req.Gate)
		if err != nil {
			return "", bad("gate", plainly(err))
		}
		return g, nil
	case req.Screen:
		return script.GateScreenDigits, nil
	case svc.Gate != "":
		return svc.Gate, nil
	}
	return script.GateAnyKey, nil
}

// Bounds of a workflow.
const (
	maxSteps       = 5
	minStepTimeout = 5 * time.Second
)

// workflow chooses the steps, and leaves out messages to a landline.
func workflow(req StartRequest, svc account.Service, to phone.Number) ([]account.Step, error) {
	steps := svc.Workflow
	switch {
	case req.Channel != "" && len(req.Workflow) > 0:
		return nil, bad("channel", "give either channel or workflow")
	case req.Channel != "":
		ch, err := phone.ParseChannel(req.Channel)
		if err != nil {
			return nil, bad("channel", plainly(err))
		}
		steps = []account.Step{{Channel: ch, Timeout: account.DefaultStepTimeout}}
	case len(req.Workflow) > maxSteps:
		return nil, bad("workflow", "a workflow has at most 5 steps")
	case len(req.Workflow) > 0:
		steps = req.Workflow
	}
	var out []account.Step
	for i, s := range steps {
		if _, err := phone.ParseChannel(string(s.Channel)); err != nil {
			return nil, bad(fmt.Sprintf("workflow[%d].channel", i), plainly(err))
		}
		if s.Timeout == 0 {
			s.Timeout = account.DefaultStepTimeout
		}
		if s.Timeout < minStepTimeout || s.Timeout > account.DefaultValidity {
			return nil, bad(fmt.Sprintf("workflow[%d]", i), "a step's time-out is between 5 seconds and 10 minutes")
		}
		if s.Channel == phone.SMS && to.Landline() {
			continue
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, bad("channel", "this number is a landline, which takes no messages: use channel voice")
	}
	return out, nil
}
