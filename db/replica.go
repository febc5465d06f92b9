package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Role is what a server is to the others that have the same data.
type Role string

// The roles. A server that nobody follows is a primary too.
const (
	RolePrimary Role = "primary"
	RoleReplica Role = "replica"
)

// What a caller can branch on when it works with replicas.
var (
	// ErrNoReplication says that the database has no log that a replica could follow: SQLite, or a MySQL or MariaDB server without a binary
	// log or without global transaction ids.
	ErrNoReplication = dialect.ErrNoReplication
	// ErrNotReplica says that the server applies nobody's log. A replica that was promoted is none any more.
	ErrNotReplica = errors.New("the server is no replica")
	// ErrReplicationStopped says that a replica takes in or applies nothing at the moment, so that its lag cannot be told.
	ErrReplicationStopped = errors.New("replication is stopped")
	// ErrBehind says that a replica has not applied a position in time: a [*BehindError].
	ErrBehind = errors.New("the replica has not reached the position")
	// ErrIncomparable says that a server can never tell whether it has a position: a [*PositionError].
	ErrIncomparable = errors.New("the position cannot be compared with the server's own")
	// ErrInBlock refuses what must be asked outside a block: the block's own commit is in no log yet, and a wait would hold its snapshot.
	ErrInBlock = errors.New("replication must be asked about outside the block: its commit is in no log yet, and a wait would keep it open")
)

// Role asks the server whether it is a primary or a replica. On MariaDB and MySQL that needs the privilege to look at replication: SLAVE MONITOR or
// REPLICATION CLIENT. SQLite is always a primary.
func (d *DB) Role(ctx context.Context) (Role, error) {
	s, err := d.dialect.Standing(ctx, d)
	if err != nil {
		return "", d.wrap("read the role", err)
	}
	return roleOf(s), nil
}

func roleOf(s dialect.Standing) Role {
	if s.Replica {
		return RoleReplica
	}
	return RolePrimary
}

// Lag is how far a replica is behind its primary.
type Lag struct {
	// Time is how old the oldest commit is that the replica lacks, or more; 0 where it has applied all that it knows of, so also while the
	// primary writes nothing. MariaDB and MySQL tell whole seconds.
	Time time.Duration
	// Bytes is how much log the replica knows of and has not applied; -1 on MariaDB and MySQL, which do not tell.
	Bytes int64
}

// How long a replica that seems to be behind is looked at again. After a quiet hour the first commit looks an hour late until it is applied, for all
// that a PostgreSQL replica knows is how old the last one is.
const (
	settleTime  = 100 * time.Millisecond
	settleLooks = 5
)

// Lag asks a replica how far it is behind, by the replica's clock against the times of the primary's commits. It may be too high, never an old
// value: a replica that does not receive or apply is [ErrReplicationStopped], and a server that is no replica [ErrNotReplica]. A connection that
// the network swallows without a word counts as standing until the server gives it up (wal_receiver_timeout, slave_net_timeout). MariaDB and MySQL
// know only of what they have received, so a connection that is slower than the primary writes is not seen there.
//
// Other errors: [ErrInBlock]; on PostgreSQL [ErrPermission] for a user without pg_read_all_stats.
func (d *DB) Lag(ctx context.Context) (Lag, error) {
	for looks := 0; ; looks++ {
		lag, err := d.lag(ctx)
		if err != nil || lag.Time < settleTime || lag.Bytes < 0 || looks == settleLooks {
			return lag, err
		}
		select {
		case <-time.After(settleTime / settleLooks):
		case <-ctx.Done():
			return Lag{}, context.Cause(ctx)
		}
	}
}

func (d *DB) lag(ctx context.Context) (Lag, error) {
	const op = "read the replica lag"
	s, err := d.standing(ctx, op)
	switch {
	case err != nil:
	case !s.Replica:
		err = ErrNotReplica
	case s.Stopped != "":
		err = fmt.Errorf("%w: %s", ErrReplicationStopped, s.Stopped)
	case s.Lag.Time != dialect.UnknownLag:
		return Lag(s.Lag), nil
	case s.Paused != "":
		err = fmt.Errorf("%w: %s", ErrReplicationStopped, s.Paused)
	case s.Unsure != nil:
		err = s.Unsure
	default:
		err = errors.New("it does not know how far it is behind before it has applied a commit")
	}
	return Lag{}, d.wrapUnsure(op, err)
}

// ReaderOption is an option of [DB.ReaderAfter].
type ReaderOption func(*readerOptions)

type readerOptions struct {
	wait        time.Duration
	replicaOnly bool
}

// WaitAtMost lets [DB.ReaderAfter] wait for the replica for a time. The default is 0: it only looks.
func WaitAtMost(d time.Duration) ReaderOption { return func(o *readerOptions) { o.wait = d } }

// ReplicaOnly makes [DB.ReaderAfter] return the error of a replica that cannot be read from, in place of the primary.
func ReplicaOnly() ReaderOption { return func(o *readerOptions) { o.replicaOnly = true } }

// lookTimeout bounds a look at a replica that may not answer.
const lookTimeout = time.Second

// ReaderAfter returns a database in which everything up to pos can be read: replica, if it has applied pos, else d, which is the primary.
//
//	pos, err := primary.Position(ctx)                 // after the commit; keep pos in a cookie, say
//	…
//	reader, err := primary.ReaderAfter(ctx, replica, pos, db.WaitAtMost(50*time.Millisecond))
//
// A replica that cannot be reached, does not answer within a second or cannot compare the position also means the primary, with a warning to d's
// logger. With [ReplicaOnly] those are errors, as of [DB.WaitFor]. When ctx ends it is ctx's cause.
func (d *DB) ReaderAfter(ctx context.Context, replica *DB, pos Position, opts ...ReaderOption) (*DB, error) {
	var o readerOptions
	for _, opt := range opts {
		opt(&o)
	}
	err := replica.reach(ctx, pos, o.wait)
	switch {
	case err == nil:
		return replica, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case o.replicaOnly:
		return nil, err
	case !errors.Is(err, ErrBehind):
		d.log.WarnContext(ctx, "the replica cannot be read from, the primary is", "replica", replica.alias, "primary", d.alias, "error", err)
	}
	return d, nil
}

// reach waits for pos, or only looks.
func (d *DB) reach(ctx context.Context, pos Position, wait time.Duration) error {
	if wait != 0 {
		return d.WaitFor(ctx, pos, wait)
	}
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	behind := &BehindError{Alias: d.alias, Want: pos}
	reached, err := d.look(looking, pos, behind)
	if err == nil && !reached {
		return behind
	}
	return err
}
