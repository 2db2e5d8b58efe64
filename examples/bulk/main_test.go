package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestMainJob(t *testing.T) {
	out, notes, err := clitest.Run(t, tool)
	// Whom it hits that the seats run out is a matter of order.
	if before, after, ok := strings.Cut(out, "no seat is free"); ok {
		_, after, _ = strings.Cut(after, "\n")
		out = strings.TrimRight(before, " ") + " …\n" + after
	}
	const want = `users and groups: 3601
operations: 3277
so already: 360
to be refused, as things are now: 27
lose their mailbox, which is deleted after 30 days: 72

product         needed  free  given back
ENTERPRISEPACK  2134    2080  72          enough only with those that are given back
M365_F1         0       1440  2098

3168 of 3277 operations done, 109 failed, 0 in doubt, 0 not sent

times  what                                       what to do                                                             such as
78     no available licenses …
18     usage location not set or not allowed      set the user's usage location, or choose a product that is sold there  user0001@contoso.example
8      license is inherited from a group          it comes from a group; change it there                                 user0002@contoso.example
4      proxy address is in use by another object  a mail address is in use twice                                         user0003@contoso.example
1      not found                                  there is no such user or group                                         gone@contoso.example
`
	if out != want || err != nil {
		t.Errorf("got %v and\n%s\nwant\n%s", err, out, want)
	}
	if !strings.HasPrefix(notes, contoso.Notice+"\nreading what everybody has now\nmeanwhile 100 seats of ENTERPRISEPACK go to somebody else\n") ||
		!strings.Contains(notes, "3168 of 3277 done, 109 failed, ") || // by what Graph says of its quota Bulk may be refused nothing
		!strings.HasSuffix(notes, "\noutside the demo this would end with status 1: 109 of 3277 were not done\n") {
		t.Errorf("noted\n%s", notes)
	}
}

// TestInterruptedDemo has Ctrl-C pressed when seats go to somebody else.
func TestInterruptedDemo(t *testing.T) {
	_, _, err := clitest.Run(t, func(ctx context.Context, args []string, out, notes io.Writer) error {
		ctx, interrupt := context.WithCancel(ctx)
		defer interrupt()
		return tool(ctx, args, out, writer(func(text []byte) (int, error) {
			if bytes.HasPrefix(text, []byte("meanwhile")) {
				interrupt()
			}
			return notes.Write(text)
		}))
	})
	if errText(err) != "interrupted: 3277 of 3277 were not done" {
		t.Errorf("got %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(text []byte) (int, error) { return w(text) }

func TestFileOnTheFakeTenant(t *testing.T) {
	_, notes, err := clitest.Run(t, tool, "-in", clitest.File(t, "in.csv", header4+"gone@contoso.example,M365_F1,,\n"))
	if errText(err) != "1 of 1 were not done" || strings.Contains(notes, "outside the demo") {
		t.Errorf("got %v and\n%s", err, notes)
	}
}

const changes = header4 +
	adele + ",ENTERPRISEPACK-YAMMER_ENTERPRISE,M365_F1,\n" +
	ben + ",,M365_F1,\n" +
	cleo + ",,ENTERPRISEPACK-YAMMER_ENTERPRISE,\n" +
	dan + ",ENTERPRISEPACK,,de\n" +
	eva + ",M365_F1,ENTERPRISEPACK,FR\n"

var changed = map[string]string{
	adele: "ENTERPRISEPACK-YAMMER_ENTERPRISE, DE",
	ben:   "M365_F1 by group, DE",
	cleo:  "ENTERPRISEPACK-SHAREPOINTENTERPRISE-YAMMER_ENTERPRISE, DE",
	dan:   "ENTERPRISEPACK, ENTERPRISEPACK by group, DE",
	eva:   "M365_F1, FR",
}

func TestChanges(t *testing.T) {
	s := newStage()
	err := s.play(t, changes, "")
	s.wants(t, changed)
	const want = `users and groups: 5
operations: 5
so already: 1
to be refused, as things are now: 1

product         needed  free  given back
ENTERPRISEPACK  1       8     0
M365_F1         1       8     1

4 of 5 operations done, 1 failed, 0 in doubt, 0 not sent

times  what                               what to do                              such as
1      license is inherited from a group  it comes from a group; change it there  ben@contoso.example
`
	if s.out != want || err == nil || err.Error() != "1 of 5 were not done" {
		t.Errorf("got %v and\n%s\nwant\n%s", err, s.out, want)
	}
	for _, w := range s.Writes() {
		if !w.Changed {
			t.Errorf("sent what was so already: %+v", w)
		}
	}
	if got := len(s.Writes()); got != 4 {
		t.Errorf("made %d changes", got)
	}
}

func TestPlanThatIsOffFromTheStart(t *testing.T) {
	s := newStage()
	if err := s.play(t, header4+adele+",ENTERPRISEPACK-SHAREPOINTENTERPRISE,ENTERPRISEPACK-YAMMER_ENTERPRISE,\n"+cleo+",ENTERPRISEPACK-YAMMER_ENTERPRISE,,\n", ""); err != nil {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	s.wants(t, map[string]string{adele: "M365_F1, ENTERPRISEPACK-SHAREPOINTENTERPRISE-YAMMER_ENTERPRISE, DE", cleo: "ENTERPRISEPACK-YAMMER_ENTERPRISE, DE"})
}

func TestAllDone(t *testing.T) {
	s := newStage()
	if err := s.play(t, header4+adele+",ENTERPRISEPACK,,\n", ""); err != nil || !strings.HasSuffix(s.out, "\n1 of 1 operations done, 0 failed, 0 in doubt, 0 not sent\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	if err := s.play(t, header4+adele+",ENTERPRISEPACK,,\n", ""); err != nil || !strings.HasSuffix(s.out, "\n0 of 0 operations done, 0 failed, 0 in doubt, 0 not sent\n") {
		t.Errorf("once more: got %v and\n%s", err, s.out)
	}
}

func TestDryRun(t *testing.T) {
	s := newStage()
	input := header4 +
		adele + ",ENTERPRISEPACK-YAMMER_ENTERPRISE,M365_F1,\n" +
		ben + ",ENTERPRISEPACK,M365_F1,\n" +
		cleo + ",ENTERPRISEPACK-YAMMER_ENTERPRISE,,\n" +
		dan + ",,ENTERPRISEPACK,DE\n" +
		eva + ",M365_F1,,\n" +
		"gone@contoso.example,,M365_F1,\n" +
		"leaver@contoso.example,M365_F1,,\n" +
		"..,M365_F1,,\n" +
		"GONE2@contoso.example,,M365_F1-TEAMS1,FR\n"
	if err := s.play(t, input, "-dry-run"); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(s.out, "\n\nuser")
	const want = `                    change                                                                                            gains                                        loses   warning
adele@contoso.example   remove M365_F1, add ENTERPRISEPACK without YAMMER_ENTERPRISE                                      EXCHANGE_S_ENTERPRISE, SHAREPOINTENTERPRISE  TEAMS1
ben@contoso.example     refused: it comes from a group; change it there
cleo@contoso.example    switch on SHAREPOINTENTERPRISE of ENTERPRISEPACK, switch off YAMMER_ENTERPRISE of ENTERPRISEPACK  SHAREPOINTENTERPRISE  YAMMER_ENTERPRISE
dan@contoso.example     remove ENTERPRISEPACK                                                                                                                      a group goes on giving it
eva@contoso.example     refused: set the user's usage location, or choose a product that is sold there
gone@contoso.example    refused: there is no such user or group
leaver@contoso.example  refused: there is no such user or group
..                      refused: there is no such user or group
GONE2@contoso.example   none can be made: there is no such user or group
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := len(s.Requests()); got != 11 {
		t.Errorf("%d requests, want two for the SKUs, one for each user, and one for all", got)
	}
}

// TestBesideAGroup has a license assigned directly that a group gives with other plans.
func TestBesideAGroup(t *testing.T) {
	s := newStage()
	if err := s.play(t, header4+ben+",ENTERPRISEPACK M365_F1-TEAMS1,,\n", "-dry-run"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.out, "\nENTERPRISEPACK  1       8     0\n") || !strings.Contains(s.out, "  EXCHANGE_S_ENTERPRISE, SHAREPOINTENTERPRISE, YAMMER_ENTERPRISE\n") {
		t.Errorf("got\n%s", s.out)
	}
}

func TestMailboxes(t *testing.T) {
	const mark = "loses the mailbox (30 days)"
	for _, test := range []struct {
		name, row string
		want      bool
	}{
		{"SKU removed", cleo + ",,ENTERPRISEPACK,", true},
		{"plan off", cleo + ",,ENTERPRISEPACK-EXCHANGE_S_ENTERPRISE,", true},
		{"plan off from the start", cleo + ",ENTERPRISEPACK-EXCHANGE_S_ENTERPRISE,,", true},
		{"another plan off", cleo + ",,ENTERPRISEPACK-YAMMER_ENTERPRISE,", false},
		{"kept by a group", dan + ",,ENTERPRISEPACK,", false},
		{"had none", adele + ",,M365_F1,", false},
		{"kept by another SKU", cleo + ",EXCHANGEDESKLESS,ENTERPRISEPACK,", false},
		{"an archive alone", cleo + ",EXCHANGEARCHIVE,ENTERPRISEPACK,", true},
		{"Exchange without a mailbox", cleo + ",POWER_BI,ENTERPRISEPACK,", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage()
			s.AddSKU(mailSKU("EXCHANGEDESKLESS", "EXCHANGE_S_DESKLESS"))
			s.AddSKU(mailSKU("EXCHANGEARCHIVE", "EXCHANGE_S_ARCHIVE"))
			s.AddSKU(mailSKU("POWER_BI", "EXCHANGE_S_FOUNDATION"))
			if err := s.play(t, header4+test.row+"\n", "-dry-run"); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(s.out, mark); got != test.want {
				t.Errorf("marked: %t, in\n%s", got, s.out)
			}
			if got := strings.Contains(s.out, "\nlose their mailbox, which is deleted after 30 days: 1\n"); got != test.want {
				t.Errorf("counted: %t, in\n%s", got, s.out)
			}
		})
	}
}

func TestPlanReviewRun(t *testing.T) {
	s := newStage()
	plan := clitest.File(t, "plan.jsonl", strings.Repeat("an earlier plan\n", 1000))
	if err := s.play(t, changes, "-dry-run -plan "+plan); err != nil {
		t.Fatal(err)
	}
	planned := clitest.Read(t, plan)
	if got := strings.Count(planned, "\n"); got != 5 {
		t.Errorf("%d operations are planned:\n%s", got, planned)
	}
	// Who reviews it takes Cleo out.
	lines := slices.DeleteFunc(strings.SplitAfter(planned, "\n"), func(line string) bool { return strings.Contains(line, "cleo") })
	err := s.play(t, strings.Join(lines, ""), "")
	if err == nil || err.Error() != "1 of 4 were not done" {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	for name, want := range changed {
		if name == cleo {
			want = "ENTERPRISEPACK-SHAREPOINTENTERPRISE, DE"
		}
		s.wants(t, map[string]string{name: want})
	}
}

func TestPlanKeepsItsOrder(t *testing.T) {
	s := newStage()
	group := operation("", []uuid.UUID{s.f1.ID}, s.e3.ID).Request
	group.AddLicenses[0].DisabledPlans = []uuid.UUID{contoso.Yammer.ID}
	plan := line(t, operation(cleo, nil, s.f1.ID)) + line(t, operation(adele, nil, s.e3.ID)) + line(t, operation(adele, []uuid.UUID{s.f1.ID, s.e3.ID})) +
		line(t, licensing.Operation{Kind: licensing.OperationReprocessUser, Target: dan}) +
		line(t, licensing.Operation{Kind: licensing.OperationAssignGroup, Target: contoso.Sales, Request: group}) +
		line(t, operation(ben, []uuid.UUID{s.e3.ID}, s.f1.ID)) +
		line(t, licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: ben, UsageLocation: "de"})
	if err := s.play(t, plan, "-dry-run"); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(s.out, "  warning\n")
	const want = `cleo@contoso.example                  add M365_F1                                                   TEAMS1
adele@contoso.example                 add ENTERPRISEPACK
adele@contoso.example                 remove M365_F1, remove ENTERPRISEPACK                           TEAMS1
dan@contoso.example                   reprocess
` + contoso.Sales + `  remove M365_F1, add ENTERPRISEPACK without YAMMER_ENTERPRISE
ben@contoso.example                   refused: there is nothing to remove
ben@contoso.example                   nothing, it is so already
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := len(s.Requests()); got != 7 {
		t.Errorf("%d requests, want two for the SKUs, one for each user, and one for all", got)
	}
}

// operation removes some SKUs of a user, and adds others.
func operation(user string, remove []uuid.UUID, add ...uuid.UUID) licensing.Operation {
	op := licensing.Operation{Kind: licensing.OperationAssignUser, Target: user}
	op.Request.RemoveLicenses = remove
	for _, id := range add {
		op.Request.AddLicenses = append(op.Request.AddLicenses, licensing.AssignedLicense{SKUID: id})
	}
	return op
}

func TestUserUnderTwoNames(t *testing.T) {
	s := newStage()
	user, _ := s.User(cleo)
	input := header4 + cleo + ",,ENTERPRISEPACK-YAMMER_ENTERPRISE,\n" + adele + ",ENTERPRISEPACK,,\n" + user.ID + ",M365_F1,,\n"
	err := s.play(t, input, "")
	if _, usage := errors.AsType[cli.UsageError](err); !usage || s.notes != "demo:4: the user is that of line 2, under another name\n    "+user.ID+",M365_F1,,\n" || len(s.Writes()) > 0 {
		t.Errorf("got %v and\n%s", err, s.notes)
	}
}

func TestUnknownNames(t *testing.T) {
	s := newStage()
	input := header4 + strings.Repeat(adele+",ENTERPRISEPAK,,\n", 8) + ben + ",M365_F1-TEAMS,X,DEU\n"
	err := s.play(t, input, "")
	const want = `demo:2: find SKU: "ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK? (also in lines 3, 4, 5, 6 and 3 more)
    adele@contoso.example,ENTERPRISEPAK,,
demo:10: the usage location "DEU" is not a country code of two letters
    ben@contoso.example,M365_F1-TEAMS,X,DEU
demo:10: find service plan: invalid argument: "TEAMS" is not a service plan of SKU 50f60901-3181-4b75-8a2c-4c8e4c1d5a72 (M365_F1); did you mean TEAMS1?
demo:10: find SKU: "X" is not one of the tenant's SKUs; available: ENTERPRISEPACK, M365_F1
`
	if _, usage := errors.AsType[cli.UsageError](err); s.notes != want || !usage || s.out != "" {
		t.Errorf("got %v and\n%s\nwant\n%s", err, s.notes, want)
	}
	if got := len(s.Requests()); got != 1 {
		t.Errorf("%d requests, want one for the SKUs", got)
	}
}

func TestSeats(t *testing.T) {
	// Three want E3, one of whom will be refused; Dan has it through a group.
	input := header4 + adele + ",ENTERPRISEPACK,,\n" + ben + ",ENTERPRISEPACK,,\n" + eva + ",ENTERPRISEPACK,,\n" + dan + ",ENTERPRISEPACK-YAMMER_ENTERPRISE,,\n"
	const missing = "seats are missing of ENTERPRISEPACK, and nothing was sent; -force and -stop-without-seats start all the same"
	for _, test := range []struct {
		name        string
		seats       int
		args, input string
		verdict     string
		err         string
	}{
		{"enough", 4, "", input, "2       2     0", "1 of 4 were not done"},
		{"too few", 3, "", input, "2       1     0           1 missing", missing},
		{"too few for a dry run", 3, "-dry-run", input, "2       1     0           1 missing", ""},
		{"forced", 3, "-force", input, "2       1     0           1 missing", "2 of 4 were not done"},
		{"stop without", 3, "-stop-without-seats", input, "2       1     0           1 missing", "2 of 4 were not done"},
		{"given back", 3, "", input + cleo + ",,ENTERPRISEPACK,\n", "2       1     1           enough only with those that are given back", "1 of 5 were not done"},
		{"kept by the group", 3, "", strings.Replace(input, dan+",ENTERPRISEPACK-YAMMER_ENTERPRISE,", dan+",,ENTERPRISEPACK", 1), "2       1     0           1 missing", missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage()
			s.SetSeats(s.e3.ID, test.seats)
			err := s.play(t, test.input, test.args)
			if text := errText(err); text != test.err || !strings.Contains(s.out, "ENTERPRISEPACK  "+test.verdict+"\n") {
				t.Errorf("got %v and\n%s\nwant %s and %s", err, s.out, test.err, test.verdict)
			}
			if test.err == missing && len(s.Writes()) > 0 {
				t.Errorf("wrote %+v", s.Writes())
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSeatsAreGivenBackFirst(t *testing.T) {
	s := newStage()
	s.SetSeats(s.e3.ID, 2)
	s.SetSeats(s.f1.ID, 1) // Adele and Ben have it
	input := header4 + adele + ",ENTERPRISEPACK,M365_F1,\n" + ben + ",M365_F1,,\n" + cleo + ",,ENTERPRISEPACK,\n"
	path := clitest.File(t, "results.jsonl", "")
	if err := s.play(t, input, "-out "+path); err != nil {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	s.wants(t, map[string]string{adele: "ENTERPRISEPACK, DE", cleo: "DE"})
	if last, _ := s.User(s.Writes()[2].Target); last.UserPrincipalName != adele {
		t.Errorf("last in turn was %s", last.UserPrincipalName)
	}
	// The results tell the places in the input.
	for text := range strings.Lines(clitest.Read(t, path)[1:]) {
		var r licensing.OperationResult
		if err := json.Unmarshal([]byte(text), &r); err != nil || []string{adele, ben, cleo}[r.Index] != r.Operation.Target {
			t.Errorf("got %v and %d for %s", err, r.Index, r.Operation.Target)
		}
	}
}

func TestRounds(t *testing.T) {
	s := newStage()
	s.SetSeats(s.e3.ID, 2)
	gives := line(t, operation(cleo, []uuid.UUID{s.e3.ID}))
	takes := line(t, operation(adele, nil, s.e3.ID))
	late := line(t, operation(cleo, nil, s.f1.ID))
	user, _ := s.User(cleo)
	byID := operation(user.ID, nil, s.f1.ID)
	switches := operation(dan, nil, s.e3.ID)
	switches.Request.AddLicenses[0].DisabledPlans = []uuid.UUID{contoso.Yammer.ID}
	for _, test := range []struct{ name, input, want string }{
		{"of two users", takes + gives, "cleo adele"},
		{"of one user", takes + late + gives, "cleo/cleo adele"},
		{"no seat is scarce", late + gives, "cleo/cleo"},
		{"after who needs none", takes + line(t, switches), "dan adele"},
		{"before what the user takes", takes + gives + late, "cleo/cleo adele"},
		{"of one user by two names", gives + takes + line(t, byID), "cleo/CLEO adele"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var rounds []string
			err := s.play(t, test.input, "-force", func(j *job) {
				j.bulk = func(_ context.Context, operations iter.Seq[licensing.Operation], _ licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
					var targets []string
					for op := range operations {
						name, _, _ := strings.Cut(strings.ReplaceAll(op.Target, user.ID, "CLEO"), "@")
						targets = append(targets, name)
					}
					rounds = append(rounds, strings.Join(targets, "/"))
					return func(func(licensing.OperationResult) bool) {}
				}
			})
			if got := strings.Join(rounds, " "); got != test.want || err == nil {
				t.Errorf("got %s and %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestTheFirstRoundEndsTheRun(t *testing.T) {
	type opts struct{ total, stopAfter int }
	for _, test := range []struct {
		name, args string
		interrupt  bool
		rounds     []opts
	}{
		{"never", "", false, []opts{{2, 0}, {1, 0}}},
		{"failures to come", "-stop-after 3", false, []opts{{2, 3}, {1, 2}}},
		{"failures enough", "-stop-after 1", false, []opts{{2, 1}}},
		{"interrupted", "", true, []opts{{2, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage()
			s.SetSeats(s.e3.ID, 2)
			var rounds []opts
			err := s.play(t, header4+adele+",ENTERPRISEPACK,,\n"+cleo+",,ENTERPRISEPACK,\n", test.args, func(j *job) {
				j.bulk = func(_ context.Context, operations iter.Seq[licensing.Operation], o licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
					rounds = append(rounds, opts{o.Total, o.StopAfterFailures})
					return func(yield func(licensing.OperationResult) bool) {
						for op := range operations {
							yield(licensing.OperationResult{Operation: op, Attempts: 1, Err: licensing.ErrForbidden})
						}
						if test.interrupt {
							s.interrupt()
						}
					}
				}
			})
			if !slices.Equal(rounds, test.rounds) || err == nil {
				t.Errorf("got %v and %v, want %v", rounds, err, test.rounds)
			}
		})
	}
}

func TestManyUsersAreReadAtOnce(t *testing.T) {
	s := newStage()
	input := header4
	for i := range fewUsers {
		user := s.AddUser(licensingtest.User{UserPrincipalName: userName(i), UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(s.f1)}})
		name := strings.ToUpper(user.UserPrincipalName)
		if i%2 == 0 {
			name = strings.ToUpper(user.ID)
		}
		input += name + ",,M365_F1-TEAMS1,\n"
	}
	if err := s.play(t, input+"gone@contoso.example,M365_F1,,\n", "-dry-run"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.out, "users and groups: 21\noperations: 21\nto be refused, as things are now: 1\n\n") || strings.Count(s.out, "switch off TEAMS1 of M365_F1 ") != fewUsers {
		t.Errorf("got\n%s", s.out)
	}
	if got := len(s.Requests()); got != 4 {
		t.Errorf("%d requests, want two for the SKUs and two for the users", got)
	}
}

func TestUsersThatCannotBeRead(t *testing.T) {
	for _, rows := range []int{1, fewUsers + 1} {
		s := newStage()
		s.Fail(licensingtest.Fault{
			Match:  func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/users") },
			Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation.", Times: -1,
		})
		input := header4
		for i := range rows {
			input += userName(i) + ",M365_F1,,\n"
		}
		if err := s.play(t, input, ""); !errors.Is(err, licensing.ErrForbidden) || s.out != "" || len(s.Requests()) != 2 {
			t.Errorf("%d users: got %v and\n%s", rows, err, s.out)
		}
	}
}

func TestNothingCanBeMade(t *testing.T) {
	s := newStage()
	err := s.play(t, header4+ben+",ENTERPRISEPACK,M365_F1-TEAMS1,FR\n"+adele+",,ENTERPRISEPACK-YAMMER_ENTERPRISE,\n", "")
	const notes = `demo:2: ben@contoso.example: nothing is sent: it comes from a group; change it there: M365_F1: license is inherited from a group
demo:3: adele@contoso.example: nothing is sent: there is nothing to remove: ENTERPRISEPACK: license is not assigned
`
	if s.notes != notes || errText(err) != "2 of 2 were not done" || len(s.Writes()) > 0 {
		t.Errorf("got %v and\n%s\nwant\n%s", err, s.notes, notes)
	}
	if want := "users and groups: 2\noperations: 0\ncannot be made, and nothing is sent for them: 2\n\n"; !strings.HasPrefix(s.out, want) {
		t.Errorf("got\n%s\nwant\n%s", s.out, want)
	}
	if want := "1      license is inherited from a group  it comes from a group; change it there  ben@contoso.example\n"; !strings.Contains(s.out, want) {
		t.Errorf("got\n%s\nwant\n%s", s.out, want)
	}
}

// TestTally has results in another order, of every sort, and one of none.
func TestTally(t *testing.T) {
	s := newStage()
	bad := errors.New("no operation is to blame")
	path := clitest.File(t, "results.jsonl", "")
	err := s.play(t, changes, "-out "+path, func(j *job) {
		j.bulk = func(_ context.Context, operations iter.Seq[licensing.Operation], _ licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
			all := slices.Collect(operations)
			return slices.Values([]licensing.OperationResult{
				{Index: 4, Operation: all[4], Err: licensing.ErrStopped},
				{Index: 2, Operation: all[2], Err: licensing.ErrOutcomeUnknown},
				{Index: 0, Operation: all[0], Err: errors.Join(licensing.ErrOutcomeUnknown, context.Canceled)},
				{Index: 1, Operation: all[1], Attempts: 1, Err: errors.New("odd")},
				{Index: -1, Err: bad},
			})
		}
	})
	if !errors.Is(err, bad) || !strings.Contains(s.out, "\n0 of 5 operations done, 1 failed, 2 in doubt, 2 not sent\n") ||
		!strings.Contains(s.out, "\n2      outcome unknown  perhaps done; run it again to make sure  ") || !strings.Contains(s.out, "\n1      other errors ") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	if got := strings.Count(clitest.Read(t, path), "\n"); got != 6 {
		t.Errorf("%d lines are written, want an empty one and those of operations", got)
	}
}

func TestErrors(t *testing.T) {
	csv := clitest.File(t, "in.csv", header4)
	clitest.Misuses(t, tool, []clitest.Failure{
		{"no such file", "-in " + filepath.Join(t.TempDir(), "in.csv"), "open "},
		{"resume without results", "-resume", "-resume needs -out, the results so far"},
		{"dry run with results", "-dry-run -out x", "-dry-run has no results for -out"},
		{"plan of a run", "-plan x", "-plan goes with -dry-run"},
		{"plan over the input", "-dry-run -in " + csv + " -plan " + csv, "-plan would write over the file of -in or -out"},
		{"plan over the results", "-dry-run -resume -out " + csv + " -plan " + csv, "-plan would write over the file of -in or -out"},
		{"stop after", "-stop-after -1", "-stop-after cannot be negative"},
		{"not a results file", "-in " + csv + " -resume -out " + csv, csv + ":1: this is not a result: "},
		{"results there", "-in " + csv + " -out " + csv, csv + " has results already: "},
	})
	if got := clitest.Read(t, csv); got != header4 {
		t.Errorf("the input is now %q", got)
	}
}

func TestHelp(t *testing.T) {
	out, notes, err := clitest.Run(t, tool, "-h")
	_, flags, _ := strings.Cut(notes, help)
	flags, rest, _ := strings.Cut(flags, inputHelp)
	if !errors.Is(err, flag.ErrHelp) || out != "" || rest != "" || strings.Count(flags, "\n") != 9 || !strings.Contains(flags, "\n  -stop-after number   stop after ") {
		t.Errorf("got %v, %q and\n%s", err, out, notes)
	}
	for _, sample := range []string{sampleCSV, sampleJSON} {
		if out, notes, err := clitest.Run(t, tool, "-dry-run", "-in", clitest.File(t, "in", sample)); err != nil || strings.Contains(out, "refused") {
			t.Errorf("got %v and\n%s\n%s", err, out, notes)
		}
	}
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) {
	clitest.Real(t, tool, "-in", clitest.File(t, "in.csv", header4))
	clitest.NeedsArguments(t, tool, "name a file with -in")
}

func TestStandardInput(t *testing.T) {
	if got, err := readInput("-", strings.NewReader("x")); string(got) != "x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := readInput(t.TempDir(), os.Stdin); err == nil {
		t.Error("read a folder")
	}
}
