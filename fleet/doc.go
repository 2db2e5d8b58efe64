// Package fleet does a run of licensing operations on any number of machines.
package fleet
