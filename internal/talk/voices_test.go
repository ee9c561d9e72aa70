package talk_test

import (
	"errors"
	"testing"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

func TestVoices(t *testing.T) {
	t.Parallel()
	if talk.Voices(nil) != nil {
		t.Error("no voices are a Speaker")
	}
	s, err := speech.New(speech.Config{})
	if err != nil {
		t.Fatal(err)
	}
	v := talk.Voices(s)
	aside, err := script.ComposeAside("en", script.AsideCanceled)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := v.Speak(t.Context(), aside)
	if err != nil {
		t.Fatal(err)
	}
	if sound.Clip(aside.Parts[0], 0) == nil {
		t.Error("a phrase has no sound")
	}
	if sound, err := v.Speak(t.Context(), script.Script{Lang: "xx"}); sound != nil || !errors.Is(err, speech.ErrUnspeakable) {
		t.Errorf("an unknown language: %v, error %v", sound, err)
	}
}
