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

// TestMain fails when the tests leave goroutines of the package behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left, such as\n%s\n", len(left), left[0])
		code = 1
	}
	os.Exit(code)
}

var ownFrame = regexp.MustCompile(`(?m)^github\.com/graphlicensing/licensing\.`)

// leftGoroutines returns the stacks of those that run the package's own code,
// when they had a while to end.
func leftGoroutines() (left []string) {
	for start := time.Now(); time.Since(start) < 5*time.Second; runtime.Gosched() {
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = nil
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			if ownFrame.MatchString(stack) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return left
}
