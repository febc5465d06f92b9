package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// replayTimeout bounds the waits for a standby.
const replayTimeout = 30 * time.Second

// Standby is a PostgreSQL server that follows another by streaming replication, through a replication slot of its own.
// It answers reads. All methods of Server work on it: Kill it, and it catches up after the next Start.
type Standby struct {
	*Server
	primary *Server
	slot    string
}

// NewStandby makes a standby of the server, which must be PostgreSQL, and returns once the standby answers reads. The
// databases of the server are on it under the same names: standby.URL(name). It is discarded at the end of the test. The
// primary may be the shared server; a Setting of the standby's own goes over the harness's.
func (s *Server) NewStandby(t testing.TB, opts ...Option) *Standby {
	t.Helper()
	standby, err := newStandby(t.Context(), s, opts)
	if err != nil {
		t.Fatalf("testdb: make a standby: %v\n%s", err, s.LogTail())
	}
	t.Cleanup(func() {
		if err := standby.dropSlot(); err != nil {
			t.Errorf("testdb: drop the replication slot of a standby: %v", err)
		}
	})
	discardAtEnd(t, standby.Server)
	if err := standby.launch(); err != nil {
		t.Fatalf("testdb: start a standby: %v", err)
	}
	return standby
}

func newStandby(ctx context.Context, primary *Server, opts []Option) (*Standby, error) {
	e, ok := primary.engine.(*postgresEngine)
	if !ok {
		return nil, fmt.Errorf("only PostgreSQL has standbys, not %s", primary.Name())
	}
	// A standby must allow at least as many sessions and prepared transactions as its primary.
	inherit := func(o *options) {
		o.durable, o.settings = primary.options.durable, slices.Clone(primary.options.settings)
	}
	server, err := prepareServer(e, append([]Option{inherit}, opts...))
	if err != nil {
		return nil, err
	}
	standby := &Standby{Server: server, primary: primary, slot: "standby_" + server.portText()}
	// --write-recovery-conf makes it a standby that knows its primary and its slot.
	cmd := e.user.command(ctx, server.dir, filepath.Join(e.bin, "pg_basebackup"), "--pgdata="+server.DataDir(),
		"--host="+primary.dir, "--port="+primary.portText(), "--username="+postgresAdmin,
		"--write-recovery-conf", "--create-slot", "--slot="+standby.slot, "--wal-method=stream",
		"--checkpoint=fast", "--no-sync")
	if _, err := runCommand(cmd); err != nil {
		return nil, errors.Join(err, standby.dropSlot())
	}
	return standby, nil
}

// Replica returns the standby's copy of a database of the primary.
func (s *Standby) Replica(d Database) Database {
	return Database{Name: d.Name, URL: s.URL(d.database()), Server: s.Server}
}

// dropSlot removes the standby's slot from the primary, if that still runs: the slot would keep all further log.
func (s *Standby) dropSlot() error {
	if !s.primary.Running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), replayTimeout)
	defer cancel()
	return s.primary.withAdmin(func(admin *sql.DB) error {
		// The session that served the standby notices a moment later that it is gone.
		return poll(replayTimeout, func() error {
			_, err := admin.ExecContext(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1`, s.slot)
			if err != nil {
				return err
			}
			_, err = admin.ExecContext(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`, s.slot)
			return err
		})
	})
}

// PauseReplay makes the standby lag: it goes on receiving what the primary writes, but does not apply it until
// ResumeReplay. It returns once the standby has stopped applying.
func (s *Standby) PauseReplay(t testing.TB) {
	t.Helper()
	s.onStandby(t, "pause the replay", func(ctx context.Context, admin *sql.DB) error {
		if _, err := admin.ExecContext(ctx, `SELECT pg_wal_replay_pause()`); err != nil {
			return err
		}
		return poll(replayTimeout, func() error {
			var state string
			err := admin.QueryRowContext(ctx, `SELECT pg_get_wal_replay_pause_state()`).Scan(&state)
			if err == nil && state != "paused" {
				err = fmt.Errorf("the replay is %s", state)
			}
			return err
		})
	})
}

// ResumeReplay ends PauseReplay. It does not wait until the standby has caught up; see CatchUp.
func (s *Standby) ResumeReplay(t testing.TB) {
	t.Helper()
	s.onStandby(t, "resume the replay", func(ctx context.Context, admin *sql.DB) error {
		_, err := admin.ExecContext(ctx, `SELECT pg_wal_replay_resume()`)
		return err
	})
}

// CatchUp waits until the standby has applied everything that the primary has written up to the call.
func (s *Standby) CatchUp(t testing.TB) {
	t.Helper()
	var position string
	err := s.primary.withAdmin(func(admin *sql.DB) error {
		return admin.QueryRowContext(t.Context(), `SELECT pg_current_wal_lsn()::text`).Scan(&position)
	})
	if err != nil {
		t.Fatalf("testdb: read the position of the primary: %v", err)
	}
	s.onStandby(t, "catch up with the primary", func(ctx context.Context, admin *sql.DB) error {
		return poll(replayTimeout, func() error {
			var at string
			var there bool
			err := admin.QueryRowContext(ctx, `
				SELECT coalesce(pg_last_wal_replay_lsn()::text, 'the beginning'),
				       coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)`, position).Scan(&at, &there)
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
