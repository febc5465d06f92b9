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
var undoable = []State{Succeeded, Failed, Paused, Cancelled}

// MarkUndone notes that a run's changes have been undone, by another run. It was succeeded, failed, paused or cancelled before; the error wraps
// [ErrState] for any other. Where it is undone already nothing happens. The time at which it finished becomes that of the undoing.
func (s *Store) MarkUndone(ctx context.Context, id, by string) error {
	return op("mark as undone", id, again(func() error {
		seen, err := s.get(ctx, id)
		switch {
		case err != nil:
			return err
		case seen.State == Undone:
			return nil
		case !slices.Contains(undoable, seen.State):
			return refused(seen, "so it cannot be undone")
		}
		return s.atomic(ctx, func(ctx context.Context) error {
			n, err := s.exec(ctx, `UPDATE "drover_runs" SET "state" = 'undone', "finished_at" = {now} WHERE "id" = ? AND "token" = ? AND "state" = ?`,
				id, seen.Token, string(seen.State))
			if err == nil && n == 0 {
				err = errChanged
			}
			if err != nil {
				return err
			}
			return s.AddEvent(ctx, id, string(Undone), by, "was "+string(seen.State))
		})
	}))
}
