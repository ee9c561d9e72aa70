package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

const (
	prompt = "code> "
	// eraseLine goes to the start of the line and clears it (ECMA-48, EL).
	eraseLine = "\r\x1b[K"
)

// display is where a session is shown. On a terminal it ends with a prompt
// while something can be typed: news takes its place, and it comes again. One
// goroutine uses it.
type display struct {
	out     io.Writer
	prompts bool // a person types at this terminal
	open    bool // the prompt is on the last line
	// leave ends the session: who cannot see it any more does not want the phone
	// to ring on.
	leave context.CancelCauseFunc
}

// errShow ends a session whose display failed.
var errShow = errors.New("cannot show what happens")

// newDisplay prompts only where both ends are a terminal.
func newDisplay(sys system, leave context.CancelCauseFunc) *display {
	in, typed := sys.In.(*os.File)
	out, seen := sys.Out.(*os.File)
	return &display{
		out: sys.Out, leave: leave,
		prompts: typed && seen && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())),
	}
}

// Write shows whole lines. After a failure it asks for the end of the session.
func (d *display) Write(b []byte) (int, error) {
	if d.open {
		d.open = false
		b = append([]byte(eraseLine), b...)
	}
	n, err := d.out.Write(b)
	if err != nil {
		d.leave(fmt.Errorf("%w: %w", errShow, err))
	}
	return n, err
}

// ask shows the prompt where it is not there already.
func (d *display) ask() {
	if !d.prompts || d.open {
		return
	}
	_, _ = io.WriteString(d, prompt) // Write has seen to a failure
	d.open = true
}

// entered says that a line was typed: its end left the prompt behind.
func (d *display) entered() { d.open = false }

// end takes the prompt away.
func (d *display) end() {
	if d.open {
		_, _ = d.Write(nil)
	}
}
