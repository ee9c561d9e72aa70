package speech

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// Engine says words that no recording holds: a brand, an amount, a payee, a
// tenant's own phrases, the words of an announcement. It is never given a code
// nor a digit of one. It is safe for concurrent use.
type Engine interface {
	// Name is the engine's name for people and logs.
	Name() string
	// Languages are the tags of script.Languages it speaks; nil: all of them.
	Languages() []string
	// Synthesize says a text, or fails within the engine's time-out. The error
	// repeats neither the text nor a key.
	Synthesize(ctx context.Context, lang, text string) (audio.Sound, error)
}

// The names of engines in EngineConfig.
const (
	EngineEspeak = "espeak-ng"
	EngineFlite  = "flite"
	EnginePiper  = "piper"
	EngineHTTP   = "http" // any server of the OpenAI /v1/audio/speech form
)

// EngineConfig describes an engine. Name is required, and for piper Voices, for
// http URL.
type EngineConfig struct {
	Name    string            // espeak-ng, flite, piper or http
	Command string            // of a program: its path; empty: the name, looked for on PATH
	Voices  map[string]string // by language tag: the voice's name; for piper its model file. Languages that are not named have a default, or none
	Timeout time.Duration     // for one text; zero: 10 s

	URL   string      // http: the address up to /v1, https unless it is this machine's own
	Model string      // http: empty: "tts-1"
	Key   secret.Text // http: sent as a bearer token; empty: none
}

// The limits of an engine's answer.
const (
	engineTimeout = 10 * time.Second
	engineOutput  = 10 << 20 // bytes
)

var (
	errTimeout = errors.New("took too long")
	errOutput  = fmt.Errorf("gave more than %d MB", engineOutput>>20)
)

// NewEngine makes an engine. Its program must be there; a server is not asked.
func NewEngine(c EngineConfig) (Engine, error) {
	if c.Timeout == 0 {
		c.Timeout = engineTimeout
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("engine %s: timeout: want more than 0", c.Name)
	}
	for tag := range c.Voices {
		if !slices.Contains(script.Languages(), tag) {
			return nil, fmt.Errorf("engine %s: voices: want languages of %s", c.Name, strings.Join(script.Languages(), ", "))
		}
		if v := c.Voices[tag]; v == "" || strings.HasPrefix(v, "-") {
			return nil, fmt.Errorf("engine %s: voices: the name for %s is empty or begins with a dash", c.Name, tag)
		}
	}
	var e Engine
	var err error
	switch c.Name {
	case EngineEspeak, EngineFlite, EnginePiper:
		e, err = newProgram(c)
	case EngineHTTP:
		e, err = newServer(c)
	default:
		err = fmt.Errorf("want %s, %s, %s or %s", EngineEspeak, EngineFlite, EnginePiper, EngineHTTP)
	}
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", c.Name, err)
	}
	return e, nil
}

// Installed are the engines that are on this machine's PATH and need no
// configuration.
func Installed() []Engine {
	var found []Engine
	for _, name := range []string{EngineEspeak, EngineFlite} {
		if e, err := NewEngine(EngineConfig{Name: name}); err == nil {
			found = append(found, e)
		}
	}
	return found
}

// espeakVoices are the voices of espeak-ng for our languages. It reads no kanji
// ("Chinese letter"), so Japanese is left to others.
func espeakVoices() map[string]string {
	return map[string]string{
		"de": "de", "en": "en-us", "es": "es", "fr": "fr-fr", "it": "it", "ko": "ko",
		"nl": "nl", "pl": "pl", "pt": "pt-br", "ru": "ru", "zh": "cmn",
	}
}

// fliteVoices: of the voices inside flite, rms is heard best on a line.
func fliteVoices() map[string]string { return map[string]string{"en": "rms"} }

func newProgram(c EngineConfig) (*program, error) {
	voices := map[string]string{}
	switch c.Name {
	case EngineEspeak:
		voices = espeakVoices()
	case EngineFlite:
		voices = fliteVoices()
	}
	for tag, voice := range c.Voices {
		voices[tag] = voice
	}
	if len(voices) == 0 {
		return nil, errors.New("voices: want the model file of at least one language")
	}
	command := c.Command
	if command == "" {
		command = c.Name
	}
	path, err := exec.LookPath(command)
	if err != nil {
		return nil, errors.New("the program is not installed, or not on PATH")
	}
	return &program{name: c.Name, path: path, voices: voices, timeout: c.Timeout}, nil
}
