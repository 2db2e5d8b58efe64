package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A result says what became of a fact.
type result string

// The results, in the order in which people look for them.
const (
	contradicted result = "contradicted"
	confirmed    result = "confirmed"
	notSeen      result = "not seen"
	notChecked   result = "not checked"
)

var results = []result{contradicted, confirmed, notSeen, notChecked}

// An outcome is a result, and what was seen in place of what was expected.
type outcome struct {
	result result
	detail string
}

var asExpected = outcome{result: confirmed}

func differs(format string, args ...any) outcome {
	return outcome{contradicted, fmt.Sprintf(format, args...)}
}

func unseen(format string, args ...any) outcome {
	return outcome{notSeen, fmt.Sprintf(format, args...)}
}

// worst is what several outcomes for one fact come to.
func worst(outcomes ...outcome) outcome {
	for _, want := range []result{contradicted, notSeen} {
		if i := slices.IndexFunc(outcomes, func(o outcome) bool { return o.result == want }); i >= 0 {
			return outcomes[i]
		}
	}
	return asExpected
}

// A fact is a line of the report.
type fact struct {
	Name   string `json:"name"`
	Result result `json:"result"`
	Detail string `json:"detail,omitempty"`
}

// A report is what a probe found out, and nothing about who was asked.
type report struct {
	Cloud  string         `json:"cloud"`
	Writes bool           `json:"writes"`
	Counts map[result]int `json:"counts"`
	Facts  []fact         `json:"facts"`
}

func (r *report) add(name string, o outcome) {
	r.Facts = append(r.Facts, fact{name, o.result, o.detail})
}

func (r report) count(want result) (n int) {
	for _, f := range r.Facts {
		if f.Result == want {
			n++
		}
	}
	return n
}

func (r report) printJSON(out io.Writer) error {
	r.Counts = make(map[result]int)
	for _, each := range results {
		r.Counts[each] = r.count(each)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// printTable prints the facts by their results.
func (r report) printTable(out io.Writer) error {
	facts := slices.Clone(r.Facts)
	slices.SortStableFunc(facts, func(a, b fact) int {
		return cmp.Compare(slices.Index(results, a.Result), slices.Index(results, b.Result))
	})
	table := cli.NewTable(out)
	for _, f := range facts {
		if err := table.Write([]string{string(f.Result), f.Name, f.Detail}); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d contradicted, %d confirmed, %d not seen, %d not checked\n",
		r.count(contradicted), r.count(confirmed), r.count(notSeen), r.count(notChecked))
	return err
}
