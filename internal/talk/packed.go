package talk

import (
	"unique"

	"github.com/pincall/pincall/internal/script"
)

// Packed is a script as a call keeps it while it rings and while it is held.
// Parts that are equal stand in memory once, whatever calls they are of: a call
// then costs 8 bytes a part instead of 170, and calls share all but the code's
// order. The zero value is an empty script. It prints pointers only.
type Packed struct {
	lang  string
	parts []handle
}

// handle is one part. Handles are equal where their parts are.
type handle = unique.Handle[script.Part]

// Pack packs a script.
func Pack(s script.Script) Packed {
	p := Packed{lang: s.Lang, parts: make([]handle, len(s.Parts))}
	for i := range s.Parts {
		p.parts[i] = unique.Make(s.Parts[i])
	}
	return p
}

// Script is what was packed.
func (p Packed) Script() script.Script { return script.Script{Lang: p.lang, Parts: unpack(p.parts)} }

func unpack(parts []handle) []script.Part {
	all := make([]script.Part, len(parts))
	for i, h := range parts {
		all[i] = h.Value()
	}
	return all
}
