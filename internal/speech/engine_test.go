package speech

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// childOf is an engine whose program is a shell script.
func childOf(t *testing.T, name, body string, timeout time.Duration) Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	e, err := NewEngine(EngineConfig{Name: name, Command: path, Voices: map[string]string{"en": "v"}, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestChild(t *testing.T) {
	t.Parallel()
	wav := filepath.Join(t.TempDir(), "x.wav")
	write(t, wav, tone(16000, 440, time.Second).WAV())
	const text = "Book Shop & 'sons'; $(id)"
	dir := t.TempDir()
	for name, body := range map[string]string{
		EngineEspeak: "cat >%[2]s/in; echo \"$@\" >%[2]s/args; cat %[1]s",
		EnginePiper:  "cat >%[2]s/in; echo \"$@\" >%[2]s/args; cat %[1]s",
		EngineFlite:  "cat \"$4\" >%[2]s/in; echo >>%[2]s/in; echo \"$@\" >%[2]s/args; ls -ld $(dirname $4) >%[2]s/mode; cp %[1]s \"$6\"",
	} {
		e := childOf(t, name, fmt.Sprintf(body, wav, dir), 0)
		got, err := e.Synthesize(t.Context(), "en", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Rate != 16000 || got.Duration() != 1100*time.Millisecond {
			t.Errorf("%s: %d Hz, %v", name, got.Rate, got.Duration())
		}
		if in := read(t, dir, "in"); in != text+"\n" {
			t.Errorf("%s: it read %q", name, in)
		}
		if args := read(t, dir, "args"); strings.Contains(args, "Shop") {
			t.Errorf("%s: the text is among the arguments: %s", name, args)
		}
		if _, err := e.Synthesize(t.Context(), "ja", text); !errors.Is(err, ErrUnspeakable) {
			t.Errorf("%s: a language without a voice: %v", name, err)
		}
	}
	if mode := read(t, dir, "mode"); !strings.HasPrefix(mode, "drwx------") {
		t.Errorf("flite's folder is %s", mode)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "pincall-speech-*", "text")); err != nil || len(left) > 0 {
		t.Errorf("texts are left behind: %v, %v", left, err)
	}
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestChildFails(t *testing.T) {
	t.Parallel()
	const text = "Book Shop"
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"status":         {"cat; cat >&2; exit 3", nil},
		"garbage":        {"cat; echo no sound", nil},
		"nothing":        {"exit 0", nil},
		"huge":           {"cat /dev/zero", errOutput},
		"slow":           {"sleep 20", errTimeout},
		"does not leave": {"trap '' TERM INT; sleep 20 & wait", errTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if errors.Is(c.want, errTimeout) {
				timeout = 100 * time.Millisecond
			}
			begun := time.Now()
			_, err := childOf(t, EngineEspeak, c.body, timeout).Synthesize(t.Context(), "en", text)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "Shop") {
				t.Errorf("the error holds the text: %v", err)
			}
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := childOf(t, EngineEspeak, "sleep 20", 0).Synthesize(ctx, "en", text); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// An engine that is a script does not leave the true one behind.
func TestChildDiesWithItsChildren(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	body := "(sleep 3; touch " + dir + "/late) & echo >" + dir + "/begun; wait"
	if _, err := childOf(t, EngineEspeak, body, time.Second).Synthesize(t.Context(), "en", "x"); !errors.Is(err, errTimeout) {
		t.Fatalf("error %v", err)
	}
	read(t, dir, "begun")
	time.Sleep(4 * time.Second)
	if _, err := os.Stat(filepath.Join(dir, "late")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the child's child lives on: %v", err)
	}
}

// An engine is another's program: it sees no keys of ours.
func TestChildEnvironment(t *testing.T) {
	// Sets the environment.
	t.Setenv("PINCALL_KEYRING", "secret")
	dir := t.TempDir()
	_, _ = childOf(t, EngineEspeak, "env >"+dir+"/env", 0).Synthesize(t.Context(), "en", "x")
	if env := read(t, dir, "env"); strings.Contains(env, "secret") || !strings.Contains(env, "PATH=") {
		t.Errorf("the environment is %s", env)
	}
}

func TestEngineConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []EngineConfig{
		{}, {Name: "festival"},
		{Name: EngineEspeak, Command: "/nowhere/espeak"},
		{Name: EngineEspeak, Voices: map[string]string{"xx": "v"}},
		{Name: EngineEspeak, Voices: map[string]string{"en": ""}},
		{Name: EngineEspeak, Voices: map[string]string{"en": "--path=/"}},
		{Name: EnginePiper, Command: "/bin/true"},
		{Name: EngineEspeak, Command: "/bin/true", Timeout: -time.Second},
		{Name: EngineHTTP}, {Name: EngineHTTP, URL: "ftp://127.0.0.1/v1"},
		{Name: EngineHTTP, URL: "http://speech.example.com/v1"},
		{Name: EngineHTTP, URL: "https://user:key@speech.example.com/v1"},
		{Name: EngineHTTP, URL: "https://speech.example.com/v1?key=1"},
	} {
		if e, err := NewEngine(c); err == nil || e != nil {
			t.Errorf("%s %s %s: no error", c.Name, c.Command, c.URL)
		}
	}
	for _, url := range []string{"http://localhost:8880/v1", "http://[::1]:8880/v1/", "https://speech.example.com/v1"} {
		if _, err := NewEngine(EngineConfig{Name: EngineHTTP, URL: url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// The real programs speak every language they claim to.
func TestInstalledEngines(t *testing.T) {
	t.Parallel()
	for _, name := range []string{EngineEspeak, EngineFlite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(name); err != nil {
				if name == EngineEspeak && os.Getenv("CI") == "true" {
					t.Fatal("espeak-ng is not installed")
				}
				t.Skip(name, "is not installed")
			}
			e, err := NewEngine(EngineConfig{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			for _, lang := range e.Languages() {
				short := synthesize(t, e, lang, "Acme")
				long := synthesize(t, e, lang, "Acme Acme Acme Acme Acme")
				if audio.ActiveLevel(short.Samples) < -40 || long.Duration() < short.Duration()*3/2 {
					t.Errorf("%s: %v for one word, %v for five", lang, short.Duration(), long.Duration())
				}
			}
		})
	}
}

func synthesize(t *testing.T, e Engine, lang, text string) audio.Sound {
	t.Helper()
	s, err := e.Synthesize(t.Context(), lang, text)
	if err != nil {
		t.Fatal(err)
	}
	s.Samples = audio.Trim(s.Samples, s.Rate)
	if len(s.Samples) == 0 {
		t.Fatalf("%s: no sound", lang)
	}
	return s
}
