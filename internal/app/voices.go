package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/speech"
)

// VoicesFile says who speaks in calls of our own; see docs/voices.md.
type VoicesFile struct {
	Folder   string `yaml:"folder"`   // own recordings
	Asterisk string `yaml:"asterisk"` // Asterisk's sound sets
	// Engines are asked in order. None: the programs that are installed.
	Engines []EngineFile `yaml:"engines"`
}

// EngineFile configures one speech engine.
type EngineFile struct {
	Name    string        `yaml:"name"`    // espeak-ng, flite, piper, http, or none
	Command string        `yaml:"command"` // of a program: its path
	Voices  []string      `yaml:"voices"`  // LANG=VOICE
	Timeout time.Duration `yaml:"timeout"`
	URL     string        `yaml:"url"`     // http: up to /v1
	Model   string        `yaml:"model"`   // http
	KeyEnv  string        `yaml:"key_env"` // http: the environment variable that holds the key
}

// noEngine alone in the list keeps installed programs from being asked.
const noEngine = "none"

// speaker builds the voices.
func (c Config) speaker(f VoicesFile, log *slog.Logger) (*speech.Speaker, error) {
	engines, err := c.engines(f.Engines)
	if err != nil {
		return nil, err
	}
	s, err := speech.New(speech.Config{Folder: f.Folder, Asterisk: f.Asterisk, Engines: engines, Log: log})
	if err != nil {
		return nil, fmt.Errorf("voices: %w", err)
	}
	return s, nil
}

// engines builds the configured engines, or finds the installed ones.
func (c Config) engines(files []EngineFile) ([]speech.Engine, error) {
	if len(files) == 0 {
		return speech.Installed(), nil
	}
	if len(files) == 1 && files[0].Name == noEngine {
		return nil, nil
	}
	var out []speech.Engine
	for i, f := range files {
		voices, err := f.voices()
		if err != nil {
			return nil, fmt.Errorf("voices.engines[%d]: voices: %w", i, err)
		}
		cfg := speech.EngineConfig{Name: f.Name, Command: f.Command, Voices: voices, Timeout: f.Timeout, URL: f.URL, Model: f.Model}
		if f.KeyEnv != "" {
			key := c.Getenv(f.KeyEnv)
			if key == "" {
				return nil, fmt.Errorf("voices.engines[%d]: key_env: the environment variable that it names is empty", i)
			}
			cfg.Key = secret.NewText(key)
		}
		e, err := speech.NewEngine(cfg)
		if err != nil {
			return nil, fmt.Errorf("voices.engines[%d]: %w", i, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// voices reads LANG=VOICE.
func (f EngineFile) voices() (map[string]string, error) {
	var out map[string]string
	for _, text := range f.Voices {
		lang, voice, ok := strings.Cut(text, "=")
		if !ok || lang == "" || voice == "" {
			return nil, errors.New("write LANG=VOICE, such as en=en-gb")
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[lang] = voice
	}
	return out, nil
}

// voices says what the lines of our own cannot say.
func (d *doctor) voices(f VoicesFile) {
	s, err := d.cfg.speaker(f, d.cfg.Log)
	if err != nil {
		d.say("configuration: %v", err)
		return
	}
	if len(s.Words()) == 0 {
		d.say("voices: no speech engine: calls leave out the brand and cannot say amounts, payees or announcements: install espeak-ng, or set voices.engines")
	}
	var mute []string
	for _, lang := range script.Languages() {
		if !slices.Contains(s.Languages(), lang) {
			mute = append(mute, lang)
		}
	}
	if len(mute) > 0 {
		d.say("voices: nothing here speaks %s: install espeak-ng, set voices.engines, or put recordings into voices.folder", strings.Join(mute, ", "))
	}
}
