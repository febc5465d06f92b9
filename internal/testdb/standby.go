package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// replayTimeout bounds the waits for a standby.
const replayTimeout = 30 * time.Second

// Standby is a server that follows another one: a PostgreSQL server by streaming replication, through a replication slot
// of its own, or a MariaDB server by GTID, read_only as in production. It answers reads. All methods of Server work on
// it: Kill it, and it catches up after the next Start.
type Standby struct {
	*Server
	primary *Server
	follows replication
}

// replication is what differs between the servers in following another one. Its methods that take an administrator are
// about the standby, unless they say otherwise.
type replication interface {
	// fill gives the standby its data directory, before its first start.
	fill(ctx context.Context, s *Standby) error

	// follow makes a standby that was just started follow its primary.
	follow(ctx context.Context, s *Standby, admin *sql.DB) error

	// forget removes what the primary keeps for the standby.
	forget(ctx context.Context, s *Standby) error

	// pause and resume stop and continue the applying of what is received.
	pause(ctx context.Context, admin *sql.DB) error
	resume(ctx context.Context, admin *sql.DB) error

	// disconnect and connect end and begin the receiving.
	disconnect(ctx context.Context, s *Standby, admin *sql.DB) error
	connect(ctx context.Context, s *Standby, admin *sql.DB) error

	// promote makes the standby a server that accepts writes and follows nobody.
	promote(ctx context.Context, admin *sql.DB) error

	// position asks the primary's administrator for its position.
	position(ctx context.Context, primary *sql.DB) (string, error)

	// applied reports whether the standby has applied a position, and where it is.
	applied(ctx context.Context, admin *sql.DB, position string) (at string, there bool, err error)
}

// NewStandby makes a standby of the server and returns once the standby answers reads. The databases of the server are
// on it under the same names: standby.URL(name). It is discarded at the end of the test. The primary may be the shared
// server, though a MariaDB standby then repeats all that was written there before; a Setting of the standby's own goes
// over the harness's.
func (s *Server) NewStandby(t testing.TB, opts ...Option) *Standby {
	t.Helper()
	standby, err := newStandby(t.Context(), s, opts)
	if err != nil {
		t.Fatalf("testdb: make a standby: %v\n%s", err, s.LogTail())
	}
	t.Cleanup(func() {
		if !s.Running() {
			return
		}
		ctx, cancel := limited(t, replayTimeout)
		defer cancel()
		if err := standby.follows.forget(ctx, standby); err != nil {
			t.Errorf("testdb: make the primary forget a standby: %v", err)
		}
	})
	discardAtEnd(t, standby.Server)
	if err := standby.launch(); err != nil {
		t.Fatalf("testdb: start a standby: %v", err)
	}
	standby.onStandby(t, "follow the primary", func(ctx context.Context, admin *sql.DB) error {
		return standby.follows.follow(ctx, standby, admin)
	})
	return standby
}

func newStandby(ctx context.Context, primary *Server, opts []Option) (*Standby, error) {
	// A standby of PostgreSQL must allow at least as many sessions and prepared transactions as its primary.
	inherit := func(o *options) {
		o.durable, o.settings = primary.options.durable, slices.Clone(primary.options.settings)
	}
	server, err := prepareServer(primary.engine, append([]Option{inherit, primary.engine.standby}, opts...))
	if err != nil {
		return nil, err
	}
	standby := &Standby{Server: server, primary: primary, follows: primary.engine.replication()}
	return standby, standby.follows.fill(ctx, standby)
}

// Replica returns the standby's copy of a database of the primary.
func (s *Standby) Replica(d Database) Database {
	return Database{Name: d.Name, URL: s.URL(d.database()), Server: s.Server}
}

// PauseReplay makes the standby lag: it goes on receiving what the primary writes, but does not apply it until
// ResumeReplay. It returns once the standby has stopped applying.
func (s *Standby) PauseReplay(t testing.TB) {
	t.Helper()
	s.onStandby(t, "pause the replay", s.follows.pause)
}

// ResumeReplay ends PauseReplay. It does not wait until the standby has caught up; see CatchUp.
func (s *Standby) ResumeReplay(t testing.TB) {
	t.Helper()
	s.onStandby(t, "resume the replay", s.follows.resume)
}

// Disconnect makes the standby receive nothing any more, until Connect. It returns once that is so.
func (s *Standby) Disconnect(t testing.TB) {
	t.Helper()
	s.onStandby(t, "disconnect from the primary", func(ctx context.Context, admin *sql.DB) error {
		return s.follows.disconnect(ctx, s, admin)
	})
}

// Connect ends Disconnect. It does not wait for the connection; see CatchUp.
func (s *Standby) Connect(t testing.TB) {
	t.Helper()
	s.onStandby(t, "connect to the primary", func(ctx context.Context, admin *sql.DB) error {
		return s.follows.connect(ctx, s, admin)
	})
}

// Promote makes the standby a primary, as after the death of its own: it follows nobody any more and accepts writes. It
// cannot be undone.
func (s *Standby) Promote(t testing.TB) {
	t.Helper()
	s.onStandby(t, "promote", s.follows.promote)
}

// CatchUp waits until the standby has applied everything that the primary has written up to the call.
func (s *Standby) CatchUp(t testing.TB) {
	t.Helper()
	var position string
	err := s.primary.withAdmin(func(admin *sql.DB) (err error) {
		position, err = s.follows.position(t.Context(), admin)
		return err
	})
	if err != nil {
		t.Fatalf("testdb: read the position of the primary: %v", err)
	}
	s.onStandby(t, "catch up with the primary", func(ctx context.Context, admin *sql.DB) error {
		return poll(replayTimeout, func() error {
			at, there, err := s.follows.applied(ctx, admin, position)
			if err == nil && !there {
				err = fmt.Errorf("the standby is at %s, not yet at %s", at, position)
			}
			return err
		})
	})
}

func (s *Standby) onStandby(t testing.TB, what string, fn func(ctx context.Context, admin *sql.DB) error) {
	t.Helper()
	err := s.withAdmin(func(admin *sql.DB) error { return fn(t.Context(), admin) })
	if err != nil {
		t.Fatalf("testdb: %s: %v\n%s", what, errors.Join(err, t.Context().Err()), s.LogTail())
	}
}
