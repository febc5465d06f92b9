package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
)

// idlePages is after how many pages in a row that were full of matching rows, none of which a statement changed, something is taken to keep
// them. Fewer may be chance: somebody else can be first.
const idlePages = 3

// errNotChanged ends a run that would go on for nothing.
var errNotChanged = errors.New("rows match, but the database changes none of them: a trigger, a rule or a row security policy may keep them")

// trial is the story of one batch: its attempts until it is committed or fails for good.
type trial struct {
	*work
	size    int
	pause   *backoff.ExponentialBackOff
	tries   int       // failed attempts with this page
	away    time.Time // since when the database is; zero: it is not
	began   time.Time
	retried string // why the last attempt failed, where it did
	cause   error  // set while a single row is put aside
}

func (r *runner) newTrial(sh *shard) *trial {
	return &trial{work: &work{run: r, shard: sh, number: r.numbers.Add(1)}, pause: newPause(), began: r.now()}
}

// batch works the next batch of a shard until it is committed.
func (r *runner) batch(ctx context.Context, sh *shard) error {
	t := r.newTrial(sh)
	for {
		t.attempt++
		t.size = r.size(sh)
		start := r.now()
		progress, err := r.transaction(ctx, t.work, t.size, t.cause)
		if err == nil {
			return r.committed(ctx, t, progress, r.now().Sub(start))
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx, err)
		}
		if done, err := r.failed(ctx, t, progress, err); done || err != nil {
			return err
		}
	}
}

// failed decides what follows a failed attempt: it returns an error to give up, done when the batch is committed all the same, and
// neither when it should be tried again.
func (r *runner) failed(ctx context.Context, t *trial, progress runstore.Progress, err error) (done bool, _ error) {
	switch judge(err) {
	case committed:
		if failed := r.committed(ctx, t, progress, r.now().Sub(t.began)); failed != nil {
			return true, failed
		}
		return true, r.batchError(t, err)
	case unknown, fenced:
		return r.outcome(ctx, t, progress)
	case hopeless:
		if tooMany, ok := errors.AsType[*TooManyErrors](err); ok {
			return false, tooMany
		}
		return false, r.batchError(t, err)
	case reconnect:
		return false, r.reconnect(ctx, t, err)
	case tryAgain:
		return false, r.again(ctx, t, err)
	}
	return false, r.search(ctx, t, err)
}

// again waits before the next attempt after a deadlock or its like.
func (r *runner) again(ctx context.Context, t *trial, err error) error {
	t.tries++
	if t.tries > r.settings.Retries {
		return r.batchError(t, err)
	}
	kind := kindOf(err)
	t.retried = kind.Error()
	if kind == db.ErrUnknown {
		t.retried = "rows were added"
	}
	r.noteSize(r.sizer.Failed(t.size, t.retried))
	return r.pause(ctx, t, err, r.settings.Retries+1)
}

// reconnect waits for a database that is away.
func (r *runner) reconnect(ctx context.Context, t *trial, err error) error {
	now := r.now()
	if t.away.IsZero() {
		t.away = now
	}
	if now.Sub(t.away) >= r.settings.Reconnect {
		return r.batchError(t, err)
	}
	t.retried = db.ErrConnectionLost.Error()
	return r.pause(ctx, t, err, 0)
}

// pause tells of the failed attempt and waits.
func (r *runner) pause(ctx context.Context, t *trial, err error, of int) error {
	wait := t.pause.NextBackOff()
	r.tally.retry(t.retried)
	r.emit(Event{
		Type: EventRetry, Batch: t.number, Range: r.pageText(t.work), Attempt: t.attempt, Of: of, Wait: wait, Err: err, Text: t.retried,
	})
	soft, cancel := r.stop.context(ctx)
	defer cancel()
	if sleep(soft, wait) {
		return nil
	}
	if ctx.Err() != nil {
		return r.interrupted(ctx, err)
	}
	r.stop.giveUp(err)
	return errStopped
}

// errStopped ends a worker between two attempts: nothing of the batch is kept, and the run is asked to stop.
var errStopped = errors.New("stopped while a batch was to be tried again")

// search halves a batch that fails because of its rows, until the row is alone, and then sets it aside.
func (r *runner) search(ctx context.Context, t *trial, err error) error {
	if t.cause != nil { // it cannot even be set aside
		return r.batchError(t, err)
	}
	t.tries = 0
	if t.page.n > 1 {
		sh := t.shard
		if sh.narrow == 0 {
			sh.wide = t.page.n
			r.emit(Event{Type: EventSplit, Batch: t.number, Range: r.pageText(t.work), Rows: int64(t.page.n), Err: err})
		}
		sh.narrow = t.page.n / 2
		return nil
	}
	if t.page.n == 0 { // it failed before it had rows
		return r.batchError(t, err)
	}
	if !r.failures.admit(1) {
		return &TooManyErrors{Limit: r.failures.most(), Range: r.rowText(t.work, 0), Err: err}
	}
	t.cause = err
	return nil
}

// outcome finds out what has become of a batch whose COMMIT got no answer, or was refused because the shard is not as this runner has it:
// the run was taken over, or an earlier attempt whose answer was lost has been committed after all.
func (r *runner) outcome(ctx context.Context, t *trial, progress runstore.Progress) (done bool, _ error) {
	for {
		fresh, err := r.store.Reload(ctx, &t.shard.Shard)
		switch {
		case errors.Is(err, runstore.ErrFenced):
			r.loseRun()
			return false, ErrTakenOver
		case err != nil:
			if failed := r.reconnectOr(ctx, t, err); failed != nil {
				return false, fmt.Errorf("%w (whether batch %d was committed is not known; resuming finds out)", failed, t.number)
			}
			t.attempt++
			continue
		case fresh.Batches == t.shard.Batches && !progress.NoBatch:
			if t.cause == nil {
				r.failures.release(progress.Quarantined)
			}
			t.retried = "lost answer"
			return false, r.pause(ctx, t, db.ErrOutcomeUnknown, 0)
		}
		r.caughtUp(t, progress, fresh)
		return true, nil
	}
}

// reconnectOr waits where the database is away, and returns any other error.
func (r *runner) reconnectOr(ctx context.Context, t *trial, err error) error {
	switch judge(err) {
	case reconnect, tryAgain, unknown:
		return r.reconnect(ctx, t, err)
	}
	return r.batchError(t, err)
}

// caughtUp takes over what an attempt whose answer was lost has committed; progress is that of the last one.
func (r *runner) caughtUp(t *trial, progress runstore.Progress, fresh runstore.Shard) {
	rows, aside := fresh.Counters.Done-t.shard.Counters.Done, fresh.Quarantined-t.shard.Quarantined
	r.tally.add(rows, aside)
	r.failures.release(progress.Quarantined - aside)
	t.shard.Shard = fresh
	r.emit(Event{
		Type: EventBatch, Batch: t.number, Range: r.pageText(t.work), Rows: rows, Done: r.tally.total(), Total: r.plan.Rows,
		Reached: r.keyText(fresh.Reached), Cursor: fresh.Reached, Text: "found committed",
	})
}

// committed notes a batch that is committed.
func (r *runner) committed(ctx context.Context, t *trial, p runstore.Progress, took time.Duration) error {
	sh := t.shard
	before := sh.after()
	sh.Apply(p)
	if t.renewed {
		r.noteRenewed()
	}
	if !sh.Done && p.Reached != nil && p.Reached.Equal(before) {
		return r.batchError(t, errNoProgress)
	}
	if p.NoBatch {
		return nil
	}
	r.widen(sh)
	r.tally.batch(p.Rows, p.Quarantined, took)
	r.noteSize(r.sizer.Done(t.size, t.page.n, took))
	total := r.tally.total()
	if t.retried != "" {
		r.emit(Event{Type: EventRetried, Batch: t.number, Attempt: t.attempt, Took: took})
	}
	for _, a := range t.aside {
		r.emit(Event{Type: EventQuarantined, Batch: t.number, Key: r.rowKey(t.work, a.index), Err: a.err, Rows: 1})
	}
	r.emit(Event{
		Type: EventBatch, Batch: t.number, Range: r.pageText(t.work), Rows: p.Rows, Took: took, Done: total, Total: r.plan.Rows,
		Reached: r.keyText(sh.Reached), Cursor: sh.Reached, Attempt: t.attempt,
	})
	if !t.page.counted() {
		if sh.idle++; p.Rows > 0 || sh.Done {
			sh.idle = 0
		}
		if sh.idle >= idlePages {
			return r.batchError(t, errNotChanged)
		}
	}
	r.last.Store(int64(took))
	for longest := r.longest.Load(); longest < int64(took) && !r.longest.CompareAndSwap(longest, int64(took)); longest = r.longest.Load() {
	}
	if err := r.rateLimit(ctx, int(max(p.Read, p.Rows))); err != nil {
		return err
	}
	return r.canaryDone(ctx, p.Read)
}

// widen lets the batches of a shard grow again behind a place that failed.
func (r *runner) widen(sh *shard) {
	if sh.narrow == 0 {
		return
	}
	if sh.narrow *= 2; sh.narrow >= sh.wide {
		sh.narrow, sh.wide = 0, 0
	}
}

// size is how many rows the next batch of a shard may have.
func (r *runner) size(sh *shard) int {
	size := r.sizer.Size()
	if sh.narrow > 0 {
		size = min(size, sh.narrow)
	}
	if left := r.canary.size(); left > 0 {
		size = int(min(int64(size), left))
	}
	if r.settings.Limit > 0 {
		size = int(min(int64(size), sh.Planned-sh.Read))
	}
	return max(size, 1)
}

// canaryDone asks the assertions when the first rows are done, and lets all workers begin.
func (r *runner) canaryDone(ctx context.Context, rows int64) error {
	if !r.canary.done(rows) {
		return nil
	}
	return r.canaryOver(ctx)
}

func (r *runner) canaryOver(ctx context.Context) error {
	if err := assert(ctx, r.conn, "after the canary", r.after, r.settings.After); err != nil {
		return err
	}
	r.emit(Event{Type: EventCanary, Done: r.tally.total(), Total: r.plan.Rows})
	r.withCrew(func(c *crew) { c.setTarget(r.workers()) })
	return nil
}

// batchError describes a batch that failed for good.
func (r *runner) batchError(t *trial, err error) error {
	return &BatchError{Number: t.number, Range: r.pageText(t.work), Attempts: t.attempt, Err: err}
}

// interrupted is the error of a batch that was rolled back because ctx has ended.
func (r *runner) interrupted(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrTakenOver) {
		return ErrTakenOver
	}
	if errors.Is(err, cause) {
		err = nil
	}
	return &StoppedError{RunID: r.id(), Reason: cause.Error(), Err: err}
}

// pageText names the keys of a batch, as far as they are known.
func (r *runner) pageText(w *work) string {
	if w.page.end == nil || r.plan == nil || r.plan.Order == "" {
		return ""
	}
	if w.page.lower == nil {
		return fmt.Sprintf(" (%s through %s)", r.plan.Order, r.keyText(w.page.end))
	}
	return fmt.Sprintf(" (%s after %s through %s)", r.plan.Order, r.keyText(w.page.lower), r.keyText(w.page.end))
}

// rowText names one row.
func (r *runner) rowText(w *work, i int) string {
	key := r.rowKey(w, i)
	if key == "" {
		return ""
	}
	if r.plan.Order == "" {
		return " at " + key
	}
	return " at " + r.plan.Order + " " + key
}

func (r *runner) rowKey(w *work, i int) string {
	key, _ := r.source.describe(w.page, i)
	return r.keyText(key)
}

// noteSize tells of a new batch size.
func (r *runner) noteSize(c sizeChange, changed bool) {
	if !changed {
		return
	}
	text := fmt.Sprintf("batch size %d -> %d: %s", c.From, c.To, c.Reason)
	r.emit(Event{Type: EventSize, Rows: int64(c.To), Text: text})
	r.keepEvent("size", text)
}
