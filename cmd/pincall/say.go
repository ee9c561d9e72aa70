package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// sayCmd prints a script.
type sayCmd struct {
	Lang  string `help:"Language, as a BCP 47 tag." default:"en"`
	Code  string `help:"The code, 4 to 10 digits; use an example, as the shell keeps a history." required:""`
	Form  string `help:"text: for a carrier's own voice; ssml; twiml; parts: one JSON array; sms: the text message." enum:"text,ssml,twiml,parts,sms" default:"text"`
	Gate  string `help:"What must be keyed first: any_key, screen_digits or none." default:"none"`
	Brand string `help:"Who calls."`
	paymentFlags
	Plain bool `help:"Digits without a word before each."`
	soundFlags
}

// paymentFlags are what is paid, and to whom.
type paymentFlags struct {
	Amount   string `help:"What is paid, such as 12.50; with --currency and --payee."`
	Currency string `help:"ISO 4217 code, such as EUR."`
	Payee    string `help:"Who is paid."`
}

// check says what is wrong with the flags; none at all is fine.
func (p paymentFlags) check() error {
	if p == (paymentFlags{}) {
		return nil
	}
	if p.Amount == "" || p.Currency == "" || p.Payee == "" {
		return usagef("--amount, --currency and --payee belong together: give all three")
	}
	if _, err := script.ParseMoney(p.Amount, p.Currency); err != nil {
		return usagef("--%w", err)
	}
	if err := script.CheckPayee(p.Payee); err != nil {
		return usagef("--%w", err)
	}
	return nil
}

// Run prints the form that was asked for, and a line end.
func (c sayCmd) Run(ctx context.Context, sys system) error {
	m, err := c.message()
	if err != nil {
		return err
	}
	// Compose checks the message for every form, the text message too.
	s, err := script.Compose(m)
	if err != nil {
		return usageError{errors.Unwrap(err)}
	}
	if c.Out != "" {
		return c.record(ctx, sys, s)
	}
	out, err := render(c.Form, s, m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(sys.Out, out)
	return err
}

// message judges the flags. The menu belongs to lines that take keys: it is
// there with a gate, in sound, and among the parts, which show all there is.
func (c sayCmd) message() (script.Message, error) {
	code, err := secret.ParseCode(c.Code)
	if err != nil {
		return script.Message{}, usagef("--code: %w", err)
	}
	gate, err := script.ParseGate(c.Gate)
	if err != nil {
		return script.Message{}, usagef("--%w", err)
	}
	if err := c.checkWords(); err != nil {
		return script.Message{}, err
	}
	m := script.Message{
		Lang: c.Lang, Brand: c.Brand, Code: code, Gate: gate, Payee: c.Payee, PlainDigits: c.Plain,
		Menu: gate != script.GateNone || c.Form == "parts" || c.Out != "",
	}
	if c.Amount != "" {
		money, err := script.ParseMoney(c.Amount, c.Currency)
		if err != nil {
			return m, usagef("--%w", err)
		}
		m.Amount = &money
	}
	return m, nil
}

// checkWords judges the flags that put words into the message.
func (c sayCmd) checkWords() error {
	if err := checkLang(c.Lang); err != nil {
		return err
	}
	if err := c.soundFlags.check(c.Form); err != nil {
		return err
	}
	if c.Brand != "" {
		if err := script.CheckBrand(c.Brand); err != nil {
			return usagef("--%w", err)
		}
	}
	return c.paymentFlags.check()
}

// checkLang refuses a language that is not spoken here.
func checkLang(tag string) error {
	if _, err := script.Match(tag); err != nil {
		return usagef("--lang: %s", strings.TrimPrefix(err.Error(), "language: "))
	}
	return nil
}

func render(form string, s script.Script, m script.Message) (string, error) {
	switch form {
	case "ssml":
		return s.SSML(), nil
	case "twiml":
		return s.TwiML(), nil
	case "sms":
		return script.SMS(m), nil
	case "parts":
		b, err := s.PartsJSON()
		return string(b), err
	}
	return s.Text(), nil
}
