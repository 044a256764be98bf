package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// source is what the handlers of package api read, found in their text: a parameter's name is a literal that a handler,
// or a function of the package that it reaches, passes on or looks up.
type source struct {
	literals map[string]map[string]bool
	calls    map[string]map[string]bool
}

func readSource(dir string) (*source, error) {
	s := &source{literals: map[string]map[string]bool{}, calls: map[string]map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				s.read(fn)
			}
		}
	}
	return s, nil
}

func (s *source) read(fn *ast.FuncDecl) {
	name := fn.Name.Name
	if s.literals[name] == nil {
		s.literals[name], s.calls[name] = map[string]bool{}, map[string]bool{}
	}
	literal := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil {
				s.literals[name][strings.ToLower(text)] = true
			}
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			for _, a := range n.Args {
				literal(a)
			}
		case *ast.IndexExpr:
			literal(n.Index)
		case *ast.Ident:
			s.calls[name][n.Name] = true
		}
		return true
	})
}

// reads says whether a handler reads a parameter.
func (s *source) reads(handler, param string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(fn string) bool {
		if seen[fn] || s.literals[fn] == nil {
			return false
		}
		seen[fn] = true
		if s.literals[fn][strings.ToLower(param)] {
			return true
		}
		for callee := range s.calls[fn] {
			if visit(callee) {
				return true
			}
		}
		return false
	}
	return visit(handler)
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// tests are all tests of the module, as package.TestName.
func tests(module string) (map[string]bool, error) {
	out := map[string]bool{}
	return out, filepath.WalkDir(module, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		b, err := os.ReadFile(file)
		for _, m := range testFunc.FindAllStringSubmatch(string(b), -1) {
			out[filepath.Base(filepath.Dir(file))+"."+m[1]] = true
		}
		return err
	})
}
