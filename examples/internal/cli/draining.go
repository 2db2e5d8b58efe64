package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// MainDraining runs a tool that can end in good order. The first interrupt, or
// SIGTERM, ends draining; the second ends ctx; the third kills the tool. Where
// nobody reads what it prints, printing fails, and the tool goes on.
func MainDraining(name string, run func(ctx, draining context.Context, args []string, out, notes io.Writer) error) {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	draining, drain := context.WithCancel(ctx)
	go func() {
		<-signals
		drain()
		<-signals
		signal.Stop(signals)
		stop()
	}()
	err := run(ctx, draining, os.Args[1:], os.Stdout, os.Stderr)
	os.Exit(end(name, err, os.Stderr))
}
