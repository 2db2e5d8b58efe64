package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/reconcile"
)

// TestDrift has somebody else change a user between the plan and apply.
func TestDrift(t *testing.T) {
	s := newStage()
	changes := clitest.File(t, "changes.json", "")
	input := clitest.File(t, "in.yaml", "users:\n  "+adele+": {remove: [M365_F1]}\n  "+ben+": {licenses: [M365_F1]}\n")
	if status := s.play(t, "", "plan", input, "-o", changes); status != statusChanges {
		t.Fatalf("got status %d and\n%s", status, s.notes)
	}
	s.SetUserLicenses(adele, contoso.License(s.skus[1], contoso.Teams))
	if status := s.play(t, "", "apply", "-yes", changes); status != statusFailed || !strings.Contains(s.out, "\n1 of 2 changes done, 0 failed, 0 in doubt, 1 not sent\n") ||
		!strings.Contains(s.out, "\n1      changed by somebody else since the plan  plan again  "+adele+"\n") {
		t.Errorf("got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	s.wants(t, map[string]string{adele: "M365_F1-TEAMS1", ben: "M365_F1"})
}

// TestMembers has a group's change fail for a member for whom there is no seat.
func TestMembers(t *testing.T) {
	s := newStage()
	s.SetSeats(s.skus[1].ID, 1) // which Adele has
	s.ProcessAfter(time.Minute)
	input := clitest.File(t, "in.yaml", "groups: {Sales: {licenses: [M365_F1]}}")
	if status := s.play(t, "", "apply", "-wait", input); status != 0 || !strings.Contains(s.notes, "group Sales: not for "+dan+"\n") {
		t.Errorf("got status %d and\n%s\n%s", status, s.out, s.notes)
	}
}

// TestResultsOnTheStandardOutput has everything else on the other one.
func TestResultsOnTheStandardOutput(t *testing.T) {
	s := newStage()
	if status := s.play(t, wanted, "apply", "-yes", "-", "-out", "-"); status != statusFailed || !strings.Contains(s.notes, "\n4 of 4 changes done, ") {
		t.Errorf("got status %d and\n%s", status, s.notes)
	}
	lines := strings.Split(strings.TrimSpace(s.out), "\n")
	for _, line := range lines {
		var r reconcile.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil || !r.Written || !r.Done() {
			t.Errorf("got %v of %s", err, line)
		}
	}
	if len(lines) != 4 {
		t.Errorf("got %d lines", len(lines))
	}
}

// TestSeats has those who give a seat back come first, and says who gets none.
func TestSeats(t *testing.T) {
	for seats, want := range map[int]string{2: "\n2 of 2 changes done, ", 1: "\n1 of 2 changes done, 1 failed, "} {
		s := newStage()
		s.SetSeats(s.skus[0].ID, seats) // Cleo and Dan have one
		input := clitest.File(t, "in.yaml", "users:\n  "+ben+": {licenses: [ENTERPRISEPACK]}\n  "+cleo+": {remove: [ENTERPRISEPACK]}\n")
		if status := s.play(t, "", "apply", "-yes", input); (status == 0) != (seats == 2) || !strings.Contains(s.out, want) ||
			strings.Contains(s.out, "1 missing") != (seats == 1) || strings.Contains(s.out, "too few seats") != (seats == 1) {
			t.Errorf("%d seats: got status %d and\n%s\n%s", seats, status, s.out, s.notes)
		}
	}
}

// TestDisk has no room for results from some byte on.
func TestDisk(t *testing.T) {
	s := newStage()
	full := writer(func(text []byte) (int, error) {
		if strings.HasPrefix(string(text), "{") {
			return 0, errFull
		}
		return len(text), nil
	})
	var notes strings.Builder
	err := run(t.Context(), t.Context(), []string{"apply", "-yes", "-", "-out", "-"}, streams{strings.NewReader(wanted), full, &notes}, s.Client())
	if status(err) != statusFailed || err.Error() != "the results cannot be written: "+errFull.Error() ||
		!strings.Contains(notes.String(), " results could not be written to the standard output:\n{\"index\":") {
		t.Errorf("got %v and\n%s", err, notes.String())
	}
}

var errFull = errors.New("no room")
