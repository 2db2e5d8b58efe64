// Command plots draws the pictures of the documentation from what was measured.
//
//	go run ./plots
//
// Each picture is drawn twice, for light and for dark pages. The figures are in
// data, in a file for each measurement, which names the command that writes it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

var (
	from = flag.String("data", "data", "the folder of the figures")
	to   = flag.String("out", "../docs/pictures", "the folder of the pictures")
)

// pictures are all there are, by name.
var pictures = []struct {
	name string
	draw func(dir string, t theme) (*sheet, error)
}{{"bulk", bulk}, {"size", size}, {"faults", faults}, {"clients", clients}}

func main() {
	log.SetFlags(0)
	flag.Parse()
	files, err := drawAll(*from)
	if err != nil {
		log.Fatal(err)
	}
	for name, svg := range files {
		if err := os.WriteFile(filepath.Join(*to, name), svg, 0o666); err != nil {
			log.Fatal(err)
		}
	}
}

// drawAll returns the pictures by the names of their files.
func drawAll(dir string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, p := range pictures {
		for _, t := range themes {
			s, err := p.draw(dir, t)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			files[p.name+"-"+t.name+".svg"] = s.svg()
		}
	}
	return files, nil
}
