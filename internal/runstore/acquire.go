package runstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// resumable are the states that a runner may begin in.
var resumable = []State{Planned, Paused, Failed, Interrupted}

// Acquire takes the run for a runner: it gets the next fencing token, which every shard carries from then on, and a lease by the database's clock.
// It does so where the run is planned, paused or failed, or where the lease of its last runner has expired; states, if there are any, narrow
// that down. A request that no runner has seen is dropped.
//
// Writing the new token waits for batches of a former runner whose checkpoint is written and not committed. Each batch is committed before, and is
// in the shards that are returned, or can not be committed any more. Bound the wait with the context.
//
// The errors: [*HeldError] when another runner holds the run, one that wraps [ErrState] when its state does not allow it, [ErrNoRun]. An error
// while the transaction was committed may leave the run held by nobody until the lease has expired.
func (s *Store) Acquire(ctx context.Context, id, owner string, lease time.Duration, states ...State) (*Run, []Shard, error) {
	var run *Run
	var shards []Shard
	for _, state := range states {
		if !slices.Contains(resumable, state) {
			return nil, nil, op("acquire", id, fmt.Errorf("no runner can begin in the state %s: %w", state, ErrState))
		}
	}
	err := again(func() (err error) {
		run, shards, err = s.acquire(ctx, id, owner, lease, states)
		return err
	})
	if err != nil {
		return nil, nil, op("acquire", id, err)
	}
	return run, shards, nil
}

// The condition names what was read before, so that it is known which state and runner the lease is taken from.
const acquireText = `UPDATE "drover_runs" SET "state" = 'running', "token" = "token" + 1, "attempt" = "attempt" + 1, "owner" = ?, "lease_until" = {after},
	"started_at" = COALESCE("started_at", {now}), "finished_at" = NULL, "request" = '', "error" = '', "waiting" = ''
	WHERE "id" = ? AND "token" = ? AND "state" = ? AND ("state" <> 'running' OR "lease_until" <= {now})`

func (s *Store) acquire(ctx context.Context, id, owner string, lease time.Duration, states []State) (*Run, []Shard, error) {
	seen, err := s.get(ctx, id)
	switch {
	case err != nil:
		return nil, nil, err
	case seen.State.live():
		return nil, nil, &HeldError{Run: seen, Owner: seen.Owner, Until: seen.LeaseUntil}
	case !slices.Contains(resumable, seen.State):
		return nil, nil, refused(seen, "so no runner can begin")
	case len(states) > 0 && !slices.Contains(states, seen.State):
		return nil, nil, refused(seen, fmt.Sprintf("and only %v will do", states))
	}
	var run Run
	var shards []Shard
	err = s.atomic(ctx, func(ctx context.Context) error {
		n, err := s.exec(ctx, acquireText, cut(owner), milliseconds(lease), id, seen.Token, string(seen.State.stored()))
		if err != nil {
			return err
		}
		if n == 0 {
			return errChanged
		}
		if err := s.fence(ctx, id, seen.Token+1); err != nil {
			return err
		}
		// Fencing may have waited for longer than the lease lasts. Nobody else has got at the run meanwhile: its row is locked.
		if _, err := s.exec(ctx, `UPDATE "drover_runs" SET "lease_until" = {after} WHERE "id" = ?`, milliseconds(lease), id); err != nil {
			return err
		}
		what, how := acquired(seen)
		if err := s.AddEvent(ctx, id, what, owner, how); err != nil {
			return err
		}
		if run, err = s.get(ctx, id); err != nil {
			return err
		}
		// Not before here: all that could be committed with an older token is.
		shards, err = s.shards(ctx, `"run_id" = ?`, id)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return &run, shards, nil
}

// fence gives a run's shards a new token. It waits for every transaction that has one of them locked; no transaction of a batch waits for the
// run's row, which this one has locked, so that there is no deadlock.
func (s *Store) fence(ctx context.Context, id string, token int64) error {
	_, err := s.exec(ctx, `UPDATE "drover_shards" SET "token" = ? WHERE "run_id" = ?`, token, id)
	return err
}

// acquired is the event of taking a run that read as seen.
func acquired(seen Run) (what, text string) {
	switch {
	case seen.State == Interrupted:
		what, text = "taken over", "from "+seen.Owner
	case seen.Attempt == 0:
		what = "started"
	default:
		what, text = "resumed", "was "+string(seen.State)
	}
	if seen.Request != NoRequest {
		text += "; the request to " + string(seen.Request) + " was not seen and is dropped"
	}
	return what, text
}

const renewText = `UPDATE "drover_runs" SET "lease_until" = {after} WHERE "id" = ? AND "token" = ? AND "state" = 'running'`

// Renew makes the lease last for so long from now, with one UPDATE. An expired lease comes to life again unless another runner has taken the run:
// [ErrFenced]. Call it outside the blocks of batches, which may fail. run stays as it is.
func (s *Store) Renew(ctx context.Context, run *Run, lease time.Duration) error {
	n, err := s.conn.ExecRows(ctx, s.renewSQL, milliseconds(lease), run.ID, run.Token)
	if err == nil && n == 0 {
		return ErrFenced
	}
	return op("renew the lease of", run.ID, err)
}

const pollText = `SELECT "request", "options", "token", "state" FROM "drover_runs" WHERE "id" = ?`

// Poll returns what is asked of the runner and the options as they are now. The error is [ErrFenced] when the run is not its any more.
func (s *Store) Poll(ctx context.Context, run *Run) (request Request, options map[string]string, err error) {
	var token int64
	var state State
	err = noRow(s.conn.Wrap("query", s.conn.QueryRow(ctx, s.pollSQL, run.ID).Scan(&request, document{&options}, &token, &state)))
	switch {
	case errors.Is(err, ErrNoRun):
		return NoRequest, nil, ErrFenced
	case err != nil:
		return NoRequest, nil, op("poll", run.ID, err)
	case token != run.Token || state != Running:
		return NoRequest, nil, ErrFenced
	}
	return request, options, nil
}

// Waiting notes why the runner waits, which makes the run read as throttled; "" says that it goes on. The error is [ErrFenced] when another runner
// has taken the run.
func (s *Store) Waiting(ctx context.Context, run *Run, reason string) error {
	n, err := s.exec(ctx, `UPDATE "drover_runs" SET "waiting" = ? WHERE "id" = ? AND "token" = ? AND "state" = 'running'`, Storable(reason), run.ID, run.Token)
	if err == nil && n == 0 {
		return ErrFenced
	}
	return op("note why the runner waits in", run.ID, err)
}
