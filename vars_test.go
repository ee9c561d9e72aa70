package pincall_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// fixed are the functions whose result a package variable may hold: it does not change after the program's start.
var fixed = []string{"regexp.MustCompile", "sync.OnceValue", "sync.OnceValues", "sync.OnceFunc", "time.Date"}

// noMutableVars: a package variable is an error (Err..., err...), a compiled expression, a sync.OnceValue, an embedded file, an
// assertion (var _ = ...), or a table: unexported, a literal of a map, slice or array (or an array with its type written out),
// and changed nowhere in the package. Tests may also have flags, and fixtures: struct literals under the same conditions.
func noMutableVars(files []source) (faults []string) {
	for _, f := range files {
		for _, decl := range f.file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				if embedded(d.Doc) || embedded(s.Doc) {
					continue
				}
				for i := range s.Names {
					faults = append(faults, judgeVar(files, f, s, i)...)
				}
			}
		}
	}
	return faults
}

func judgeVar(files []source, f source, s *ast.ValueSpec, i int) []string {
	name := s.Names[i]
	var value ast.Expr
	if i < len(s.Values) {
		value = s.Values[i]
	}
	switch {
	case name.Name == "_", strings.HasPrefix(name.Name, "Err"), strings.HasPrefix(name.Name, "err"), holdsFixed(value, f.isTest()):
		return changes(files, s, name.Name)
	case isTable(s.Type, value, f.isTest()) && !name.IsExported():
		return changes(files, s, name.Name)
	}
	return []string{f.at(name.Pos(), "package variable "+name.Name+": make it a constant, a field, or an unexported table")}
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func holdsFixed(value ast.Expr, test bool) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun := call.Fun
	if g, ok := fun.(*ast.IndexExpr); ok { // sync.OnceValue[T]
		fun = g.X
	}
	name := written(fun)
	return slices.Contains(fixed, name) || test && strings.HasPrefix(name, "flag.")
}

func isTable(typ, value ast.Expr, test bool) bool {
	if a, ok := typ.(*ast.ArrayType); ok && a.Len != nil && value != nil {
		return true
	}
	lit, ok := value.(*ast.CompositeLit)
	if !ok {
		return false
	}
	switch lit.Type.(type) {
	case *ast.MapType, *ast.ArrayType:
		return true
	}
	return test
}

// changes is every place in the package that assigns to the variable or to an element, deletes from it, or takes its address.
func changes(files []source, spec *ast.ValueSpec, name string) (faults []string) {
	for _, f := range files {
		is := func(e ast.Expr) bool {
			id := root(e)
			// The parser resolves names within a file: a local of the same name has a declaration of its own.
			return id != nil && id.Name == name && name != "_" && (id.Obj == nil || id.Obj.Decl == spec)
		}
		fault := func(pos token.Pos) { faults = append(faults, f.at(pos, "changes the package variable "+name)) }
		ast.Inspect(f.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE && slices.ContainsFunc(n.Lhs, is) {
					fault(n.Pos())
				}
			case *ast.IncDecStmt:
				if is(n.X) {
					fault(n.Pos())
				}
			case *ast.UnaryExpr:
				if n.Op == token.AND && is(n.X) {
					fault(n.Pos())
				}
			case *ast.CallExpr:
				if fun := written(n.Fun); (fun == "delete" || fun == "clear" || fun == "copy") && is(n.Args[0]) {
					fault(n.Pos())
				}
			}
			return true
		})
	}
	return faults
}

// root is the variable that an assignable expression belongs to: x of x, x[i], x.f, x[i].f; nil if there is none.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
