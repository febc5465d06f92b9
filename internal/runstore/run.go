package runstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-dev/drover/db"
)

// stateSQL is a run's state as it reads now, by the database's clock.
const stateSQL = `CASE WHEN "state" = 'running' AND "lease_until" <= {now} THEN 'interrupted'
	WHEN "state" = 'running' AND "waiting" <> '' THEN 'throttled' ELSE "state" END`

const runColumns = `"id", "command", "identity", "number", "arguments", "command_line", "options", "build", ` + stateSQL + `, "request", "phase", "planned",
	"attempt", "token", "owner", "lease_until", "waiting", "error", "undoable", "undo_of", "retry_of", "created_by", "created_at", "started_at", "finished_at"`

// readRun reads runColumns, and more.
func readRun(scan scan, more ...any) (Run, error) {
	var r Run
	var lease, created, started, finished moment
	err := scan(append([]any{
		&r.ID, &r.Command, &r.Identity, &r.Number,
		document{&r.Arguments},
		document{&r.CommandLine},
		document{&r.Options},
		&r.Build, &r.State, &r.Request,
		&r.Phase, &r.Planned, &r.Attempt, &r.Token, &r.Owner, &lease, &r.Waiting, &r.Error, &r.Undo, &r.UndoOf, &r.RetryOf, &r.CreatedBy,
		&created, &started, &finished,
	}, more...)...)
	r.LeaseUntil, r.CreatedAt, r.StartedAt, r.FinishedAt = lease.Time, created.Time, started.Time, finished.Time
	return r, err
}

// get reads one run by its whole id.
func (s *Store) get(ctx context.Context, id string) (Run, error) {
	return s.one(ctx, `SELECT `+runColumns+` FROM "drover_runs" WHERE "id" = ?`, id)
}

// one reads the run that a query selects, or ErrNoRun.
func (s *Store) one(ctx context.Context, query string, args ...any) (Run, error) {
	r, err := readRun(s.conn.QueryRow(ctx, s.text(query), args...).Scan)
	return r, noRow(s.conn.Wrap("read a run", err))
}

// stored is the state in the table of a run that reads as state.
func (s State) stored() State {
	if s == Interrupted || s == Throttled {
		return Running
	}
	return s
}

// live reports whether a runner works on a run in this state.
func (s State) live() bool { return s == Running || s == Throttled }

// refused says that a run's state does not allow a change, and why.
func refused(r Run, why string) error {
	return fmt.Errorf("run %s is %s, %s: %w", Short(r.ID), r.State, why, ErrState)
}

const insertRun = `INSERT INTO "drover_runs" ("id", "command", "identity", "number", "arguments", "command_line", "options", "build", "state", "request",
	"phase", "planned", "attempt", "token", "owner", "waiting", "error", "undoable", "undo_of", "retry_of", "created_by", "created_at")
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, 0, 0, '', '', '', ?, ?, ?, ?, {now})`

// Create stores a new run, planned and with the shards of its first phase. The error wraps [ErrState] where the identity has a run that is not
// finished; of several processes that create a run of one identity at once, one succeeds.
func (s *Store) Create(ctx context.Context, identity string, n NewRun) (*Run, error) {
	arguments, err := encodeJSON(append([]Argument{}, n.Arguments...))
	if err != nil {
		return nil, fmt.Errorf("create a run: %w", err)
	}
	line, err := encodeJSON(append([]string{}, n.CommandLine...))
	if err != nil {
		return nil, fmt.Errorf("create a run: %w", err)
	}
	options, err := encodeOptions(n.Options)
	if err != nil {
		return nil, fmt.Errorf("create a run: %w", err)
	}
	id := NewID(time.Now())
	var run Run
	err = s.atomic(ctx, func(ctx context.Context) error {
		last, err := s.last(ctx, identity)
		switch {
		case err == nil && !last.State.Finished():
			return refused(last, "so the same work cannot be begun anew")
		case err != nil && !errors.Is(err, ErrNoRun):
			return err
		}
		_, err = s.exec(ctx, insertRun, id, n.Command, identity, last.Number+1, arguments, line, options, n.Build, string(Planned), n.Planned,
			n.Undo, n.UndoOf, n.RetryOf, n.CreatedBy)
		if errors.Is(err, db.ErrUnique) {
			return fmt.Errorf("another run of the same work has just been created: %w: %w", ErrState, err)
		}
		if err != nil {
			return err
		}
		if err := s.insertShards(ctx, Run{ID: id}, 0, n.Shards); err != nil {
			return err
		}
		if err := s.AddEvent(ctx, id, "created", n.CreatedBy, ""); err != nil {
			return err
		}
		run, err = s.get(ctx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create a run: %w", err)
	}
	return &run, nil
}

// last reads the last run of an identity.
func (s *Store) last(ctx context.Context, identity string) (Run, error) {
	return s.one(ctx, `SELECT `+runColumns+` FROM "drover_runs" WHERE "identity" = ? ORDER BY "number" DESC LIMIT 1`, identity)
}

func encodeOptions(options map[string]string) (string, error) {
	if options == nil {
		options = map[string]string{}
	}
	return encodeJSON(options)
}

// Live reports whether a runner works on the run now, as it reads.
func (r *Run) Live() bool { return r.State == Running || r.State == Throttled }
