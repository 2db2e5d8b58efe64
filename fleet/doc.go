// Package fleet makes one run of licensing operations with any number of processes,
// on one machine or several, through NATS JetStream.
//
//	fleet.Publish(ctx, js, "joiners", operations)                            // once, from anywhere
//	(&fleet.Worker{Client: client, JetStream: js, Run: "joiners"}).Work(ctx) // in each process
//	for result, err := range fleet.Results(ctx, js, "joiners") { … }         // anywhere, at any time
//
// Several processes are not faster than one, because they share one quota of Graph.
// Use this package for runs that must go on when a machine fails. [NewServer] starts a
// server inside the process, with its files in a directory. A cluster of servers works
// as well. For single writes of several processes, [NewLocker] is enough.
//
// # Guarantees
//
// Each operation has exactly one result. Operations on one user or group are made in
// the order of publication, no matter which process makes them. Each starts after the result of
// the previous one is stored. Give each user one name throughout a run: an id and a user
// principal name count as two users here. Two processes never write to one object at the
// same time. When a process dies, its unfinished operations are started again with
// Resumed set, once none of its requests can land any more.
//
// Graph has no fencing token. If a process is suspended just after it wrote a request to
// its connection, the request may land for up to Fence, and the other processes wait
// that long. When the process wakes, it checks its lease before each attempt and sends
// nothing more. One gap remains: a process can be suspended in the microseconds between
// that check and the write to the connection. If it then writes the request more than
// Fence after the check, nothing keeps the request out.
//
// # How it works
//
// The operations of a run are a stream. They are divided into 16 partitions by a hash of
// their object. Each partition has a log. The last entry of the log says who owns the
// partition, which operations were started, and which have a result. A writer appends
// an entry only if the last entry is the one that it knows. Results, ownership and
// progress therefore never disagree, and a process that has lost a partition can store
// nothing about it. Storing a result is the acknowledgment.
//
// A partition is owned by a session. A session renews an entry in a bucket. Other
// sessions consider it dead when they have seen no renewal for its Lease and its Fence,
// each by its own clock. They end it by writing the next revision of the entry, so the
// dead session cannot renew it any more. Sessions share the partitions evenly. A session
// with too many gives some up as soon as the operations that it started there are
// finished.
//
// The package does not use JetStream consumers with acknowledgments, pinned or in
// groups. The server moves their messages to the next client when a client is silent,
// without knowing whether that client's requests can still land. A redelivered operation
// would also come after later ones on its object.
//
// # Limits
//
// A worker keeps a few hundred operations in memory, plus up to 256 for each partition.
// An operation must fit into a message, which is 1 MiB by default. More than 16 workers
// do not help, because there are 16 partitions. In a cluster, set the number of replicas
// of the run's streams before workers start. The names of these streams begin with
// "fleet-".
package fleet
