// Package fleet makes a run of licensing operations by any number of processes, on
// one machine or many, through NATS JetStream.
//
//	fleet.Publish(ctx, js, "joiners", operations)                            // once, from anywhere
//	(&fleet.Worker{Client: client, JetStream: js, Run: "joiners"}).Work(ctx) // in each process
//	for result, err := range fleet.Results(ctx, js, "joiners") { … }         // anywhere, at any time
//
// One quota of Graph is spent by one process as fast as by many, so this is for runs
// that have to go on when a machine does not. [NewServer] starts a server in the
// process, with its files in a directory; a cluster of servers works as well. For
// single writes of several processes [NewLocker] is enough.
//
// # What holds
//
// Each operation has exactly one result. Operations on one user or group are made in
// the order of publication, whatever process makes them, and the next is begun when
// the result of the one before is stored. Name each person one way in a run: an id
// and a user principal name are two objects here. Two processes never write to one
// object at the same time. What a process that died had begun is begun again when no
// request of it can land any more, as Resumed.
//
// Graph has no fencing token. What a process had written to its connection when it was
// stopped may land for the time of Fence, which the others wait for. When it wakes, it
// looks at its lease last before each attempt, and sends nothing more. Between that look
// and the write to the connection are microseconds in which it can be stopped; a
// request that is written later than Fence after that is not kept out.
//
// # How it works
//
// The run's operations are a stream. They are in 16 partitions, by a hash of their
// object. Each partition has a log, whose last entry says where it stands: who owns it,
// which operations were begun, which have a result. An entry is stored only after the
// one that its writer knows as the last. So results, ownership and progress cannot
// disagree, and whoever lost a partition can store nothing about it: a stored result is
// the acknowledgement.
//
// An owner is a session, which renews an entry of a bucket. Others take it for dead
// when they saw no renewal for its Lease and its Fence by their own clocks, and end it
// for good by the next revision of that entry, which the owner then cannot renew.
// Partitions are shared evenly: a session that has too many gives some up when what it
// had begun in them is settled.
//
// Consumers with acknowledgements, pinned or in groups of partitions, were not taken:
// the server moves them to the next client when the one before is silent for a time,
// but does not know whether its requests can still land; and an operation that is
// delivered again comes after later ones on its object.
//
// # Limits
//
// A worker keeps a few hundred operations in memory, and up to 256 more of each
// partition. An operation must fit into a message, by default of 1 MiB. More than 16
// workers on one run have nothing to do. In a cluster set the number of replicas of
// the run's streams, which begin with "fleet-", before workers start.
package fleet
