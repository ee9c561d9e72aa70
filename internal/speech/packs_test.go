package speech

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// mostSpread is how far apart the levels of two units may be, in dB.
const mostSpread = 3.0

// mostClick is the largest step between two samples where a recording begins or
// ends: -50 dBFS.
const mostClick = 104

// Every recording that is compiled in was listened to, and is the one that was;
// every unit of its language is there.
func TestPacksAreAudited(t *testing.T) {
	t.Parallel()
	packs := embeddedPacks()
	all, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	for lang := range all {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			dir, err := fs.Sub(packs, lang)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range packFaults(t, dir, lang) {
				t.Error(fault)
			}
		})
	}
}

// packFaults is what is wrong with a pack.
func packFaults(t *testing.T, dir fs.FS, lang string) (faults []string) {
	t.Helper()
	info, err := readInfo(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for what, text := range map[string]string{"voice": info.Voice, "engine": info.Engine, "licence": info.Licence, "source": info.Source} {
		if text == "" {
			faults = append(faults, "pack.yaml: "+what+" is missing")
		}
	}
	if info.Lang != lang {
		faults = append(faults, "pack.yaml: the language is "+info.Lang)
	}
	l := lookUp(t, lang)
	src, err := listPack(dir, l.names)
	if err != nil {
		return append(faults, err.Error())
	}
	left := maps.Clone(info.Files)
	for _, name := range l.order {
		want := 1
		if l.names[name].Kind == script.KindDigit {
			want = 2 // renditions at least: the readouts must differ
		}
		if len(src.files[name]) < want {
			faults = append(faults, fmt.Sprintf("%s: %d renditions, want %d", name, len(src.files[name]), want))
		}
		for _, r := range src.files[name] {
			faults = append(faults, auditFaults(dir, r.file, info, l.names[name])...)
			delete(left, r.file)
		}
	}
	for file := range left {
		faults = append(faults, file+": is audited and no unit's")
	}
	strange, err := strays(dir, l.names)
	if err != nil {
		faults = append(faults, err.Error())
	}
	for _, file := range strange {
		faults = append(faults, file+": is no unit's")
	}
	return faults
}

// auditFaults is what is wrong with the audit of one file.
func auditFaults(dir fs.FS, file string, info Info, p script.Part) (faults []string) {
	b, err := readFile(dir, file)
	if err != nil {
		return []string{err.Error()}
	}
	if why := audited(info.Files, file, b); why != "" || info.Files == nil {
		return []string{file + ": " + why}
	}
	a := info.Files[file]
	if a.Words != p.Words {
		faults = append(faults, fmt.Sprintf("%s: says %q, the language has %q", file, a.Words, p.Words))
	}
	if a.Selected.Listener == "" {
		faults = append(faults, file+": nobody listened to it")
	}
	if p.Kind == script.KindDigit && (a.Scored == nil || a.Scored.Listener == a.Selected.Listener || a.Scored.Hearings == 0) {
		faults = append(faults, file+": no second listener scored it")
	}
	s, err := decode(file, b)
	if err != nil {
		return append(faults, file+": "+err.Error())
	}
	if s.Rate != wideRate && s.Rate != lineRate {
		faults = append(faults, fmt.Sprintf("%s: has %d Hz", file, s.Rate))
	}
	return faults
}

// audit writes a pack.yaml for the recordings of a folder.
func audit(t *testing.T, dir, lang string, change func(*Info)) {
	t.Helper()
	info := Info{Lang: lang, Voice: "tones", Engine: "a test", Licence: "none", Source: "a test", Files: map[string]Audited{}}
	src, err := listPack(os.DirFS(dir), lookUp(t, lang).names)
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range src.files {
		for _, r := range files {
			b, err := os.ReadFile(filepath.Join(dir, r.file))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			info.Files[r.file] = Audited{
				Words: lookUp(t, lang).names[name].Words, SHA256: hex.EncodeToString(sum[:]),
				Selected: Hearing{Listener: "one"}, Scored: &Hearing{Listener: "other", Hearings: 1, Heard: 1},
			}
		}
	}
	change(&info)
	b, err := yaml.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, packInfo), b)
}

// What TestPacksAreAudited must find, it finds.
func TestPackFaults(t *testing.T) {
	t.Parallel()
	const file = "number-6.2.wav"
	for name, c := range map[string]struct {
		change func(*Info)
		spoil  func(dir string) error
		want   string
	}{
		"good":          {nil, nil, ""},
		"not audited":   {func(i *Info) { delete(i.Files, file) }, nil, file + ": is not in the audit"},
		"other words":   {func(i *Info) { i.Files[file] = Audited{Words: "number eight", SHA256: i.Files[file].SHA256} }, nil, file + ": says"},
		"no licence":    {func(i *Info) { i.Licence = "" }, nil, "licence"},
		"other file":    {nil, func(dir string) error { return os.WriteFile(path.Join(dir, file), []byte("x"), 0o600) }, file + ": is not the file"},
		"unit missing":  {nil, func(dir string) error { return os.Remove(path.Join(dir, "menu.1.wav")) }, "menu: 0 renditions"},
		"stray file":    {nil, func(dir string) error { return os.WriteFile(path.Join(dir, "x.wav"), nil, 0o600) }, "x.wav: is no unit's"},
		"one listener":  {func(i *Info) { f := i.Files[file]; f.Scored = &f.Selected; i.Files[file] = f }, nil, file + ": no second listener"},
		"audited twice": {func(i *Info) { i.Files["number-6.9.wav"] = i.Files[file] }, nil, "number-6.9.wav: is audited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := recorded(t) + "/en"
			if c.change == nil {
				c.change = func(*Info) {}
			}
			audit(t, dir, "en", c.change)
			if c.spoil != nil {
				if err := c.spoil(dir); err != nil {
					t.Fatal(err)
				}
			}
			faults := strings.Join(packFaults(t, os.DirFS(dir), "en"), "\n")
			if !strings.Contains(faults, c.want) || c.want == "" && faults != "" {
				t.Errorf("faults %q, want %q", faults, c.want)
			}
		})
	}
}

// What a listener hears of each language: as the packs have it, and as espeak-ng
// says it where it is installed.
func TestHeard(t *testing.T) {
	t.Parallel()
	packs, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	tones := recorded(t)
	for _, lang := range packs.Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			hear(t, packs, lang)
		})
	}
	t.Run("tones", func(t *testing.T) {
		t.Parallel()
		hear(t, newSpeaker(t, Config{Folder: tones}), "en")
	})
	e, err := NewEngine(EngineConfig{Name: EngineEspeak})
	if err != nil {
		return // TestInstalledEngines says so
	}
	t.Run("engine", func(t *testing.T) {
		t.Parallel()
		hear(t, newSpeaker(t, Config{Engines: []Engine{e}}), "de")
	})
}

func hear(t *testing.T, s *Speaker, lang string) {
	t.Helper()
	sc := compose(t, script.Message{Lang: lang, Gate: script.GateAnyKey, Menu: true}, "0123456789")
	short := compose(t, script.Message{Lang: lang, Gate: script.GateAnyKey, Menu: true}, "550542")
	sp := speak(t, s, sc)
	low, high := 0.0, audio.Silent
	for _, u := range unitsOf(sp.voice) {
		samples := u.clip.Samples()
		level := audio.ActiveLevel(samples)
		low, high = min(low, level), max(high, level)
		if clipped(samples) {
			t.Error("a unit is clipped")
		}
		if first, last := step(samples[0]), step(samples[len(samples)-1]); first > mostClick || last > mostClick {
			t.Errorf("a unit begins at %d and ends at %d: a click", first, last)
		}
	}
	if high-low > mostSpread {
		t.Errorf("levels from %.1f to %.1f dBFS", low, high)
	}
	hearReadout(t, sp, sc)
	// Two waits for a key belong to the call: eight seconds at the gate, five at
	// the menu.
	for _, sc := range []script.Script{sc, short} {
		if d := speak(t, s, sc).Mix(sc, false).Duration(); d > 107*time.Second {
			t.Errorf("%d parts last %v", len(sc.Parts), d)
		}
	}
}

func step(x int16) int { return max(int(x), -int(x)) }

func unitsOf(v *voice) (all []*unit) {
	for _, units := range v.phrases {
		all = append(all, units...)
	}
	for _, ten := range v.digits {
		all = append(all, slices.Concat(ten[:]...)...)
	}
	return all
}

// hearReadout listens for the silences in one readout: before the first digit,
// and between digits.
func hearReadout(t *testing.T, sp *Spoken, sc script.Script) {
	t.Helper()
	parts := sc.Readout(1)
	first := slices.IndexFunc(parts, func(p script.Part) bool { return p.Kind == script.KindDigit })
	runs := silences(sp.Mix(script.Script{Lang: sc.Lang, Parts: parts}, false).Samples)
	if first < 2 || len(runs) < 10 {
		t.Fatalf("%d silences in the readout of ten digits", len(runs))
	}
	long := 0
	for _, d := range runs {
		if d >= parts[first-1].Silence {
			long++
		}
	}
	if long == 0 {
		t.Errorf("no silence of %v before the first digit", parts[first-1].Silence)
	}
	gaps := 0
	for _, d := range runs {
		if d >= 330*time.Millisecond {
			gaps++
		}
	}
	if gaps < 10 {
		t.Errorf("%d gaps of 0.33 s or more, want one before each of ten digits", gaps)
	}
}

// silences are the runs of frames 35 dB under the speech and more.
func silences(samples []int16) (runs []time.Duration) {
	limit := audio.ActiveLevel(samples) - 35
	run := time.Duration(0)
	for frame := range slices.Chunk(samples, audio.FrameSamples) {
		if audio.Level(frame) < limit {
			run += audio.FrameDuration
			continue
		}
		if run > 0 {
			runs = append(runs, run)
		}
		run = 0
	}
	return append(runs, run)
}

// BenchmarkSpeak is a script whose words are in the cache.
func BenchmarkSpeak(b *testing.B) {
	s := newSpeaker(b, Config{Folder: recorded(b), Engines: []Engine{&fake{}}})
	for _, c := range []struct{ name, brand string }{{"nameless", ""}, {"brand", "Acme"}} {
		sc := compose(b, script.Message{Brand: c.brand, Menu: true}, "482913")
		if _, err := s.Speak(context.Background(), sc); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Speak(context.Background(), sc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrame is a frame of a spoken script, as a line takes it.
func BenchmarkFrame(b *testing.B) {
	s := newSpeaker(b, Config{Folder: recorded(b)})
	sc := compose(b, script.Message{}, "482913")
	sp := speak(b, s, sc)
	b.ReportAllocs()
	for i := 0; b.Loop(); {
		for _, p := range sc.Parts {
			if clip := sp.Clip(p, 0); clip != nil {
				i += len(clip.Frames(audio.PCMU))
			}
		}
		if i == 0 {
			b.Fatal("no frame")
		}
	}
}
