package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The demo starts this binary again for its workers.
func TestMain(m *testing.M) {
	if os.Getenv("FLEET_COMMAND") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Four workers finish a run of which one is killed.
func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := command(t.Context(), []string{"demo", "-people", "1200"}, &out); err != nil {
		t.Fatal(err)
	}
	last := out.String()[strings.LastIndex(strings.TrimSpace(out.String()), "\n")+1:]
	if !strings.HasPrefix(last, "4 workers, 1 of them killed; 1200 operations done, ") || !strings.HasSuffix(last, "1200 people were licensed, each once\n") {
		t.Error(last)
	}
}

// Files are published once, and a mistake in one publishes no whole run.
func TestPublish(t *testing.T) {
	const csv = "userPrincipalName,add,remove,usageLocation\n" +
		"adele@contoso.example,6fd2c87f-b296-42f0-b197-1e91e994b900,,de\n" +
		"\"alex@contoso.example\",,c7df2760-2c81-4ef7-b578-5b5392b571df,\n"
	const lines = `{"kind":"reprocessUser","target":"adele@contoso.example"}` + "\n" + `{"kind":"reprocessUser","target":"alex@contoso.example"}`
	for name, test := range map[string]struct{ text, says, fails string }{
		"csv":         {csv, "3 of 3 operations are new\n", ""},
		"json":        {lines, "2 of 2 operations are new\n", ""},
		"bad csv":     {csv + "megan@contoso.example,E3,,\n", "", "line 4: invalid UUID length: 2"},
		"bad column":  {"user,add\n", "", `"user" is not a column; the columns are userPrincipalName, add, remove and usageLocation`},
		"nobody":      {"userPrincipalName,add\n,\n", "", "line 2: no user is named"},
		"bad removal": {"userPrincipalName,remove\na@b.example,x\n", "", "line 2: invalid UUID length: 1"},
		"bad json":    {`{"kind":"reprocessUser","target":"a","usageLocation":"DE"}`, "", "operation 1: operation: reprocessUser has no usageLocation"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "in")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"publish", "-dir", filepath.Join(dir, "data"), file}
			var out strings.Builder
			err := command(t.Context(), args, &out)
			if test.fails == "" && (err != nil || out.String() != test.says) {
				t.Errorf("%q, %v", out.String(), err)
			}
			if test.fails != "" && (err == nil || err.Error() != file+": "+test.fails) {
				t.Error(err)
			}
			out.Reset()
			if err := command(t.Context(), args, &out); test.fails == "" && (err != nil || !strings.HasPrefix(out.String(), "0 of ")) {
				t.Errorf("%q, %v", out.String(), err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"dance"}, {"publish"}, {"watch", "-listen", "nowhere"}, {"results", "-dir", t.TempDir()}} {
		if err := command(context.Background(), args, new(strings.Builder)); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}
