// Command samples makes the table of Microsoft's documented answers that a test
// of the library reads with its own types. It takes folders of documentation,
// each with the name that it gets in the table, and the table of the command
// metadata, by which it knows what is a property and what fits it.
//
//	go run ./samples -metadata ../testdata/metadata.json -out ../testdata/samples.json NAME=FOLDER...
//
// Of an answer it keeps names and values: no annotations, no prose, nothing that
// the documentation says about them. An answer that is there twice is kept once.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	metadata := flag.String("metadata", "../testdata/metadata.json", "the table of Graph's types")
	out := flag.String("out", "../testdata/samples.json", "the table of samples")
	flag.Parse()
	if err := run(flag.Args(), *metadata, *out); err != nil {
		log.Fatal(err)
	}
}

func run(folders []string, metadata, out string) error {
	text, err := os.ReadFile(metadata)
	if err != nil {
		return err
	}
	var types struct{ Types types }
	if err := json.Unmarshal(text, &types); err != nil {
		return err
	}
	c := &collector{types: types.Types, seen: make(map[string]bool)}
	for _, folder := range folders {
		name, dir, ok := strings.Cut(folder, "=")
		if !ok {
			return fmt.Errorf("%s: want NAME=FOLDER", folder)
		}
		c.sources = append(c.sources, name)
		for _, part := range []string{"api-reference/v1.0", "concepts"} {
			if err := c.collect(os.DirFS(dir), part); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(out, c.table(), 0o666)
}

// A sample is a documented answer.
type sample struct {
	Source      int    `json:"source"` // an index
	Page        string `json:"page"`
	Type        string `json:"type"`
	List        bool   `json:"list,omitempty"`
	Placeholder string `json:"placeholder,omitempty"` // why no program can read it
	Objects     []any  `json:"objects"`
}

type collector struct {
	types   types
	sources []string
	samples []sample
	seen    map[string]bool
}

// collect takes the samples of all pages below a folder.
func (c *collector) collect(docs fs.FS, folder string) error {
	return fs.WalkDir(docs, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(docs, name)
		if err != nil {
			return err
		}
		for _, a := range answers(string(text)) {
			c.add(strings.TrimSuffix(path.Base(name), ".md"), a)
		}
		return nil
	})
}

// add takes what is about users, groups, SKUs or licenses in an answer.
func (c *collector) add(page string, a answer) {
	for _, kind := range []string{"user", "group", "subscribedSku", "licenseDetails"} {
		s := sample{Source: len(c.sources) - 1, Page: page, Type: kind, List: a.list}
		for _, object := range a.objects {
			if a.kindOf(object) != kind {
				continue
			}
			kept, why := c.types.reduce(kind, object)
			if len(kept) > 0 {
				s.Objects = append(s.Objects, kept)
			}
			if why != "" {
				s.Placeholder = why
			}
		}
		key := string(encode(s.Objects))
		if len(s.Objects) > 0 && !c.seen[kind+key] {
			c.seen[kind+key] = true
			c.samples = append(c.samples, s)
		}
	}
}

// table returns the table, with a line for each sample.
func (c *collector) table() []byte {
	slices.SortStableFunc(c.samples, func(a, b sample) int { return strings.Compare(a.Type+" "+a.Page, b.Type+" "+b.Page) })
	lines := make([]string, len(c.samples))
	for i, s := range c.samples {
		lines[i] = "    " + string(encode(s))
	}
	return fmt.Appendf(nil, "{\n  \"sources\": %s,\n  \"samples\": [\n%s\n  ]\n}\n", encode(c.sources), strings.Join(lines, ",\n"))
}

func encode(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // it was JSON
	}
	return bytes.TrimSpace(b.Bytes())
}
