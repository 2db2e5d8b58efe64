//go:build msgraph

package all

import "github.com/graphlicensing/licensing/benchmarks/peers/msgraph"

func init() { Peers = append(Peers, Named{"msgraph", msgraph.New}) }
