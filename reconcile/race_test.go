//go:build race

package reconcile_test

// With the race detector a world takes ten times as long.
func init() { worlds = 60 }
