package licensing_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type room struct {
	dir        string
	may, tests []string
}

// Rooms says which packages of the project each of them may import, and which
// ones its tests may besides. A room is a folder with all that is below it. The
// compiler keeps cycles out, but lets a nested module import internal.
var rooms = []room{
	{".", []string{"internal/batch", "internal/graph", "internal/pace", "internal/turn"}, []string{".", "licensingtest"}},
	{"internal/batch", []string{"internal/graph", "internal/pace"}, nil},
	{"internal/graph", []string{"internal/pace"}, nil},
	{"internal/pace", nil, nil},
	{"internal/turn", nil, nil},
	{"internal/testdata", []string{"."}, []string{"licensingtest"}},
	{"licensingtest", []string{"."}, []string{"licensingtest"}},
	{"reconcile", []string{"."}, []string{"licensingtest", "reconcile"}},
	{"examples", []string{".", "licensingtest", "reconcile", "examples"}, nil},
	{"fleet/cmd", []string{".", "licensingtest", "fleet"}, nil},
	{"fleet", []string{".", "fleet"}, []string{"licensingtest"}},
	{"benchmarks", []string{".", "licensingtest", "reconcile", "benchmarks"}, nil},
}

// roomOf returns the index of the room that a folder is in, the root only itself.
func roomOf(dir string) int {
	return slices.IndexFunc(rooms, func(r room) bool {
		return dir == r.dir || r.dir != "." && strings.HasPrefix(dir, r.dir+"/")
	})
}

func TestArrows(t *testing.T) {
	t.Parallel()
	const module = "github.com/graphlicensing/licensing"
	files := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			if entry != nil && entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return err
		}
		files++
		from := roomOf(filepath.ToSlash(filepath.Dir(path)))
		if from < 0 {
			t.Errorf("%s is in no room", path)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			rest, ours := strings.CutPrefix(imported+"/", module+"/")
			if !ours {
				continue
			}
			to := roomOf(filepath.ToSlash(filepath.Clean(rest)))
			allowed := rooms[from].may
			if strings.HasSuffix(path, "_test.go") {
				allowed = slices.Concat(allowed, rooms[from].tests)
			}
			if to < 0 || !slices.Contains(allowed, rooms[to].dir) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files, %v", files, err)
	}
}
