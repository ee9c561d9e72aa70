package speech

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	checked := func() Checked {
		t.Helper()
		all, err := Check(dir, "en")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	if c := checked(); c.Faulty() != 0 || len(c.Units) != 38 {
		t.Fatalf("%d units, faults: %+v", len(c.Units), c.Units)
	}
	digit := tone(lineRate, 400, 400*time.Millisecond)
	loud := func(gain float64) audio.Sound {
		s := audio.Sound{Rate: digit.Rate, Samples: slices.Clone(digit.Samples)}
		for i, x := range s.Samples {
			s.Samples[i] = int16(min(max(float64(x)*gain, math.MinInt16), math.MaxInt16))
		}
		return s
	}
	silence := make([]int16, lineRate)
	for file, c := range map[string]struct {
		sound audio.Sound
		want  string
	}{
		"number-0.1.wav": {loud(20), "clipped"},
		"number-1.1.wav": {loud(0.1), "too quiet"},
		"number-2.1.wav": {loud(5), "too loud"},
		"number-3.1.wav": {tone(lineRate, 400, 3*time.Second), "too long"},
		"number-4.1.wav": {tone(lineRate, 400, 20*time.Millisecond), "too short"},
		"number-5.1.wav": {audio.Sound{Rate: lineRate, Samples: audio.Trim(digit.Samples, lineRate)[400:]}, "tight at the start"},
		"number-6.1.wav": {audio.Sound{Rate: lineRate, Samples: digit.Samples[:3000]}, "tight at the end"},
		"number-7.1.wav": {audio.Sound{Rate: lineRate, Samples: append(slices.Clone(silence), digit.Samples...)}, "at the start"},
		"number-8.1.wav": {audio.Sound{Rate: lineRate, Samples: append(slices.Clone(digit.Samples), silence...)}, "at the end"},
		"number-9.1.wav": {tone(6000, 400, 400*time.Millisecond), "wrong format"},
		"digit-0.1.wav":  {audio.Sound{Rate: lineRate, Samples: silence}, "silent"},
		"bye.1.wav":      {tone(lineRate, 400, 100*time.Millisecond), "too short"},
	} {
		write(t, filepath.Join(dir, "en", file), c.sound.WAV())
		name, _, _ := strings.Cut(file, ".")
		i := slices.IndexFunc(checked().Units, func(u CheckedUnit) bool { return u.Name == name })
		if faults := strings.Join(checked().Units[i].Faults, "; "); !strings.Contains(faults, file+": ") || !strings.Contains(faults, c.want) {
			t.Errorf("%s: %q, want %s", file, faults, c.want)
		}
	}
}

func TestCheckFindsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	en := filepath.Join(dir, "en")
	if err := os.Rename(filepath.Join(en, "bye.1.wav"), filepath.Join(en, "good-bye.1.wav")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(en, "menu.1.wav"), []byte("an MP3, perhaps"))
	write(t, filepath.Join(en, "pack.yaml"), []byte("lang: en\nfiles:\n  code.1.wav: {words: x, sha256: aa}\n"))
	all, err := Check(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := all[0].Strays; len(got) != 1 || got[0] != "good-bye.1.wav" {
		t.Errorf("strays: %v", got)
	}
	faults := map[string]string{}
	for _, u := range all[0].Units {
		faults[u.Name] = strings.Join(u.Faults, "; ")
	}
	for name, want := range map[string]string{
		"bye": "missing", "menu": "wrong format", "code": "not the file that was audited", "warning": "is not in the audit",
	} {
		if !strings.Contains(faults[name], want) {
			t.Errorf("%s: %q, want %s", name, faults[name], want)
		}
	}
	for _, lang := range []string{"xx", "fr"} {
		if _, err := Check(dir, lang); err == nil {
			t.Errorf("%s: no error", lang)
		}
	}
}
