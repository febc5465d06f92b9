package command

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/term"
)

const (
	// batchRetries is how often a batch is tried again after a deadlock, a lock timeout or their like.
	batchRetries = 5
	// idlePages is after how many pages in a row that were full of matching rows, none of which the database deleted,
	// something is taken to keep them. Fewer may be chance: somebody else can delete a small page first.
	idlePages = 3
)

// purgeRun deletes what a plan has measured.
type purgeRun struct {
	*purge
	plan     *purgePlan
	progress *drover.Progress
	started  time.Time
	ended    time.Time

	cursor  keyset.Values // the end of the last page; before the first page, the first key
	moved   bool          // a page is done: cursor itself is behind us
	deleted int64
	batches int64 // that deleted something
	idle    int
	retried map[string]int64 // by reason
	times   durations
	left    *int64 // rows that match at the end, where they were counted
}

func newPurgeRun(p *purge, plan *purgePlan) *purgeRun {
	now := p.call.Now()
	return &purgeRun{purge: p, plan: plan, cursor: plan.first, retried: map[string]int64{}, started: now, ended: now}
}

// page is one batch: the range it is about and what became of it.
type page struct {
	number int64
	lower  keyset.Predicate
	size   int
	end    keyset.Values // nil until it is found
	full   bool          // size rows matched; else it is the last page
	rows   int64         // deleted
}

// run deletes batch after batch until the plan's last key, and reports.
func (r *purgeRun) run(ctx context.Context) error {
	c := r.call
	r.started = c.Now()
	if c.JSONOutput() {
		c.JSON(startEvent{"start", term.Timestamp(r.started), r.plan.rows, r.plan.batches})
	} else {
		c.Notice("Deleting in batches of %d rows. Stop safely with Ctrl-C.", r.plan.size)
	}
	r.progress = c.Progress(drover.ProgressOptions{
		Label: "purge " + r.table.Name, Total: r.plan.rows, Batches: r.plan.batches,
	})
	r.progress.Fact("retries", "0")
	err := r.loop(ctx)
	r.progress.Finish()
	r.ended = c.Now()
	if err != nil {
		return r.finishEarly(ctx, err)
	}
	return r.finish(ctx)
}

func (r *purgeRun) loop(ctx context.Context) error {
	for number := int64(1); ; number++ {
		if err := r.call.StopErr("%s", r.progressText()); err != nil {
			return err
		}
		pg := page{number: number, lower: r.keys.From(), size: r.plan.size}
		if r.moved {
			pg.lower = r.keys.After()
		}
		if r.call.Limit() > 0 {
			pg.size = int(min(int64(pg.size), r.plan.rows-r.deleted))
		}
		if err := r.delete(ctx, &pg); err != nil {
			return err
		}
		if done, err := r.advance(&pg); done || err != nil {
			return err
		}
	}
}

// delete runs one batch in its own transaction.
func (r *purgeRun) delete(ctx context.Context, pg *page) error {
	r.progress.Batch(pg.number)
	start := r.call.Now()
	retry := func(a db.Attempt) { r.noteRetry(pg, a) }
	var err error
	for range 1 + batchRetries {
		err = r.conn.Atomic(ctx, func(ctx context.Context) error { return r.work(ctx, pg) },
			db.Durable(), db.Retry(batchRetries), db.OnRetry(retry))
		if !errors.Is(err, errOverLimit) {
			break
		}
	}
	if err != nil {
		return &batchError{page: *pg, err: err}
	}
	if pg.rows == 0 {
		return nil
	}
	took := r.call.Now().Sub(start)
	r.times.add(took)
	r.deleted += pg.rows
	r.batches++
	r.progress.Add(pg.rows)
	r.progress.Note("batch %d: %d rows in %s", pg.number, pg.rows, drover.Duration(took))
	return nil
}

// work is the inside of a batch's transaction. It may be run several times.
func (r *purgeRun) work(ctx context.Context, pg *page) error {
	last := r.plan.last
	args := pg.lower.Args(make([]any, 0, 8), r.cursor)
	bounds := len(args)
	through := r.keys.Through()
	end, err := r.readKey(ctx, r.keys.PageEnd(pg.lower, r.where, pg.size), through.Args(args, last)...)
	pg.full = err == nil
	switch {
	case errors.Is(err, sql.ErrNoRows):
		end = last
	case err != nil:
		return fmt.Errorf("find the end of the batch: %w", err)
	}
	pg.end = end
	if pg.rows, err = r.conn.ExecRows(ctx, r.deleteSQL(pg.lower), through.Args(args[:bounds], end)...); err != nil {
		return err
	}
	if r.call.Limit() > 0 && r.deleted+pg.rows > r.plan.rows {
		return errOverLimit
	}
	return nil
}

// errOverLimit rolls a batch back: rows were added to its range between its two statements, and --limit says "at most".
var errOverLimit = errors.New("rows were added to the batch while it was deleted, so that it would exceed --limit")

// errNoProgress and errNotDeleted keep a purge from going round for ever.
var (
	errNoProgress = errors.New("the end of the batch is not behind its beginning: the key's order and its comparison disagree")
	errNotDeleted = errors.New("rows match, but the database deletes none of them: a trigger, a rule or a row security policy may keep them")
)

// advance moves the cursor behind a batch that is committed, and tells whether it was the last one.
func (r *purgeRun) advance(pg *page) (done bool, err error) {
	if r.moved && pg.full && pg.end.Equal(r.cursor) {
		return false, &batchError{page: *pg, err: errNoProgress}
	}
	r.idle++
	if pg.rows > 0 || !pg.full {
		r.idle = 0
	}
	if r.idle >= idlePages {
		return false, &batchError{page: *pg, err: errNotDeleted}
	}
	r.cursor, r.moved = pg.end, true
	done = !pg.full || pg.end.Equal(r.plan.last) || r.call.Limit() > 0 && r.deleted >= r.plan.rows
	return done, nil
}

func (r *purgeRun) noteRetry(pg *page, a db.Attempt) {
	reason := db.KindOf(a.Err).Error()
	r.retried[reason]++
	r.progress.Fact("retries", drover.Count(r.retries()))
	c := r.call
	if c.JSONOutput() {
		c.JSON(retryEvent{"retry", term.Timestamp(c.Now()), pg.number, a.Number, a.Of, a.Wait.Seconds(), reason})
		return
	}
	c.Warning("batch %d%s: %s, try %d of %d in %s", pg.number, r.rangeText(pg), reason, a.Number+1, a.Of, drover.Duration(a.Wait))
}

func (r *purgeRun) retries() (n int64) {
	for _, times := range r.retried {
		n += times
	}
	return n
}

// rangeText names the keys of a batch, as far as they are known.
func (r *purgeRun) rangeText(pg *page) string {
	if pg.end == nil {
		return ""
	}
	name := strings.Join(r.key.Columns, ", ")
	if r.moved {
		name = "after " + name
	}
	return " (" + name + " " + keyText(r.cursor) + " through " + keyText(pg.end) + ")"
}

// batchError is a batch that failed, with its range. Nothing of it is kept.
type batchError struct {
	page page
	err  error
}

func (e *batchError) Error() string { return fmt.Sprintf("batch %d: %v", e.page.number, e.err) }
func (e *batchError) Unwrap() error { return e.err }
