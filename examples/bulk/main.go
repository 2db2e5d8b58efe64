// Bulk changes the licenses of many users: what a CSV file asks for, or what
// was planned and reviewed before. It finds out what everybody has now, checks
// that there are seats, makes the changes, writes down what became of each, and
// sums up. Ctrl-C, and SIGTERM, drain the run: nothing more is begun, and what was
// sent is settled. After that, or a crash, -resume goes on where it ended.
//
// Without credentials in the environment it works on a fake tenant with 3,600
// users; without flags either, the tenant moves from F1 to E3, and not all goes
// well.
//
//	go run ./bulk -in users.csv -dry-run -plan plan.jsonl
//	go run ./bulk -in plan.jsonl -out results.jsonl
//	go run ./bulk -in plan.jsonl -out results.jsonl -resume
//
// The input is CSV with a header, and -h says what cells can have:
//
//	userPrincipalName,add,remove,usageLocation
//	adele@contoso.com,ENTERPRISEPACK-YAMMER_ENTERPRISE,M365_F1,DE
//	ben@contoso.com,,ENTERPRISEPACK-EXCHANGE_S_ENTERPRISE,
//
// A results file is of one run at a time; a lock sees to that. An empty line begins
// the part of each run. Where a result cannot be written the run is drained, and
// what is not in the file is on the standard error.
//
// What people gain and lose, and how many seats that takes, is worked out by
// reconcile.Plan. Where seats are scarce, users who need none are changed first, as
// they may give one back. What Graph tells lags behind by minutes, so a change made by
// somebody else just before may be missed. The files of -out and -plan hold
// personal data.
package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func main() { cli.MainDraining("bulk", run) }

func run(ctx, draining context.Context, args []string, out, notes io.Writer) error {
	cmd, err := parse(args, notes)
	if err != nil {
		return err
	}
	j := job{command: cmd, out: out, notes: notes}
	if cmd.in != "" {
		if j.input, err = readInput(cmd.in, os.Stdin); err != nil {
			return cli.UsageError{Err: err}
		}
	}
	if connect.HasCredentials() {
		client, err := connect.RealTenant(cmd.cloud)
		if err != nil {
			return err
		}
		j.use(client)
		return j.do(ctx, draining)
	}
	fmt.Fprintln(notes, contoso.Notice)
	return newDemo().do(ctx, draining, &j)
}

// readInput returns the whole input. A line of it is small beside what is
// known of its user.
func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

// A job is one run of the tool on one tenant.
type job struct {
	*command
	client     *licensing.Client
	bulk       bulk
	input      []byte
	out, notes io.Writer
	meanwhile  func() // happens between the check and the run
}

// A bulk is [licensing.Client.Bulk].
type bulk func(context.Context, iter.Seq[licensing.Operation], licensing.BulkOptions) iter.Seq[licensing.OperationResult]

func (j *job) use(client *licensing.Client) { j.client, j.bulk = client, client.Bulk }
