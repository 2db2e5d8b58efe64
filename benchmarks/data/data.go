// Package data has the figures that plots draws. The commands that measure them
// write them, each file by the command that it names.
package data

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A Source says where the figures of a file are from.
type Source struct {
	Command  string `json:"command"`
	Measured string `json:"measured"` // the day or the month
}

// OverTime is how many users have their license at each time of a run.
type OverTime struct {
	Source
	Throttle string    `json:"throttle"` // a model of licensingtest
	Users    int       `json:"users"`
	Every    int       `json:"every"` // so many seconds
	Runs     []TimeRun `json:"runs"`
}

// A TimeRun is one run, or the quota by itself.
type TimeRun struct {
	By      string  `json:"by"`
	Took    float64 `json:"took"`    // seconds
	Refused float64 `json:"refused"` // of what was sent, in %
	Lost    int     `json:"lost"`    // users who were not given the license
	Done    []int   `json:"done"`
}

// Clients is how much longer than the ideal clients on one quota take.
type Clients struct {
	Source
	Throttle string       `json:"throttle"` // a model of licensingtest
	Users    int          `json:"users"`
	Seeds    int          `json:"seeds"`
	Runs     []ClientsRun `json:"runs"`
}

// A ClientsRun is a run of so many clients.
type ClientsRun struct {
	Clients int     `json:"clients"`
	Excess  float64 `json:"excess"`  // of the time over the ideal, in %
	Refused float64 `json:"refused"` // of what was sent, in %
	Stopped float64 `json:"stopped"` // after so many seconds, or 0 if it came to an end
	Done    int     `json:"done"`    // users, when it was stopped
}

// Sizes is what it costs to have each of the peers in a program.
type Sizes struct {
	Source
	Rows []Size `json:"rows"`
}

// A Size is that of the smallest program with a peer.
type Size struct {
	Peer   string  `json:"peer"`
	Binary float64 `json:"binaryMB"`
	Build  float64 `json:"coldBuildCPUs"` // seconds of all processors, the standard library included
	Lines  float64 `json:"lines"`         // compiled, without the standard library
}

// Faults is what became of users on a bad network.
type Faults struct {
	Source
	Users int         `json:"users"`
	Seeds int         `json:"seeds"`
	Rows  []FaultsRow `json:"rows"`
}

// A FaultsRow is what became of all users of all seeds.
type FaultsRow struct {
	Faults      float64 `json:"faults"` // the share of faulty requests, in %
	By          string  `json:"by"`
	Operations  int     `json:"operations"`
	Done        int     `json:"done"` // as it was reported
	FalseDone   int     `json:"falseDone"`
	FalseFailed int     `json:"falseFailed"`
	Twice       int     `json:"twice"`    // effects that happened twice
	WrongEnd    int     `json:"wrongEnd"` // users in a wrong end state
}

// Read reads a file of figures, all of whose properties must be known.
func Read[T any](dir, name string) (figures T, err error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return figures, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&figures); err != nil {
		return figures, fmt.Errorf("%s: %w", name, err)
	}
	return figures, nil
}

// Write writes a file of figures.
func Write(file string, figures any) error {
	text, err := json.MarshalIndent(figures, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o666)
}
