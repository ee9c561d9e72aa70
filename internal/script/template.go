package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	yamltoken "github.com/goccy/go-yaml/token"
	"golang.org/x/text/unicode/norm"
)

// Template is a tenant's own words for some phrases of one language; what it
// lacks is said in ours. The order of the parts, the digit words and the asides
// stay ours. It is plain data: store it as JSON, and judge it by [LintTemplate]
// before it is used. Compose refuses one that breaks the rules for phrases.
type Template struct {
	Lang string `json:"lang" yaml:"lang"` // as Languages names it; a message in another language does not use the template

	// Phrases are spoken, by the keys of the language files: greeting {brand},
	// greeting_plain, payment {amount} {payee}, payment_amount {amount},
	// payment_payee {payee}, gate_any_key, gate_screen_digits, warning, code,
	// repeat, once_more, menu {again} {report}, bye. A phrase holds each of its
	// placeholders once; {{brand}} is {brand}.
	Phrases map[string]string `json:"phrases,omitempty" yaml:"phrases"`

	// SMS is a whole text message: {{code}} once; {{brand}} and {{minutes}}, which
	// is "10 minutes" in the language's plural, as often as wanted. What is paid
	// to whom stands before it. Empty: our own text.
	SMS string `json:"sms,omitempty" yaml:"sms"`
}

// maxTemplate is the largest template, in bytes.
const maxTemplate = 16 << 10

// maxNesting is how deep brackets may stand in a YAML template.
const maxNesting = 4

// ErrTemplate is why Compose refuses a message's template: LintTemplate tells
// more.
var ErrTemplate = errors.New("the template is not usable")

// ParseTemplate reads a template for a language from YAML or JSON: an object
// with "phrases", "sms" and "lang", all optional, of at most 16 KiB. An unknown key is
// an error that names it; so are anchors, aliases, tags and a second document.
// The words are LintTemplate's to judge.
func ParseTemplate(lang string, data []byte) (Template, error) {
	t, err := parseTemplate(lang, data)
	if err != nil {
		return Template{}, fmt.Errorf("parse template: %w", err)
	}
	return t, nil
}

func parseTemplate(lang string, data []byte) (Template, error) {
	tag, err := Match(lang)
	if err != nil {
		return Template{}, err
	}
	if len(data) > maxTemplate {
		return Template{}, fmt.Errorf("want at most %d bytes", maxTemplate)
	}
	var t Template
	if json.Valid(data) {
		err = decodeJSON(data, &t)
	} else {
		err = decodeYAML(data, &t)
	}
	if err != nil {
		return Template{}, err
	}
	if own, err := Match(t.Lang); t.Lang != "" && (err != nil || own != tag) {
		return Template{}, fmt.Errorf("lang: want %s or none", tag)
	}
	t.Lang = tag
	for _, name := range slices.Sorted(maps.Keys(t.Phrases)) {
		if _, ok := templateVars()[name]; !ok {
			return Template{}, fmt.Errorf("phrases: %q is not known", name)
		}
	}
	return t, nil
}

func decodeJSON(data []byte, t *Template) error {
	if err := checkKeys(json.NewDecoder(bytes.NewReader(data)), []string{"lang", "phrases", "sms"}); err != nil {
		return err
	}
	return json.Unmarshal(data, t)
}

// checkKeys reads one value and refuses keys that stand twice in an object, and
// in the outermost one those that are not known. The json package would take the
// last one, in any case of letters.
func checkKeys(d *json.Decoder, known []string) error {
	open, err := d.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == json.Delim('{') {
			tok, err := d.Token()
			if err != nil {
				return err
			}
			key, _ := tok.(string)
			switch {
			case seen[key]:
				return fmt.Errorf("%q stands twice", key)
			case known != nil && !slices.Contains(known, key):
				return fmt.Errorf("%q is not known", key)
			}
			seen[key] = true
		}
		if err := checkKeys(d, nil); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func decodeYAML(data []byte, t *Template) error {
	depth := 0
	for _, tok := range lexer.Tokenize(string(data)) {
		switch tok.Type {
		case yamltoken.MappingStartType, yamltoken.SequenceStartType:
			// The parser is slow at brackets in brackets; a template needs two.
			if depth++; depth > maxNesting {
				return fmt.Errorf("line %d: is nested too deep", tok.Position.Line)
			}
		case yamltoken.MappingEndType, yamltoken.SequenceEndType:
			depth--
		case yamltoken.AnchorType, yamltoken.AliasType, yamltoken.MergeKeyType, yamltoken.TagType, yamltoken.DirectiveType:
			return fmt.Errorf("line %d: want no anchors, aliases, tags or directives", tok.Position.Line)
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(t); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("is empty")
		}
		return errors.New(yaml.FormatError(err, false, false))
	}
	if err := d.Decode(new(Template)); !errors.Is(err, io.EOF) {
		return errors.New("want one document")
	}
	return nil
}

// templateVars are the phrases a template may hold and their placeholders: all
// but the asides.
func templateVars() map[string][]string {
	vars := phraseVars()
	for _, a := range []Aside{AsideCanceled, AsideGateMissed, AsideReported} {
		delete(vars, string(a))
	}
	return vars
}

// fitting is the template if it is one of this language and holds, or nil.
func (l *lexicon) fitting(t *Template) *Template {
	if t == nil || t.Lang != l.Tag || len(l.lintWords(*t)) > 0 {
		return nil
	}
	return t
}

// with is the language with the phrases of a template of it in place of its own.
func (l *lexicon) with(t *Template) (*lexicon, error) {
	if t == nil || t.Lang != l.Tag {
		return l, nil
	}
	if len(l.lintWords(*t)) > 0 {
		return nil, ErrTemplate
	}
	own := *l
	own.Phrases, own.custom = maps.Clone(l.Phrases), make(map[string]bool, len(t.Phrases))
	for name, text := range t.Phrases {
		own.Phrases[name], own.custom[name] = single(text), true
	}
	own.offer = own.menuWords()
	return &own, nil
}

// single normalises a template's text: NFC, no space around it, and single
// braces around its placeholders.
func single(text string) string {
	return norm.NFC.String(strings.TrimSpace(strings.NewReplacer("{{", "{", "}}", "}").Replace(text)))
}
