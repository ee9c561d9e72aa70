package pincall_test

import (
	"go/ast"
	"go/parser"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pincall/pincall"

// lines is the order of imports, top line first: a package may import only what stands on lower lines. "*" stands for any one
// name; an exact entry wins over it. A package on no line fails the test. A helper for tests has the line above what it tests.
var lines = [][]string{
	{"cmd/pincall"},
	{"internal/app"},
	{"internal/api", "internal/twilioapi", "internal/xoxzoapi", "internal/camaraapi", "internal/hookapi", "internal/web"},
	{"internal/edge"},
	{"internal/store/postgres/pgtest"},
	{"internal/store/sqlite", "internal/store/postgres"},
	{"internal/store/storetest"},
	{"internal/store"},
	{"internal/deliver", "internal/webhook"},
	{"internal/verify", "internal/carrier/*"},
	{"internal/guard", "internal/talk"},
	{"internal/carrier/carriertest"},
	{"internal/carrier"},
	{"internal/sipcall/siptest", "internal/speech/render"},
	{"internal/speech", "internal/sipcall"},
	{"internal/media"},
	{"internal/account", "internal/jobs"},
	{"internal/script", "internal/audio"},
	{"internal/phone", "internal/outcome"},
	{"xoxzo/xoxzotest"},
	{"internal/secret", "client", "xoxzo"},
}

// helpers are for tests: no file that is compiled into the program imports one.
var helpers = []string{"internal/store/storetest", "internal/store/postgres/pgtest", "internal/carrier/carriertest", "internal/sipcall/siptest", "xoxzo/xoxzotest"}

// adapter matches the packages that speak to one carrier.
const adapter = "internal/carrier/*"

// deny is what a package must not import although it stands on a lower line. Entries without a dot or "internal/" are of the
// standard library, with all below them.
var deny = []struct {
	from    []string
	imports []string
	why     string
}{
	{
		[]string{"internal/api", "internal/twilioapi", "internal/xoxzoapi", "internal/camaraapi", "internal/hookapi", "internal/web"},
		[]string{"internal/store", "internal/store/*", "internal/deliver", "internal/talk", "internal/speech", "internal/sipcall", adapter},
		"a front end speaks to verify",
	},
	{
		[]string{"internal/verify"},
		[]string{adapter, "internal/talk", "internal/speech", "internal/audio", "internal/sipcall", "net/http", "database/sql"},
		"verify knows the words of carrier, no adapter, no sound, no HTTP, no SQL",
	},
	{[]string{"internal/deliver"}, []string{adapter}, "deliver knows carriers by their contract"},
	{[]string{"cmd/pincall"}, []string{adapter}, "app alone knows two adapters"},
}

// only is all that a package may import of this module.
var only = map[string][]string{
	"internal/sipcall":         {"internal/audio", "internal/media"},
	"internal/sipcall/siptest": {"internal/audio", "internal/media", "internal/sipcall"},
	"internal/media":           {"internal/audio"},
	"client":                   {},
	"xoxzo":                    {},
	"xoxzo/xoxzotest":          {"xoxzo"},
}

// stdOnly are the packages that others import into their programs: they bring no dependency.
var stdOnly = []string{"client", "xoxzo", "xoxzo/xoxzotest"}

func TestImportOrder(t *testing.T) {
	t.Parallel()
	for _, fault := range orderFaults(readTree(t, ".", parser.ImportsOnly)) {
		t.Error(fault)
	}
}

// orderFaults is every import out of order, as "file:line: what is wrong".
func orderFaults(files []source) (faults []string) {
	for _, f := range files {
		dir := path.Dir(f.path)
		if lineOf(dir) < 0 && !(dir == "." && f.isTest()) {
			faults = append(faults, f.at(f.file.Package, "package "+dir+" stands on no line of the import order: give it one in order_test.go"))
			continue
		}
		for _, spec := range f.file.Imports {
			if why := forbidden(dir, f.isTest(), importPath(spec)); why != "" {
				faults = append(faults, f.at(spec.Pos(), why))
			}
		}
	}
	return faults
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, "`\"") }

// forbidden says why a file of the package in dir must not import imported, or "".
func forbidden(dir string, test bool, imported string) string {
	target, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case ours && test:
		if target == "internal/app" && dir != target && dir != "cmd/pincall" {
			return dir + " tests with app: only cmd/pincall runs the whole program"
		}
		return ""
	case test:
		return ""
	case !ours:
		return foreign(dir, imported)
	case slices.Contains(helpers, target):
		return dir + " imports " + target + ", which is for tests"
	}
	if allowed, limited := only[dir]; limited && !slices.Contains(allowed, target) {
		return dir + " imports " + target + ": it may import of this module only " + strings.Join(append([]string{"nothing"}, allowed...)[min(len(allowed), 1):], ", ")
	}
	to := lineOf(target)
	if to < 0 {
		return dir + " imports " + target + ", which stands on no line of the import order"
	}
	if lineOf(dir) >= to {
		return dir + " imports " + target + ", which does not stand on a lower line"
	}
	return denied(dir, target)
}

// foreign judges an import from outside this module.
func foreign(dir, imported string) string {
	host, _, _ := strings.Cut(imported, "/")
	if strings.Contains(host, ".") && slices.Contains(stdOnly, dir) {
		return dir + " imports " + imported + ": it may import only the standard library"
	}
	return denied(dir, imported)
}

func denied(dir, target string) string {
	for _, rule := range deny {
		if !slices.Contains(rule.from, dir) {
			continue
		}
		for _, pattern := range rule.imports {
			if matches(pattern, target) || !strings.HasPrefix(pattern, "internal/") && strings.HasPrefix(target, pattern+"/") {
				return dir + " imports " + target + ": " + rule.why
			}
		}
	}
	return ""
}

func matches(pattern, dir string) bool {
	ok, err := path.Match(pattern, dir)
	return ok && err == nil
}

// lineOf is the line of the package in dir, 0 the topmost; -1 if it has none.
func lineOf(dir string) int {
	exact := func(line []string) bool { return slices.Contains(line, dir) }
	if i := slices.IndexFunc(lines, exact); i >= 0 {
		return i
	}
	return slices.IndexFunc(lines, func(line []string) bool {
		return slices.ContainsFunc(line, func(p string) bool { return matches(p, dir) })
	})
}

// Each row is a file and one import; want is part of the fault, "" where the import is right.
func TestImportOrderFinds(t *testing.T) {
	t.Parallel()
	const lower, line, tests = "does not stand on a lower line", "stands on no line", "is for tests"
	rows := []struct{ file, imported, want string }{
		{"cmd/pincall/main.go", "internal/app", ""},
		{"cmd/pincall/main.go", "client", ""},
		{"cmd/pincall/main.go", "internal/carrier/sim", "app alone"},
		{"internal/app/app.go", "internal/carrier/sim", ""},
		{"internal/app/app.go", "cmd/pincall", lower},
		{"internal/api/a.go", "internal/verify", ""},
		{"internal/api/a.go", "internal/edge", ""},
		{"internal/api/a.go", "internal/carrier", ""},
		{"internal/api/a.go", "internal/web", lower},
		{"internal/api/a.go", "internal/store", "front end"},
		{"internal/hookapi/a.go", "internal/store/sqlite", "front end"},
		{"internal/web/a.go", "internal/carrier/sim", "front end"},
		{"internal/camaraapi/a.go", "internal/deliver", "front end"},
		{"internal/twilioapi/a.go", "internal/talk", "front end"},
		{"internal/xoxzoapi/a.go", "internal/speech", "front end"},
		{"internal/xoxzoapi/a.go", "internal/sipcall", "front end"},
		{"internal/store/sqlite/a.go", "internal/store", ""},
		{"internal/store/sqlite/a.go", "internal/store/postgres", lower},
		{"internal/store/sqlite/a.go", "internal/store/storetest", tests},
		{"internal/store/sqlite/a_test.go", "internal/store/storetest", ""},
		{"internal/store/storetest/a.go", "internal/verify", ""},
		{"internal/store/a.go", "internal/store/sqlite", lower},
		{"internal/deliver/a.go", "internal/verify", ""},
		{"internal/deliver/a.go", "internal/carrier/trunk", "by their contract"},
		{"internal/verify/a.go", "internal/carrier", ""},
		{"internal/verify/a.go", "internal/guard", ""},
		{"internal/verify/a.go", "internal/carrier/sim", lower},
		{"internal/verify/a.go", "internal/talk", "no sound"},
		{"internal/verify/a.go", "internal/audio", "no sound"},
		{"internal/verify/a.go", "net/http", "no HTTP"},
		{"internal/verify/a.go", "net/http/httptest", "no HTTP"},
		{"internal/verify/a.go", "database/sql", "no SQL"},
		{"internal/verify/a.go", "database/sql/driver", "no SQL"},
		{"internal/verify/a_test.go", "net/http", ""},
		{"internal/verify/a.go", "net/netip", ""},
		{"internal/carrier/xoxzo/a.go", "xoxzo", ""},
		{"internal/carrier/xoxzo/a.go", "internal/verify", lower},
		{"internal/carrier/xoxzo/a.go", "internal/carrier/sim", lower},
		{"internal/carrier/xoxzo/a.go", "xoxzo/xoxzotest", tests},
		{"internal/carrier/xoxzo/a_test.go", "xoxzo/xoxzotest", ""},
		{"internal/carrier/carriertest/a.go", "internal/carrier", ""},
		{"internal/carrier/carriertest/a.go", "internal/talk", lower},
		{"internal/carrier/a.go", "internal/verify", lower},
		{"internal/sipcall/a.go", "internal/audio", ""},
		{"internal/sipcall/a.go", "internal/secret", "only internal/audio"},
		{"internal/sipcall/a.go", "internal/script", "only internal/audio"},
		{"internal/sipcall/a.go", "github.com/emiago/sipgo", ""},
		{"internal/account/a.go", "internal/jobs", lower},
		{"internal/account/a.go", "internal/script", ""},
		{"internal/script/a.go", "internal/account", lower},
		{"internal/phone/a.go", "internal/outcome", lower},
		{"internal/secret/a.go", "golang.org/x/text/unicode/norm", ""},
		{"internal/secret/a.go", "xoxzo", lower},
		{"client/a.go", "internal/phone", "only nothing"},
		{"client/a.go", "golang.org/x/text/unicode/norm", "standard library"},
		{"client/a.go", "net/http", ""},
		{"xoxzo/xoxzotest/a.go", "xoxzo", ""},
		{"xoxzo/xoxzotest/a.go", "internal/secret", "only xoxzo"},
		{"xoxzo/a.go", "client", "only nothing"},
		{"internal/new/a.go", "fmt", line},
		{"internal/api/a.go", "internal/new", line},
		{"internal/phone/deep/a.go", "fmt", line},
		{"doc.go", "fmt", line},
		{"tree_test.go", "internal/verify", ""},
		{"internal/verify/a_test.go", "internal/app", "only cmd/pincall"},
		{"internal/app/a_test.go", "internal/app", ""},
		{"cmd/pincall/a_test.go", "internal/app", ""},
	}
	for _, row := range rows {
		imported := row.imported
		if strings.HasPrefix(imported, "internal/") || lineOf(imported) >= 0 {
			imported = module + "/" + imported
		}
		faults := orderFaults([]source{parseSource(t, row.file, "package p\n\nimport _ \""+imported+"\"\n", parser.ImportsOnly)})
		oneFault(t, row.file+" -> "+row.imported, faults, row.want)
	}
}

// oneFault checks that a sample gives exactly one fault, which has its place in front and contains want; or none if want is "".
func oneFault(t *testing.T, sample string, faults []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(faults) > 0:
		t.Errorf("%s: is right, but: %v", sample, faults)
	case want != "" && (len(faults) != 1 || !strings.Contains(faults[0], want) || !placed.MatchString(faults[0])):
		t.Errorf("%s: faults %q, want one with a place and %q", sample, faults, want)
	}
}
