package licensing_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of the exported API")

// TestAPI compares the exported API with the golden files, so that every change
// of it is seen in review. -update writes them.
func TestAPI(t *testing.T) {
	for _, dir := range []string{".", "licensingtest", "reconcile"} {
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

// TestReadmeBlocksAreCompiled compares each block of Go in README.md, and each
// block of text that names a file, with that file: code as it is compiled, text
// as the output that a test compares. Pages under docs may name files, too.
func TestReadmeBlocksAreCompiled(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	code := 0
	for _, page := range append(pages, "README.md") {
		for _, block := range blocks.FindAllStringSubmatch(readFile(t, page), -1) {
			language, file, text := block[1], block[2], strings.TrimRight(block[3], "\n")
			if language == "go" && page == "README.md" {
				code++
				if file == "" {
					t.Errorf("a block of %s does not say which file it is from:\n%s", page, text)
				}
			}
			if file != "" && !containsIndented(readFile(t, file), text) {
				t.Errorf("%s does not have this block of %s:\n%s", file, page, text)
			}
		}
	}
	if code < 10 {
		t.Errorf("found %d Go blocks", code)
	}
}

var blocks = regexp.MustCompile("(?s)```(go|text)(?: (\\S+))?\n(.*?)```")

// containsIndented reports whether text stands in file at any one indentation,
// or as the comment at the end of an example.
func containsIndented(file, text string) bool {
	lines := regexp.MustCompile(`(?m)^(.)`)
	comment := strings.ReplaceAll(regexp.MustCompile(`(?m)^`).ReplaceAllString(text, "\t// "), " \n", "\n")
	if strings.Contains("\n"+file+"\n", "\n"+comment+"\n") {
		return true
	}
	for range 4 {
		if strings.Contains("\n"+file+"\n", "\n"+text+"\n") {
			return true
		}
		text = lines.ReplaceAllString(text, "\t$1")
	}
	return false
}

// TestDocsLinks follows the links in the pages to other files and to headings.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	pages := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"#\s]*)(?:#([^)"\s]*))?`)
	for _, page := range append(pages, more...) {
		for _, match := range link.FindAllStringSubmatch(readFile(t, page), -1) {
			target, heading := match[1], match[2]
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, file)
			} else if heading != "" && !slices.Contains(headings(readFile(t, file)), heading) {
				t.Errorf("%s leads to %s, which has no heading #%s", page, file, heading)
			}
		}
	}
}

// TestPackageCommentListsMethods looks for each method of Client, once, in the list
// at the top of the package comment, and for the examples that the comment links to.
func TestPackageCommentListsMethods(t *testing.T) {
	t.Parallel()
	comment := readFile(t, "doc.go")
	list, _, found := strings.Cut(comment, "// # Examples")
	if !found {
		t.Fatal("doc.go has no section on examples")
	}
	method := regexp.MustCompile(`(?m)^func \(c \*Client\) ([A-Z]\w*)`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods, examples := 0, ""
	for _, name := range files {
		text := readFile(t, name)
		if strings.HasSuffix(name, "_test.go") {
			examples += text
			continue
		}
		for _, match := range method.FindAllStringSubmatch(text, -1) {
			methods++
			if n := strings.Count(list, "[Client."+match[1]+"]"); n != 1 {
				t.Errorf("doc.go lists Client.%s %d times", match[1], n)
			}
		}
	}
	if methods < 25 {
		t.Errorf("found %d methods", methods)
	}
	links := regexp.MustCompile(`(?m)^// \[([^]]+)\]: \S+#example-(\S+)$`).FindAllStringSubmatch(comment, -1)
	if len(links) < 5 {
		t.Errorf("found %d links to examples", len(links))
	}
	for _, link := range links {
		if !strings.Contains(comment, "["+link[1]+"],") && !strings.Contains(comment, "["+link[1]+"].") {
			t.Errorf("doc.go does not use the link %q", link[1])
		}
		if !strings.Contains(examples, "func Example"+strings.ReplaceAll(link[2], ".", "_")+"(") {
			t.Errorf("doc.go links to an example of %s, which does not exist", link[2])
		}
	}
}

// headings returns the anchors of a page's headings.
func headings(page string) []string {
	var anchors []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchor := strings.ReplaceAll(strings.ToLower(match[1]), " ", "-")
		anchors = append(anchors, regexp.MustCompile(`[^\pL\pN_-]`).ReplaceAllString(anchor, ""))
	}
	return anchors
}

// TestReadmeGoVersion compares the versions of Go in README.md with go.mod.
func TestReadmeGoVersion(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, "go.mod"))[1]
	readme := readFile(t, "README.md")
	for _, want := range []string{"badge/Go-" + version + "%2B", "Go " + version + " or newer"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md does not have %q", want)
		}
	}
}

// TestReadmeInstall follows the instructions in a module of its own and looks
// at what is compiled into it.
func TestReadmeInstall(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```sh\n(go mod edit .*?)```").FindStringSubmatch(readFile(t, "README.md"))
	if block == nil {
		t.Fatal("no install instructions found")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := "package main\n\nimport \"github.com/graphlicensing/licensing\"\n\nfunc main() { _, _ = licensing.NewClient(nil) }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	run := func(line string) string {
		fields := strings.Fields(line)
		cmd := exec.CommandContext(t.Context(), fields[0], fields[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	run("go mod init bot.example")
	for line := range strings.Lines(block[1]) {
		run(strings.Replace(strings.TrimSpace(line), "=../licensing", "="+here, 1))
	}
	run("go build ./...")

	modules := strings.Fields(run("go list -deps -f {{with.Module}}{{.Path}}{{end}} ."))
	slices.Sort(modules)
	want := []string{
		"bot.example", "github.com/google/uuid", "github.com/graphlicensing/licensing",
		"github.com/hashicorp/go-cleanhttp", "github.com/hashicorp/go-retryablehttp",
	}
	if got := slices.Compact(modules); !slices.Equal(got, want) {
		t.Errorf("compiled modules are %q, want %q", got, want)
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
