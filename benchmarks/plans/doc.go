// Package plans measures what it takes to plan the licenses of many people with
// package reconcile. See README.md of the module.
package plans
