package speech

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/goccy/go-yaml"
)

// Info is what a pack's pack.yaml says of it. The program that renders packs
// writes more there than is read here.
type Info struct {
	Lang    string             `yaml:"lang"`    // as script.Languages names it
	Voice   string             `yaml:"voice"`   // who speaks
	Engine  string             `yaml:"engine"`  // what made the sound; empty: a person was recorded
	Licence string             `yaml:"licence"` // of the sound
	Source  string             `yaml:"source"`  // where the voice is from
	Files   map[string]Audited `yaml:"files"`   // the audit, by file
}

// Audited is a recording that was listened to. The listener that selected a
// rendition of a digit is not the one that scored it.
type Audited struct {
	Words    string   `yaml:"words"`    // what is said
	SHA256   string   `yaml:"sha256"`   // of the file, in hex
	Selected Hearing  `yaml:"selected"` // how it was chosen
	Again    *Hearing `yaml:"again"`    // the same listener, over lines it had not heard; of digits
	Scored   *Hearing `yaml:"scored"`   // another listener; of digits
}

// Hearing is how well a listener understood a recording over a bad line.
type Hearing struct {
	Listener string  `yaml:"listener"`
	Hearings int     `yaml:"hearings"` // of a digit
	Heard    float64 `yaml:"heard"`    // the share that was understood, 0 to 1
}

// readInfo reads a folder's pack.yaml; fs.ErrNotExist without one. A person's
// recordings need none.
func readInfo(fsys fs.FS) (Info, error) {
	b, err := readFile(fsys, packInfo)
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := yaml.Unmarshal(b, &info); err != nil {
		return Info{}, errors.New(packInfo + ": " + yaml.FormatError(err, false, false))
	}
	return info, nil
}

// audited says why a file is not the one that was listened to, or "". Without an
// audit nothing is said: a person's recordings need none.
func audited(audit map[string]Audited, file string, b []byte) string {
	if audit == nil {
		return ""
	}
	entry, ok := audit[file]
	if !ok {
		return "is not in the audit"
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != entry.SHA256 {
		return "is not the file that was audited"
	}
	return ""
}

// Packs are the voices that are compiled in, by language tag.
func Packs() (map[string]Info, error) {
	packs := embeddedPacks()
	entries, err := fs.ReadDir(packs, ".")
	if err != nil {
		return nil, fmt.Errorf("speech: packs: %w", err)
	}
	all := map[string]Info{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir, err := fs.Sub(packs, e.Name())
		if err != nil {
			return nil, fmt.Errorf("speech: packs: %w", err)
		}
		if all[e.Name()], err = readInfo(dir); err != nil {
			return nil, fmt.Errorf("speech: pack of %s: %w", e.Name(), err)
		}
	}
	return all, nil
}
