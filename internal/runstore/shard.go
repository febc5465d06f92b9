package runstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drover-dev/drover/db"
)

const shardColumns = `"run_id", "phase", "shard", "token", "lower_key", "upper_key", "reached_key", "planned", "done",
	"batches", "rows_read", "rows_done", "rows_quarantined", "retries", "busy_us"`

func readShard(scan scan) (Shard, error) {
	var sh Shard
	var lower, upper, reached key
	var busy micros
	err := scan(&sh.RunID, &sh.Phase, &sh.Number, &sh.Token, &lower, &upper, &reached, &sh.Planned, &sh.Done,
		&sh.Batches, &sh.Read, &sh.Counters.Done, &sh.Quarantined, &sh.Retries, &busy)
	sh.Lower, sh.Upper, sh.Reached = lower.Values, upper.Values, reached.Values
	sh.Busy = busy.duration()
	return sh, err
}

// Shards returns all shards of a run, sorted by phase and number.
func (s *Store) Shards(ctx context.Context, runID string) ([]Shard, error) {
	shards, err := s.shards(ctx, `"run_id" = ?`, runID)
	return shards, op("read the shards of", runID, err)
}

func (s *Store) shards(ctx context.Context, where string, args ...any) ([]Shard, error) {
	var shards []Shard
	query := `SELECT ` + shardColumns + ` FROM "drover_shards" WHERE ` + where + ` ORDER BY "phase", "shard"`
	err := s.each(ctx, query, args, func(scan scan) error {
		sh, err := readShard(scan)
		shards = append(shards, sh)
		return err
	})
	return shards, err
}

var shardRows = bulk{
	table: `"drover_shards"`, columns: shardColumns, params: 7,
	row: `(?, ?, ?, ?, ?, ?, NULL, ?, FALSE, 0, 0, 0, 0, 0, 0)`,
}

// insertShards inserts a phase's shards, numbered as they come.
func (s *Store) insertShards(ctx context.Context, run Run, phase int, shards []Shard) error {
	return s.insert(ctx, shardRows, len(shards), func(args []any, i int) ([]any, error) {
		lower, err := encodeKey(shards[i].Lower)
		if err != nil {
			return nil, err
		}
		upper, err := encodeKey(shards[i].Upper)
		return append(args, run.ID, phase, i, run.Token, lower, upper, shards[i].Planned), err
	})
}

// StartPhase moves the run to a phase and stores the phase's shards, numbered as they come; of each, Lower, Upper and Planned count. It
// returns them as they are stored, and planned becomes the run's number of planned rows. Where the phase has shards already, these are returned
// and nothing else changes, so that whoever resumes the run can call it again. run's own Phase and Planned are set too. The error is [ErrFenced] when
// the run has been taken over, and wraps [ErrState] for a phase before the run's.
func (s *Store) StartPhase(ctx context.Context, run *Run, phase int, planned int64, shards []Shard) ([]Shard, error) {
	var stored []Shard
	fresh := false
	err := s.atomic(ctx, func(ctx context.Context) error {
		// The run's row first, as in Acquire: who takes the run over waits here, and then sees the phase's shards.
		n, err := s.exec(ctx, `UPDATE "drover_runs" SET "phase" = ? WHERE "id" = ? AND "token" = ? AND "state" = 'running' AND "phase" <= ?`,
			phase, run.ID, run.Token, phase)
		if err != nil {
			return err
		}
		if n == 0 {
			return s.phaseRefused(ctx, run, phase)
		}
		if stored, err = s.shards(ctx, `"run_id" = ? AND "phase" = ?`, run.ID, phase); err != nil || len(stored) > 0 {
			return err
		}
		if _, err := s.exec(ctx, `UPDATE "drover_runs" SET "planned" = ? WHERE "id" = ?`, planned, run.ID); err != nil {
			return err
		}
		if err := s.insertShards(ctx, *run, phase, shards); err != nil {
			return err
		}
		fresh = true
		stored, err = s.shards(ctx, `"run_id" = ? AND "phase" = ?`, run.ID, phase)
		return err
	})
	if err != nil {
		return nil, op(fmt.Sprintf("start phase %d of", phase), run.ID, err)
	}
	run.Phase = phase
	if fresh {
		run.Planned = planned
	}
	return stored, nil
}

func (s *Store) phaseRefused(ctx context.Context, run *Run, phase int) error {
	now, err := s.get(ctx, run.ID)
	switch {
	case err != nil:
		return err
	case now.Token == run.Token && now.State.stored() == Running && now.Phase > phase:
		return refused(now, fmt.Sprintf("in phase %d", now.Phase))
	}
	return ErrFenced
}

const checkpointText = `UPDATE "drover_shards" SET "reached_key" = COALESCE(?, "reached_key"), "done" = ("done" OR ?), "batches" = "batches" + ?,
	"rows_read" = "rows_read" + ?, "rows_done" = "rows_done" + ?, "rows_quarantined" = "rows_quarantined" + ?, "retries" = "retries" + ?,
	"busy_us" = "busy_us" + ? WHERE "run_id" = ? AND "phase" = ? AND "shard" = ? AND "token" = ? AND "batches" = ?`

// Checkpoint notes in the context's block what the block's batch adds to its shard, with one UPDATE. The error is [ErrFenced] when the shard
// is not as the runner has it in hand: another runner has taken the run, or an attempt at the same batch whose answer was lost has been
// committed after all; [Store.Reload] tells which. The block must be rolled back then, as it is when its function returns the error. On
// PostgreSQL the UPDATE goes with the COMMIT of an outermost block, so ErrFenced is the block's error there. Outside a block it is [db.ErrNoBlock].
// The shard in hand stays as it is, for the block may yet fail; see [Shard.Apply].
func (s *Store) Checkpoint(ctx context.Context, sh *Shard, p Progress) error {
	reached, err := encodeKey(p.Reached)
	if err != nil {
		return op("checkpoint", sh.RunID, err)
	}
	err = s.conn.SendLast(ctx, db.LastUpdate{Query: s.checkpointSQL, NoRow: ErrFenced, Args: []any{
		reached, p.Done, p.batches(), p.Read, p.Rows, p.Quarantined, p.Retries, p.Busy.Microseconds(), sh.RunID, sh.Phase, sh.Number, sh.Token, sh.Batches,
	}})
	if errors.Is(err, ErrFenced) {
		return err
	}
	return op("checkpoint", sh.RunID, err)
}

func (p Progress) batches() int64 {
	if p.NoBatch {
		return 0
	}
	return 1
}

// Apply adds to the shard in hand what a checkpoint has added to the stored one. Call it once the checkpoint is committed.
func (sh *Shard) Apply(p Progress) {
	if p.Reached != nil {
		sh.Reached = slices.Clone(p.Reached)
	}
	sh.Done = sh.Done || p.Done
	sh.Batches += p.batches()
	sh.Read += p.Read
	sh.Counters.Done += p.Rows
	sh.Quarantined += p.Quarantined
	sh.Retries += p.Retries
	sh.Busy += p.Busy.Truncate(time.Microsecond)
}

// Reload reads a shard afresh, to find out whether a COMMIT with unknown outcome has happened: its Batches are higher then. The lost
// transaction may still be about to commit on the server. Where its checkpoint was run it has the shard's row locked; so Reload locks the row
// itself, which waits until that is decided, and must be called outside the block of the batch. Where the checkpoint is only on its way, with
// its COMMIT, it can still arrive after Reload: of it and of the next attempt's checkpoint only the first finds the shard with so many batches.
// The error is [ErrFenced] when another runner has taken the run.
func (s *Store) Reload(ctx context.Context, sh *Shard) (Shard, error) {
	var stored []Shard
	err := s.atomic(ctx, func(ctx context.Context) (err error) {
		const where = `"run_id" = ? AND "phase" = ? AND "shard" = ?`
		if _, err := s.exec(ctx, `UPDATE "drover_shards" SET "token" = "token" WHERE `+where, sh.RunID, sh.Phase, sh.Number); err != nil {
			return err
		}
		stored, err = s.shards(ctx, where, sh.RunID, sh.Phase, sh.Number)
		return err
	})
	switch {
	case err != nil:
		return Shard{}, op("reload a shard of", sh.RunID, err)
	case len(stored) == 0:
		return Shard{}, op("reload a shard of", sh.RunID, ErrNoRun)
	case stored[0].Token != sh.Token:
		return Shard{}, ErrFenced
	}
	return stored[0], nil
}
