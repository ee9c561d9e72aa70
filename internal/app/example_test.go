package app

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/guard"
)

const example = "../../pincall.example.yaml"

func readExample(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What stands in the example without a # is the default, and all of it.
func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	var f File
	if err := parseFile([]byte(readExample(t)), &f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultFile(), f); diff != "" {
		t.Error(diff)
	}
	limits, err := f.Guard.limits()
	if err != nil {
		t.Fatal(err)
	}
	want := guard.Limits{}.WithDefaults()
	if limits = limits.WithDefaults(); !cmp.Equal(want, limits) {
		t.Errorf("the guard's own defaults differ: %s", cmp.Diff(want, limits))
	}
}

// What stands behind a # and no space is an option, too: with it, every option
// of the file is shown, each once.
func TestExampleShowsEveryOption(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`(?m)^( *)#(\S|  )`).ReplaceAllString(readExample(t), "$1$2")
	f := defaultFile()
	if err := parseFile([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	if err := f.check(); err != nil {
		t.Error(err)
	}
	if _, err := f.Guard.limits(); err != nil {
		t.Error(err)
	}
	shown := map[string]bool{}
	list(reflect.ValueOf(f), "", shown)
	for _, path := range paths(reflect.TypeFor[File](), "") {
		if !shown[path] {
			t.Errorf("%s is not in %s", path, example)
		}
		name := path[strings.LastIndex(path, ".")+1:]
		if !regexp.MustCompile(`(?m)^[ #-]*` + name + `:`).MatchString(text) {
			t.Errorf("%s stands nowhere", name)
		}
	}
}

// list marks the options that say something.
func list(v reflect.Value, prefix string, into map[string]bool) {
	for i := range v.NumField() {
		f, name := v.Field(i), strings.TrimPrefix(prefix+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
		switch {
		case f.Kind() == reflect.Struct:
			list(f, name, into)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				list(f.Index(j), name+"[]", into)
			}
		default:
			into[name] = into[name] || !f.IsZero()
		}
	}
}

// Where things go wrong, one line says where and what to write, in the words of
// the file.
func TestFaultsInTheFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listne: x":                               "unknown option listne (line 1): did you mean listen?",
		"\n\nlistenn: x":                          "unknown option listenn (line 3): did you mean listen?",
		"guard:\n  contries: [JP]":                "unknown option guard.contries (line 2): did you mean guard.countries?",
		"countries: [JP]":                         "unknown option countries (line 1): did you mean guard.countries?",
		"routes:\n- carrier: sim\n  calller: '1'": "unknown option routes[0].calller (line 3): did you mean routes[0].caller?",
		"sim: {zzz: 1}":                           "unknown option sim.zzz (line 1): known here: pace",
		"stop_after: soon":                        "stop_after (line 1): write a time such as 3s",
		"stop_after: 3":                           "stop_after (line 1): write a time such as 3s",
		"stop_after: [3s]":                        "stop_after (line 1): write a time such as 3s",
		"guard: {calls_per_day: many}":            "guard.calls_per_day (line 1): write a whole number",
		"guard: {calls_per_day: 1.5}":             "guard.calls_per_day (line 1): write a whole number",
		"guard: {countries: JP}":                  "guard.countries (line 1): write a list, such as [a, b]",
		"guard: {countries: [[JP]]}":              "guard.countries[0] (line 1): write one text",
		"guard: 5":                                "guard (line 1): write options below it: countries, starts_per_number, sends_per_number, wrong_per_number, starts_per_account, calls_per_day, concurrent_calls",
		"routes: sim":                             "routes (line 1): write a list: each entry begins with a dash and has options of its own (carrier, name, enabled, serve, priority, weight, caller, sender, base_url, trunk)",
		"routes: [sim]":                           "routes[0] (line 1): write options below it: carrier, name, enabled, serve, priority, weight, caller, sender, base_url, trunk",
		"listen: {a: 1}":                          "listen (line 1): write one text",
		"listen: a\nlisten: b":                    "listen (line 2): it stands twice: write it once",
		"listen: &a b":                            "listen (line 1): write it out, without &, * and !",
		"- listen":                                "the file (line 1): write options below it: ",
		"just words":                              "the file (line 1): write options below it: ",
		"a: 1\n---\nb: 2":                         "there is a second document",
		"listen: [a":                              "line 1 is not YAML: ",
	} {
		f := defaultFile()
		err := parseFile([]byte(text), &f)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestNothingWrittenIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing", "---\n", "listen:\nguard:\n  countries:\n", "{}"} {
		f := defaultFile()
		if err := parseFile([]byte(text), &f); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(defaultFile(), f); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	f := defaultFile()
	if err := parseFile([]byte("routes: [{carrier: xoxzo, caller: 0312345678, sender: no}]"), &f); err != nil {
		t.Fatal(err)
	}
	if r := f.Routes[0]; r.Caller != "0312345678" || r.Sender != "no" {
		t.Errorf("a text is taken as it is written: %+v", r)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("listen: a")
	f.Add("routes: [{carrier: sim}]\nguard: {countries: [JP], calls_per_day: 1}")
	f.Add("? [a]\n: b")
	f.Add("&a *a: !!x {<<: 1}")
	f.Fuzz(func(t *testing.T, text string) {
		got := defaultFile()
		if err := parseFile([]byte(text), &got); err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%q", err)
		}
	})
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"PINCALL_LISTEN": "127.0.0.1:1", "PINCALL_GUARD_COUNTRIES": "JP, US,", "PINCALL_SIM_PACE": "fast", "PINCALL_TLS_CERT": "c",
		"PINCALL_STOP_AFTER": "5s", "PINCALL_GUARD_CALLS_PER_DAY": "7", "PINCALL_ROUTES_0_NAME": "first", "PINCALL_ROUTES_1_CARRIER": "sim",
		"PINCALL_LOG_FORMAT": "",
	}
	f := defaultFile()
	f.Routes = []RouteFile{{Carrier: "xoxzo"}}
	if err := overrides(&f, func(k string) string { return env[k] }, []string{"PINCALL_DATA=x", "PINCALL_TEST_X=1", "HOME=/"}); err != nil {
		t.Fatal(err)
	}
	want := defaultFile()
	want.Listen, want.Guard.Countries, want.Sim.Pace, want.TLS.Cert = "127.0.0.1:1", []string{"JP", "US"}, "fast", "c"
	want.StopAfter, want.Guard.CallsPerDay = 5e9, 7
	want.Routes = []RouteFile{{Carrier: "xoxzo", Name: "first"}, {Carrier: "sim"}}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsInTheEnvironment(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]string{
		"PINCALL_LISTNE=x":          "the environment variable PINCALL_LISTNE sets nothing: did you mean PINCALL_LISTEN?",
		"PINCALL_ROUTES_9_CARIER=x": "the environment variable PINCALL_ROUTES_9_CARIER sets nothing: ",
		"PINCALL_ZZZZZZZZZZZZ=x":    "the environment variable PINCALL_ZZZZZZZZZZZZ sets nothing: unset it",
		"PINCALL_STOP_AFTER=soon":   "PINCALL_STOP_AFTER: write a time such as 3s",
	} {
		name, value, _ := strings.Cut(pair, "=")
		f := defaultFile()
		err := overrides(&f, func(k string) string { return map[string]string{name: value}[k] }, []string{pair})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pair, err, want)
		}
	}
}

// An address of IPv4 is listened on in IPv4 alone.
func TestNetwork(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"0.0.0.0:8420": "tcp4", "127.0.0.1:0": "tcp4", "[::1]:8420": "tcp", "localhost:8420": "tcp", ":8420": "tcp"} {
		if got := network(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
