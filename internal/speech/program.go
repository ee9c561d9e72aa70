package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// program is an engine that runs as a child process, once a text. The text goes
// to it on standard input or in a private file: arguments can be seen by every
// user of the machine. No shell is involved.
type program struct {
	name    string
	path    string
	voices  map[string]string // by language
	timeout time.Duration
}

func (p *program) Name() string { return p.name }

func (p *program) Languages() []string { return slices.Sorted(maps.Keys(p.voices)) }

func (p *program) Synthesize(ctx context.Context, lang, text string) (audio.Sound, error) {
	voice := p.voices[lang]
	if voice == "" {
		return audio.Sound{}, ErrUnspeakable
	}
	short, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	var wav []byte
	var err error
	switch p.name {
	case EngineFlite:
		wav, err = p.throughFiles(short, voice, text)
	case EnginePiper:
		wav, err = p.run(short, text, "-m", voice, "-f", "-")
	default:
		wav, err = p.run(short, text, "-v", voice, "-b", "1", "--stdin", "--stdout")
	}
	if err != nil {
		return audio.Sound{}, err
	}
	return decodeWAV(wav)
}

// throughFiles runs flite, which reads text and writes sound in files only.
func (p *program) throughFiles(ctx context.Context, voice, text string) (wav []byte, err error) {
	dir, err := os.MkdirTemp("", "pincall-speech-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in, out := filepath.Join(dir, "text"), filepath.Join(dir, "sound.wav")
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write a file: %w", err)
	}
	if _, err := p.run(ctx, "", "-voice", voice, "-f", in, "-o", out); err != nil {
		return nil, err
	}
	f, err := os.Open(out)
	if err != nil {
		return nil, fmt.Errorf("read its sound: %w", err)
	}
	defer f.Close()
	wav, err = io.ReadAll(io.LimitReader(f, engineOutput+1))
	if err == nil && len(wav) > engineOutput {
		err = errOutput
	}
	return wav, err
}

// hangUp is how long a child that was killed may keep its output open.
const hangUp = time.Second

// run gives the standard output of the program. What it says on standard error is
// dropped, as it may repeat the text.
func (p *program) run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &limited{full: func() { cancel(errOutput) }}
	var err error
	for range busyTries {
		cmd := exec.CommandContext(ctx, p.path, args...)
		cmd.Stdin, cmd.Stdout = strings.NewReader(stdin+"\n"), out
		cmd.Env, cmd.WaitDelay = childEnv(), hangUp
		alone(cmd)
		// A program that was just installed may still be open for writing somewhere: nothing ran then.
		if err = cmd.Run(); !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(busyWait)
	}
	switch {
	case errors.Is(context.Cause(ctx), errOutput):
		return nil, errOutput
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, errTimeout
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("run: %w", err)
	}
	return out.buf.Bytes(), nil
}

// How often a program that is still being written is tried, and how far apart.
const (
	busyTries = 10
	busyWait  = 20 * time.Millisecond
)

// childEnv is the part of the environment that an engine needs; the rest may hold
// keys.
func childEnv() []string {
	env := []string{"LANG=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ESPEAK_DATA_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// limited takes engineOutput bytes and then calls full.
type limited struct {
	buf  bytes.Buffer
	full func()
}

func (l *limited) Write(b []byte) (int, error) {
	if l.buf.Len()+len(b) > engineOutput {
		l.full()
		return 0, errOutput
	}
	return l.buf.Write(b)
}
