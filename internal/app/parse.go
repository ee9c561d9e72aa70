package app

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// parseFile reads YAML over what f holds. Errors are one line, name the option
// and its line, and repeat no value.
func parseFile(b []byte, f *File) error {
	file, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return unreadable(err)
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.NullType || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return errors.New("there is a second document: a configuration is one")
		}
		body = d.Body
	}
	return setNode(reflect.ValueOf(f).Elem(), option{node: body})
}

// unreadable keeps of a parser's complaint the place and the words, not the
// lines of the file that it shows.
func unreadable(err error) error {
	if e := (*yaml.SyntaxError)(nil); errors.As(err, &e) && e.Token != nil && e.Token.Position != nil {
		return fmt.Errorf("line %d is not YAML: %s", e.Token.Position.Line, oneLine(e.Message))
	}
	return errors.New("this is not YAML")
}

// oneLine keeps an error on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// option is a place in the file.
type option struct {
	path string // guard.countries; empty: the whole file
	node ast.Node
}

// fault is an error with its place.
func (o option) fault(how string) error {
	name := o.path
	if name == "" {
		name = "the file"
	}
	if t := o.node.GetToken(); t != nil && t.Position != nil {
		return fmt.Errorf("%s (line %d): %s", name, t.Position.Line, how)
	}
	return fmt.Errorf("%s: %s", name, how)
}

// under is the path of a member.
func (o option) under(name string) string { return strings.TrimPrefix(o.path+"."+name, ".") }

// setNode reads a node into a value; nothing written leaves it alone.
func setNode(v reflect.Value, o option) error {
	switch n := o.node.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode, *ast.MergeKeyNode:
		return o.fault("write it out, without &, * and !")
	case ast.MapNode:
		if v.Kind() != reflect.Struct {
			return o.fault(how(v.Type()))
		}
		return setStruct(v, o, n)
	case *ast.SequenceNode:
		if v.Kind() != reflect.Slice {
			return o.fault(how(v.Type()))
		}
		return setSlice(v, o, n)
	}
	if v.Kind() == reflect.Struct || v.Kind() == reflect.Slice {
		return o.fault(how(v.Type()))
	}
	if err := setText(v, textOf(o.node)); err != nil {
		return o.fault(err.Error())
	}
	return nil
}

// textOf is a scalar as it is written, so that 007 stays 007.
func textOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

func setStruct(v reflect.Value, o option, n ast.MapNode) error {
	seen := map[string]bool{}
	for it := n.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		member := option{o.under(key), it.Value()}
		i := fieldNamed(v.Type(), key)
		switch {
		case i < 0:
			line := it.Key().GetToken().Position.Line
			return fmt.Errorf("unknown option %s (line %d): %s", shown(member.path), line, meant(o, key, v.Type()))
		case seen[key]:
			return option{member.path, it.Key()}.fault("it stands twice: write it once")
		}
		seen[key] = true
		if err := setNode(v.Field(i), member); err != nil {
			return err
		}
	}
	return nil
}

func setSlice(v reflect.Value, o option, n *ast.SequenceNode) error {
	out := reflect.MakeSlice(v.Type(), len(n.Values), len(n.Values))
	for i, e := range n.Values {
		if err := setNode(out.Index(i), option{fmt.Sprintf("%s[%d]", o.path, i), e}); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// setText reads a scalar. Its error says what to write.
func setText(v reflect.Value, text string) error {
	wrong := errors.New(how(v.Type()))
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return wrong
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return wrong
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return wrong
		}
		v.SetInt(n)
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		if err := setText(to.Elem(), text); err != nil {
			return err
		}
		v.Set(to)
	default:
		panic("app: a field of File has a type that cannot be read: " + v.Type().String())
	}
	return nil
}

// how says what to write for a type.
func how(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "write a time such as 3s"
	case t.Kind() == reflect.Bool:
		return "write true or false"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "write a whole number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "write a list: each entry begins with a dash and has options of its own (" + strings.Join(names(t.Elem()), ", ") + ")"
	case t.Kind() == reflect.Slice:
		return "write a list, such as [a, b]"
	case t.Kind() == reflect.Struct:
		return "write options below it: " + strings.Join(names(t), ", ")
	}
	return "write one text"
}

// names are a section's options, as the file has them.
func names(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		out = append(out, t.Field(i).Tag.Get("yaml"))
	}
	return out
}

func fieldNamed(t reflect.Type, name string) int { return slices.Index(names(t), name) }

// shown keeps an unknown name printable and short.
func shown(name string) string {
	if len(name) > 60 {
		name = name[:60] + "..."
	}
	return strings.Trim(strconv.QuoteToASCII(name), `"`)
}

// meant names the option that was probably meant: one of the same section, or
// one of the same name elsewhere.
func meant(o option, key string, section reflect.Type) string {
	here := names(section)
	if n := nearest(key, here); n != "" {
		return "did you mean " + o.under(n) + "?"
	}
	for _, path := range paths(reflect.TypeFor[File](), "") {
		if strings.HasSuffix(path, "."+key) {
			return "did you mean " + path + "?"
		}
	}
	return "known here: " + strings.Join(here, ", ")
}

// paths lists the options of a section, with those of its parts; of a list, those
// of its entries as routes[].name.
func paths(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := strings.TrimPrefix(prefix+"."+f.Tag.Get("yaml"), ".")
		switch {
		case f.Type.Kind() == reflect.Struct:
			out = append(out, paths(f.Type, name)...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			out = append(out, paths(f.Type.Elem(), name+"[]")...)
		default:
			out = append(out, name)
		}
	}
	return out
}

// nearest is the word that differs least, unless it differs in more than a third.
func nearest(word string, among []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, w := range among {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours
// (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
