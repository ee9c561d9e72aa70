package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/speech"
)

// soundFlags say that a script is wanted as sound, and with which voices.
type soundFlags struct {
	Out      string `help:"Write what is heard on the line to this WAV file; - is standard output." placeholder:"FILE"`
	Wide     bool   `help:"With --out: 16 kHz, as before the line."`
	Voices   string `help:"With --out: a folder of own recordings." placeholder:"DIR"`
	Asterisk string `help:"With --out: a folder of Asterisk's sound sets, for the digits." placeholder:"DIR"`
	Engine   string `help:"With --out: espeak-ng or flite, for a brand, an amount and a payee." placeholder:"NAME"`
}

// check says what is wrong with the flags.
func (f soundFlags) check(form string) error {
	switch {
	case f.Out == "" && f != soundFlags{}:
		return usagef("--wide, --voices, --asterisk and --engine go with --out")
	case f.Out != "" && form != "text":
		return usagef("--out writes sound: leave --form out")
	case f.Engine != "" && f.Engine != speech.EngineEspeak && f.Engine != speech.EngineFlite:
		return usagef("--engine: want %s or %s", speech.EngineEspeak, speech.EngineFlite)
	}
	return nil
}

// record writes a script as sound.
func (f soundFlags) record(ctx context.Context, sys system, s script.Script) error {
	c := speech.Config{Folder: f.Voices, Asterisk: f.Asterisk, Wide: f.Wide}
	if f.Engine != "" {
		e, err := speech.NewEngine(speech.EngineConfig{Name: f.Engine})
		if err != nil {
			return usagef("--%w", err)
		}
		c.Engines = []speech.Engine{e}
	}
	speaker, err := speech.New(c)
	if err != nil {
		return usageError{err}
	}
	spoken, err := speaker.Speak(ctx, s)
	if errors.Is(err, speech.ErrUnspeakable) {
		if !slices.Contains(speaker.Languages(), s.Lang) {
			return fmt.Errorf("there are no recordings of the language %s: add --engine espeak-ng", s.Lang)
		}
		return errors.New("no recording holds an amount, a payee or a text: add --engine espeak-ng")
	}
	if err != nil {
		return err
	}
	if spoken.Nameless() {
		fmt.Fprintln(sys.Err, "the brand is left out: --engine espeak-ng would say it")
	}
	sound := spoken.Mix(s, f.Wide)
	if !f.Wide {
		throughLine(sound.Samples)
	}
	return f.write(sys, sound.WAV())
}

// throughLine does to samples what G.711 does.
func throughLine(samples []int16) {
	b := make([]byte, len(samples))
	audio.PCMU.Encode(b, samples)
	audio.PCMU.Decode(samples, b)
}

func (f soundFlags) write(sys system, wav []byte) error {
	if f.Out == "-" {
		if _, err := sys.Out.Write(wav); err != nil {
			return fmt.Errorf("write the sound: %w", err)
		}
		return nil
	}
	file, err := os.Create(f.Out)
	if err != nil {
		return fmt.Errorf("write the sound: %w", err)
	}
	_, err = file.Write(wav)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the sound: %w", err)
	}
	return nil
}
