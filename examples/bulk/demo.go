package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/examples/internal/tally"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A demo is the fake tenant to try the tool on: it moves from F1 to E3.
type demo struct {
	tenant *licensingtest.Tenant
	e3     uuid.UUID
	users  int
}

const (
	demoUsers = 3600
	demoSeats = 3520 // of E3
	demoTaken = 100  // of these, meanwhile
)

// userName returns the name of a user of the demo, the first being 1.
func userName(i int) string { return fmt.Sprintf("user%04d@contoso.example", i) }

// A part is what a user plays in the demo.
type part int

const (
	mover     part = iota // gets E3 without Yammer for F1
	switcher              // has E3, and Yammer is switched off
	settled               // has E3 without Yammer already
	leaver                // has E3, which is taken away
	homeless              // a mover without a usage location
	inheritor             // a mover whose F1 comes from a group
	clashing              // a mover with a mail address that somebody else has
	arrival               // a mover whose row gives the usage location that is missing
)

func partOf(i int) part {
	switch {
	case i%200 == 1:
		return homeless
	case i%500 == 2:
		return inheritor
	case i%1000 == 3:
		return clashing
	case i%100 == 4:
		return arrival
	case i%50 == 9:
		return leaver
	case i%10 == 8:
		return settled
	case i%10 >= 6:
		return switcher
	}
	return mover
}

func newDemo() *demo {
	d := &demo{tenant: licensingtest.NewTenant(), users: demoUsers}
	e3, f1 := d.tenant.AddSKU(contoso.E3(demoSeats)), d.tenant.AddSKU(contoso.F1(demoUsers))
	d.e3 = e3.ID
	var inheritors []string
	for i := 1; i <= d.users; i++ {
		user := licensingtest.User{UserPrincipalName: userName(i), UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(f1)}}
		switch partOf(i) {
		case switcher, leaver:
			user.Licenses = []licensingtest.License{contoso.License(e3)}
		case settled:
			user.Licenses = []licensingtest.License{contoso.License(e3, contoso.Yammer)}
		case homeless, arrival:
			user.UsageLocation = ""
		case inheritor:
			user.Licenses = nil
			inheritors = append(inheritors, user.UserPrincipalName)
		case clashing:
			user.ProxyAddressConflict = true
		}
		d.tenant.AddUser(user)
	}
	d.tenant.AddGroup(licensingtest.Group{ID: contoso.Sales, DisplayName: "Sales", Licenses: []licensingtest.License{contoso.License(f1)}}, inheritors...)
	return d
}

// do does the job on the fake tenant. Where the tool was not told what to do, it
// is meant that not all is done.
func (d *demo) do(ctx, draining context.Context, j *job) error {
	if j.resume {
		if err := contoso.Remember(draining, d.tenant, j.command.out); err != nil {
			return cli.UsageError{Err: err}
		}
	}
	d.tenant.SetThrottle(licensingtest.ThrottleDocumented)
	j.use(d.tenant.Client())
	if j.in != "" {
		return j.do(ctx, draining)
	}
	j.input, j.meanwhile = d.input(), func() { d.meanwhile(j.notes) }
	err := j.do(ctx, draining)
	if errors.Is(err, tally.ErrNotDone) && draining.Err() == nil {
		fmt.Fprintf(j.notes, "outside the demo this would end with status 1: %v\n", err)
		return nil
	}
	return err
}

// input returns the file that the tool works on when it is not told.
func (d *demo) input() []byte {
	var file bytes.Buffer
	fmt.Fprintln(&file, "userPrincipalName,add,remove,usageLocation")
	for i := 1; i <= d.users; i++ {
		row := "ENTERPRISEPACK-YAMMER_ENTERPRISE,M365_F1,"
		switch partOf(i) {
		case switcher, settled:
			row = ",ENTERPRISEPACK-YAMMER_ENTERPRISE,"
		case leaver:
			row = ",ENTERPRISEPACK,"
		case arrival:
			row += "DE"
		}
		fmt.Fprintf(&file, "%s,%s\n", userName(i), row)
	}
	fmt.Fprintln(&file, "gone@contoso.example,ENTERPRISEPACK,,")
	return file.Bytes()
}

// meanwhile takes seats away, as others do between a check and a run.
func (d *demo) meanwhile(notes io.Writer) {
	d.tenant.SetSeats(d.e3, demoSeats-demoTaken)
	fmt.Fprintf(notes, "meanwhile %d seats of ENTERPRISEPACK go to somebody else\n", demoTaken)
}
