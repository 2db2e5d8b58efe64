package main

// Unchecked are assumptions of FIDELITY.md that a probe does not settle.
var unchecked = []struct{ name, reason string }{
	{"group-not-assigned", needsGroup},
	{"group-removal-rows", needsGroup},
	{"resolved-by-processing", needsGroup},
	{"group-checks-later", needsGroup},
	{"reprocess-partly", needsGroup},
	{"proxy-addresses-direct-removal", "needs two objects with the same mail address"},
	{"capability-status", "needs a SKU in another stage than its seats say"},
	{"deleted-user-answer", "needs a user to be removed for good"},
	{"location-before", needsLag},
	{"read-lag-equal", needsLag},
	{"write-new-object", needsLag},
	{"other-token", "needs a token that has expired"},
	{"organization-properties", onPurpose},
	{"transitive-members", onPurpose},
	{"lambda-others", onPurpose},
	{"blank-in-query", "such a query does not arrive over a connection"},
	{"batch-order", "Graph promises none, and one order seen would prove none"},
	{"throttle-category", needsThrottling},
	{"throttle-percentage", needsThrottling},
	{"throttle-start", needsThrottling},
	{"throttle-one-application", needsThrottling},
	{"throttle-free", needsThrottling},
	{"throttle-advice", needsThrottling},
}

const (
	needsGroup      = "needs writes to a group with members"
	needsLag        = "depends on how far reads are behind, which is of chance"
	needsThrottling = "needs a tenant to be throttled, which would keep others from work"
	onPurpose       = "the fake tenant is kept short on purpose"
)
