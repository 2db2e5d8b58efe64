package licensing

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/graph"
)

// ReadUsersOptions configure [Client.ReadUsers]. Zero fields take their defaults.
type ReadUsersOptions struct {
	// Concurrency is how many requests are under way at a time, at most 100. The
	// default is 4.
	Concurrency int
	// BatchSize is how many users one request reads, at most 20. The default is 20.
	// With 1 each user is read without a batch.
	BatchSize int
	// Select names more properties of User to read, such as "department", "mail"
	// and "onPremisesSyncEnabled", in any letter case.
	Select []string
}

// A UserRead is the result for one name that was given to [Client.ReadUsers].
type UserRead struct {
	Index  int    // of the name in the input, from 0; -1 for an error of the options
	Target string // the name
	User   *User  // nil if Err is set
	Err    error
}

// ReadUsers reads the users of a list, each given by object id or user principal
// name, and returns each as [Client.User] does. It packs 20 users into a request.
// Each name has exactly one result; results come in the order of Graph's answers.
// To read everybody in a tenant, [Client.Users] takes fewer requests.
//
// Reads and writes are paced separately. ReadUsers retries
// throttled reads without limit, and waits out an outage for 15 minutes. When ctx
// ends or nothing can be read any more, the remaining names get the reason as their
// result. A separate goroutine takes the names, a few hundred ahead. The input must
// not block forever: even a break waits for the next name.
//
// Permission: User.Read.All, delegated or application.
//
// Errors, in the results: those of [Client.User], [ErrInvalidArgument] (Index is -1
// if the options are invalid), [ErrStopped] with [ErrUnavailable] or
// [ErrUnauthorized] (an outage or a sign-in failure lasted too long),
// [ErrThrottled] (for longer than RetryPolicy.MaxWait), and the context's error.
//
// Graph: https://learn.microsoft.com/graph/json-batching
func (c *Client) ReadUsers(ctx context.Context, users iter.Seq[string], opts ReadUsersOptions) iter.Seq[UserRead] {
	return func(yield func(UserRead) bool) {
		r := reading{client: c, opts: opts, fed: make(chan struct{}), broken: make(chan struct{})}
		if err := r.check(ctx, users); err != nil {
			yield(UserRead{Index: -1, Err: err})
			return
		}
		window := 4 * r.opts.Concurrency * r.opts.BatchSize // so that batches are full while others are under way
		r.room, r.reads = make(chan struct{}, window), make(chan UserRead, window)
		r.gather(ctx, c, c.service.Reads(), r.opts.Concurrency, r.opts.BatchSize, longestOutage)
		go r.feed(users)
		defer r.close()
		r.deliver(yield)
	}
}

// A reading is one range over a ReadUsers. Each user that is being read has a
// goroutine; the requests meet in the batcher.
type reading struct {
	crew
	client *Client
	opts   ReadUsersOptions
	query  string
	room   chan struct{} // has one for each user who is being read
	reads  chan UserRead // has room for all of them
	broken chan struct{} // closed when no more are wanted
	fed    chan struct{} // closed when no more are taken
	input  input         // this and what follows is of the goroutine that feeds
	taken  int
}

const opReadUsers = "read users"

// check says what keeps the users from being read, and fills in what is not set.
func (r *reading) check(ctx context.Context, users iter.Seq[string]) (err error) {
	if err := r.client.check(ctx, opReadUsers); err != nil {
		return err
	}
	if users == nil {
		return invalid(opReadUsers, "users is nil")
	}
	if r.query, err = selectingAlso[User](opReadUsers, userProperties, r.opts.Select); err != nil {
		return err
	}
	return checkCrew(opReadUsers, &r.opts.Concurrency, &r.opts.BatchSize)
}

// feed takes the names for as long as they are wanted.
func (r *reading) feed(users iter.Seq[string]) {
	defer close(r.fed)
	defer r.batcher.Full()
	r.input.run(func() {
		if !r.makeRoom() {
			return
		}
		for name := range users {
			r.take(UserRead{Index: r.taken, Target: name})
			if r.taken++; !r.makeRoom() {
				return
			}
		}
	})
}

// makeRoom waits until another name can be taken, and reports whether one is to be.
// Room is made by the batch, so that those of a caller who takes his time with the
// results are full as well.
func (r *reading) makeRoom() bool {
	if r.taken%r.opts.BatchSize == 0 {
		for range r.opts.BatchSize {
			select {
			case r.room <- struct{}{}:
			case <-r.broken:
				return false
			}
		}
	}
	select {
	case <-r.broken:
		return false
	default:
		return true
	}
}

// take has a user be read.
func (r *reading) take(read UserRead) {
	member := r.batcher.Join(nil)
	r.jobs.Go(func() {
		defer member.Leave()
		done := false
		defer func() {
			if !done {
				r.died(recover())
				read.Err = &Error{Op: opReadUsers, kinds: []error{ErrStopped}, cause: batch.ErrDied}
			}
			r.reads <- read
		}()
		read.User, read.Err = r.read(read.Target, member)
		done = true
	})
}

// read reads a user, in requests that go out with those of others.
func (r *reading) read(name string, member *batch.Member) (*User, error) {
	req, err := r.client.newRequest(r.queue, opReadUsers, graph.User(name), http.MethodGet, "", new(userAnswer))
	if err != nil {
		return nil, err
	}
	req.Query, req.Channel, req.Started = r.query, r.client.service.Reads(), time.Time{}
	return asUser(r.client.readBy(r.queue, &req, member.Carry))
}

// deliver runs until everything that was taken is delivered.
func (r *reading) deliver(yield func(UserRead) bool) {
	fed := r.fed
	for delivered := 0; fed != nil || delivered < r.taken; {
		select {
		case <-fed:
			fed = nil
		case read := <-r.reads:
			delivered++
			<-r.room
			if !yield(read) {
				return
			}
		}
	}
}

// close ends the reading.
func (r *reading) close() {
	close(r.broken)
	r.drop()
	<-r.fed
	r.dismiss()
	r.repanic()
	r.input.passOn()
}
