package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// A set as a whole, in JSON that people and other programs read.
func TestChangeSetJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1500 * time.Millisecond)
		swap := removing(goal(101, "", without(2, 21)), 1)
		swap.Ref = "TICKET-7"
		set := plan(t, small().Client(), reconcile.PlanOptions{}, goal(103, "", want(9)), swap, goal(104, ""))
		text := marshal(t, set)
		expectGolden(t, "changeset.json", text)
		var back reconcile.ChangeSet
		if err := back.UnmarshalJSON([]byte(text)); err != nil || marshal(t, back) != text {
			t.Errorf("got %s, %v", marshal(t, back), err)
		}
		for _, tt := range []struct{ old, new, want string }{
			{`"unchanged"`, `"unchangd"`, `unknown field "unchangd"`},
			{`{"created"`, `{"Created"`, `unknown member "Created"`},
			{`"kind":"assignUser"`, `"Kind":"assignUser"`, `unknown member "Kind"`},
			{`"addLicenses"`, `"AddLicenses"`, `unknown member "AddLicenses"`},
			{`"skuPartNumber"`, `"skupartnumber"`, `unknown member "skupartnumber"`},
			{`,"unchanged"`, `,"changes":[],"unchanged"`, `member "changes" is there twice`},
			{`,"unchanged"`, `,"Changes":[],"unchanged"`, `unknown member "Changes"`},
			{`"target":`, `"target":"x","target":`, `member "target" is there twice`},
			{`"disabledPlans":[`, `"disabledPlans":[],"disabledPlans":[`, `member "disabledPlans" is there twice`},
			{`"created":"2000-01-01T00:00:01Z",`, ``, "created is missing"},
			{`"created":"2000-01-01T00:00:01Z"`, `"created":null`, "created is the zero time"},
			{text, `{}`, "created is missing"},
			{text, `null`, "created is missing"},
			{text, `{"created":"2000-01-01T00:00:01Z"}`, "changes is missing"},
			{`"takes"`, `"take"`, `unknown field "take"`},
			{`"kind":"assignUser"`, `"kind":"reprocessUser"`, "operation: reprocessUser has no request"},
			{`"addLicenses":[{"disabledPlans":["00000000-0000-4000-8000-000000000015"]`, `"addLicenses":[{"disabledPlans":[]`, "Changes[0]: After is not what Operation.Request makes"},
			{`"id":"00000000-0000-4000-8000-000000000065"`, `"id":""`, `Changes[0]: ID "" is not a GUID`},
			{`"id":"00000000-0000-4000-8000-000000000065"`, `"id":"user101@contoso.example"`, `Changes[0]: ID "user101@contoso.example" is not a GUID`},
			{`"id":"00000000-0000-4000-8000-000000000065"`, `"id":"{00000000-0000-4000-8000-000000000065}"`, "is not a GUID"},
			{`"target":"user101@contoso.example"`, `"target":"00000000-0000-4000-8000-000000000066"`,
				"Changes[0]: ID 00000000-0000-4000-8000-000000000065 is not the target 00000000-0000-4000-8000-000000000066"},
			{`"removeLicenses":["00000000-0000-4000-8000-000000000001"]`, `"removeLicenses":[]`, "Changes[0]: Before has SKU 00000000-0000-4000-8000-000000000001, which Operation.Request does not"},
		} {
			err := back.UnmarshalJSON([]byte(strings.Replace(text, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
	})
}

// A change counts by its id, in whatever case that is.
func TestOneObjectInASetTwice(t *testing.T) {
	t.Parallel()
	tenant := small()
	target := licensingtest.User{ID: "0000abcd-0000-4000-8000-000000000001", UserPrincipalName: "u@contoso.example", UsageLocation: "DE"}
	tenant.AddUser(target)
	set := plan(t, tenant.Client(), reconcile.PlanOptions{}, reconcile.Goal{Target: target.ID, Licenses: []reconcile.License{want(1)}})
	other := set.Changes[0]
	other.ID, other.Operation.Target = strings.ToUpper(target.ID), target.UserPrincipalName
	set.Changes = append(set.Changes, other)
	var back reconcile.ChangeSet
	const want = "Changes[1]: ID 0000ABCD-0000-4000-8000-000000000001 is there twice"
	if err := back.UnmarshalJSON([]byte(marshal(t, set))); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	results := apply(tenant.Client(), set, reconcile.ApplyOptions{})
	if err := results[0].Err; len(results) != 1 || !errors.Is(err, licensing.ErrInvalidArgument) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", results)
	}
}

// A set whose changes were all struck out can be read.
func TestASetWithoutChanges(t *testing.T) {
	t.Parallel()
	var back reconcile.ChangeSet
	for _, changes := range []string{"[]", "null"} {
		if err := back.UnmarshalJSON([]byte(`{"created":"2000-01-01T00:00:01Z","changes":` + changes + `,"unchanged":0}`)); err != nil || len(back.Changes) > 0 {
			t.Errorf("%s: got %v", changes, err)
		}
	}
}

// expectGolden compares a text with a file of testdata, whose blanks are for people.
func expectGolden(t *testing.T, file, got string) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	if want := strings.Join(lines, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestGoalJSON(t *testing.T) {
	t.Parallel()
	const text = `{"kind":"user","target":"adele@contoso.example","licenses":[` +
		`{"skuId":"00000000-0000-4000-8000-000000000001"},` +
		`{"skuId":"00000000-0000-4000-8000-000000000002","disabledPlans":[]},` +
		`{"skuId":"00000000-0000-4000-8000-000000000003","plans":{"enable":["00000000-0000-4000-8000-00000000000b"],"disable":["00000000-0000-4000-8000-00000000000c"]}}],` +
		`"remove":["00000000-0000-4000-8000-000000000004"],"mode":"exactly","ref":"line 7"}`
	g := reconcile.Goal{
		Kind: reconcile.KindUser, Target: "adele@contoso.example", Remove: ids(4), Mode: reconcile.Exactly, Ref: "line 7",
		Licenses: []reconcile.License{want(1), without(2), with(3, licensing.ServicePlanChange{Enable: ids(11), Disable: ids(12)})},
	}
	if got := marshal(t, g); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	var back reconcile.Goal
	if err := back.UnmarshalJSON([]byte(text)); err != nil || marshal(t, back) != text || back.Licenses[0].DisabledPlans != nil {
		t.Errorf("got %+v, %v", back, err)
	}
	for bad, want := range map[string]string{
		`{"target":"x","license":[]}`:                                `goal: json: unknown field "license"`,
		`{"target":"x","licenses":[{"skuid":"","disablePlans":[]}]}`: "goal: license: invalid UUID length: 0",
		`{"target":"x","mode":"exact"}`:                              `goal: Mode is "exact"`,
		`null`:                                                       "goal: Target is empty",
		`{"target":"x","target":"y"}`:                                `goal: member "target" is there twice`,
		`{"target":"x","Target":"y"}`:                                `goal: unknown member "Target"`,
		`{"target":"x","licenses":[{"SkuId":"00000000-0000-4000-8000-000000000001"}]}`:                                   `goal: license: unknown member "SkuId"`,
		`{"target":"x","licenses":[{"skuId":"00000000-0000-4000-8000-000000000001","plans":{"enable":[],"enable":[]}}]}`: `goal: license: member "enable" is there twice`,
		`{"target":"x","licenses":[{"skuId":"00000000-0000-4000-8000-000000000001","plans":{}}]}`:                        "goal: Licenses[0].Plans: change service plans: invalid argument: Enable, Disable and EnableOnly are all empty",
		`{"target":""}`: "goal: Target is empty",
		`{"target":"x","licenses":[{"plans":{"enabled":[]}}]}`: `goal: license: json: unknown field "enabled"`,
	} {
		if err := back.UnmarshalJSON([]byte(bad)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", bad, err, want)
		}
	}
}

func TestResultJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		g := goal(101, "", without(1))
		g.Ref = "line 7"
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, g, goal(102, "", without(2, 21)))
		tenant.SetUserLicenses(name(102), held(2, 13))
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{})
		for i, file := range []string{"result-done.json", "result-drifted.json"} {
			text := marshal(t, results[i])
			expectGolden(t, file, text)
			var back reconcile.Result
			if err := back.UnmarshalJSON([]byte(strings.Replace(text, `{"index"`, `{"later":1,"index"`, 1))); err != nil {
				t.Fatal(err)
			}
			if got := marshal(t, back); got != text || back.Outcome() != results[i].Outcome() || errors.Is(back.Err, reconcile.ErrDrifted) != (i == 1) {
				t.Errorf("got %s, %v", got, back.Err)
			}
			if back.Index != i || back.Change.Operation.Ref != set.Changes[i].Operation.Ref {
				t.Errorf("got %+v", back)
			}
		}
	})
}

// What is not known of the members is of the same kind after JSON.
func TestResultJSONOfMembersErr(t *testing.T) {
	t.Parallel()
	result := reconcile.Result{Index: -1, MembersErr: fmt.Errorf("wait for group: %w", context.Canceled)}
	result.OperationResult = licensing.OperationResult{Index: -1, Err: licensing.ErrStopped}
	const want = `{"index":-1,"outcome":"notSent","error":{"kinds":["stopped"],"text":"run was stopped"},` +
		`"written":false,"membersError":{"kinds":["canceled"],"text":"wait for group: context canceled"}}`
	text := marshal(t, result)
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back reconcile.Result
	if err := back.UnmarshalJSON([]byte(text)); err != nil || !errors.Is(back.MembersErr, context.Canceled) || marshal(t, back) != text {
		t.Errorf("got %v, %v", back.MembersErr, err)
	}
	result.MembersErr = fmt.Errorf("apply: %w", reconcile.ErrDrifted)
	text = marshal(t, result)
	if err := back.UnmarshalJSON([]byte(text)); err != nil || !errors.Is(back.MembersErr, reconcile.ErrDrifted) || marshal(t, back) != text || !strings.HasSuffix(text, `,"membersReason":"drifted"}`) {
		t.Errorf("got %v, %v of %s", back.MembersErr, err, text)
	}
}

// An error of both kinds has the same word each time.
func TestReasonsInOrder(t *testing.T) {
	t.Parallel()
	result := reconcile.Result{Index: -1, OperationResult: licensing.OperationResult{Index: -1, Err: errors.Join(reconcile.ErrDrifted, reconcile.ErrTooManyRemovals)}}
	for range 50 {
		if text := marshal(t, result); !strings.HasSuffix(text, `"reason":"tooManyRemovals"}`) {
			t.Fatal(text)
		}
	}
}
