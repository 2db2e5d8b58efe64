// Command foreign makes calls with clients that nobody here wrote, the m365 CLI
// and Microsoft's JavaScript client, against a tenant of licensingtest, and says
// which of them are answered as Graph answers them.
//
//	go run ./parity/foreign            # needs Node.js 20 and npm
//	go run ./parity/foreign -update    # rewrites the record of all answers
//
// The clients come from npm, at the versions of node/package-lock.json. Their
// connections all end at the tenant: nothing leaves the machine but npm's own
// requests.
package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed node
var node embed.FS

func main() {
	log.SetFlags(0)
	dir := flag.String("node", "", "keep the clients in this `directory`; without it they are installed and removed")
	golden := flag.String("golden", "parity/foreign/testdata/golden.jsonl", "the record of all answers")
	update := flag.Bool("update", false, "rewrite the record")
	flag.Parse()
	if err := run(*dir, *golden, *update); err != nil {
		log.Fatal(err)
	}
}

func run(dir, golden string, update bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if dir == "" {
		temp, err := os.MkdirTemp("", "foreign")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	if err := install(ctx, dir); err != nil {
		return err
	}
	var record bytes.Buffer
	for _, c := range clients {
		verdicts, err := c.run(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		report(c.name, verdicts)
		for _, v := range verdicts {
			record.Write(v.line())
		}
	}
	if update {
		return os.WriteFile(golden, record.Bytes(), 0o666)
	}
	return compare(golden, record.String())
}

// install writes the scripts to dir, and has npm install what they need unless
// it is there.
func install(ctx context.Context, dir string) error {
	files, err := fs.Sub(node, "node")
	if err != nil {
		return err
	}
	names, err := fs.Glob(files, "*")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return nil
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir, npm.Stdout, npm.Stderr = dir, os.Stdout, os.Stderr
	return npm.Run()
}

// report prints how many calls are answered as Graph answers them, and each that
// is not.
func report(client string, verdicts []verdict) {
	count := make(map[string]int)
	for _, v := range verdicts {
		count[v.Verdict]++
	}
	fmt.Printf("%s: %d of %d as Graph, %d lacking in the tenant and said so, %d different\n",
		client, count[asGraph], len(verdicts), count[lacking], count[different])
	for _, v := range verdicts {
		if v.Verdict != asGraph {
			fmt.Printf("\t%s: %s: want %s, got %s\n", v.Verdict, v.Call, v.Want, v.got())
		}
	}
}

// compare tells in which lines the record differs from the one in the file.
func compare(golden, record string) error {
	text, err := os.ReadFile(golden)
	if err != nil {
		return err
	}
	want, got := byCall(string(text)), byCall(record)
	var differences []string
	for _, call := range slices.Sorted(maps.Keys(got)) {
		if want[call] != got[call] {
			differences = append(differences, fmt.Sprintf("want %s\n got %s", want[call], got[call]))
		}
	}
	for call, line := range want {
		if _, ok := got[call]; !ok {
			differences = append(differences, "no longer made: "+line)
		}
	}
	if len(differences) > 0 {
		return fmt.Errorf("%d answers differ from %s (-update rewrites it):\n%s", len(differences), golden, strings.Join(differences, "\n"))
	}
	return nil
}

// byCall returns the lines of a record by client and call.
func byCall(record string) map[string]string {
	lines := make(map[string]string)
	for line := range strings.Lines(record) {
		var v verdict
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			log.Fatalf("%v in %s", err, line)
		}
		lines[v.Client+" "+v.Call] = strings.TrimSuffix(line, "\n")
	}
	return lines
}
