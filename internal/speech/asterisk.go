package speech

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pincall/pincall/internal/script"
)

// asterisk finds the digits of Asterisk's sound sets as they are installed:
// DIR/LANG/digits/0.wav to 9.wav, also .sln, .sln16, .ulaw and .alaw, where LANG is
// named en or en_US_f_Allison. They come without a carrier word. Of several sets of
// a language the first by name is taken.
func asterisk(dir string) (map[string]*source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("asterisk: %w", err)
	}
	found := map[string]*source{}
	for _, e := range entries {
		tag, ok := asteriskLanguage(e.Name())
		if !ok || found[tag] != nil {
			continue
		}
		if s := asteriskDigits(os.DirFS(filepath.Join(dir, e.Name(), "digits"))); s != nil {
			found[tag] = s
		}
	}
	return found, nil
}

// asteriskLanguage is the language of a set: of en, en_GB, it_IT_m_Carlo.
func asteriskLanguage(name string) (string, bool) {
	if len(name) < 2 || len(name) > 2 && name[2] != '_' && name[2] != '-' {
		return "", false
	}
	for _, tag := range script.Languages() {
		if tag == name[:2] {
			return tag, true
		}
	}
	return "", false
}

// asteriskDigits lists the ten digits, or gives nil if one is missing.
func asteriskDigits(fsys fs.FS) *source {
	s := &source{fsys: fsys, files: map[string][]recording{}, trim: true}
	for d := byte('0'); d <= '9'; d++ {
		for _, ending := range []string{endingSLN16, endingWAV, endingSLN, endingULaw, endingALaw} {
			file := string(rune(d)) + ending
			if info, err := fs.Stat(fsys, file); err == nil && info.Mode().IsRegular() {
				s.files[plainForm.file(d)] = []recording{{file, 1}}
				break
			}
		}
		if s.files[plainForm.file(d)] == nil {
			return nil
		}
	}
	return s
}
