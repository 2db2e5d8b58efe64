// Observe makes Prometheus metrics and OpenTelemetry spans of what the library
// does: a run on a fake tenant that refuses writes for their frequency, some of
// whose operations fail. It prints the spans, then the results, and serves the
// metrics until it is interrupted.
//
//	go run ./observe
//	curl localhost:2112/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/graphlicensing/licensing/examples/internal/cli"
)

func main() { cli.Main("observe", run) }

// A command is what the flags ask for.
type command struct {
	listen string
	users  int
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.Flags{FlagSet: flag.NewFlagSet("observe", flag.ContinueOnError)}
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.listen, "listen", "localhost:2112", "serve the metrics at this `address`")
	flags.IntVar(&c.users, "users", 100, "`how many` users the fake tenant has; 20 are written a second")
	return &c, flags.Parse(args, usage, func() error {
		if c.users < 1 || c.users > 10_000 {
			return errors.New("there must be 1 to 10000 users")
		}
		return nil
	})
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	cmd, err := parse(args, usage)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmd.listen)
	if err != nil {
		return cli.UsageError{Err: err}
	}
	defer listener.Close()
	m := newMetrics()
	server := &http.Server{Handler: m.handler()}
	go server.Serve(listener) // during the run, too
	defer server.Close()
	fmt.Fprintf(out, "metrics: http://%s/metrics\n", listener.Addr())

	traces := newTraces(printer{out})
	defer traces.close()
	if err := makeRun(ctx, newTenant(cmd.users), cmd.users, m, traces, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "the metrics are served until this is interrupted")
	<-ctx.Done()
	return nil
}
