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
	typed, err := c.typed(sys)
	if err != nil {
		return err
	}
	if _, err := secret.ParseCode(typed); err != nil {
		return usageError{err}
	}
	server, err := c.connect(ctx, sys)
	if err != nil {
		return err
	}
	got, err := server.Check(ctx, c.ID, client.CheckRequest{
		Code: client.Secret(typed), Amount: c.Amount, Currency: c.Currency, Payee: c.Payee,
	})
	if err = errors.Join(err, server.close()); err != nil {
		return judged(err)
	}
	if got.Valid {
		fmt.Fprintln(sys.Out, got.Status)
		return nil
	}
	fmt.Fprintln(sys.Out, wrongCode(got))
	return errNotApproved
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
