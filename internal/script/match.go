package script

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// DefaultLanguage is used where nothing else decides.
const DefaultLanguage = "en"

// maxTag bounds the language tags that are parsed; BCP 47 asks for 35 at least.
const maxTag = 64

// Languages are the tags of the languages that can be spoken, sorted.
func Languages() []string { return slices.Sorted(maps.Keys(catalog())) }

// Match finds the language for a BCP 47 tag: itself, or the nearest one that
// its speakers understand (en-GB is en). An unknown, malformed or empty tag is
// an error that names the known ones and does not repeat the input.
func Match(tag string) (string, error) {
	if _, ok := catalog()[tag]; ok { // written as we write it
		return tag, nil
	}
	if tag == "" || len(tag) > maxTag {
		return "", unknown()
	}
	t, err := language.Parse(tag)
	if err != nil {
		return "", unknown()
	}
	for ; t != language.Und; t = t.Parent() {
		if _, ok := catalog()[t.String()]; ok {
			return t.String(), nil
		}
	}
	return "", unknown()
}

func unknown() error { return errors.New("language: want one of " + strings.Join(Languages(), ", ")) }

// ForCountry is the language that dominates in a country (ISO 3166-1 alpha-2),
// or DefaultLanguage where none does or it is not spoken here.
func ForCountry(iso string) string {
	if tag, ok := dominant()[strings.ToUpper(iso)]; ok {
		return tag
	}
	return DefaultLanguage
}

// dominant is ForCountry's table: of several languages that claim a country, the
// first has it.
var dominant = sync.OnceValue(func() map[string]string {
	out := make(map[string]string)
	for _, tag := range Languages() {
		for _, iso := range catalog()[tag].Countries {
			if _, taken := out[iso]; !taken {
				out[iso] = tag
			}
		}
	}
	return out
})

// VoiceTag is the BCP 47 tag, region included, under which carriers have a
// voice for a language ("ja-JP"). It is empty for a language not known here: a
// text and its voice never disagree.
func VoiceTag(lang string) string {
	tag, err := Match(lang)
	if err != nil {
		return ""
	}
	return catalog()[tag].Voice
}
