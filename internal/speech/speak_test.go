package speech

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

func TestSpeakRecordings(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t, Config{Folder: recorded(t)})
	if diff := cmp.Diff([]string{"en"}, s.Languages()); diff != "" {
		t.Error("languages:", diff)
	}
	if got := s.Words(); len(got) != 0 {
		t.Error("words:", got)
	}
	sc := compose(t, script.Message{Gate: script.GateAnyKey, Menu: true}, "482913")
	sp := speak(t, s, sc)
	for _, p := range sc.Parts {
		clip := sp.Clip(p, 0)
		if (clip == nil) != (p.Kind == script.KindSilence) {
			t.Errorf("%s %s: clip %v", p.Kind, p.Phrase, clip != nil)
		}
		if clip == nil {
			continue
		}
		if level := audio.ActiveLevel(clip.Samples()); level < lineLevel-1 || level > lineLevel+1 {
			t.Errorf("%s %s: level %.1f dBFS", p.Kind, p.Phrase, level)
		}
	}
	for _, a := range []script.Aside{script.AsideCanceled, script.AsideGateMissed, script.AsideReported} {
		aside, err := script.ComposeAside("en", a)
		if err != nil {
			t.Fatal(err)
		}
		if sp.Clip(aside.Parts[0], 0) == nil {
			t.Errorf("%s: no sound", a)
		}
	}
	if _, err := s.Speak(t.Context(), compose(t, script.Message{Lang: "fr"}, "482913")); !errors.Is(err, ErrUnspeakable) {
		t.Errorf("a language without a voice: %v", err)
	}
	if _, err := s.Speak(t.Context(), script.Script{Lang: "xx"}); !errors.Is(err, ErrUnspeakable) {
		t.Errorf("an unknown language: %v", err)
	}
}

// Readouts, replays, and equal digits side by side differ in rendition.
func TestRenditions(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t, Config{Folder: recorded(t)})
	for _, code := range []string{"5550", "0550", "123456", "7777777777"} {
		sc := compose(t, script.Message{Menu: true}, code)
		sp := speak(t, s, sc)
		said := map[script.Part]int{}
		readout := func(n int) (clips []*audio.Clip) {
			for _, p := range sc.Readout(n) {
				if p.Kind == script.KindDigit {
					clips = append(clips, sp.Clip(p, said[p]))
					said[p]++
				}
			}
			return clips
		}
		times := [][]*audio.Clip{readout(1), readout(2), readout(1), readout(1)}
		if sc.Readouts() == 3 {
			times = slices.Insert(times, 2, readout(3))
		}
		for n, clips := range times {
			for i, c := range clips {
				if i > 0 && code[i] == code[i-1] && c == clips[i-1] {
					t.Errorf("reading %d: digits %d and %d sound the same", n+1, i, i+1)
				}
				if (n == 1 || n == 2 && sc.Readouts() == 3) && c == times[n-1][i] {
					t.Errorf("reading %d: digit %d sounds as in the one before", n+1, i+1)
				}
			}
		}
		first, second := times[len(times)-2], times[len(times)-1]
		for i := range first {
			if first[i] == second[i] || times[0][i] == first[i] {
				t.Errorf("a replay: digit %d sounds as before", i+1)
			}
		}
	}
}

// Whatever the code is, an engine is asked for the same texts: it learns nothing.
func TestEngineLearnsNoCode(t *testing.T) {
	t.Parallel()
	var before []string
	for _, code := range []string{"0000", "482913", "9876543210"} {
		f := &fake{}
		s := newSpeaker(t, Config{Engines: []Engine{f}})
		sc := compose(t, script.Message{Lang: "fr", Brand: "Acme", Menu: true}, code)
		sp := speak(t, s, sc)
		for _, p := range sc.Parts {
			if p.Kind != script.KindSilence && sp.Clip(p, 0) == nil {
				t.Errorf("%s %s: no sound", p.Kind, p.Phrase)
			}
		}
		if before != nil {
			if diff := cmp.Diff(before, f.said()); diff != "" {
				t.Error("the texts depend on the code:", diff)
			}
		}
		before = f.said()
		// A second code of the language asks for nothing at all.
		speak(t, s, compose(t, script.Message{Lang: "fr", Brand: "Acme", Menu: true}, "1357"))
		if diff := cmp.Diff(before, f.said()); diff != "" {
			t.Error("a second code:", diff)
		}
	}
}

func TestBrand(t *testing.T) {
	t.Parallel()
	sc := compose(t, script.Message{Brand: "Acme"}, "482913")
	folder := recorded(t)
	for _, c := range []struct {
		name     string
		engines  []Engine
		nameless bool
	}{
		{"spoken", []Engine{&fake{}}, false},
		{"without an engine", nil, true},
		{"an engine for another language", []Engine{&fake{langs: []string{"ja"}}}, true},
		{"a broken engine", []Engine{&fake{fail: true}}, true},
		{"a broken engine and one that works", []Engine{&fake{fail: true}, &fake{}}, false},
	} {
		s := newSpeaker(t, Config{Folder: folder, Engines: c.engines})
		sp := speak(t, s, sc)
		if sp.Nameless() != c.nameless {
			t.Errorf("%s: nameless %v", c.name, sp.Nameless())
		}
		var heard []*audio.Clip
		for _, p := range sc.Parts {
			if clip := sp.Clip(p, 0); p.Section == script.SectionIntro && clip != nil {
				heard = append(heard, clip)
			}
		}
		// "Hello. This is a call from" must never be followed by nothing.
		plain := sp.voice.phrases[greetingPlain][0].clip
		if c.nameless && (len(heard) != 1 || heard[0] != plain) {
			t.Errorf("%s: %d clips, want the greeting without a name", c.name, len(heard))
		}
		if !c.nameless && (len(heard) != 3 || slices.Contains(heard, plain)) {
			t.Errorf("%s: %d clips, want three", c.name, len(heard))
		}
	}
}

func TestFreeWordsNeedAnEngine(t *testing.T) {
	t.Parallel()
	folder := recorded(t)
	money := &script.Money{Minor: 1250, Currency: "EUR"}
	paid := compose(t, script.Message{Amount: money, Payee: "Book Shop"}, "482913")
	own := compose(t, script.Message{Brand: "Acme", Template: &script.Template{Lang: "en", Phrases: map[string]string{
		"greeting": "Good day. This is an automated call from {brand} with a code for you.",
	}}}, "482913")
	text, err := script.ComposeText("en", "Hello there.")
	if err != nil {
		t.Fatal(err)
	}
	mute := newSpeaker(t, Config{Folder: folder})
	broken := newSpeaker(t, Config{Folder: folder, Engines: []Engine{&fake{fail: true}}})
	f := &fake{}
	able := newSpeaker(t, Config{Folder: folder, Engines: []Engine{f}})
	for name, sc := range map[string]script.Script{"payment": paid, "template": own, "text": text} {
		if _, err := mute.Speak(t.Context(), sc); !errors.Is(err, ErrUnspeakable) {
			t.Errorf("%s without an engine: %v", name, err)
		}
		if _, err := broken.Speak(t.Context(), sc); !errors.Is(err, errFake) {
			t.Errorf("%s with a broken engine: %v", name, err)
		}
		sp := speak(t, able, sc)
		for _, p := range sc.Parts {
			if p.Kind != script.KindSilence && sp.Clip(p, 0) == nil {
				t.Errorf("%s: %s %s has no sound", name, p.Kind, p.Phrase)
			}
		}
	}
	for _, text := range f.said() {
		if strings.ContainsAny(text, "0123456789") {
			t.Error("an engine was given a numeral")
		}
	}
}

// Free text may hold another system's code: its numerals come from recordings.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s := newSpeaker(t, Config{Folder: recorded(t), Engines: []Engine{f}, Wide: true})
	sc, err := script.ComposeText("en", "Your code is 48-29, or ９①٣: bye!")
	if err != nil {
		t.Fatal(err)
	}
	sp := speak(t, s, sc)
	if diff := cmp.Diff([]string{", or", ": bye!", "Your code is"}, f.said()); diff != "" {
		t.Error("an engine was given:", diff)
	}
	u := sp.unit(sc.Parts[1], 0)
	if n, w := len(u.clip.Samples()), len(u.wide); w < 2*n-20 || w > 2*n+20 {
		t.Errorf("%d samples for the line, %d wide", n, w)
	}
	speak(t, s, sc)
	if n := len(f.said()); n != 6 {
		t.Errorf("%d texts after the second time, want 6: free text is not kept", n)
	}
}

func TestCutDigits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]piece{
		"":              nil,
		"0542":          {{digits: "0542"}},
		"a 1,b":         {{words: "a"}, {digits: "1"}, {words: ",b"}},
		"9. 7. 2":       {{digits: "9"}, {digits: "7"}, {digits: "2"}},
		"１２٣⑷⑫²":        {{digits: "1234122"}},
		"➊⓿➓⓵⓫🄌a":       {{digits: "10101110"}, {words: "a"}},
		"a\x01 5p\x00b": {{words: "a"}, {digits: "5"}, {words: "p b"}},
		"50 %":          {{digits: "50"}, {words: "%"}},
		"a½b":           {{words: "a½b"}},
		"..., --":       nil,
		"[[x]]\n<b>y|z": {{words: "x b y z"}},
	} {
		if diff := cmp.Diff(want, cutDigits(text), cmp.AllowUnexported(piece{})); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func FuzzCutDigits(f *testing.F) {
	f.Add("Your code is 48-29, or ９①٣")
	f.Add("𝟗 ⒈ \xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range cutDigits(text) {
			if strings.ContainsFunc(p.words, func(r rune) bool { _, ok := decimal(r); return ok }) {
				t.Fatal("words with a digit")
			}
			if strings.Trim(p.digits, "0123456789") != "" || (p.digits == "") == (p.words == "") {
				t.Fatal("a piece that is neither digits nor words")
			}
		}
	})
}

func TestMix(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t, Config{Folder: recorded(t), Wide: true})
	sc := compose(t, script.Message{Gate: script.GateAnyKey}, "5550")
	sp := speak(t, s, sc)
	line, wide := sp.Mix(sc, false), sp.Mix(sc, true)
	if line.Rate != 8000 || wide.Rate != 16000 {
		t.Fatalf("rates %d and %d", line.Rate, wide.Rate)
	}
	if d := line.Duration() - wide.Duration(); d > promptRest || d < -promptRest {
		t.Errorf("%v for the line, %v wide", line.Duration(), wide.Duration())
	}
	if level := audio.Level(line.Samples[:8000]); level != audio.Silent {
		t.Errorf("the first second has %.1f dBFS", level)
	}
}

func TestSpokenPrintsNothing(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t, Config{Folder: recorded(t), Engines: []Engine{&fake{}}})
	sp := speak(t, s, compose(t, script.Message{Payee: "Book Shop"}, "482913"))
	b, err := json.Marshal(sp)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(b), fmt.Sprint(sp), fmt.Sprintf("%+v %#v %d", sp, sp, sp), sp.LogValue().String()} {
		if strings.Contains(out, "Shop") || !strings.Contains(out, masked) {
			t.Errorf("prints %q", out)
		}
	}
}
