package command

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// statement is what a walk does with every range of rows, and what is particular about it.
type statement interface {
	// sql is the statement on the rows of a WHERE clause.
	sql(where string) string
	// checkOptions refuses what can be seen without the database.
	checkOptions() error
	// checkTable refuses what does not fit the table.
	checkTable(ctx context.Context) error
	// measure adds to the plan what the rows cannot tell by their number. It only reads, and is called only where there are rows.
	measure(ctx context.Context, plan *walkPlan) error
	// refusal is why the plan must not be done.
	refusal(plan *walkPlan) error
	// facts is what the user confirms.
	facts(plan *walkPlan) drover.Facts
	// lines are the plan's lines of its own, between those of the rows and the SQL.
	lines(b *strings.Builder, plan *walkPlan)
	// document is the plan as a JSON document.
	document(plan *walkPlan) any
	// amount is the sentence that a dry run, a run and its summary share, without its verb.
	amount(rows, batches int64) string
	// done is what the summary says of the rows beside their number, and details are its further lines.
	done(e *ending) (text string, details []batch.Detail)
	// summary is the end as a JSON document.
	summary(e *ending) any
}

// walk is one invocation of a command that does a statement on a table's rows, range by range of a key: planned, confirmed, and run by the engine.
type walk struct {
	*target
	statement
	verb       drover.Verb
	repeatable bool
	flags      *batch.Flags

	// change does the statement on a range and returns how many rows it changed; nil: sql does all of it.
	change func(ctx context.Context, b *batch.Batch[batch.Range]) (int64, error)
	// begin is called when the plan is confirmed, and what it returns when the run has ended; nil: there is nothing to do then.
	begin func(plan *walkPlan) (end func(*batch.Result) error, err error)

	// bind tells what a plan file is bound to beside the SQL; nil: nothing.
	bind func(p *batch.Plan)

	options batch.Options
	screen  *batch.Screen
	cursor  []any // how far the last batch has come
}

// ending is how a run ended.
type ending struct {
	*batch.Result
	plan *walkPlan
	left *int64 // rows that match at the end, where they were counted
	err  error
}

func (w *walk) run(ctx context.Context) (err error) {
	c := w.call
	if err := w.checkOptions(); err != nil {
		return err
	}
	if w.options, err = w.flags.Options(ctx, c); err != nil {
		return err
	}
	if !c.DryRun() && !c.CheckOnly() && w.conn.InBlock(ctx) {
		return drover.Errorf("each batch is a transaction of its own: %w", db.ErrDurableNested)
	}
	w.screen = batch.NewScreen(c, w.verb)
	w.options.Observe = w.observe
	plan, err := w.makePlan(ctx)
	if err != nil {
		if done := new(batch.DoneError); c.CheckOnly() && errors.As(err, &done) {
			c.Notice("Nothing to %s: %v.", w.verb.Base, done)
			return nil
		}
		return untouched(err)
	}
	defer plan.prepared.Close()
	w.screen.Begin(plan.run)
	switch {
	case c.CheckOnly():
		return w.check(plan)
	case c.Rollback():
		return w.rehearse(ctx, plan)
	case c.DryRun():
		return w.preview(plan)
	}
	return w.execute(ctx, plan)
}

// observe shows an event, and notes how far the run has come.
func (w *walk) observe(e batch.Event) {
	if e.Cursor != nil {
		w.cursor = e.Cursor
	}
	w.screen.Observe(e)
}

// job is the work as the engine knows it.
func (w *walk) job(m *batch.Measured) *batch.Job[batch.Range] {
	return &batch.Job[batch.Range]{
		Name: w.call.CommandName(), Verb: w.verb, Repeatable: w.repeatable,
		Source: func(_ context.Context, conn *db.DB) (batch.Source[batch.Range], error) {
			return batch.Ranges(conn, batch.TableRanges{Table: w.table, Key: w.key, Where: w.where, Measured: m}), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[batch.Range]) error {
			if w.change != nil {
				n, err := w.change(ctx, b)
				b.SetDone(n)
				return err
			}
			rows := b.Rows[0]
			n, err := b.DB().ExecRows(ctx, w.sql(rows.Where), rows.Args...)
			b.SetDone(n)
			return err
		},
	}
}

// check answers --check: 0 when there is nothing to do.
func (w *walk) check(plan *walkPlan) error {
	switch {
	case plan.run.File != nil && plan.run.Refusal != nil:
		return plan.run.Refusal
	case plan.nothing():
		w.call.Notice("%s", w.nothing())
		return nil
	}
	return w.call.WorkFound("%s of %s to %s", term.Counted(plan.rows, "row"), w.table.FullName(), w.verb.Base)
}

// refused is why the plan must not be done: the engine's reason, or the statement's.
func (w *walk) refused(plan *walkPlan) error {
	if plan.run.Refusal != nil {
		return plan.run.Refusal
	}
	return w.refusal(plan)
}

// preview is the dry run: the plan is the result.
func (w *walk) preview(plan *walkPlan) error {
	c := w.call
	if c.JSONOutput() {
		c.JSON(w.document(plan))
		if err := w.refused(plan); err != nil {
			return err
		}
		return w.flags.Offer(c, plan.prepared)
	}
	c.Block(w.block(plan) + "\n")
	if err := w.refused(plan); err != nil {
		return err
	}
	if plan.nothing() {
		c.Line("%s", w.nothing())
	} else {
		c.Did(w.verb, "%s", w.amount(plan.rows, plan.batches))
	}
	return w.flags.Offer(c, plan.prepared)
}

// rehearse is the stronger dry run: batches are worked and rolled back.
func (w *walk) rehearse(ctx context.Context, plan *walkPlan) error {
	if err := w.refused(plan); err != nil {
		return err
	}
	if plan.nothing() {
		w.call.Line("%s", w.nothing())
		return nil
	}
	seen, err := plan.prepared.Rehearse(ctx, w.flags.Sample())
	if err != nil {
		return w.screen.Explain(ctx, nil, err)
	}
	if err := w.screen.Rehearsed(seen); err != nil {
		return err
	}
	return w.flags.Save(w.call, plan.prepared)
}

// execute shows the plan, asks, and works.
func (w *walk) execute(ctx context.Context, plan *walkPlan) error {
	c := w.call
	if c.JSONOutput() {
		c.JSON(w.document(plan))
	} else {
		c.Detail(1, "%s", w.block(plan))
		c.Detail(1, "")
	}
	if err := w.refused(plan); err != nil {
		return err
	}
	if err := w.flags.Save(c, plan.prepared); err != nil {
		return err
	}
	switch {
	case plan.nothing() && c.JSONOutput():
		c.JSON(w.summary(&ending{Result: &batch.Result{Size: plan.size}, plan: plan}))
		return nil
	case plan.nothing():
		c.Success("%s", w.nothing())
		return nil
	case plan.rows > 0: // else it is only left to say that the run is done
		if err := c.Confirm(ctx, w.facts(plan)); err != nil {
			return err
		}
	}
	end := func(*batch.Result) error { return nil }
	if w.begin != nil {
		var err error
		if end, err = w.begin(plan); err != nil {
			return err
		}
	}
	res, err := plan.prepared.Run(ctx)
	if ended := end(res); err == nil {
		err = ended
	}
	return w.finish(ctx, plan, res, err)
}

// recountWithin is how long the first count may have taken for a second one to be worth its while at the end.
const recountWithin = 10 * time.Second

// finish reports what was done, also by a run that ended early.
func (w *walk) finish(ctx context.Context, plan *walkPlan, res *batch.Result, err error) error {
	e := &ending{Result: res, plan: plan, err: w.screen.End(ctx, res, err)}
	if res == nil {
		return e.err
	}
	if err == nil && plan.counted < recountWithin {
		if n, err := w.count(ctx); err == nil {
			e.left = &n // a failure here takes nothing from what was done
		}
	}
	c := w.call
	switch {
	case c.JSONOutput():
		c.JSON(w.summary(e))
	case err == nil:
		text, details := w.done(e)
		c.Detail(1, "%s", w.screen.Summary(res, text, details...))
		c.Did(w.verb, "%s", w.amount(res.Done, res.Batches))
	}
	return e.err
}

// nothing says that there is nothing to do.
func (w *walk) nothing() string {
	return "Nothing to " + w.verb.Base + ": no rows of " + w.table.FullName() + " match."
}

// matchText is what the summary says of the rows that match.
func (e *ending) matchText() string {
	text := "      matched at start " + drover.Count(e.plan.matched)
	if e.plan.run.RunID != "" {
		text = "      planned " + drover.Count(e.Planned) + ", matched when resumed " + drover.Count(e.plan.matched)
	}
	if e.left != nil {
		text += ", at end " + drover.Count(*e.left)
	}
	return text
}
