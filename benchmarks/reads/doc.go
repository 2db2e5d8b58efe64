// Package reads measures the ways to read the users of a list. See README.md of
// the module.
package reads
