package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestWriteData(t *testing.T) {
	all := figures{}
	for i, peer := range []string{"licensing", "nethttp", "retryable", "azcore", "hashicorp", "msgraph"} {
		all.add(peer, binary, 10.04+float64(i))
		all.add(peer, coldCPU, 40)
		all.add(peer, coldCPU, 41)
		all.add(peer, linesCompiled, 1000)
	}
	file := filepath.Join(t.TempDir(), "size.json")
	writeData(file, all)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"command": "go run \./compare .*-data data/size\.json"`,
		`"measured": "20\d\d-\d\d-\d\d"`,
		`"rows": \[\s*\{\s*"peer": "licensing",\s*"binaryMB": 10,\s*"coldBuildCPUs": 40\.5,\s*"lines": 1000\s*\}`,
		`"peer": "msgraph",\s*"binaryMB": 15,`,
	} {
		if !regexp.MustCompile(want).Match(got) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}

	defer func() {
		if recover() == nil {
			t.Error("without msgraph's figures a file is written")
		}
	}()
	delete(all, "msgraph")
	writeData(file, all)
}
