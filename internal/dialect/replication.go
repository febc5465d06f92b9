package dialect

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Replication is how a database tells where its log is and what a copy of it has applied. Positions are texts that begin with the kind of
// database and name the log they are in, so that those of two logs are never compared.
type Replication interface {
	// Standing asks a server for its place in replication.
	Standing(ctx context.Context, q Queryer) (Standing, error)
	// Reached judges whether a server that stands at s has everything up to want. It says true only where that is certain. What waiting cannot
	// change is an [*IncomparableError].
	Reached(ctx context.Context, q Queryer, s Standing, want string) (bool, error)
	// ValidPosition reports whether a text is a position of such a database.
	ValidPosition(text string) bool
}

// Standing is a server's place in replication.
type Standing struct {
	// Replica is set on a server that applies the log of another one.
	Replica bool
	// Position is the end of a primary's log, behind every commit that had returned before the question, or what a replica has applied. Where
	// Unsure is set it is only for people.
	Position string
	// Unsure is why the position cannot be relied on, and on a replica the lag neither.
	Unsure error
	// Stopped is why a replica takes in nothing new at the moment, and Paused why it applies nothing; "" while it does.
	Stopped, Paused string
	// Lag is how far a replica is behind. It means nothing where Stopped or Unsure is set.
	Lag Lag
}

// Lag is how far a replica is behind its primary.
type Lag struct {
	// Time is how old the oldest commit is that the replica has not applied, or more; 0 where it has applied all that it knows of, and
	// UnknownLag where it cannot tell.
	Time time.Duration
	// Bytes is how much log the replica knows of and has not applied; -1 where the database does not tell.
	Bytes int64
}

// UnknownLag is the time of a lag that is not known.
const UnknownLag time.Duration = -1

// ErrNoReplication says that a database has no log that others could follow.
var ErrNoReplication = errors.New("the database has no replication")

// IncomparableError says that a server cannot tell whether it has a position, and never will.
type IncomparableError struct{ Reason string }

// Error gives the reason.
func (e *IncomparableError) Error() string { return e.Reason }

// Incomparable makes an [*IncomparableError].
func Incomparable(format string, args ...any) error {
	return &IncomparableError{Reason: fmt.Sprintf(format, args...)}
}
