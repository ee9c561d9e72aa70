package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pincall/pincall/client"
)

// usageError is a mistake in flags or input.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errNotApproved ends call, check and doctor, which have said so in their own
// words.
var errNotApproved = errors.New("not approved")

// report tells an error in one line and gives the exit status.
func report(sys system, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotApproved):
		return exitNo
	}
	fmt.Fprintln(sys.Err, "pincall: "+withoutTokens(oneLine(err.Error())))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitNo
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// misread puts the parser's complaint about a command line into words that
// repeat no code, number or key of it.
func misread(err error) error {
	const stray = "unexpected argument"
	how := withoutNumbers(withoutTokens(err.Error()))
	word, unexpected := strings.CutPrefix(err.Error(), stray+" ")
	var parse *kong.ParseError
	if unexpected && strings.ContainsAny(word, "0123456789") && errors.As(err, &parse) && parse.Context != nil {
		if advice := strayDigits(parse.Context.Selected()); advice != "" {
			how = stray + ": " + advice
		}
	}
	return usagef("%s (see pincall --help)", how)
}

// strayDigits says what was meant by digits that a command takes no argument
// for; empty where that cannot be told.
func strayDigits(command *kong.Node) string {
	if command == nil {
		return ""
	}
	switch command.Name {
	case "call":
		return "write the number without spaces, such as +14155550100"
	case "check":
		return "write the code without spaces"
	case "say":
		return "use --code"
	}
	return ""
}

// token matches an API key or a client token, which may be alive.
var token = regexp.MustCompile(`(?i)(pck|pct)_[a-z0-9]+_[a-z0-9]+`)

// withoutTokens blanks keys: an error may quote what was typed in a wrong place.
func withoutTokens(s string) string { return token.ReplaceAllString(s, "[token]") }

// longestShown is how many digits in a row an error may repeat: codes have four
// at least, numbers more.
const longestShown = 3

// withoutNumbers blanks what may be a code or a phone number in an error about
// the command line, which quotes it.
func withoutNumbers(s string) string {
	var b strings.Builder
	for s != "" {
		n := len(s) - len(strings.TrimLeft(s, "0123456789"))
		switch {
		case n > longestShown:
			b.WriteString("...")
			s = s[n:]
		default:
			n = max(n, 1)
			b.WriteString(s[:n])
			s = s[n:]
		}
	}
	return b.String()
}

// explain puts a request's error into words that say what to do, and tells a
// refusal of what was asked from a refusal for other reasons.
func (s *server) explain(err error) error {
	var refused *client.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &refused):
		switch refused.Status {
		case http.StatusUnprocessableEntity, http.StatusBadRequest:
			return usageError{refused}
		case http.StatusUnauthorized:
			return fmt.Errorf("%w (the key is that of %s)", refused, s.keyFrom)
		}
		return refused
	case errors.Is(err, syscall.ECONNREFUSED):
		return unanswered{fmt.Sprintf("no server answers at %s: %s", s.BaseURL(), s.absent), err}
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("no server answers at %s: %s (%w)", s.BaseURL(), s.absent, dial.Err)
	}
	return err
}

// unanswered is a refused connection in words for people.
type unanswered struct {
	text  string
	cause error
}

func (e unanswered) Error() string { return e.text }
func (e unanswered) Unwrap() error { return e.cause }
