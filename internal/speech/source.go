package speech

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pincall/pincall/internal/script"
)

//go:embed all:packs
var packFiles embed.FS

// embeddedPacks is a folder a language.
func embeddedPacks() fs.FS {
	packs, err := fs.Sub(packFiles, "packs")
	if err != nil {
		panic(err) // the name above is wrong
	}
	return packs
}

// source is a folder with recordings of one language, listed and not yet read.
type source struct {
	fsys  fs.FS
	files map[string][]recording // by the name of the unit, in order of rendition
	trim  bool                   // cut silence at the ends: nobody cut it for us
}

// recording is one file.
type recording struct {
	file      string
	rendition int // from 1
}

// form is the form of a source's files that serve for a form of the digits: the
// plain ones do where the carrier word was not recorded. "" if it has neither
// for all ten.
func (s *source) form(f form) form {
	for _, try := range []form{f, plainForm} {
		ten := 0
		for d := byte('0'); d <= '9'; d++ {
			if len(s.files[try.file(d)]) > 0 {
				ten++
			}
		}
		if ten == 10 {
			return try
		}
	}
	return ""
}

// ten reads the ten digits of a form.
func (s *source) ten(f form, rate int) (ten [10][]*unit, err error) {
	for d := range ten {
		if ten[d], err = s.read(f.file('0'+byte(d)), 0, rate); err != nil {
			return ten, err
		}
	}
	return ten, nil
}

// The units' files.
const (
	packInfo    = "pack.yaml"
	maxFile     = 20 << 20 // bytes of one recording
	endingFLAC  = ".flac"
	endingWAV   = ".wav"
	endingSLN   = ".sln"   // Asterisk: 8 kHz samples, nothing else
	endingSLN16 = ".sln16" // the same at 16 kHz
	endingULaw  = ".ulaw"
	endingALaw  = ".alaw"
)

// listPack lists the recordings of a folder: UNIT.wav, UNIT.2.wav, UNIT.1.flac.
// Files that are no unit's are for Check to tell. fs.ErrNotExist without a folder.
func listPack(fsys fs.FS, names map[string]script.Part) (*source, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	s := &source{fsys: fsys, files: map[string][]recording{}}
	for _, e := range entries {
		name, rendition, ok := splitFile(e.Name(), names)
		if ok && !e.IsDir() {
			s.files[name] = append(s.files[name], recording{e.Name(), rendition})
		}
	}
	for _, all := range s.files {
		slices.SortFunc(all, byRendition)
	}
	return s, nil
}

// splitFile reads a file's name. The name of a unit may itself end in a number:
// greeting.1.wav is the first piece of the greeting, greeting.1.2.wav its second
// rendition.
func splitFile(file string, names map[string]script.Part) (name string, rendition int, ok bool) {
	ending := path.Ext(file)
	if ending != endingWAV && ending != endingFLAC {
		return "", 0, false
	}
	stem := strings.TrimSuffix(file, ending)
	if _, ok := names[stem]; ok {
		return stem, 1, true
	}
	name, number, _ := cutLast(stem, ".")
	rendition, err := strconv.Atoi(number)
	_, known := names[name]
	return name, rendition, err == nil && rendition > 0 && known
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// readFile reads a recording, bounded.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: is larger than %d MB", name, maxFile>>20)
	}
	return b, err
}

// folders finds the languages of a folder of recordings: a folder for each, or
// the files of one, whose tag is given, or in pack.yaml, or the folder's name.
func folders(dir, tag string) (map[string]fs.FS, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	found := map[string]fs.FS{}
	flat := false
	for _, e := range entries {
		flat = flat || slices.Contains([]string{endingWAV, endingFLAC}, path.Ext(e.Name()))
		// A link to a folder is one, too.
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err != nil || !info.IsDir() {
			continue
		}
		if own, ok := ourLanguage(e.Name()); ok && (tag == "" || own == tag) {
			if found[own] != nil {
				return nil, fmt.Errorf("recordings: %s: two folders are of the language %s: keep one", dir, own)
			}
			found[own] = os.DirFS(filepath.Join(dir, e.Name()))
		}
	}
	own, named := ourLanguage(filepath.Base(dir))
	if !flat && len(found) == 0 && named && (tag == "" || own == tag) {
		found[own] = os.DirFS(dir) // nothing is recorded yet
	}
	if !flat {
		if len(found) == 0 {
			return nil, fmt.Errorf("recordings: %s: want a folder named like a language, such as en, or recordings", dir)
		}
		return found, nil
	}
	if tag == "" {
		tag = own
	}
	if info, err := readInfo(os.DirFS(dir)); err == nil && tag == "" {
		tag = info.Lang
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	tag, ok := ourLanguage(tag)
	if !ok {
		return nil, fmt.Errorf("recordings: %s: cannot tell the language: put the files into a folder named like it, such as en", dir)
	}
	return map[string]fs.FS{tag: os.DirFS(dir)}, nil
}

// ourLanguage is the tag of a script language that a folder's name means: en,
// en-GB, pt_BR.
func ourLanguage(name string) (string, bool) {
	tag, err := script.Match(strings.ReplaceAll(name, "_", "-"))
	return tag, err == nil
}
