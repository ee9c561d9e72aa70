package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pincall/pincall/bench/ear/line"
)

// program is a pincall built from the checkout.
type program struct {
	path, dir string
	lang      string
	voice     []string // flags of say that choose a voice
}

// build builds pincall into dir.
func build(ctx context.Context, dir, lang string) (program, error) {
	p := program{path: filepath.Join(dir, "pincall"), dir: dir, lang: lang}
	if v := os.Getenv("VOICES"); v != "" {
		p.voice = append(p.voice, "--voices", v)
	}
	if e := os.Getenv("ENGINE"); e != "" {
		p.voice = append(p.voice, "--engine", e)
	}
	c := exec.CommandContext(ctx, "go", "build", "-o", p.path, "./cmd/pincall")
	c.Dir = ".."
	if out, err := c.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build pincall: %w: %s", err, out)
	}
	return p, nil
}

// part is one of `pincall say --form parts`.
type part struct {
	Silence int    `json:"silence_ms"`
	Say     string `json:"say"`
	Digit   string `json:"digit"`
	Words   string `json:"words"`
	Gate    any    `json:"gate"`
	Menu    any    `json:"menu"`
}

// placed is a part with its sound: samples from to upTo of the call.
type placed struct {
	part
	from, upTo int
}

// call is what pincall says for one code, from the answer on.
type call struct {
	sound []int16
	parts []placed
}

// promptRest is what say leaves where a line would wait for a key, in ms.
const promptRest = 2000

// say has pincall say a code, and finds every part in the sound.
func (p program) say(ctx context.Context, code string, flags ...string) (call, error) {
	flags = append([]string{"say", "--lang", p.lang, "--code", code}, flags...)
	listed, err := exec.CommandContext(ctx, p.path, append(flags, "--form", "parts")...).Output()
	if err != nil {
		return call{}, fmt.Errorf("pincall say: %w", complaint(err))
	}
	var parts []part
	if err := json.Unmarshal(listed, &parts); err != nil {
		return call{}, fmt.Errorf("pincall say --form parts: %w", err)
	}
	wav := filepath.Join(p.dir, "say.wav")
	if _, err := exec.CommandContext(ctx, p.path, append(append(flags, p.voice...), "--out", wav)...).Output(); err != nil {
		return call{}, fmt.Errorf("pincall say: %w", complaint(err))
	}
	sound, rate, err := line.ReadWAV(wav)
	if err != nil {
		return call{}, fmt.Errorf("pincall say: %w", err)
	}
	if rate != line.Rate {
		return call{}, fmt.Errorf("pincall say: %d Hz", rate)
	}
	found, err := place(parts, sound)
	if err != nil {
		return call{}, fmt.Errorf("pincall say: %w", err)
	}
	return call{sound, found}, nil
}

// complaint is an error with what the program wrote to standard error.
func complaint(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}

// readouts are the numbers of the parts that are the digits of each readout: a
// run of digits and silences.
func (c call) readouts() [][]placed {
	var all [][]placed
	open := false
	for _, p := range c.parts {
		switch {
		case p.Digit != "" && !open:
			all, open = append(all, []placed{p}), true
		case p.Digit != "":
			all[len(all)-1] = append(all[len(all)-1], p)
		case p.Silence == 0:
			open = false
		}
	}
	return all
}
