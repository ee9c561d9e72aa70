package speech

import (
	"context"
	"errors"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// ErrUnspeakable says that no pack and no engine can say a script: its language
// has neither, or it holds a payee, an amount or free text that needs an engine.
var ErrUnspeakable = errors.New("speech: no voice can say this")

// Speaker says scripts. It is safe for concurrent use.
type Speaker struct{}

// Languages are the language tags whose phrases and digits can be said.
func (s *Speaker) Languages() []string { return nil }

// Words are the language tags in which an engine can say free words: a payee, an
// amount, an announcement. A brand without one is left out.
func (s *Speaker) Words() []string { return nil }

// Speak finds or makes the sound of every part of a script. ErrUnspeakable.
func (s *Speaker) Speak(ctx context.Context, sc script.Script) (*Spoken, error) {
	return nil, ErrUnspeakable
}

// Spoken is the sound of one script and of the short phrases that may end its
// call (script.ComposeAside). It is safe for concurrent use, and prints nothing.
type Spoken struct{}

// Clip is the sound of a part; nil for one that makes none (a silence, a skipped
// brand). take counts from 0 how often the part was said before in this call: the
// readouts and takes differ in rendition, as a fault that is repeated is not
// noticed.
func (s *Spoken) Clip(p script.Part, take int) *audio.Clip { return nil }
