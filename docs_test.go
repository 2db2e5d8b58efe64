package licensing_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
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
	"testing/synctest"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
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

// The Go blocks of README.md are parts of compiled files. Those that are
// parts of this one run here.

func TestReadmeBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.SetThrottle(licensingtest.ThrottleEmpty)
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 300}).ID
		var users []string
		for i := range 300 {
			users = append(users, fmt.Sprintf("user%d@contoso.example", i))
			tenant.AddUser(licensingtest.User{UserPrincipalName: users[i], UsageLocation: "DE"})
		}
		client, ctx := tenant.Client(), t.Context()

		var operations []licensing.Operation
		for _, user := range users {
			operations = append(operations, licensing.Operation{
				Kind:    licensing.OperationAssignUser,
				Target:  user,
				Request: licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku}}},
			})
		}
		failed := 0
		for result := range client.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{}) {
			if !result.Done() {
				failed++
				fmt.Println(result.Operation.Target, result.Err)
			}
		}
		fmt.Println(len(operations)-failed, "of", len(operations), "operations done")
		if failed > 0 || len(tenant.Writes()) != 300 {
			t.Errorf("%d failed, %d writes were made", failed, len(tenant.Writes()))
		}
	})
}

func TestReadmeErrors(t *testing.T) {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	client, ctx, change := tenant.Client(), t.Context(), remove(tenant.AddSKU(licensingtest.SKU{}).ID)

	_, err := client.AssignUserLicense(ctx, "adele@contoso.example", change)
	switch {
	case errors.Is(err, licensing.ErrOutcomeUnknown):
		fmt.Println("perhaps done, in full or in part: send it again")
	case errors.Is(err, licensing.ErrNoAvailableLicenses):
		fmt.Println("buy seats")
	case errors.Is(err, licensing.ErrInherited):
		fmt.Println("change it on the group")
	case errors.Is(err, licensing.ErrThrottled):
		e, _ := errors.AsType[*licensing.Error](err)
		fmt.Println("come back in", e.RetryAfter)
	case err != nil:
		fmt.Println(err)
	}
	if !errors.Is(err, licensing.ErrNotAssigned) {
		t.Errorf("got %v", err)
	}
}

func TestReadmeTesting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1})
		tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
		tenant.Fail(licensingtest.Fault{Drop: true, Apply: true}) // the answer is lost

		user, err := tenant.Client().AssignUserLicense(ctx, "adele@contoso.example", licensing.AssignLicenseRequest{
			AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(user.UserPrincipalName, len(tenant.Requests()))
		if len(tenant.Requests()) != 2 {
			t.Errorf("%d requests were made, want 2", len(tenant.Requests()))
		}
	})
}

func TestReadmeBlocksAreCompiled(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)(?:<!-- (\\S+) -->\n)?```go\n(.*?)```").FindAllStringSubmatch(readFile(t, "README.md"), -1)
	if len(blocks) < 4 {
		t.Fatalf("found %d Go blocks", len(blocks))
	}
	for _, block := range blocks {
		file, text := block[1], strings.TrimRight(block[2], "\n")
		if file == "" {
			t.Errorf("a block does not say which file it is from:\n%s", text)
			continue
		}
		if !containsIndented(readFile(t, file), text) {
			t.Errorf("%s does not have this block of README.md:\n%s", file, text)
		}
	}
}

// containsIndented reports whether text stands in file at any one indentation.
func containsIndented(file, text string) bool {
	for range 4 {
		if strings.Contains("\n"+file+"\n", "\n"+text+"\n") {
			return true
		}
		text = regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, "\t$1")
	}
	return false
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
