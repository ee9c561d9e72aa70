package speech

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// Checked is what was found in the recordings of one language.
type Checked struct {
	Lang  string
	Units []CheckedUnit // in the order of script.Units
	// Strays are files of sound that are no unit's, mostly misspelt.
	Strays []string
}

// Faulty counts the units with a fault, the missing ones included, and strays.
func (c Checked) Faulty() int {
	n := len(c.Strays)
	for _, u := range c.Units {
		if len(u.Faults) > 0 {
			n++
		}
	}
	return n
}

// CheckedUnit is what was found of one unit.
type CheckedUnit struct {
	Name   string
	Words  string   // what is to be said
	Files  int      // renditions
	Faults []string // each is "file: what is wrong" or "missing"
	// Length and Level are those of the first rendition that could be read: how
	// long it lasts, and its active level in dBFS.
	Length time.Duration
	Level  float64
}

// What a recording must keep to. Levels are brought to one height later: here they
// tell a recording that lost quality.
const (
	quietest     = -35.0 // dBFS, active level
	loudest      = -10.0
	fullScale    = 32700 // a sample that may have been cut off
	fullRun      = 3     // so many of them side by side have
	tightDepth   = 25.0  // dB under the active level: where a word may begin and end
	tightWindow  = 10 * time.Millisecond
	mostLead     = 300 * time.Millisecond
	mostTail     = 700 * time.Millisecond
	leastDigit   = 150 * time.Millisecond
	mostDigit    = 2500 * time.Millisecond
	shortestPart = 0.2 // of the estimate of script.Part.Duration, which errs on the long side
	longestPart  = 2.5
)

// Check listens to the recordings of a folder as Config.Folder takes it, for one
// language, or for all that are there.
func Check(dir, lang string) ([]Checked, error) {
	if lang != "" {
		tag, ok := ourLanguage(lang)
		if !ok {
			return nil, fmt.Errorf("speech: check: the language %q is not known", lang)
		}
		lang = tag
	}
	found, err := folders(dir, lang)
	if err != nil {
		return nil, fmt.Errorf("speech: check: %w", err)
	}
	var all []Checked
	for _, tag := range slices.Sorted(maps.Keys(found)) {
		c, err := checkLanguage(found[tag], tag)
		if err != nil {
			return nil, fmt.Errorf("speech: check: %s: %w", tag, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func checkLanguage(fsys fs.FS, tag string) (Checked, error) {
	l, err := newLanguage(tag, lineRate)
	if err != nil {
		return Checked{}, err
	}
	src, err := listPack(fsys, l.names)
	if err != nil {
		return Checked{}, err
	}
	c := Checked{Lang: tag}
	audit, err := auditOf(fsys)
	if err != nil {
		return Checked{}, err
	}
	for _, name := range l.order {
		c.Units = append(c.Units, src.check(name, l.names[name], audit))
	}
	c.Strays, err = strays(fsys, l.names)
	return c, err
}

// auditOf is the audit of a folder by file; nil without one.
func auditOf(fsys fs.FS) (map[string]Audited, error) {
	info, err := readInfo(fsys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info.Files, err
}

// strays are the files of sound that belong to no unit.
func strays(fsys fs.FS, names map[string]script.Part) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		ending := path.Ext(e.Name())
		if _, _, ok := splitFile(e.Name(), names); !ok && (ending == endingWAV || ending == endingFLAC) {
			all = append(all, e.Name())
		}
	}
	return all, nil
}

// check listens to the renditions of a unit.
func (s *source) check(name string, p script.Part, audit map[string]Audited) CheckedUnit {
	u := CheckedUnit{Name: name, Words: p.Words, Files: len(s.files[name]), Level: audio.Silent}
	if u.Files == 0 {
		u.Faults = []string{"missing"}
	}
	for _, r := range s.files[name] {
		b, err := readFile(s.fsys, r.file)
		if err != nil {
			u.Faults = append(u.Faults, err.Error())
			continue
		}
		if why := audited(audit, r.file, b); why != "" {
			u.Faults = append(u.Faults, r.file+": "+why)
		}
		sound, err := decode(r.file, b)
		if err != nil {
			u.Faults = append(u.Faults, fmt.Sprintf("%s: wrong format: %v", r.file, err))
			continue
		}
		for _, why := range judge(sound, p) {
			u.Faults = append(u.Faults, r.file+": "+why)
		}
		if u.Length == 0 {
			u.Length, u.Level = sound.Duration(), audio.ActiveLevel(sound.Samples)
		}
	}
	return u
}

// judge says what is wrong with a recording of a part.
func judge(s audio.Sound, p script.Part) []string {
	level := audio.ActiveLevel(s.Samples)
	if level <= audio.Silent || len(audio.Trim(s.Samples, s.Rate)) == 0 {
		return []string{"silent"}
	}
	var faults []string
	add := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	add(s.Rate < lineRate, "wrong format: %d Hz, want %d or more", s.Rate, lineRate)
	add(clipped(s.Samples), "clipped: record it again, softer")
	add(level < quietest, "too quiet: %.0f dBFS, want %.0f to %.0f", level, quietest, loudest)
	add(level > loudest, "too loud: %.0f dBFS, want %.0f to %.0f", level, quietest, loudest)
	lead, spoken, tail := edges(s)
	least, most := bounds(p)
	add(spoken < least, "too short: %.2f s of speech, want %.2f or more", spoken.Seconds(), least.Seconds())
	add(spoken > most, "too long: %.2f s of speech, want %.2f or less", spoken.Seconds(), most.Seconds())
	add(lead > mostLead, "silence: %.2f s at the start, want %.2f or less", lead.Seconds(), mostLead.Seconds())
	add(tail > mostTail, "silence: %.2f s at the end, want %.2f or less", tail.Seconds(), mostTail.Seconds())
	window := min(samplesIn(tightWindow, s.Rate), len(s.Samples))
	add(audio.Level(s.Samples[:window]) > level-tightDepth, "cut too tight at the start: leave 40 ms before the word")
	add(audio.Level(s.Samples[len(s.Samples)-window:]) > level-tightDepth, "cut too tight at the end: leave 40 ms behind the word")
	return faults
}

// clipped tells whether the tops of waves were cut off.
func clipped(samples []int16) bool {
	run := 0
	for _, x := range samples {
		if run++; x < fullScale && x > -fullScale {
			run = 0
		}
		if run >= fullRun {
			return true
		}
	}
	return false
}

// edges measures the speech and the silence around it.
func edges(s audio.Sound) (lead, speech, tail time.Duration) {
	trimmed := audio.Trim(s.Samples, s.Rate)
	in := func(n int) time.Duration { return time.Duration(n) * time.Second / time.Duration(s.Rate) }
	end := spoken(s)
	return in(end - len(trimmed)), in(len(trimmed)), in(len(s.Samples) - end)
}

// bounds is how short and how long a recording of a part may be.
func bounds(p script.Part) (least, most time.Duration) {
	if p.Kind == script.KindDigit {
		return leastDigit, mostDigit
	}
	p.Kind = script.KindSay // a prompt's words alone, without the wait for the keys
	estimate := float64(p.Duration())
	return time.Duration(estimate * shortestPart), time.Duration(estimate*longestPart) + time.Second
}
