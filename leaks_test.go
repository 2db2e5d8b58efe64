package licensing_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when the tests leave goroutines behind, of the package or of
// net/http, which has some for each connection. A connection stays for as long
// as an answer's body is open; scripts count the bodies of answers without one.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left, such as\n%s\n", len(left), left[0])
		code = 1
	}
	os.Exit(code)
}

var watchedFrame = regexp.MustCompile(`(?m)^(github\.com/graphlicensing/licensing[./]|net/http[./])`)

// leftGoroutines returns the stacks of such goroutines, when they had a while to
// end.
func leftGoroutines() (left []string) {
	for start := time.Now(); time.Since(start) < 5*time.Second; runtime.Gosched() {
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = nil
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			if watchedFrame.MatchString(stack) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return left
}
