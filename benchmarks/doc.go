// Package benchmarks compares the root package with what else assigns licenses
// from Go. See README.md.
package benchmarks
