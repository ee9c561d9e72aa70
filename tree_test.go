package pincall_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The limits. A size over one means that a file or function holds two ideas.
const (
	maxFileLines     = 600 // wanted: 400
	maxFuncLines     = 80  // wanted: 40
	maxTestFuncLines = 150
	maxParams        = 4 // then a struct; a context and a test's own handle do not count
)

// placed matches a fault that says where it is.
var placed = regexp.MustCompile(`^[^: ]+\.go:\d+: `)

// source is one parsed file.
type source struct {
	path  string // slash-separated, from the root of the module
	lines int
	fset  *token.FileSet
	file  *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at is a fault with its place.
func (s source) at(pos token.Pos, what string) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.fset.Position(pos).Line, what)
}

// span is the number of lines a node takes.
func (s source) span(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// readTree parses every Go file of the module below root, without generated ones, testdata and modules of their own.
func readTree(t *testing.T, root string, mode parser.Mode) (files []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if f := parseSource(t, filepath.ToSlash(rel), string(raw), mode); !ast.IsGenerated(f.file) {
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parseSource(t *testing.T, name, text string, mode parser.Mode) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, mode|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: name, lines: strings.Count(text, "\n"), fset: fset, file: file}
}

func TestTree(t *testing.T) {
	t.Parallel()
	files := readTree(t, ".", 0)
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	for _, fault := range treeFaults(files) {
		t.Error(fault)
	}
}

// treeFaults is every breach of a house rule, as "file:line: what is wrong".
func treeFaults(files []source) (faults []string) {
	packages := map[string][]source{}
	for _, f := range files {
		for _, rule := range []func(source) []string{sizes, documented, noInit, testsBegin, noAny} {
			faults = append(faults, rule(f)...)
		}
		packages[path.Dir(f.path)] = append(packages[path.Dir(f.path)], f)
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		faults = append(faults, onePackageDoc(packages[dir])...)
		faults = append(faults, noMutableVars(packages[dir])...)
	}
	return faults
}

// sizes: lines of a file, lines of a function, parameters.
func sizes(f source) (faults []string) {
	if f.lines > maxFileLines {
		faults = append(faults, f.at(f.file.Package, fmt.Sprintf("file has %d lines, at most %d", f.lines, maxFileLines)))
	}
	limit := maxFuncLines
	if f.isTest() {
		limit = maxTestFuncLines
	}
	ast.Inspect(f.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if lines := f.span(n); lines > limit {
				faults = append(faults, f.at(n.Pos(), fmt.Sprintf("%s has %d lines, at most %d", n.Name.Name, lines, limit)))
			}
			faults = append(faults, tooMany(f, n.Name, n.Type)...)
		case *ast.InterfaceType:
			for _, m := range n.Methods.List {
				if typ, ok := m.Type.(*ast.FuncType); ok {
					faults = append(faults, tooMany(f, m.Names[0], typ)...)
				}
			}
		}
		return true
	})
	return faults
}

func tooMany(f source, name *ast.Ident, typ *ast.FuncType) []string {
	count := 0
	for _, field := range typ.Params.List {
		switch written(field.Type) {
		case "context.Context", "*testing.T", "*testing.B", "*testing.F", "testing.TB":
		default:
			count += max(1, len(field.Names))
		}
	}
	if count <= maxParams {
		return nil
	}
	return []string{f.at(name.Pos(), fmt.Sprintf("%s has %d parameters, at most %d: give it a struct", name.Name, count, maxParams))}
}

// written is a type expression as text: names, selectors and pointers; "" for anything else.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.StarExpr:
		return "*" + written(e.X)
	}
	return ""
}

// told are methods that the standard library documents: an implementation may go without words.
var told = []string{"Error", "Unwrap", "Is", "As", "String", "Len", "Less", "Swap", "ServeHTTP"}

// documented: every exported name has a comment, methods of exported interfaces included.
func documented(f source) (faults []string) {
	if f.isTest() {
		return nil
	}
	missing := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return c.Text() != "" }) {
			faults = append(faults, f.at(name.Pos(), name.Name+" is exported and has no comment"))
		}
	}
	for _, decl := range f.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) && !slices.Contains(told, d.Name.Name) {
				missing(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range s.Names {
						missing(name, d.Doc, s.Doc, s.Comment)
					}
				case *ast.TypeSpec:
					missing(s.Name, d.Doc, s.Doc, s.Comment)
					for _, m := range exportedMethods(s) {
						missing(m.Names[0], m.Doc, m.Comment)
					}
				}
			}
		}
	}
	return faults
}

// receiver is the name of a method's type, without pointer and type parameters; "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	switch g := e.(type) {
	case *ast.IndexExpr:
		e = g.X
	case *ast.IndexListExpr:
		e = g.X
	}
	return written(e)
}

// exportedMethods are the exported methods that an exported interface declares itself.
func exportedMethods(s *ast.TypeSpec) (methods []*ast.Field) {
	i, ok := s.Type.(*ast.InterfaceType)
	if !ok || !s.Name.IsExported() {
		return nil
	}
	for _, m := range i.Methods.List {
		if _, method := m.Type.(*ast.FuncType); method && m.Names[0].IsExported() {
			methods = append(methods, m)
		}
	}
	return methods
}

// onePackageDoc: one file, and no other, says what the package knows and must not know.
func onePackageDoc(files []source) []string {
	var with []source
	code := slices.DeleteFunc(slices.Clone(files), source.isTest)
	if len(code) == 0 {
		return nil
	}
	for _, f := range code {
		if f.file.Doc.Text() != "" {
			with = append(with, f)
		}
	}
	name := code[0].file.Name.Name
	switch {
	case len(with) == 0:
		return []string{code[0].at(code[0].file.Package, "package "+name+" has no package comment")}
	case len(with) > 1:
		return []string{with[1].at(with[1].file.Package, "package "+name+" has a second package comment, after "+with[0].path)}
	case name != "main" && !strings.HasPrefix(with[0].file.Doc.Text(), "Package "+name+" "):
		return []string{with[0].at(with[0].file.Package, "the package comment must begin with \"Package "+name+"\"")}
	}
	return nil
}

func noInit(f source) (faults []string) {
	for _, decl := range f.file.Decls {
		if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
			faults = append(faults, f.at(d.Pos(), "init(): build it where it is used, or in app"))
		}
	}
	return faults
}

// testsBegin: a test's body starts with t.Parallel() or with a comment that says why it cannot.
func testsBegin(f source) (faults []string) {
	if !f.isTest() {
		return nil
	}
	for _, decl := range f.file.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok || d.Recv != nil || !strings.HasPrefix(d.Name.Name, "Test") || len(d.Type.Params.List) != 1 ||
			written(d.Type.Params.List[0].Type) != "*testing.T" {
			continue
		}
		if !parallel(d.Body) && !commented(f, d.Body) {
			faults = append(faults, f.at(d.Pos(), d.Name.Name+" begins with neither t.Parallel() nor a comment that says why not"))
		}
	}
	return faults
}

func parallel(body *ast.BlockStmt) bool {
	if len(body.List) == 0 {
		return false
	}
	stmt, ok := body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := stmt.X.(*ast.CallExpr)
	return ok && strings.HasSuffix(written(call.Fun), ".Parallel")
}

// commented says whether a comment stands between the brace and the first statement.
func commented(f source, body *ast.BlockStmt) bool {
	return slices.ContainsFunc(f.file.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() > body.Lbrace && (len(body.List) == 0 || c.End() < body.List[0].Pos()) && c.End() < body.Rbrace
	})
}

// demanded are methods whose any the standard library's own interfaces ask for: sql.Scanner, errors.As, heap.Interface.
var demanded = []string{"Scan", "As", "Push"}

// noAny: no exported function takes a value of any type. Type parameters are fine.
func noAny(f source) (faults []string) {
	if f.isTest() {
		return nil
	}
	check := func(name *ast.Ident, typ *ast.FuncType) {
		for _, field := range typ.Params.List {
			if name.IsExported() && isAny(field.Type) {
				faults = append(faults, f.at(field.Pos(), name.Name+" takes a parameter of any type: name the type"))
			}
		}
	}
	for _, decl := range f.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) && !slices.Contains(demanded, d.Name.Name) {
				check(d.Name, d.Type)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					for _, m := range exportedMethods(s) {
						check(m.Names[0], m.Type.(*ast.FuncType))
					}
				}
			}
		}
	}
	return faults
}

func isAny(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "any"
	case *ast.InterfaceType:
		return len(e.Methods.List) == 0
	case *ast.Ellipsis:
		return isAny(e.Elt)
	case *ast.ArrayType:
		return isAny(e.Elt)
	}
	return false
}
