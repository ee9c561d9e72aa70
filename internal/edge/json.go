package edge

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/pincall/pincall/internal/verify"
)

const (
	maxDepth  = 8  // levels of objects and arrays; the deepest request has three
	maxName   = 40 // bytes of a field's name
	maxFields = 64 // fields of one object; the largest has fifteen
)

// CheckJSON says whether data is one JSON value (RFC 8259) in which everything
// means one thing: valid UTF-8, nothing behind it, at most eight levels, no
// null, no field named twice, at most 64 fields in an object. encoding/json reads
// a field's name without regard to case, so names are also held to what fields
// are called: a to z and underscores. The error is a *verify.Error and repeats no
// more than such a name.
func CheckJSON(data []byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return malformed("the body is not valid JSON")
	}
	var s scan
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			end := i + 1
			for data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			if err := s.text(data[i+1 : end]); err != nil {
				return err
			}
			i = end
		case '{', '[':
			if s.depth == maxDepth {
				return malformed("the body is nested too deeply")
			}
			s.open[s.depth] = level{name: c == '{', object: c == '{', first: s.named}
			s.depth++
		case '}', ']':
			s.depth--
			s.named = s.open[s.depth].first
		case 'n':
			return malformed("null is no value: leave the field out instead")
		case ',':
			if s.depth > 0 {
				top := &s.open[s.depth-1]
				top.name = top.object
			}
		}
	}
	return nil
}

// scan walks over JSON that is known to be valid.
type scan struct {
	open  [maxDepth]level // depth of them
	depth int
	// The names of all open objects, the outermost first; those behind few are in
	// more.
	named int
	few   [16][]byte
	more  [][]byte
}

// level is an object or an array whose end has not come yet.
type level struct {
	object bool
	name   bool // the next text is a field's name
	first  int  // how many names scan had before the first of its own
}

// text takes what stands between two quotes: a name or a value.
func (s *scan) text(t []byte) error {
	if s.depth == 0 || !s.open[s.depth-1].name {
		return nil
	}
	top := &s.open[s.depth-1]
	top.name = false
	if !PlainName(string(t)) { // also what is written with escapes
		return malformed("unknown field: names are lower-case letters and underscores")
	}
	for i := top.first; i < s.named; i++ {
		if bytes.Equal(s.name(i), t) {
			return &verify.Error{Code: verify.BadInput, Field: string(t), Message: "the field " + string(t) + " is there twice"}
		}
	}
	if s.named-top.first == maxFields {
		return malformed("the body has too many fields")
	}
	s.add(t)
	return nil
}

func (s *scan) name(i int) []byte {
	if i < len(s.few) {
		return s.few[i]
	}
	return s.more[i-len(s.few)]
}

func (s *scan) add(name []byte) {
	if s.named < len(s.few) {
		s.few[s.named] = name
	} else {
		s.more = append(s.more[:s.named-len(s.few)], name)
	}
	s.named++
}

// PlainName says whether a field may be called so, which also makes the name
// harmless to repeat: 1 to 40 of a to z and underscores. No number, code or key
// is.
func PlainName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

func malformed(what string) error { return &verify.Error{Code: verify.BadInput, Message: what} }
