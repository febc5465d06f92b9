package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// Rehearsal is what a dry run by rollback has seen: batches that were worked for real and rolled back.
type Rehearsal struct {
	Plan *Plan
	// Batches were worked, and Processed rows in them; Aside were set aside.
	Batches, Processed, Aside int64
	// Changes are the rows of the source's table that the batches changed, in their order, at most 1,000 of them; More is how many there are beside.
	Changes []RowChange
	More    int64
	// Key names the columns of the changed rows' keys.
	Key string
	// Failures are the errors of batches that were rolled back by themselves, with their keys.
	Failures []error
	// Preview counts the changes of every table.
	Preview *db.Preview
}

// RowChange is one row before and after.
type RowChange struct {
	Key     string
	Deleted bool
	Columns []ColumnChange // of a deleted row: all
}

// ColumnChange is one value before and after, as text.
type ColumnChange struct{ Column, Before, After string }

// maxChanges bounds the memory of a rehearsal.
const maxChanges = 1000

// Rehearse works some batches of the job for real, in a transaction that is always rolled back, and tells exactly what they changed. The
// batches are spread over the rows; with 0 all are worked. Nothing can be resumed from it, and no table of drover's is made or written.
//
// The batches hold their locks until the end of the rehearsal, and on PostgreSQL leave dead rows behind: a few are cheap, all of them cost as
// much as the run.
func (j *Job[T]) Rehearse(ctx context.Context, conn *db.DB, o Options, batches int) (*Rehearsal, error) {
	r, err := j.runner(conn, o)
	if err != nil {
		return nil, err
	}
	return r.rehearse(ctx, batches)
}

// errRehearsed undoes a batch that was found to fail.
var errRehearsed = errors.New("the batch failed")

func (r *runner) rehearse(ctx context.Context, batches int) (*Rehearsal, error) {
	if _, err := r.makePlan(ctx); err != nil {
		r.closePhase()
		return nil, err
	}
	return r.rehearsePlan(ctx, batches)
}

// rehearsePlan rehearses what makePlan has found or measured.
func (r *runner) rehearsePlan(ctx context.Context, batches int) (*Rehearsal, error) {
	defer r.closePhase()
	h := &Rehearsal{Plan: r.plan}
	if r.plan.Refusal != nil {
		return h, r.plan.Refusal
	}
	shards, err := r.rehearsed(ctx, batches)
	if err != nil {
		return h, err
	}
	r.current = nil // from here on nothing knows of a stored run
	if r.imager != nil && r.imager.images() == nil {
		r.imager = nil // a source that could have images, and was not made to
	}
	if r.imager != nil {
		h.Key = strings.Join(r.imager.images().Key(), ", ")
	}
	r.failures.limit = int64(^uint64(0) >> 1)
	h.Preview, err = r.conn.DryRun(ctx, func(ctx context.Context) error {
		for _, sh := range shards {
			if err := h.shard(ctx, r, sh, batches); err != nil {
				return err
			}
		}
		return nil
	})
	return h, err
}

// rehearsed gives the shards whose batches are worked: the first batch of each, or all of all.
func (r *runner) rehearsed(ctx context.Context, batches int) ([]*shard, error) {
	if r.current != nil {
		stored, err := r.store.Shards(ctx, r.current.ID)
		if err != nil {
			return nil, err
		}
		return shardsOf(stored, r.current.Phase), nil
	}
	parts := r.plan.shards
	if batches > 1 && len(parts) == 1 && r.settings.Limit == 0 {
		p, err := r.source.plan(ctx, r.conn, planOptions{parts: batches})
		if err != nil {
			return nil, err
		}
		parts = p.shards
	}
	var shards []*shard
	for _, part := range parts {
		shards = append(shards, &shard{Shard: part})
	}
	return shards, nil
}

// shard works batches of a shard: one of each shard until there are enough, or all.
func (h *Rehearsal) shard(ctx context.Context, r *runner, sh *shard, batches int) error {
	for !sh.Done && (batches == 0 || h.Batches < int64(batches)) {
		if r.stopped() {
			return &StoppedError{Reason: r.settings.whyStopped()}
		}
		w := &work{run: r, shard: sh, number: h.Batches + 1, attempt: 1}
		p, err := h.batch(ctx, r, w)
		switch {
		case errors.Is(err, errRehearsed):
			if w.page.end == nil {
				return nil
			}
			p = runstore.Progress{Reached: w.page.end, Done: w.page.last}
		case err != nil:
			return err
		}
		sh.Apply(p)
		if p.NoBatch {
			return nil
		}
		h.Batches++
		h.Processed += p.Rows
		h.Aside += p.Quarantined
		if batches > 0 {
			return nil // the next one of another shard
		}
	}
	return nil
}

// batch works one batch in a savepoint, which is kept until the end of the rehearsal unless the batch fails.
func (h *Rehearsal) batch(ctx context.Context, r *runner, w *work) (runstore.Progress, error) {
	before, err := r.rowsBefore(ctx, w)
	if err != nil {
		return runstore.Progress{}, err
	}
	p, err := r.transaction(ctx, w, r.size(w.shard), nil)
	if err != nil {
		h.Failures = append(h.Failures, &BatchError{Number: w.number, Range: r.pageText(w), Attempts: 1, Err: err})
		if ctx.Err() != nil {
			return p, err
		}
		return p, fmt.Errorf("%w: %w", errRehearsed, err)
	}
	if r.imager == nil {
		return p, nil
	}
	pairs, err := compareRows(ctx, r.conn, r.imager.images(), before)
	if err != nil {
		return p, err
	}
	for _, pair := range pairs {
		h.note(r.imager.images(), pair)
	}
	return p, nil
}

// rowsBefore reads the rows of the next batch as they are.
func (r *runner) rowsBefore(ctx context.Context, w *work) (before []rowimage.Row, err error) {
	if r.imager == nil {
		return nil, nil
	}
	err = r.conn.Atomic(ctx, func(ctx context.Context) error {
		p, err := r.source.read(ctx, r.conn, w.shard, r.size(w.shard))
		if err != nil || p.n == 0 {
			return err
		}
		before, err = r.imager.before(ctx, r.conn, p)
		return err
	})
	return before, err
}

// note keeps a changed row.
func (h *Rehearsal) note(t *rowimage.Table, p pair) {
	if len(h.Changes) >= maxChanges {
		h.More++
		return
	}
	c := RowChange{Key: p.before.Key.String(), Deleted: p.after == nil}
	for _, change := range p.changes {
		c.Columns = append(c.Columns, ColumnChange{change.Column, valueText(change.Before), valueText(change.After)})
	}
	if c.Deleted {
		for i, name := range t.Columns() {
			c.Columns = append(c.Columns, ColumnChange{Column: name, Before: valueText(p.before.Values[i])})
		}
	}
	h.Changes = append(h.Changes, c)
}
