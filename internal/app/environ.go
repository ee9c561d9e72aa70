package app

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// envPrefix begins the variables that set options: PINCALL_GUARD_COUNTRIES for
// guard.countries, PINCALL_ROUTES_0_CARRIER for the first route's carrier.
const envPrefix = "PINCALL_"

// otherVariables are no options: they belong to commands. Those that begin with
// testPrefix belong to tests.
var otherVariables = [...]string{"PINCALL_DATA", "PINCALL_API_KEY", "PINCALL_CONFIG"}

const testPrefix = "PINCALL_TEST_"

// overrides reads options from the environment over what f holds; an empty
// variable is as good as none. A PINCALL_ name in environ (NAME=value) that is
// no option is an error.
func overrides(f *File, getenv func(string) string, environ []string) error {
	e := environment{getenv: getenv}
	if err := e.section(reflect.ValueOf(f).Elem(), envPrefix); err != nil {
		return err
	}
	known := slices.Concat(otherVariables[:], e.known, f.secretVariables())
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, testPrefix) || slices.Contains(known, name) || injected.MatchString(name) {
			continue
		}
		if n := nearest(name, known); n != "" {
			return fmt.Errorf("the environment variable %s sets nothing: did you mean %s?", shown(name), n)
		}
		return fmt.Errorf("the environment variable %s sets nothing: unset it (docs/configuration.md lists those that do)", shown(name))
	}
	return nil
}

// injected is what Kubernetes puts into every container beside a service that is
// called pincall, and Docker beside a link.
var injected = regexp.MustCompile(`^PINCALL_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment reads variables and remembers which there could be.
type environment struct {
	getenv func(string) string
	known  []string
}

func (e *environment) section(v reflect.Value, prefix string) error {
	for i := range v.NumField() {
		name := prefix + strings.ToUpper(v.Type().Field(i).Tag.Get("yaml"))
		var err error
		switch field := v.Field(i); {
		case field.Kind() == reflect.Struct:
			err = e.section(field, name+"_")
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			err = e.entries(field, name+"_")
		default:
			err = e.one(field, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entries reads a list of sections by number, as many as there are, and then
// those that follow without a gap.
func (e *environment) entries(list reflect.Value, prefix string) error {
	for i := 0; ; i++ {
		entry := reflect.New(list.Type().Elem()).Elem()
		if i < list.Len() {
			entry = list.Index(i)
		}
		if err := e.section(entry, prefix+strconv.Itoa(i)+"_"); err != nil {
			return err
		}
		if i >= list.Len() {
			if entry.IsZero() {
				return nil
			}
			list.Set(reflect.Append(list, entry))
		}
	}
}

// one reads one option; a list is separated by commas.
func (e *environment) one(field reflect.Value, name string) error {
	e.known = append(e.known, name)
	text := e.getenv(name)
	if text == "" {
		return nil
	}
	if field.Kind() != reflect.Slice {
		if err := setText(field, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	var out []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	field.Set(reflect.ValueOf(out))
	return nil
}
