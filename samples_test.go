package pincall_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each row is one file of a package that has its comment elsewhere; want is part of the one fault, "" where the file is right.
// A house rule without a row that fails here might see nothing at all.
func TestTreeFinds(t *testing.T) {
	t.Parallel()
	rows := map[string]struct{ file, text, want string }{
		"long file":         {"a.go", strings.Repeat("\n", maxFileLines-2), "file has 601 lines, at most 600"},
		"file at the limit": {"a.go", strings.Repeat("\n", maxFileLines-3), ""},
		"long function":     {"a.go", "func f() {" + strings.Repeat("\n", maxFuncLines) + "}", "f has 81 lines"},
		"function at limit": {"a.go", "func f() {" + strings.Repeat("\n", maxFuncLines-1) + "}", ""},
		"long test":         {"a_test.go", "func f() {" + strings.Repeat("\n", maxTestFuncLines) + "}", "f has 151 lines"},
		"test at the limit": {"a_test.go", "func f() {" + strings.Repeat("\n", maxTestFuncLines-1) + "}", ""},
		"parameters":        {"a.go", "func f(a, b int, c string, d, e bool) {}", "f has 5 parameters"},
		"unnamed":           {"a.go", "func f(int, int, int, int, ...int) {}", "f has 5 parameters"},
		"of a method":       {"a.go", "type r int\nfunc (r) f(a, b, c, d, e int) {}", "f has 5 parameters"},
		"of an interface":   {"a.go", "type r interface{ f(a, b, c, d, e int) }", "f has 5 parameters"},
		"context is free":   {"a.go", "import \"context\"\nfunc f(ctx context.Context, a, b, c, d int) {}", ""},
		"t is free":         {"a_test.go", "import \"testing\"\nfunc f(t *testing.T, a, b, c, d int) {}", ""},

		"function without doc": {"a.go", "func F() {}", "F is exported and has no comment"},
		"directive is no doc":  {"a.go", "//go:noinline\nfunc F() {}", "F is exported"},
		"type without doc":     {"a.go", "type T int", "T is exported"},
		"method without doc":   {"a.go", "// T is.\ntype T[P any] int\nfunc (t *T[P]) M() {}", "M is exported"},
		"constant without doc": {"a.go", "const (\n\tA = 1\n)", "A is exported"},
		"interface method":     {"a.go", "// T is.\ntype T interface {\n\tM()\n}", "M is exported"},
		"all documented":       {"a.go", "// F does.\nfunc F() {}\n// T is.\ntype T interface {\n\tM() // M does\n}\nconst (\n\tA = 1 // A is\n)", ""},
		"group documented":     {"a.go", "// The letters.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
		"known method":         {"a.go", "// T is.\ntype T int\nfunc (T) Error() string { return \"\" }", ""},
		"unexported type":      {"a.go", "type t int\nfunc (t) M() {}", ""},
		"tests need no doc":    {"a_test.go", "func F() {}", ""},

		"init":           {"a.go", "func init() {}", "init()"},
		"init in a test": {"a_test.go", "func init() {}", "init()"},
		"method init":    {"a.go", "type t int\nfunc (t) init() {}", ""},

		"test":                {"a_test.go", "import \"testing\"\nfunc TestA(t *testing.T) { t.Log() }", "TestA begins with neither"},
		"empty test":          {"a_test.go", "import \"testing\"\nfunc TestA(t *testing.T) {}", "TestA begins with neither"},
		"parallel too late":   {"a_test.go", "import \"testing\"\nfunc TestA(t *testing.T) {\n\tt.Log()\n\tt.Parallel()\n}", "TestA begins with neither"},
		"comment too late":    {"a_test.go", "import \"testing\"\nfunc TestA(t *testing.T) {\n\tt.Log()\n\t// Why.\n}", "TestA begins with neither"},
		"parallel":            {"a_test.go", "import \"testing\"\nfunc TestA(tt *testing.T) { tt.Parallel() }", ""},
		"reason":              {"a_test.go", "import \"testing\"\nfunc TestA(t *testing.T) {\n\t// Sets the environment.\n\tt.Setenv(\"A\", \"b\")\n}", ""},
		"TestMain is no test": {"a_test.go", "import \"testing\"\nfunc TestMain(m *testing.M) { m.Run() }", ""},

		"any":              {"a.go", "// F does.\nfunc F(a any) {}", "any type"},
		"empty interface":  {"a.go", "// F does.\nfunc F(a interface{}) {}", "any type"},
		"variadic any":     {"a.go", "// F does.\nfunc F(s string, a ...any) {}", "any type"},
		"slice of any":     {"a.go", "// F does.\nfunc F(a []any) {}", "any type"},
		"any in interface": {"a.go", "// T is.\ntype T interface {\n\tM(a any) // M does\n}", "any type"},
		"generic":          {"a.go", "// F does.\nfunc F[T any](a T) {}", ""},
		"unexported any":   {"a.go", "func f(a any) {}", ""},
		"scanner":          {"a.go", "// T is.\ntype T int\n// Scan reads.\nfunc (t *T) Scan(src any) error { return nil }", ""},

		"number":            {"a.go", "var limit = 5", "package variable limit"},
		"no value":          {"a.go", "var limit int", "package variable limit"},
		"pointer":           {"a.go", "var client = new(int)", "package variable client"},
		"function":          {"a.go", "var now = func() int { return 1 }", "package variable now"},
		"struct":            {"a.go", "type t struct{}\nvar config = t{}", "package variable config"},
		"one of two":        {"a.go", "var errA, b = f()", "package variable b"},
		"exported table":    {"a.go", "// Table is.\nvar Table = []int{1}", "package variable Table"},
		"table":             {"a.go", "var table = map[string]int{\"a\": 1}", ""},
		"array of a type":   {"a.go", "var table [2]int = build()", ""},
		"error":             {"a.go", "import \"errors\"\n// ErrA is.\nvar ErrA = errors.New(\"a\")", ""},
		"expression":        {"a.go", "import \"regexp\"\nvar digits = regexp.MustCompile(`\\d`)", ""},
		"once":              {"a.go", "import \"sync\"\nvar load = sync.OnceValue[int](func() int { return 1 })", ""},
		"assertion":         {"a.go", "var _ error = nil", ""},
		"embedded":          {"a.go", "import _ \"embed\"\n//go:embed a.txt\nvar text string", ""},
		"flag in a test":    {"a_test.go", "import \"flag\"\nvar update = flag.Bool(\"update\", false, \"\")", ""},
		"flag":              {"a.go", "import \"flag\"\nvar update = flag.Bool(\"update\", false, \"\")", "package variable update"},
		"table assigned":    {"a.go", "var table = []int{1}\nfunc f() { table = nil }", "changes the package variable table"},
		"element assigned":  {"a.go", "var table = map[int]int{}\nfunc f() { table[1] = 1 }", "changes the package variable table"},
		"element counted":   {"a.go", "var table = [2]int{}\nfunc f() { table[1]++ }", "changes the package variable table"},
		"element deleted":   {"a.go", "var table = map[int]int{}\nfunc f() { delete(table, 1) }", "changes the package variable table"},
		"address":           {"a.go", "var table = [2]int{}\nfunc f() *int { return &table[1] }", "changes the package variable table"},
		"error assigned":    {"a.go", "import \"errors\"\nvar errA = errors.New(\"a\")\nfunc f() { errA = nil }", "changes the package variable errA"},
		"local of its name": {"a.go", "var table = []int{1}\nfunc f() { table := []int{}; table[0] = 1 }", ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := parseSource(t, "internal/p/doc.go", "// Package p is a sample.\npackage p\n", 0)
			sample := parseSource(t, "internal/p/"+row.file, "package p\n\n"+row.text+"\n", 0)
			oneFault(t, row.text, treeFaults([]source{doc, sample}), row.want)
		})
	}
}

func TestTreeFindsPackageDocs(t *testing.T) {
	t.Parallel()
	const doc, second, wrong, none = "// Package p is.\npackage p\n", "// Package p is too.\npackage p\n", "// It is.\npackage p\n", "package p\n"
	rows := map[string]struct {
		files []string
		want  string
	}{
		"none":         {[]string{none, none}, "has no package comment"},
		"two":          {[]string{doc, none, second}, "a second package comment"},
		"other words":  {[]string{wrong}, "must begin with"},
		"one":          {[]string{none, doc}, ""},
		"a command":    {[]string{"// Pincall is.\npackage main\n"}, ""},
		"a bare one":   {[]string{"package main\n"}, "has no package comment"},
		"license only": {[]string{"// License.\n\npackage p\n"}, "has no package comment"},
	}
	for name, row := range rows {
		var files []source
		for i, text := range row.files {
			files = append(files, parseSource(t, "internal/p/"+string(rune('a'+i))+".go", text, 0))
		}
		oneFault(t, name, treeFaults(files), row.want)
	}
	tests := parseSource(t, "a_test.go", "package p_test\n", 0)
	oneFault(t, "tests alone", treeFaults([]source{tests}), "")
}

// What one file assigns, another may have declared: the rule sees the package.
func TestTreeFindsChangesInOtherFiles(t *testing.T) {
	t.Parallel()
	files := []source{
		parseSource(t, "internal/p/a.go", "// Package p is.\npackage p\n\nvar table = []int{1}\n", 0),
		parseSource(t, "internal/p/b.go", "package p\n\nfunc f() { table[0] = 2 }\n", 0),
	}
	oneFault(t, "two files", treeFaults(files), "internal/p/b.go:3: changes the package variable table")
}

// readTree leaves out what nobody reads: generated files, testdata, hidden folders and modules of their own.
func TestReadTreeSkips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"go.mod": "module m\n", "a.go": "package a\n", "sub/b.go": "package b\n", "sub/c.txt": "no Go",
		"gen.go":        "// Code generated by hand. DO NOT EDIT.\n\npackage a\n",
		"testdata/x.go": "broken", ".hidden/x.go": "broken", "_old/x.go": "broken", "bench/go.mod": "module b\n", "bench/x.go": "broken",
	})
	var got []string
	for _, f := range readTree(t, dir, 0) {
		got = append(got, f.path)
		if f.lines != 1 {
			t.Errorf("%s has %d lines", f.path, f.lines)
		}
	}
	if strings.Join(got, " ") != "a.go sub/b.go" {
		t.Errorf("read %v", got)
	}
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
