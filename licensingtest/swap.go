package licensingtest

import "strings"

// A sentAnswer is what was answered to a request to a path.
type sentAnswer struct {
	path string
	answer
}

// keep keeps the answer to a request for those that get it by mistake. These are
// requests to another path, so that the last answer and the last one to another
// path than that are all that is ever needed.
func (t *Tenant) keep(path string, a answer) {
	if _, operation, _ := strings.Cut(path, "/v1.0/"); isBatch(operation) {
		return
	}
	a.header = a.header.Clone() // the other one goes to the client
	if path != t.sent[0].path {
		t.sent[1] = t.sent[0]
	}
	t.sent[0] = sentAnswer{path, a}
}

// elsewhere returns the last answer to a request to another path, or own if
// there is none.
func (t *Tenant) elsewhere(path string, own answer) answer {
	for _, s := range t.sent {
		if s.status != 0 && s.path != path {
			s.header = s.header.Clone()
			return s.answer
		}
	}
	return own
}

// swapItems exchanges the answers to the items of a batch that meet such faults.
// An item that has the answer to another one already keeps it, since a second
// exchange could undo the first.
func swapItems(answers []*answer, faults []Fault) {
	swapped := make([]bool, len(answers))
	for i, f := range faults {
		if !f.Swap || swapped[i] || len(answers) == 1 {
			continue
		}
		other := i + 1
		if other == len(answers) {
			other = i - 1
		}
		answers[i], answers[other] = answers[other], answers[i]
		swapped[i], swapped[other] = true, true
	}
}
