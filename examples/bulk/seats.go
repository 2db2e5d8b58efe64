package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// seats are those of a SKU, before and during the run.
type seats struct {
	name                string
	needed, free, freed int
}

// short reports whether there will not be enough, in whatever order.
func (s seats) short() bool { return s.needed > s.free+s.freed }

// countSeats returns the SKUs of which the steps need seats. Users who have one
// need no other, and those who will be refused need none.
func countSeats(all []step, names *resolver) []seats {
	needed, freed := map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for _, s := range all {
		for _, id := range s.takes {
			needed[id]++
		}
		for _, id := range s.frees {
			freed[id]++
		}
	}
	var list []seats
	for _, sku := range names.SKUs() {
		if n := needed[sku.SKUID]; n > 0 {
			list = append(list, seats{names.DisplayName(sku.SKUID), n, sku.Available(), freed[sku.SKUID]})
		}
	}
	return list
}

// printSeats shows the seats, and returns the SKUs of which there are too few.
func printSeats(out io.Writer, all []seats) (short []string, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	fmt.Fprintln(out)
	table := cli.NewTable(out)
	table.Write([]string{"product", "needed", "free", "given back", ""})
	for _, s := range all {
		verdict := ""
		switch {
		case s.short():
			short = append(short, s.name)
			verdict = fmt.Sprintf("%d missing", s.needed-s.free-s.freed)
		case s.needed > s.free:
			verdict = "enough only with those that are given back"
		}
		table.Write([]string{s.name, strconv.Itoa(s.needed), strconv.Itoa(s.free), strconv.Itoa(s.freed), verdict})
	}
	return short, table.Flush()
}
