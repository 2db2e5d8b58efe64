// Customtransport shows a client over an HTTP client of one's own, signed in
// with client credentials by golang.org/x/oauth2, with its attempts logged by
// log/slog and a retry policy for an interactive tool.
//
//	AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=… go run ./customtransport -user adele@contoso.com
//
// Without credentials it runs against a fake tenant on this machine.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

func main() { cli.Main("customtransport", run) }

func parse(args []string, usage io.Writer) (user string, cloud licensing.Cloud, err error) {
	flags := cli.NewFlags("customtransport", &cloud)
	flags.StringVar(&user, "user", "", "reprocess the user with this `id or name`; on the fake tenant there is "+fakeUser)
	err = flags.Parse(args, usage, func() error {
		if user == "" && os.Getenv("AZURE_CLIENT_SECRET") != "" {
			return errors.New("name a user with -user")
		}
		return nil
	})
	return user, cloud, err
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	user, cloud, err := parse(args, usage)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts := []licensing.Option{
		licensing.WithCloud(cloud),
		licensing.WithLogger(logger),
		licensing.WithRetryPolicy(licensing.RetryPolicy{MaxWait: 20 * time.Second, MaxElapsed: time.Minute}),
		licensing.WithUserAgent("customtransport-example/1.0"),
	}
	config := clientcredentials.Config{
		ClientID:     os.Getenv("AZURE_CLIENT_ID"),
		ClientSecret: os.Getenv("AZURE_CLIENT_SECRET"),
		TokenURL:     cloud.LoginURL + "/" + os.Getenv("AZURE_TENANT_ID") + "/oauth2/v2.0/token",
		Scopes:       []string{cloud.Scope()},
	}
	if config.ClientSecret == "" {
		fake := startFake()
		defer fake.Close()
		config.ClientID, config.ClientSecret, config.TokenURL = "client", "secret", fake.URL+"/token"
		opts = append(opts, licensing.WithBaseURL(fake.URL))
		user = cmp.Or(user, fakeUser)
	}

	// The client's own transport, but for connections that are not kept as long.
	transport := licensing.NewTransport()
	transport.IdleConnTimeout = 30 * time.Second
	hc := &http.Client{Transport: transport}

	// As a token source, a failure to sign in is told from a failed request,
	// which it is not as an oauth2.Transport in hc.
	source := config.TokenSource(ctx)
	tokens := func(context.Context) (string, error) {
		token, err := source.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
	client, err := licensing.NewClient(tokens, append(opts, licensing.WithHTTPClient(hc))...)
	if err != nil {
		return err
	}
	reprocessed, err := client.ReprocessUserLicense(ctx, user)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "reprocessed", reprocessed.ID)
	return nil
}
