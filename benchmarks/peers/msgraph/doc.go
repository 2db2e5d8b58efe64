// Package msgraph does the calls with the official SDK, msgraph-sdk-go. It
// takes minutes and 4.5 GB to compile and so is behind the build tag msgraph.
package msgraph
