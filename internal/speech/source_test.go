package speech

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

func TestSplitFile(t *testing.T) {
	t.Parallel()
	names := lookUp(t, "en").names
	for file, want := range map[string]recording{
		"menu.wav":           {"menu", 1},
		"menu.2.flac":        {"menu", 2},
		"greeting.1.wav":     {"greeting.1", 1},
		"greeting.1.3.wav":   {"greeting.1", 3},
		"number-9.2.wav":     {"number-9", 2},
		"digit-0.wav":        {"digit-0", 1},
		"number-10.wav":      {},
		"menu.0.wav":         {},
		"menu.x.wav":         {},
		"menu.mp3":           {},
		"greeting.wav":       {},
		"greeting.wav.1":     {},
		"pack.yaml":          {},
		".wav":               {},
		"greeting_plain.wav": {"greeting_plain", 1},
	} {
		name, n, ok := splitFile(file, names)
		if ok != (want.file != "") || ok && (name != want.file || n != want.rendition) {
			t.Errorf("%s: %s, %d, %v", file, name, n, ok)
		}
	}
	if _, _, ok := splitFile("number-9.wav", lookUp(t, "ja").names); ok {
		t.Error("Japanese has no carrier word")
	}
}

// Where own recordings lack something the embedded pack says it, but never one
// digit of ten.
func TestOwnRecordingsGoFirst(t *testing.T) {
	t.Parallel()
	embedded, own := recorded(t), recorded(t)
	for _, file := range []string{"menu.1.wav", "number-7.1.wav", "number-7.2.wav", "number-7.3.wav"} {
		if err := os.Remove(filepath.Join(own, "en", file)); err != nil {
			t.Fatal(err)
		}
	}
	first := newSpeaker(t, Config{Folder: own})
	if len(first.Languages()) != 0 {
		t.Error("a language without a menu is complete")
	}
	if _, err := first.Speak(t.Context(), compose(t, script.Message{}, "0123")); err != nil {
		t.Errorf("a script without a menu: %v", err)
	}
	if _, err := first.Speak(t.Context(), compose(t, script.Message{Menu: true}, "0123")); !errors.Is(err, ErrUnspeakable) {
		t.Errorf("a script with a menu: %v", err)
	}
	// The digits without their carrier word stand in for those with it.
	v, err := first.langs["en"].recorded()
	if err != nil {
		t.Fatal(err)
	}
	if v.digits[carrierForm][3][0] == nil || len(v.digits[carrierForm][7]) != 3 {
		t.Error("the digits are not ten")
	}
	both := newSpeaker(t, Config{Folder: own, embedded: os.DirFS(embedded)})
	speak(t, both, compose(t, script.Message{Menu: true}, "0123"))
	if diff := cmp.Diff([]string{"en"}, both.Languages()); diff != "" {
		t.Error(diff)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	flat := filepath.Join(t.TempDir(), "voice")
	record(t, flat, "en")
	if _, err := New(Config{Folder: flat}); err == nil || !strings.Contains(err.Error(), "language") {
		t.Errorf("a folder of unknown language: %v", err)
	}
	write(t, filepath.Join(flat, "pack.yaml"), []byte("lang: en\nvoice: Ann\n"))
	if s := newSpeaker(t, Config{Folder: flat}); len(s.Languages()) != 1 {
		t.Error("pack.yaml does not tell the language")
	}
	write(t, filepath.Join(flat, "pack.yaml"), []byte("lang: en-GB\n"))
	if s := newSpeaker(t, Config{Folder: flat}); len(s.Languages()) != 1 {
		t.Error("pack.yaml does not tell a language of a country")
	}
	twice := recorded(t)
	record(t, filepath.Join(twice, "en-GB"), "en")
	if _, err := New(Config{Folder: twice}); err == nil || !strings.Contains(err.Error(), "two folders") {
		t.Errorf("two folders of a language: %v", err)
	}
	named := filepath.Join(t.TempDir(), "en_GB")
	record(t, named, "en")
	if s := newSpeaker(t, Config{Folder: named}); len(s.Languages()) != 1 {
		t.Error("the folder's name does not tell the language")
	}
	if _, err := New(Config{Folder: t.TempDir()}); err == nil {
		t.Error("an empty folder: no error")
	}
	if _, err := New(Config{Folder: "/nowhere"}); err == nil {
		t.Error("no folder: no error")
	}
	broken := recorded(t)
	write(t, filepath.Join(broken, "en", "bye.1.wav"), []byte("RIFF"))
	if _, err := New(Config{Folder: broken}); err == nil || !strings.Contains(err.Error(), "bye.1.wav") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestAsterisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	digits := filepath.Join(dir, "en_US_f_Allison", "digits")
	if err := os.MkdirAll(digits, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "silence"), 0o700); err != nil {
		t.Fatal(err)
	}
	for d := range 10 {
		s := tone(lineRate, float64(300+20*d), 400*time.Millisecond)
		file := filepath.Join(digits, string(rune('0'+d)))
		switch d {
		case 1:
			b := make([]byte, len(s.Samples))
			audio.PCMU.Encode(b, s.Samples)
			write(t, file+".ulaw", b)
		case 2:
			b := make([]byte, len(s.Samples))
			audio.PCMA.Encode(b, s.Samples)
			write(t, file+".alaw", b)
		case 3:
			write(t, file+".sln", s.WAV()[44:])
		default:
			write(t, file+".wav", s.WAV())
		}
	}
	pack := recorded(t)
	s := newSpeaker(t, Config{Asterisk: dir, embedded: os.DirFS(pack)})
	v, err := s.langs["en"].recorded()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []form{plainForm, carrierForm} {
		for d, units := range v.digits[f] {
			// 400 ms, and what Trim leaves at the ends: the pack's have 500 ms.
			if len(units) != 1 || units[0].clip.Duration() > 490*time.Millisecond {
				t.Errorf("%s %d: %d renditions", f, d, len(units))
			}
		}
	}
	if err := os.Remove(filepath.Join(digits, "9.wav")); err != nil {
		t.Fatal(err)
	}
	found, err := asterisk(dir)
	if err != nil || len(found) != 0 {
		t.Errorf("nine digits: %v, %v", found, err)
	}
	if _, err := asterisk("/nowhere"); err == nil {
		t.Error("no folder: no error")
	}
}

func TestInstalledAsterisk(t *testing.T) {
	t.Parallel()
	const dir = "/usr/share/asterisk/sounds"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("Asterisk's sounds are not installed")
	}
	s := newSpeaker(t, Config{Asterisk: dir, embedded: os.DirFS(recorded(t))})
	sc := compose(t, script.Message{}, "0123456789")
	sp := speak(t, s, sc)
	for _, p := range sc.Readout(1) {
		if p.Kind == script.KindDigit && sp.Clip(p, 0) == nil {
			t.Errorf("%c: no sound", p.Digit)
		}
	}
}

// encodeFLAC writes 16-bit FLAC without compression.
func encodeFLAC(t testing.TB, s audio.Sound, channels int) []byte {
	t.Helper()
	var b strings.Builder
	info := &meta.StreamInfo{BlockSizeMin: 16, BlockSizeMax: 4096, SampleRate: uint32(s.Rate), NChannels: uint8(channels), BitsPerSample: 16}
	e, err := flac.NewEncoder(&b, info)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(s.Samples); at += 4096 {
		part := s.Samples[at:min(at+4096, len(s.Samples))]
		f := &frame.Frame{Header: frame.Header{HasFixedBlockSize: false, BlockSize: uint16(len(part)), SampleRate: uint32(s.Rate), Channels: frame.Channels(channels - 1), BitsPerSample: 16}}
		for range channels {
			sub := &frame.Subframe{SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, NSamples: len(part)}
			for _, x := range part {
				sub.Samples = append(sub.Samples, int32(x))
			}
			f.Subframes = append(f.Subframes, sub)
		}
		if err := e.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func TestDecodeFLAC(t *testing.T) {
	t.Parallel()
	want := tone(wideRate, 440, time.Second)
	for channels := 1; channels <= 2; channels++ {
		got, err := decodeFLAC(encodeFLAC(t, want, channels))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d channels: %s", channels, diff)
		}
	}
	if _, err := decodeFLAC(encodeFLAC(t, audio.Sound{Rate: 8000, Samples: make([]int16, 8000*241)}, 1)); !errors.Is(err, errTooLong) {
		t.Errorf("four minutes and a second: %v", err)
	}
}

func FuzzDecodeFLAC(f *testing.F) {
	f.Add(encodeFLAC(f, tone(wideRate, 440, 20*time.Millisecond), 1))
	f.Add(encodeFLAC(f, tone(lineRate, 440, 20*time.Millisecond), 2))
	f.Add([]byte("fLaC"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeFLAC(b)
		if err == nil && (s.Rate < audio.MinRate || s.Rate > audio.MaxRate) {
			t.Fatalf("a rate of %d", s.Rate)
		}
	})
}

func FuzzReadInfo(f *testing.F) {
	f.Add([]byte("lang: en\nfiles:\n  a.flac: {words: a, sha256: b}\n"))
	f.Add([]byte("[[[["))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := readInfo(fstest.MapFS{packInfo: &fstest.MapFile{Data: b}})
		if errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v, %v", info, err)
		}
	})
}

// An empty folder that is named like its language is a start: everything is missing.
func TestCheckOfAnEmptyFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "de")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(dir, "de"); err != nil {
		t.Error(err)
	}
	if _, err := Check(dir, "en"); err == nil {
		t.Error("a folder named like another language is no English one")
	}
}
