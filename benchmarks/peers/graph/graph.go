// Package graph has the JSON of Graph for those peers whose users write it by
// hand, with no more of it than the calls need.
package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/graphlicensing/licensing/benchmarks/peers"
)

// A License is an assignedLicense. Without disabledPlans Graph keeps those
// disabled that were, so it is never left out.
type License struct {
	SKUID         string   `json:"skuId"`
	DisabledPlans []string `json:"disabledPlans"`
}

// A Change is the body of assignLicense, which needs both lists.
type Change struct {
	AddLicenses    []License `json:"addLicenses"`
	RemoveLicenses []string  `json:"removeLicenses"`
}

// NewChange returns c as Graph wants it.
func NewChange(c peers.Change) Change {
	change := Change{AddLicenses: make([]License, len(c.Add)), RemoveLicenses: list(c.Remove)}
	for i, license := range c.Add {
		change.AddLicenses[i] = License{SKUID: license.SKU, DisabledPlans: list(license.DisabledPlans)}
	}
	return change
}

func list(ids []string) []string {
	if ids == nil {
		return []string{} // and not null
	}
	return ids
}

// An Object is a user or a group.
type Object struct {
	ID               string    `json:"id"`
	AssignedLicenses []License `json:"assignedLicenses"`
}

// Assigned returns what a caller takes from the object.
func (o *Object) Assigned() peers.Assigned {
	return peers.Assigned{ID: o.ID, SKUs: len(o.AssignedLicenses)}
}

// An Error is an answer that is no success.
type Error struct {
	Status        int
	Code, Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// An Assign makes the call at a path under the version, and is so a peer.
type Assign func(ctx context.Context, path string, change peers.Change) (peers.Assigned, error)

// AssignUser makes the call for a user.
func (a Assign) AssignUser(ctx context.Context, user string, change peers.Change) (peers.Assigned, error) {
	return a(ctx, "/users/"+url.PathEscape(user)+"/assignLicense", change)
}

// AssignGroup makes the call for a group.
func (a Assign) AssignGroup(ctx context.Context, group string, change peers.Change) (peers.Assigned, error) {
	return a(ctx, "/groups/"+url.PathEscape(group)+"/assignLicense", change)
}

// Read reads an answer.
func Read(resp *http.Response) (peers.Assigned, error) {
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		var frame struct{ Error Error }
		err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&frame)
		frame.Error.Status = resp.StatusCode
		if err != nil {
			frame.Error.Message = err.Error()
		}
		return peers.Assigned{}, &frame.Error
	}
	var object Object
	if err := json.NewDecoder(resp.Body).Decode(&object); err != nil {
		return peers.Assigned{}, err
	}
	return object.Assigned(), nil
}
