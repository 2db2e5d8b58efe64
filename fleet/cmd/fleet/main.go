// Fleet makes a run of licensing operations by any number of processes.
//
//	fleet demo                              four workers finish 5,000 people on a fake tenant while one is killed
//	fleet publish -run joiners people.csv   or operations as JSON lines, in a file or "-"
//	fleet work -run joiners                 make them, on as many machines as you like; ended by Ctrl-C
//	fleet watch -run joiners                a live table
//	fleet results -run joiners              JSON lines, until all are there
//
// Without -server it has a server of its own, with its files in -dir, for as long as it
// runs. With -listen others reach that one. Workers take the token from GRAPH_TOKEN.
//
// CSV has the columns userPrincipalName, add, remove and usageLocation; SKUs are ids,
// several with blanks between them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
)

// A setup is what the flags say.
type setup struct {
	run, server, dir, listen, graph string
	attempt, fence, lease           time.Duration
	people, workers                 int
	rate                            float64
	args                            []string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("fleet: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

const usage = "usage: fleet demo|publish|work|watch|results [flags] [file]; fleet demo -h lists the flags"

// command does what the arguments say.
func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	s := setup{}
	flags := flag.NewFlagSet("fleet "+args[0], flag.ContinueOnError)
	flags.StringVar(&s.run, "run", "run", "name of the run")
	flags.StringVar(&s.server, "server", "", "URL of a NATS server with JetStream; without one there is one in this process")
	flags.StringVar(&s.dir, "dir", "fleet-data", "directory of the server in this process")
	flags.StringVar(&s.listen, "listen", "", "address on which that one is reached by others, such as 127.0.0.1:4222")
	flags.StringVar(&s.graph, "graph", "", "base URL in place of Microsoft Graph")
	flags.DurationVar(&s.attempt, "attempt", time.Minute, "time for one request")
	flags.DurationVar(&s.fence, "fence", 2*time.Minute, "for how long one that stalled may still land")
	flags.DurationVar(&s.lease, "lease", 10*time.Second, "for how long a worker goes on without the server")
	flags.Float64Var(&s.rate, "rate", 20, "writes a second that Graph is thought to allow")
	flags.IntVar(&s.people, "people", 5000, "people in the demo")
	flags.IntVar(&s.workers, "workers", 4, "workers in the demo")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s.args = flags.Args()
	do, ok := map[string]func(context.Context, setup, io.Writer) error{
		"demo": demo, "publish": publish, "work": work, "watch": watch, "results": results,
	}[args[0]]
	if !ok {
		return errors.New(usage)
	}
	return do(ctx, s, out)
}

// connect returns JetStream of the server, or of one in this process.
func (s setup) connect() (jetstream.JetStream, func(), error) {
	if s.server != "" {
		conn, err := nats.Connect(s.server, nats.MaxReconnects(-1), nats.Name("fleet"))
		if err != nil {
			return nil, nil, err
		}
		js, err := jetstream.New(conn)
		return js, conn.Close, err
	}
	own, err := s.serve()
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(own.Conn())
	return js, func() { own.Close() }, err
}

// serve starts a server in this process.
func (s setup) serve() (*fleet.Server, error) {
	var options []func(*server.Options)
	if s.listen != "" {
		host, text, err := net.SplitHostPort(s.listen)
		if err != nil {
			return nil, err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		options = append(options, fleet.Listen(host, port))
	}
	return fleet.NewServer(s.dir, options...)
}

func publish(ctx context.Context, s setup, out io.Writer) error {
	if len(s.args) != 1 {
		return errors.New("publish needs one file, or - for standard input")
	}
	js, end, err := s.connect()
	if err != nil {
		return err
	}
	defer end()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	in := &input{name: s.args[0], fail: fail}
	n, err := fleet.Publish(ctx, js, s.run, in.operations)
	fmt.Fprintf(out, "%d of %d operations are new\n", n, in.read)
	return err
}

func work(ctx context.Context, s setup, out io.Writer) error {
	js, end, err := s.connect()
	if err != nil {
		return err
	}
	defer end()
	options := []licensing.Option{
		licensing.WithRetryPolicy(licensing.RetryPolicy{AttemptTimeout: s.attempt, Fence: s.fence}),
		licensing.WithWriteQuota(s.rate, 3000),
	}
	if s.graph != "" {
		options = append(options, licensing.WithBaseURL(s.graph))
	}
	client, err := licensing.NewClient(licensing.StaticToken(os.Getenv("GRAPH_TOKEN")), options...)
	if err != nil {
		return err
	}
	w := fleet.Worker{Client: client, JetStream: js, Run: s.run, Lease: s.lease, Fence: s.attempt + s.fence}
	return w.Work(ctx)
}

func results(ctx context.Context, s setup, out io.Writer) error {
	js, end, err := s.connect()
	if err != nil {
		return err
	}
	defer end()
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	lines := json.NewEncoder(buffered)
	for r, err := range fleet.Results(ctx, js, s.run) {
		if err == nil {
			err = lines.Encode(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func watch(ctx context.Context, s setup, out io.Writer) error {
	js, end, err := s.connect()
	if err != nil {
		return err
	}
	defer end()
	return newTable(out).follow(ctx, js, s.run)
}
