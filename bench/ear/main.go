// Command ear measures how well a code is heard. Random codes are said by a
// pincall built from the checkout and sent through G.711 and a line that is worse
// than it should be; a listener turns each readout back into digits. Run it with
//
//	make bench-ear [SPOKEN=en] [COND=clean|gsm|loss5|loss10|burst10|noise20|all] [PINS=n] [LISTENER=sphinx|whisper]
//
// RIVALS=n says how many codes other products' forms are measured with (English;
// 0: none). VOICES=DIR and ENGINE=name choose other voices, as for pincall say.
// The first run makes the listener, in the user's cache folder. docs/ear.md says
// what is measured, and how.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pincall/pincall/bench/ear/line"
	"github.com/pincall/pincall/bench/ear/sphinx"
	"github.com/pincall/pincall/bench/ear/whisper"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Hour)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-ear:", err)
		os.Exit(1)
	}
}

// settings are what the environment says.
type settings struct {
	lang, listener string
	conditions     []string
	pins, rivals   int
}

func readSettings() (settings, error) {
	s := settings{
		lang: text("SPOKEN", "en"), listener: text("LISTENER", ""), conditions: []string{text("COND", "loss10")},
	}
	if s.listener == "" {
		s.listener = "whisper"
		if s.lang == "en" {
			s.listener = "sphinx"
		}
	}
	if s.conditions[0] == "all" {
		s.conditions = line.Conditions()
	}
	if !slices.Contains(line.Conditions(), s.conditions[0]) {
		return s, fmt.Errorf("COND=%s: want all or one of %v", s.conditions[0], line.Conditions())
	}
	pins, rivals := 30, 6
	switch {
	case s.listener == "whisper":
		pins, rivals = 4, 0
	case s.listener != "sphinx":
		return s, fmt.Errorf("LISTENER=%s: want sphinx or whisper", s.listener)
	case s.lang != "en":
		return s, errors.New("LISTENER=sphinx knows English only: leave it out")
	}
	if s.lang != "en" {
		rivals = 0
	}
	var err1, err2 error
	s.pins, err1 = number("PINS", pins)
	s.rivals, err2 = number("RIVALS", rivals)
	return s, errors.Join(err1, err2)
}

func text(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func number(name string, otherwise int) (int, error) {
	v := os.Getenv(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%s: want a number", name, v)
	}
	return n, nil
}

func run(ctx context.Context) error {
	s, err := readSettings()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-ear-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := build(ctx, dir, s.lang)
	if err != nil {
		return err
	}
	l, err := newListener(ctx, s, p)
	if err != nil {
		return err
	}
	pins := newPINs(max(s.pins, 2), rand.New(rand.NewPCG(7, 11)))
	fmt.Printf("%d codes in %s, heard by %s\n", len(pins), s.lang, s.listener)
	heading()
	rows, err := l.measure(ctx, ours(p), pins, s.conditions)
	if err != nil {
		return err
	}
	if s.rivals > 0 {
		for _, f := range rivals(p) {
			if _, err := l.measure(ctx, f, pins[:min(s.rivals, len(pins))], s.conditions); err != nil {
				return err
			}
		}
	}
	last := rows[len(rows)-1]
	fmt.Printf("first=%.2f either=%.2f majority=%.2f seconds_to_second_readout=%.1f condition=%s spoken=%s listener=%s pins=%d first_six=%.2f\n",
		last.first.Percent(), last.either.Percent(), last.majority.Percent(), last.mean(), last.condition, s.lang, s.listener, len(pins), last.six.Percent())
	return nil
}

// rivals are the forms of others, and theirs in our voice.
func rivals(p program) []form {
	rms, espeak := sphinx.Voice{Program: "flite", Name: "rms"}, sphinx.Voice{Program: "espeak-ng", Name: "en-us"}
	return []form{
		tutorial(rms), tutorial(espeak), inOurVoice(p, "tutorial", 250, 2),
		login(rms), login(espeak), inOurVoice(p, "login.gov", loginPause, 3),
	}
}

// measure says codes in a form and listens to them over each line.
func (l listener) measure(ctx context.Context, f form, pins, conditions []string) ([]row, error) {
	var all []message
	for _, pin := range pins {
		m, err := f.make(ctx, pin)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		all = append(all, m)
	}
	var rows []row
	for _, c := range conditions {
		r, err := l.hear(ctx, f, c, all)
		if err != nil {
			return nil, err
		}
		r.print()
		rows = append(rows, r)
	}
	return rows, nil
}

func newListener(ctx context.Context, s settings, p program) (listener, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cache = filepath.Join(cache, "pincall-ear")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	if s.listener == "whisper" {
		w, err := whisper.New(ctx, cache, s.lang)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, _ bool, readouts [][]int16) ([]string, error) { return w.Hear(ctx, readouts) }, nil
	}
	return usedTo(ctx, cache, p)
}

// usedTo is a listener used to the telephone and to pincall's voice, made anew
// when what it would be made of changes.
func usedTo(ctx context.Context, cache string, p program) (listener, error) {
	own, err := phrases(ctx, p)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "sphinx-"+sphinx.Key(own))
	listen := func(ctx context.Context, bare bool, readouts [][]int16) ([]string, error) {
		return sphinx.Listener{Model: dir, Bare: bare}.Hear(ctx, readouts)
	}
	if _, err := os.Stat(dir); err == nil {
		return listen, nil
	}
	fmt.Fprintln(os.Stderr, "making the listener, once: about three minutes")
	start := time.Now()
	if err := sphinx.Adapt(ctx, dir, own); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "made in %s\n", time.Since(start).Round(time.Second))
	return listen, nil
}

// phrases are what pincall's voice says beside digits.
func phrases(ctx context.Context, p program) ([]sphinx.Utterance, error) {
	var own []sphinx.Utterance
	for _, gate := range []string{"none", "any_key"} {
		c, err := p.say(ctx, "0000", "--gate", gate)
		if err != nil {
			return nil, err
		}
		for _, part := range c.parts {
			said := part.Say
			if part.Gate != nil {
				said = part.Words
			}
			if said != "" {
				own = append(own, sphinx.Utterance{Words: said, Sound: c.sound[part.from:part.upTo]})
			}
		}
	}
	return own, nil
}
