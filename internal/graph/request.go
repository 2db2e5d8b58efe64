package graph

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// A Request is what is asked of Graph. It is not changed once it is made, and
// can be sent again.
type Request struct {
	Op        string // what is done, for logs
	Object    Object
	Method    string
	Action    string   // segment after the object's path
	Query     string   // encoded
	Link      *url.URL // where the request goes in place of all that, as Graph gave it
	Indexed   bool     // the query needs Graph's index
	Operation int32    // of a run that it is for, counted from 1, for logs; 0 is none
	Body      []byte   // JSON
	Into      Reader   // reads the body of a success
	Channel   *Channel // that it goes by; nil is that of the writes, at whose pace a read is not
	ID        string   // the client-request-id
	Limits
}

// Limits are how much of the policy there is for a request.
type Limits struct {
	Started time.Time // when the time of the policy began; the zero time is no limit
	Tries   int       // requests that may be made, throttled ones not counted; 0 is the policy's
}

// A Reader reads the body of a success.
type Reader interface {
	// Read makes the reader what a body says. It may be given parts of one, too.
	Read(body []byte) error
	// Items is how many elements the list may have that is read, 0 where an object
	// is.
	Items() int
	// Identity is the id of the object that was read, and what it is called; ""
	// where that is not told.
	Identity() (id, name string)
	// Shows returns what a member of an object shows of where the answer is from.
	Shows(member []byte) Sign
}

// A Sign is what a member of an answer shows.
type Sign int

const (
	NoSign  Sign = iota // nothing: it is not one that the reader reads
	Weak                // that the answer is Graph's, if a header says so, too
	Certain             // that it is Graph's: nobody else has such a member
)

type idKey struct{}

// ContextWithID returns a context whose requests have a client-request-id.
func ContextWithID(ctx context.Context, id uuid.UUID) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// NewID returns the client-request-id that ctx gives, or a new one.
func NewID(ctx context.Context) string {
	id, ok := ctx.Value(idKey{}).(uuid.UUID)
	if !ok || id == uuid.Nil {
		id = uuid.New()
	}
	return id.String()
}

// Reads reports whether the request changes nothing, so that repeating it is
// free.
func (r *Request) Reads() bool { return r.Method == http.MethodGet }

// channel returns the channel of a request, and whether it is paced there.
func (s *Service) channel(r *Request) (c *Channel, paced bool) {
	if r.Channel != nil {
		return r.Channel, true
	}
	return s.writes, !r.Reads()
}

// Path is where the request goes under the API's version.
func (r *Request) Path() string { return r.Object.Path() + r.Action }

// Route is the path for those who watch, without the name of the object.
func (r *Request) Route() string { return r.Object.route() + r.Action }

// URL returns where a request goes.
func (s *Service) URL(r *Request) *url.URL {
	if r.Link != nil {
		return r.Link
	}
	u := s.address(r)
	return &u
}

// address is where a request without a link goes.
func (s *Service) address(r *Request) url.URL {
	u := *s.root
	before, name, after := r.Object.segments()
	u.RawPath = s.path + before + name + after + r.Action // in one concatenation, to save copies
	u.Path, _ = url.PathUnescape(u.RawPath)
	u.RawQuery = r.Query
	return u
}

// Allowed is the time that the policy still allows for a request.
func (s *Service) Allowed(r *Request) time.Duration {
	if s.policy.MaxElapsed == Forever || r.Started.IsZero() {
		return Forever
	}
	return s.policy.MaxElapsed - time.Since(r.Started)
}

// Left is the time that there is for a request.
func (s *Service) Left(ctx context.Context, r *Request) time.Duration {
	left := s.Allowed(r)
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return left
}
