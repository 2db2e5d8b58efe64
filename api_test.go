package licensing_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of the exported API")

// TestAPI compares the exported API with the golden files, so that every change
// of it is seen in review. -update writes them.
func TestAPI(t *testing.T) {
	for _, dir := range []string{".", "licensingtest"} {
		golden := filepath.Join("testdata", "api", filepath.Base(dir)+".txt")
		if dir == "." {
			golden = filepath.Join("testdata", "api", "licensing.txt")
		}
		got := exported(t, dir)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want := strings.Split(readFile(t, golden), "\n")
		have := strings.Split(got, "\n")
		for _, line := range have {
			if !slices.Contains(want, line) {
				t.Errorf("%s does not have\n\t%s", golden, line)
			}
		}
		for _, line := range want {
			if !slices.Contains(have, line) {
				t.Errorf("the API lacks, of %s,\n\t%s", golden, line)
			}
		}
		if t.Failed() {
			t.Log("if that is meant: go test -run '^TestAPI$' -update .")
		}
	}
}

// exported returns the exported declarations of a package, one on a line.
func exported(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.FileExports(file) {
			continue
		}
		line := func(prefix string, node any) {
			var text bytes.Buffer
			if err := printer.Fprint(&text, fset, node); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, strings.Join(strings.Fields(prefix+text.String()), " "))
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv != nil && !exportedReceiver(decl.Recv.List[0].Type) {
					continue
				}
				decl.Body = nil
				line("", decl)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					typ, ok := spec.(*ast.TypeSpec)
					if !ok {
						line(decl.Tok.String()+" ", spec)
						continue
					}
					structure, ok := typ.Type.(*ast.StructType)
					if !ok {
						line("type ", typ)
						continue
					}
					lines = append(lines, "type "+typ.Name.Name+" struct")
					for _, field := range structure.Fields.List {
						if len(field.Names) == 0 {
							line("embedded in "+typ.Name.Name+" ", field.Type)
						}
						for _, id := range field.Names {
							line("field "+typ.Name.Name+"."+id.Name+" ", field.Type)
						}
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// exportedReceiver reports whether a method's receiver is of an exported type.
func exportedReceiver(typ ast.Expr) bool {
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return !ok || id.IsExported()
}
