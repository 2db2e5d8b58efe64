// Package benchmarks compares the root package with what else assigns licences
// from Go. See README.md.
package benchmarks
