package runstore

import (
	"context"
	"fmt"
	"slices"
)

// ends are the states that a runner can leave a run in.
var ends = []State{Paused, Failed, Succeeded, Cancelled, Undone}

// Finish ends the runner's work on the run: it is paused, failed, succeeded, cancelled or undone from then on, and nobody holds it. errText says why
// it failed. The error is [ErrFenced] when another runner has taken the run. Finishing it a second time in the same way does nothing, so that
// Finish can be called again when its outcome is unknown. run stays as it is.
func (s *Store) Finish(ctx context.Context, run *Run, state State, errText string) error {
	if !slices.Contains(ends, state) {
		return op("finish", run.ID, fmt.Errorf("no run ends as %s: %w", state, ErrState))
	}
	err := s.atomic(ctx, func(ctx context.Context) error {
		n, err := s.exec(ctx, `UPDATE "drover_runs" SET "state" = ?, "error" = ?, "owner" = '', "lease_until" = NULL, "waiting" = '', "request" = '',
			"finished_at" = {now} WHERE "id" = ? AND "token" = ? AND "state" = 'running'`, string(state), Storable(errText), run.ID, run.Token)
		if err != nil {
			return err
		}
		if n == 0 {
			now, err := s.get(ctx, run.ID)
			if err == nil && (now.Token != run.Token || now.State != state) {
				err = ErrFenced
			}
			return err
		}
		return s.AddEvent(ctx, run.ID, string(state), run.Owner, errText)
	})
	return op("finish", run.ID, err)
}

// undoable are the states of runs that can be undone.
var undoable = []State{Succeeded, Failed, Paused, Cancelled, Undoing}

// MarkUndoing notes that another run has begun to undo this one: nobody can resume it from then on, and a batch of it that is still open cannot be
// committed. It was succeeded, failed, paused or cancelled before; the error wraps [ErrState] for any other state. Marked twice, nothing happens.
func (s *Store) MarkUndoing(ctx context.Context, id, by string) error {
	return op("mark as being undone", id, s.mark(ctx, id, Undoing, by, `"token" = "token" + 1`))
}

// MarkUndone notes that a run's changes have been undone. It was being undone before, or succeeded, failed, paused or cancelled; the error wraps
// [ErrState] for any other state. Where it is undone already nothing happens. The time at which it finished becomes that of the undoing.
func (s *Store) MarkUndone(ctx context.Context, id, by string) error {
	return op("mark as undone", id, s.mark(ctx, id, Undone, by, `"token" = "token" + 1, "finished_at" = {now}`))
}

// mark moves a run that can be undone to a state, with other changes of its row.
func (s *Store) mark(ctx context.Context, id string, state State, by, set string) error {
	return again(func() error {
		seen, err := s.get(ctx, id)
		switch {
		case err != nil:
			return err
		case seen.State == state:
			return nil
		case !slices.Contains(undoable, seen.State):
			return refused(seen, "so it cannot be undone")
		}
		return s.atomic(ctx, func(ctx context.Context) error {
			n, err := s.exec(ctx, `UPDATE "drover_runs" SET "state" = ?, `+set+` WHERE "id" = ? AND "token" = ? AND "state" = ?`,
				string(state), id, seen.Token, string(seen.State))
			if err == nil && n == 0 {
				err = errChanged
			}
			if err != nil {
				return err
			}
			if err := s.fence(ctx, id, seen.Token+1); err != nil {
				return err
			}
			return s.AddEvent(ctx, id, string(state), by, "was "+string(seen.State))
		})
	})
}
