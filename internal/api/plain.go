package api

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/edge"
)

// plain reads the requests that are plainly right: an object of texts without
// escapes and of booleans, each where its schema wants it. huma decodes every body
// twice and looks into each by reflection; most need neither. What plain does not
// read is not refused: huma judges it, and alone says what is wrong.
type plain struct {
	asked, id, body []int // where they are in the input; id: nowhere where nil
	fields          map[string]plainField
	required        uint64 // bits of fields
}

// plainField is a text or a boolean.
type plainField struct {
	at      []int // in the body
	text    bool
	longest int    // bytes
	bit     uint64 // of its own
}

// plainFor makes the reader of an input; nil where it has something other than a
// body and the id of One.
func plainFor(input reflect.Type, schemas huma.Registry) *plain {
	p := &plain{fields: make(map[string]plainField)}
	for _, f := range reflect.VisibleFields(input) {
		switch {
		case f.Type == reflect.TypeFor[Asked]():
			p.asked = f.Index
		case f.Anonymous, !f.IsExported():
		case f.Name == "Body" && f.Type.Kind() == reflect.Struct:
			p.body = f.Index
		case f.Name == "ID" && f.Tag.Get("path") == "id":
			p.id = f.Index
		default:
			return nil
		}
	}
	if p.body == nil || p.asked == nil {
		return nil
	}
	body := input.FieldByIndex(p.body).Type
	s := schemas.SchemaFromRef(schemas.Schema(body, true, "").Ref)
	if s == nil || s.AdditionalProperties != false || len(s.Properties) > 64 || !only(s, "Type", "AdditionalProperties", "Properties", "Required") {
		return nil
	}
	for _, f := range reflect.VisibleFields(body) {
		p.add(f, s)
	}
	return p
}

// add adds a field of the body, where it is plain.
func (p *plain) add(f reflect.StructField, s *huma.Schema) {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	prop := s.Properties[name]
	if f.Anonymous || prop == nil {
		return
	}
	bit := uint64(1) << len(p.fields)
	if slices.Contains(s.Required, name) {
		p.required |= bit
	}
	of := plainField{at: f.Index, text: f.Type.Kind() == reflect.String, longest: edge.MaxBody, bit: bit}
	if prop.MaxLength != nil { // counts characters: fewer bytes are fewer characters
		of.longest = *prop.MaxLength
	}
	if !of.text && f.Type.Kind() != reflect.Bool || !only(prop, "Type", "Description", "Examples", "MaxLength") {
		of.longest = -1 // huma's
	}
	p.fields[name] = of
}

// only says that a schema says nothing beside what is named.
func only(s *huma.Schema, names ...string) bool {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f, has := v.Type().Field(i), v.Field(i)
		empty := has.IsZero() || has.Kind() == reflect.Map && has.Len() == 0
		if f.IsExported() && !empty && !slices.Contains(names, f.Name) {
			return false
		}
	}
	return true
}

// read fills an input, and says whether it could.
func (p *plain) read(r *edge.Request, input reflect.Value) bool {
	if len(r.Body) == 0 || !p.readBody(r.Body, input.FieldByIndex(p.body)) {
		return false
	}
	if p.id != nil {
		id := r.PathValue("id")
		if id == "" {
			return false
		}
		input.FieldByIndex(p.id).SetString(id)
	}
	input.FieldByIndex(p.asked).Addr().Interface().(*Asked).request = r
	return true
}

// readBody reads JSON that passed edge.CheckJSON: no field is there twice, and no
// name has an escape.
func (p *plain) readBody(b []byte, body reflect.Value) bool {
	var seen uint64
	b = after(b, 0)
	if b[0] != '{' {
		return false
	}
	for b = after(b, 1); b[0] != '}'; {
		end := 1 + bytes.IndexByte(b[1:], '"')
		f, ok := p.fields[string(b[1:end])]
		if !ok {
			return false
		}
		b = after(after(b, end+1), 1) // past the colon
		n := f.set(b, body)
		if n == 0 {
			return false
		}
		seen |= f.bit
		if b = after(b, n); b[0] == ',' {
			b = after(b, 1)
		}
	}
	return seen&p.required == p.required
}

// after is what follows n bytes and the white space behind them.
func after(b []byte, n int) []byte {
	for b[n] == ' ' || b[n] == '\t' || b[n] == '\n' || b[n] == '\r' {
		n++
	}
	return b[n:]
}

// set reads the value at the beginning of b, and gives its length; 0: it is not
// plain.
func (f plainField) set(b []byte, body reflect.Value) int {
	if f.longest < 0 {
		return 0
	}
	at := body.FieldByIndex(f.at)
	switch {
	case f.text && b[0] == '"':
		n := bytes.IndexByte(b[1:], '"')
		if n > f.longest || bytes.IndexByte(b[1:1+n], '\\') >= 0 {
			return 0
		}
		at.SetString(string(b[1 : 1+n]))
		return n + 2
	case !f.text && b[0] == 't':
		at.SetBool(true)
		return len("true")
	case !f.text && b[0] == 'f':
		return len("false")
	}
	return 0
}
