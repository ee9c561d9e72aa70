package talk

import (
	"context"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/speech"
)

// Speaker makes the sound of scripts.
type Speaker interface {
	// Speak makes the sound of every part of a script and of its asides.
	// speech.ErrUnspeakable where a part has no voice.
	Speak(ctx context.Context, s script.Script) (Sound, error)
	// Languages are the tags whose phrases and digits it says.
	Languages() []string
	// Words are the tags in which it says free words.
	Words() []string
}

// Voices makes a Speaker of speech's; nil gives nil, which is no Speaker.
func Voices(s *speech.Speaker) Speaker {
	if s == nil {
		return nil
	}
	return voices{s}
}

type voices struct{ *speech.Speaker }

// Speak makes the sound of a script.
func (v voices) Speak(ctx context.Context, s script.Script) (Sound, error) {
	spoken, err := v.Speaker.Speak(ctx, s)
	if err != nil {
		return nil, err // not spoken: a nil *speech.Spoken is no nil Sound
	}
	return spoken, nil
}
