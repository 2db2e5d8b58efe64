package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// A client is a script that makes the calls which it reads from its input.
type client struct {
	name, script string
	calls        []call
}

var clients = []client{
	{"m365 CLI", "cli.mjs", cliCalls},
	{"JavaScript client", "javascript.mjs", scriptCalls},
}

// A call is one that a client makes.
type call struct {
	name    string
	arrange func(*licensingtest.Tenant) // before the call
	request any                         // for the script

	// Want is what Graph answers: "ok", or "error: " and a part of the text that
	// the client gives its user.
	want string

	requests int // how many the client makes, if that is to be checked
}

// host is the name that the tenant has a certificate for, and no other.
const host = "graph.microsoft.com"

// run makes the calls on a tenant of their own.
func (c client) run(ctx context.Context, dir string) ([]verdict, error) {
	tenant := newTenant()
	certificate, err := newCertificate()
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: tenant, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	defer server.Close()

	home, err := os.MkdirTemp("", "foreign")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	trusted := filepath.Join(home, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(trusted, block, 0o666); err != nil {
		return nil, err
	}
	script := exec.CommandContext(ctx, "node", "--require", "./loopback.cjs", c.script)
	script.Dir = dir
	script.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "NODE_EXTRA_CA_CERTS=" + trusted,
		fmt.Sprintf("TENANT_PORT=%d", listener.Addr().(*net.TCPAddr).Port),
	}
	return c.talk(script, tenant)
}

// talk gives the script one call after the other.
func (c client) talk(script *exec.Cmd, tenant *licensingtest.Tenant) ([]verdict, error) {
	var complaints bytes.Buffer
	script.Stderr = &complaints
	calls, err := script.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := script.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := script.Start(); err != nil {
		return nil, err
	}
	defer script.Process.Kill()
	in, out := json.NewEncoder(calls), bufio.NewReader(answers)
	var verdicts []verdict
	for _, call := range c.calls {
		if call.arrange != nil {
			call.arrange(tenant)
		}
		before := len(tenant.Requests())
		if err := in.Encode(call.request); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", call.name, err, &complaints)
		}
		line, err := out.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", call.name, err, &complaints)
		}
		v := verdict{Client: c.name, Call: call.name, Want: call.want, Requests: len(tenant.Requests()) - before}
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", call.name, err, line)
		}
		v.judge(call.requests)
		verdicts = append(verdicts, v)
	}
	calls.Close()
	if err := script.Wait(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &complaints)
	}
	return verdicts, nil
}

// newCertificate returns a certificate for host that is signed by itself.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
