package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// recountWithin is how long the first count may have taken for a second one to be worth its while at the end.
const recountWithin = 10 * time.Second

// finish reports a purge that reached its end.
func (r *purgeRun) finish(ctx context.Context) error {
	if r.plan.counted < recountWithin {
		if n, err := r.count(ctx); err == nil {
			r.left = &n // a failure here takes nothing from what was done
		}
	}
	c := r.call
	if c.JSONOutput() {
		r.emitSummary("succeeded", nil)
		return nil
	}
	c.Detail(1, "%s", r.summary())
	c.Did(drover.Deleted, "%s", r.amount(r.deleted, r.batches))
	return nil
}

// summary is what was done, as a block of text.
func (r *purgeRun) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "OK  purge %s   finished in %s\n", r.table.Name, drover.Duration(r.took()))
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	deleted := plural(r.deleted, "row")
	if n := r.cascaded(); n > 0 {
		deleted += fmt.Sprintf("   + %s cascaded (as counted before)", drover.Count(n))
	}
	deleted += "      matched at start " + drover.Count(r.plan.matched)
	if r.left != nil {
		deleted += ", at end " + drover.Count(*r.left)
	}
	line("Deleted", "%s", deleted)
	if r.left != nil && *r.left > 0 && r.plan.rows == r.plan.matched {
		line("", "rows that came to match since the start are left; run the same command again for them")
	}
	line("Batches", "%s ok   0 failed   %s   size %s   p50 %s   p95 %s   max %s", drover.Count(r.batches), r.retriedText(),
		drover.Count(int64(r.plan.size)), drover.Duration(r.times.percentile(50)), drover.Duration(r.times.percentile(95)), drover.Duration(r.times.max))
	line("Rate", "%s rows/s average", drover.Count(int64(r.rate()+0.5)))
	if r.table.Reclaim != "" {
		line("Space", "%s is advised", r.table.Reclaim)
	}
	return b.String()
}

func (r *purgeRun) retriedText() string {
	text := drover.Count(r.retries()) + " retried"
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.retried)) {
		reasons = append(reasons, reason+" "+drover.Count(r.retried[reason]))
	}
	if len(reasons) > 0 {
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	return text
}

func (r *purgeRun) cascaded() (n int64) {
	for _, e := range r.plan.effects {
		if e.action == "CASCADE" {
			n += e.rows
		}
	}
	return n
}

func (r *purgeRun) took() time.Duration { return r.ended.Sub(r.started) }

func (r *purgeRun) rate() float64 {
	if s := r.took().Seconds(); s > 0 {
		return float64(r.deleted) / s
	}
	return 0
}

// progressText says how much is done, for a purge that ends early.
func (r *purgeRun) progressText() string {
	return fmt.Sprintf("%s of %s rows deleted (%s) in %s", drover.Count(r.deleted), drover.Count(r.plan.rows),
		term.Percent(r.deleted, r.plan.rows), plural(r.batches, "batch"))
}

// finishEarly reports a purge that was stopped or failed: what is kept and how to go on.
func (r *purgeRun) finishEarly(ctx context.Context, err error) error {
	var stopped *drover.StopError
	switch {
	case errors.As(err, &stopped): // between two batches
		stopped.Resume = r.again()
	case ctx.Err() != nil: // in the middle of one
		cause := &drover.StopError{}
		_ = errors.As(context.Cause(ctx), &cause)
		err = &drover.StopError{
			Signal: cause.Signal, Summary: r.progressText() + ", nothing of the last batch is kept", Resume: r.again(),
		}
	default:
		err = r.failure(err)
	}
	if r.call.JSONOutput() {
		status := "failed"
		if errors.As(err, &stopped) {
			status = "stopped"
		}
		r.emitSummary(status, err)
	}
	return err
}

// failure says which batch failed on which rows, what is kept and what can be done.
func (r *purgeRun) failure(err error) error {
	var b *batchError
	if !errors.As(err, &b) {
		return err
	}
	kept := "; nothing of it is kept"
	switch {
	case errors.Is(err, db.ErrOutcomeUnknown):
		kept = "; all of it is deleted, or nothing"
	case r.table.NotTransactional:
		kept = "; a part of it may be deleted"
	}
	kind, cause := db.KindOf(b.err), b.err
	if kind == db.ErrConnectionLost { // drivers say "unexpected EOF" and the like
		cause = fmt.Errorf("%w: %w", kind, cause)
	}
	failed := drover.Errorf("batch %s of %s%s failed: %w%s; %s", drover.Count(b.page.number), drover.Count(r.plan.batches), r.rangeText(&b.page),
		cause, kept, r.progressText())
	failed.Err = err
	switch {
	case kind == db.ErrConnectionLost:
		failed = failed.Try("check that the database server is up, then run the command again")
	case kind == db.ErrForeignKey:
		failed = failed.Try("run it with --dry-run: the plan names the rows that point to those to delete")
	case kind.Retryable():
		failed = failed.Try("a smaller --batch-size holds its locks for a shorter time")
	}
	return failed.Try("%s", r.again())
}

func (r *purgeRun) emitSummary(status string, err error) {
	c := r.call
	e := summaryEvent{
		Type: "summary", Time: term.Timestamp(c.Now()), Command: "purge", Status: status, ExitCode: drover.ExitCode(err),
		Table: r.table.FullName(), Deleted: r.deleted, Planned: r.plan.rows, Effects: r.document(r.plan).Effects,
		Matched: r.plan.matched, Left: r.left, Batches: r.batches, Size: r.plan.size, Retried: r.retried,
		Seconds: r.took().Seconds(), Rate: r.rate(), P50: r.times.percentile(50).Seconds(),
		P95: r.times.percentile(95).Seconds(), Max: r.times.max.Seconds(), Message: r.nothing(),
	}
	if r.moved {
		e.LastKey = jsonValues(r.cursor)
	}
	switch {
	case err != nil:
		e.Message = err.Error()
	case r.deleted > 0:
		e.Advice = r.table.Reclaim
		e.Message = "Deleted " + r.amount(r.deleted, r.batches)
	}
	c.JSON(e)
}
