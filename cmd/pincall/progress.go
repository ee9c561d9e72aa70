package main

import (
	"fmt"

	"github.com/pincall/pincall/client"
)

// progress tells what is new in a verification since it was last seen. The zero
// value has seen nothing.
type progress struct {
	attempts map[string]client.Attempt // by id
	step     int
	digits   string // to be keyed
	status   string
	reached  bool // a phone rings, or has rung, or got a message
	ended    bool // an attempt ended between the last two looks
}

// update gives one line for each thing that is new, in the order in which they
// happened, as far as that can be told.
func (p *progress) update(v client.Verification) []string {
	var lines []string
	p.ended = false
	if p.step != 0 && v.Step != p.step {
		lines = append(lines, fmt.Sprintf("step %d of %d: %s", v.Step, v.Steps, v.Channel))
	}
	p.step = v.Step
	if p.attempts == nil {
		p.attempts = map[string]client.Attempt{}
	}
	for i, a := range v.Attempts {
		p.ended = p.ended || a.State == client.StateEnded && p.attempts[a.ID].State != client.StateEnded
		for _, line := range attemptNews(p.attempts[a.ID], a) {
			lines = append(lines, attemptName(a, i)+": "+line)
		}
		p.attempts[a.ID] = a
		p.reached = p.reached || reached(a)
	}
	if v.ScreenDigits != "" && v.ScreenDigits != p.digits {
		lines = append(lines, "digits to key on the phone: "+v.ScreenDigits)
	}
	p.digits = v.ScreenDigits
	if v.Status != p.status && v.Status != client.StatusPending {
		lines = append(lines, withReason(v.Status, v.Reason))
	}
	p.status = v.Status
	return lines
}

// attemptName is "call" or "message", with a number from the second attempt on.
func attemptName(a client.Attempt, i int) string {
	name := "call"
	if a.Channel == "sms" {
		name = "message"
	}
	if i > 0 {
		name = fmt.Sprintf("%s %d", name, i+1)
	}
	return name
}

// reached says that the person may know of the attempt.
func reached(a client.Attempt) bool {
	switch a.State {
	case client.StateRinging, client.StateInCall, client.StateEnded:
		return true
	case client.StatePlaced:
		return a.Channel == "sms"
	}
	return false
}

// attemptNews gives what is new in one attempt.
func attemptNews(old, now client.Attempt) []string {
	var lines []string
	if now.State != old.State && now.State != client.StateEnded {
		lines = append(lines, stateWord(now))
	}
	if now.Ungated && !old.Ungated {
		lines = append(lines, "this route takes no keys, so nothing guards the code from a mailbox")
	}
	if now.GatePassed && !old.GatePassed {
		lines = append(lines, "gate passed")
	}
	if now.Readouts != old.Readouts {
		lines = append(lines, "code heard "+times(now.Readouts))
	}
	if now.State == client.StateEnded && old.State != client.StateEnded {
		lines = append(lines, "ended: "+withReason(now.Outcome, now.Reason))
	}
	return lines
}

func stateWord(a client.Attempt) string {
	switch a.State {
	case client.StatePlaced:
		return "placed by " + a.Route
	case client.StateInCall:
		return "answered"
	}
	return a.State
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func withReason(what, reason string) string {
	if reason == "" || reason == what {
		return what
	}
	return what + " (" + reason + ")"
}
