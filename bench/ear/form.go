package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/bench/ear/line"
	"github.com/pincall/pincall/bench/ear/sphinx"
)

// message is one code as one form says it.
type message struct {
	pin      string
	sound    []int16 // at line.Rate, from the answer on
	readouts []quiet // where each readout lies, with a margin; not quiet at all
	second   float64 // s from the answer to the end of the second readout
}

// form is a way to say codes.
type form struct {
	name string
	bare bool // digits have no word before them
	make func(ctx context.Context, pin string) (message, error)
}

// margin is what a listener gets of the silence around a readout.
const margin = line.Rate * 3 / 10

// ours is what pincall says, with the gate off.
func ours(p program) form {
	return form{"pincall", false, func(ctx context.Context, pin string) (message, error) {
		c, err := p.say(ctx, pin, "--gate", "none")
		if err != nil {
			return message{}, err
		}
		m := message{pin: pin, sound: c.sound}
		for _, digits := range c.readouts() {
			if len(digits) != len(pin) {
				return message{}, fmt.Errorf("pincall say: a readout of %d digits of %d", len(digits), len(pin))
			}
			m.mark(digits[0].from, digits[len(digits)-1].upTo)
		}
		if len(m.readouts) < 2 {
			return message{}, fmt.Errorf("pincall say: %d readouts", len(m.readouts))
		}
		return m, nil
	}}
}

// mark notes a readout.
func (m *message) mark(from, upTo int) {
	m.readouts = append(m.readouts, quiet{max(0, from-margin), min(upTo+margin, len(m.sound))})
	if len(m.readouts) == 2 {
		m.second = float64(upTo) / line.Rate
	}
}

func (m *message) add(sound []int16) { m.sound = append(m.sound, sound...) }

func (m *message) rest(ms int) { m.add(make([]int16, ms*line.Rate/1000)) }

// read adds a readout.
func (m *message) read(sounds ...[]int16) {
	from := len(m.sound)
	for _, s := range sounds {
		m.add(s)
	}
	upTo := len(m.sound)
	m.mark(from, upTo)
}

// tutorial is the message of the tutorial on two-factor authentication by voice,
// as a carrier's text-to-speech reads it: a sentence at a time, said twice.
func tutorial(v sphinx.Voice) form {
	return form{"tutorial, " + v.Name, false, func(ctx context.Context, pin string) (message, error) {
		code := "Your pin is: "
		for _, d := range pin {
			code += fmt.Sprintf("Number %c, ", d)
		}
		code = code[:len(code)-2] + "."
		m := message{pin: pin}
		hello, err := v.Read(ctx, "Hello. This is Xoxzo. Please do not disclose this pin to anyone.")
		if err != nil {
			return m, err
		}
		said, err := v.Read(ctx, code)
		if err != nil {
			return m, err
		}
		m.add(hello)
		m.read(said)
		m.read(said)
		m.rest(1000)
		return m, nil
	}}
}

// loginPause is the break after each digit, in ms; loginSlow what "slow" is.
const (
	loginPause = 500
	loginSlow  = 1.25
)

// login is the message of login.gov: digits without a word before them, slowly,
// half a second apart, three times.
func login(v sphinx.Voice) form {
	v.Slow = loginSlow
	once := map[string][]int16{}
	read := func(ctx context.Context, text string) ([]int16, error) {
		if s, ok := once[text]; ok {
			return s, nil
		}
		s, err := v.Read(ctx, text)
		once[text] = s
		return s, err
	}
	return form{"login.gov, " + v.Name, true, func(ctx context.Context, pin string) (message, error) {
		m := message{pin: pin}
		hello, err := read(ctx, "Hello! Your one-time code is")
		if err != nil {
			return m, err
		}
		again, err := read(ctx, "Again, your one-time code is")
		if err != nil {
			return m, err
		}
		var digits [][]int16
		for _, d := range pin {
			s, err := read(ctx, string(d))
			if err != nil {
				return m, err
			}
			digits = append(digits, s, make([]int16, loginPause*line.Rate/1000))
		}
		for k := range 3 {
			if k == 0 {
				m.add(hello)
			} else {
				m.add(again)
			}
			m.rest(loginPause)
			m.read(digits...)
		}
		m.rest(1000)
		return m, nil
	}}
}

// inOurVoice says the digits of another form with pincall's voice: as many
// readouts, the same pauses. Only what is heard can be compared, not how long
// the whole message is.
func inOurVoice(p program, name string, pause, times int) form {
	bare := times == 3 // login.gov's
	var flags []string
	if bare {
		flags = []string{"--plain"}
	}
	return form{name + ", our voice", bare, func(ctx context.Context, pin string) (message, error) {
		c, err := p.say(ctx, pin, append(flags, "--gate", "none")...)
		if err != nil {
			return message{}, err
		}
		first := c.readouts()[0]
		var sounds [][]int16
		for _, d := range first {
			sounds = append(sounds, c.sound[d.from:d.upTo], make([]int16, pause*line.Rate/1000))
		}
		m := message{pin: pin}
		m.rest(1000)
		for range times {
			m.read(sounds...)
			m.rest(500)
		}
		m.rest(500)
		m.second = 0
		return m, nil
	}}
}
