package licensingtest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FIDELITY.md has one fact in a line, by a name that other tools can go by.
func TestFidelity(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("FIDELITY.md")
	if err != nil {
		t.Fatal(err)
	}
	standings := []string{"observed", "documented", "assumed"}
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	count, inTable := make(map[string]int), false
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		if line == "| Name | Fact | Standing | Source |" {
			inTable = true
			continue
		}
		if !inTable || strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("line %d has %d cells, want 4: %s", i+1, len(cells), line)
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name, fact, standing, source := cells[0], cells[1], cells[2], cells[3]
		if !kebab.MatchString(name) || count[name] > 0 {
			t.Errorf("line %d: name %q is no free name", i+1, name)
		}
		count[name]++
		if fact == "" || source == "" || !slices.Contains(standings, standing) {
			t.Errorf("line %d: fact %q, standing %q, source %q", i+1, fact, standing, source)
		}
		count[standing]++
	}
	for _, standing := range standings {
		if count[standing] < 10 {
			t.Errorf("%d facts are %s, so the tables are not read", count[standing], standing)
		}
	}
}
