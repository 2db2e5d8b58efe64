package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The rows of the table, in their order. A row without ratios counts things.
var rows = []struct {
	name     string
	decimals int
	ratio    bool
}{
	{userTime, 1, true},
	{userCPU, 1, true},
	{userBytes, 0, true},
	{userAllocs, 0, true},
	{groupTime, 1, true},
	{groupCPU, 1, true},
	{groupBytes, 0, true},
	{groupAllocs, 0, true},
	{"TLS, 1 worker: calls/s", 0, true},
	{"TLS, 1 worker: client CPU µs a call", 0, true},
	{"TLS, 16 workers: calls/s", 0, true},
	{"TLS, 16 workers: client CPU µs a call", 0, true},
	{coldCPU, 1, true},
	{"cold build: s", 1, true},
	{"cold build: MiB of the largest process", 0, true},
	{"build with std in the cache: CPU s", 2, true},
	{binary, 2, true},
	{"binary stripped: MB", 2, true},
	{"modules compiled", 0, false},
	{"packages compiled, std too", 0, false},
	{linesCompiled, 0, false},
	{"start: ms to the first request", 1, true},
	{"start: CPU ms in all", 1, true},
}

const (
	userTime    = "user call: µs"
	userCPU     = "user call: CPU µs"
	userBytes   = "user call: bytes"
	userAllocs  = "user call: allocations"
	groupTime   = "group call: µs"
	groupCPU    = "group call: CPU µs"
	groupBytes  = "group call: bytes"
	groupAllocs = "group call: allocations"
	coldCPU     = "cold build: CPU s"
	binary      = "binary: MB"

	linesCompiled = "lines compiled, without std"
)

// table prints the medians, and how many times what the first peer takes.
func table(w io.Writer, peers []string, all figures) {
	fmt.Fprintf(w, "| | %s |\n|---|%s\n", strings.Join(peers, " | "), strings.Repeat("--:|", len(peers)))
	for _, row := range rows {
		cells := []string{row.name}
		for _, peer := range peers {
			cells = append(cells, cell(all, peer, row.name, row.decimals, row.ratio && peer != peers[0]))
		}
		if strings.Trim(strings.Join(cells[1:], ""), "–") != "" {
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		}
	}
}

func cell(all figures, peer, row string, decimals int, ratio bool) string {
	value, ok := median(all[peer][row])
	if !ok {
		return "–"
	}
	text := grouped(strconv.FormatFloat(value, 'f', decimals, 64))
	if times, ok := ratioOf(all, peer, "nethttp", row); ok && ratio {
		text += fmt.Sprintf(" (%.2f×)", times)
	}
	return text
}

// ratioOf is how many times as much one peer takes as another: the median over
// the rounds, in each of which both were measured shortly after one another.
// That is steadier than a ratio of medians where the machine is busy.
func ratioOf(all figures, peer, than, row string) (float64, bool) {
	a, b := all[peer][row], all[than][row]
	if len(a) != len(b) {
		x, okA := median(a)
		y, okB := median(b)
		return x / y, okA && okB && y > 0
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

// grouped puts commas between thousands.
func grouped(number string) string {
	whole, rest, _ := strings.Cut(number, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2, true
	}
	return sorted[middle], true
}

// verdict says where our package is not where it has to be.
func verdict(w io.Writer, all figures) {
	fmt.Fprintln(w)
	for _, target := range []struct {
		row, than string
		most      float64
		inverse   bool
	}{
		{userTime, "azcore", 1, false},
		{userBytes, "azcore", 1, false},
		{userAllocs, "azcore", 1, false},
		{groupTime, "azcore", 1, false},
		{groupBytes, "azcore", 1, false},
		{groupAllocs, "azcore", 1, false},
		{userTime, "nethttp", 1.25, false},
		{userCPU, "nethttp", 1.25, false}, // which other programs disturb less
		{groupTime, "nethttp", 1.4, false},
		{groupCPU, "nethttp", 1.4, false},
		{"TLS, 1 worker: calls/s", "nethttp", 0.92, true},
		{"TLS, 16 workers: calls/s", "nethttp", 0.9, true},
		{binary, "nethttp", 1.1, false},
		{"binary stripped: MB", "nethttp", 1.1, false},
		{coldCPU, "nethttp", 1.1, false},
	} {
		ratio, ok := ratioOf(all, "licensing", target.than, target.row)
		if !ok {
			continue
		}
		bound := "at most"
		met := ratio <= target.most
		if target.inverse {
			met, bound = ratio >= target.most, "at least"
		}
		word := "met"
		if !met {
			word = "MISSED"
		}
		fmt.Fprintf(w, "- %s: %s is %.2f × %s, to be %s %.2f: %s\n", target.row, "licensing", ratio, target.than, bound, target.most, word)
	}
}
