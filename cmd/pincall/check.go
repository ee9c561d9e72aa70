package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/secret"
)

// checkCmd checks one code.
type checkCmd struct {
	ID   string `arg:"" help:"The verification's id."`
	Code string `arg:"" optional:"" default:"-" help:"The digits; - (the default) reads them from standard input, which keeps them out of the shell's history."`
	paymentFlags
	serverFlags
}

// Run prints the result; only an approval is a success.
func (c checkCmd) Run(ctx context.Context, sys system) error {
	if err := c.check(); err != nil {
		return err
	}
	if !plainID(c.ID) {
		return usagef("malformed id: give the one that pincall call printed, or the API's")
	}
	typed, err := c.typed(sys)
	if err != nil {
		return err
	}
	if _, err := secret.ParseCode(typed); err != nil {
		return usageError{err}
	}
	server, err := c.connect(ctx, sys, app.WorkNone)
	if err != nil {
		return err
	}
	got, err := server.Check(ctx, c.ID, client.CheckRequest{
		Code: client.Secret(typed), Amount: c.Amount, Currency: c.Currency, Payee: c.Payee,
	})
	if err != nil {
		err = server.explain(err)
	}
	if err = errors.Join(err, server.close()); err != nil {
		return err
	}
	if got.Valid {
		fmt.Fprintln(sys.Out, got.Status)
		return nil
	}
	fmt.Fprintln(sys.Out, wrongCode(got))
	return errNotApproved
}

// plainID says whether a text can be an id: nothing that would lead to another
// address of the server.
func plainID(id string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	return id != "" && !strings.ContainsFunc(id, other)
}

// longestLine is how much is read of a line that should hold a code, in bytes.
const longestLine = 256

// typed gives the code: the argument, or what is typed without an echo, or the
// first line of the input.
func (c checkCmd) typed(sys system) (string, error) {
	if c.Code != "-" {
		return c.Code, nil
	}
	if f, ok := sys.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(sys.Err, "code: ")
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(sys.Err)
		return string(line), err
	}
	line, err := bufio.NewReader(io.LimitReader(sys.In, longestLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the code: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// wrongCode says what a wrong guess leaves.
func wrongCode(got client.Checked) string {
	switch {
	case got.Status == client.StatusMaxAttempts:
		return "wrong code; that was the last guess: start again"
	case got.Remaining == 1:
		return "wrong code; 1 guess left"
	}
	return fmt.Sprintf("wrong code; %d guesses left", got.Remaining)
}
