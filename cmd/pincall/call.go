package main

import (
	"context"
	"errors"
	"strings"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// callCmd verifies a number, with the terminal as the person's screen; on the
// simulator it is the person's phone as well.
type callCmd struct {
	Number  string `arg:"" help:"The number in E.164, such as +14155550100."`
	Lang    string `help:"Language, as a BCP 47 tag [by the number's country]."`
	Brand   string `help:"Who calls."`
	Channel string `help:"voice, sms, or the steps of a workflow, such as sms,voice [the service's]."`
	Gate    string `help:"What must be keyed first: any_key, screen_digits or none [the service's]."`
	Service string `help:"The service's id [the account's default]."`
	Route   string `help:"The only route to use; not beside a running server [all that are configured]." placeholder:"NAME"`
	paymentFlags
	Answer bool `help:"On the simulator, answer the phone and press the keys it asks for." default:"true" negatable:""`
	serverFlags
}

// Run starts the verification and stays until it has ended.
func (c callCmd) Run(ctx context.Context, sys system) error {
	number, err := phone.Parse(c.Number)
	if err != nil {
		return usageError{err}
	}
	req, err := c.request()
	if err != nil {
		return err
	}
	c.only = c.Route
	server, err := c.connect(ctx, sys, app.WorkOwn)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	out := newDisplay(sys, leave)
	s := &session{
		server: server, out: out, pay: c.paymentFlags, number: number,
		phone: newHandset(ctx, server.Phone(number.E164()), out, c.Answer),
	}
	return errors.Join(s.start(ctx, sys.In, req), server.close())
}

// request judges the flags that can be judged without a server.
func (c callCmd) request() (client.StartRequest, error) {
	req := client.StartRequest{
		To: c.Number, Locale: c.Lang, Brand: c.Brand, Gate: c.Gate, Service: c.Service,
		Amount: c.Amount, Currency: c.Currency, Payee: c.Payee,
	}
	if c.Lang != "" {
		if err := checkLang(c.Lang); err != nil {
			return req, err
		}
	}
	if c.Brand != "" {
		if err := script.CheckBrand(c.Brand); err != nil {
			return req, usagef("--%w", err)
		}
	}
	if c.Gate != "" {
		if _, err := script.ParseGate(c.Gate); err != nil {
			return req, usagef("--%w", err)
		}
	}
	if err := c.check(); err != nil {
		return req, err
	}
	return req, c.channels(&req)
}

// channels sets one channel, or a workflow of several.
func (c callCmd) channels(req *client.StartRequest) error {
	if c.Channel == "" {
		return nil
	}
	names := strings.Split(c.Channel, ",")
	for _, name := range names {
		if _, err := phone.ParseChannel(name); err != nil {
			return usagef("--channel: %w", err)
		}
		req.Workflow = append(req.Workflow, client.Step{Channel: name})
	}
	if len(names) == 1 {
		req.Channel, req.Workflow = c.Channel, nil
	}
	return nil
}
