package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/graphlicensing/licensing/benchmarks/harness"
)

// A bench takes the measurements. Each goes round all peers before it is taken
// again, so that a machine busy with something else is busy for all of them.
type bench struct {
	dir   string
	peers []string
	figures
	server *exec.Cmd
	table  string // of what becomes of replies
}

func (b *bench) clean() {
	if b.server != nil {
		b.server.Process.Kill()
		b.server.Wait()
	}
	os.RemoveAll(b.dir)
}

func (b *bench) file(name ...string) string {
	return filepath.Join(append([]string{b.dir}, name...)...)
}

// flags are the build flags of a peer: always the same ones, or msgraph-sdk-go
// would be compiled again.
func flags(peer string) []string {
	if peer == "msgraph" {
		return []string{"-tags", "msgraph"}
	}
	return nil
}

// command runs the go command and returns its output.
func command(env []string, args ...string) ([]byte, *os.ProcessState) {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(err)
	return out, cmd.ProcessState
}

func install(peer, out, pkg string, more ...string) {
	args := append([]string{"build", "-p", "1", "-o", out}, flags(peer)...)
	command(nil, append(append(args, more...), pkg)...)
}

// worker returns the program that measures a peer. msgraph-sdk-go is not linked
// into that of the others, since it starts up with a large heap.
func (b *bench) worker(peer string) string {
	name := b.file("worker")
	if peer == "msgraph" {
		name += "-msgraph"
	}
	if _, err := os.Stat(name); err != nil {
		install(peer, name, "./worker")
	}
	return name
}

// measure runs a worker and adds what it prints under the names given.
func (b *bench) measure(peer string, names map[string]string, args ...string) {
	cmd := exec.Command(b.worker(peer), append([]string{"-peer", peer, "-duration", duration.String()}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(err)
	var result map[string]float64
	check(json.Unmarshal(out, &result))
	for key, row := range names {
		b.add(peer, row, result[key])
	}
}

func (b *bench) stub() {
	for range *runs {
		for _, peer := range b.peers {
			b.measure(peer, map[string]string{"µs": userTime, "cpu": userCPU, "bytes": userBytes, "allocs": userAllocs}, "-mode", "stub")
			b.measure(peer, map[string]string{"µs": groupTime, "cpu": groupCPU, "bytes": groupBytes, "allocs": groupAllocs}, "-mode", "stub", "-group")
		}
	}
}

func (b *bench) load() {
	roots := b.file("roots.pem")
	b.server = exec.Command(b.worker("nethttp"), "-mode", "serve", "-roots", roots)
	b.server.Stderr = os.Stderr
	stdin, err := b.server.StdinPipe() // whose end is the server's
	check(err)
	defer stdin.Close()
	stdout, err := b.server.StdoutPipe()
	check(err)
	check(b.server.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	check(err)
	for range *runs {
		for _, workers := range []string{"1", "16"} {
			row := "TLS, " + workers + " workers: "
			if workers == "1" {
				row = "TLS, 1 worker: "
			}
			for _, peer := range b.peers {
				b.measure(peer, map[string]string{"calls/s": row + "calls/s", "cpu": row + "client CPU µs a call"},
					"-mode", "load", "-url", strings.TrimSpace(line), "-roots", roots, "-workers", workers)
			}
		}
	}
}

// program returns the smallest program of a peer.
func (b *bench) program(peer string) string {
	name := b.file("cmd-" + peer)
	if _, err := os.Stat(name); err != nil {
		install(peer, name, "./cmd/"+peer)
	}
	return name
}

func (b *bench) sizes() {
	for _, peer := range b.peers {
		stripped := b.file("stripped-" + peer)
		install(peer, stripped, "./cmd/"+peer, "-ldflags=-s -w")
		for file, row := range map[string]string{b.program(peer): binary, stripped: "binary stripped: MB"} {
			info, err := os.Stat(file)
			check(err)
			b.add(peer, row, float64(info.Size())/1e6)
		}
		b.count(peer)
	}
}

// count counts what is compiled for a program. Our own side of the comparison,
// this module, is not the peer's.
func (b *bench) count(peer string) {
	args := append([]string{"list", "-deps", "-json=Standard,Dir,GoFiles,Module,ImportPath"}, flags(peer)...)
	out, _ := command(nil, append(args, "./cmd/"+peer)...)
	modules, packages, lines := map[string]bool{}, 0, 0
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Standard        bool
			Dir, ImportPath string
			GoFiles         []string
			Module          *struct {
				Path string
				Main bool
			}
		}
		err := decoder.Decode(&pkg)
		if err == io.EOF {
			break
		}
		check(err)
		if pkg.Module != nil && pkg.Module.Main {
			continue
		}
		packages++
		if pkg.Standard {
			continue
		}
		modules[pkg.Module.Path] = true
		for _, file := range pkg.GoFiles {
			text, err := os.ReadFile(filepath.Join(pkg.Dir, file))
			check(err)
			lines += bytes.Count(text, []byte("\n"))
		}
	}
	b.add(peer, "modules compiled", float64(len(modules)))
	b.add(peer, "packages compiled, std too", float64(packages))
	b.add(peer, linesCompiled, float64(lines))
}

// start measures from the start of a program until its request has come. The
// program trusts the server by an environment variable of crypto/x509.
func (b *bench) start() {
	came := make(chan time.Time, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- time.Now()
		harness.Serve(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	roots := b.file("start.pem")
	check(os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	for range *starts {
		for _, peer := range b.peers {
			cmd := exec.Command(b.program(peer), server.URL)
			cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
			started := time.Now()
			out, err := cmd.CombinedOutput()
			if err != nil {
				log.Panicf("%s: %v\n%s", peer, err, out)
			}
			b.add(peer, "start: ms to the first request", (<-came).Sub(started).Seconds()*1e3)
			b.add(peer, "start: CPU ms in all", used(cmd.ProcessState).Seconds()*1e3)
		}
	}
}

// build builds each program with empty caches, and with caches that have the
// standard library alone.
func (b *bench) build() {
	std := b.file("std")
	for run := range max(*builds, *slow) {
		for _, peer := range b.peers {
			n := *builds
			if peer == "msgraph" {
				n = *slow
			}
			if run >= n {
				continue
			}
			cache := b.file("cache")
			state, elapsed := b.compile(peer, cache)
			b.add(peer, coldCPU, used(state).Seconds())
			b.add(peer, "cold build: s", elapsed.Seconds())
			b.add(peer, "cold build: MiB of the largest process", float64(state.SysUsage().(*syscall.Rusage).Maxrss)/1024)
			check(os.RemoveAll(cache))

			if _, err := os.Stat(std); err != nil {
				command([]string{"GOCACHE=" + std}, "build", "std")
			}
			check(os.CopyFS(cache, os.DirFS(std)))
			state, _ = b.compile(peer, cache)
			b.add(peer, "build with std in the cache: CPU s", used(state).Seconds())
			check(os.RemoveAll(cache))
			log.Printf("built %s: run %d", peer, run+1)
		}
	}
}

func (b *bench) compile(peer, cache string) (*os.ProcessState, time.Duration) {
	started := time.Now()
	args := append([]string{"build", "-o", b.file("built")}, flags(peer)...)
	_, state := command([]string{"GOCACHE=" + cache}, append(args, "./cmd/"+peer)...)
	return state, time.Since(started)
}

// replies has a test print what becomes of each reply: its time is virtual.
func (b *bench) replies() {
	args := append([]string{"test", "-count", "1", "-v", "-run", "^TestReplies$"}, flags(b.peers[len(b.peers)-1])...)
	out, _ := command(nil, append(args, ".")...)
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "|") {
			b.table += line
		}
	}
}

// used is the CPU time of a process and of those that it waited for.
func used(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }
