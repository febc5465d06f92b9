package command

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/term"
)

// planned is what is particular to a command whose whole work a job of the engine is.
type planned interface {
	// nothing says that there is nothing to do.
	nothing() string
	// amount is the sentence that a dry run, a run and its summary share, without its verb.
	amount(rows, batches int64) string
	// facts is what the user confirms.
	facts(rows int64) drover.Facts
	// begin refuses what a dry run may still show.
	begin(plan *batch.Plan) error
	// finish reports what was done.
	finish(ctx context.Context, res *batch.Result, err error) error
}

// runPrepared shows a job that is planned, asks, and works, as the call wants it. It closes the job.
func runPrepared(ctx context.Context, prepared *batch.Prepared, screen *batch.Screen, flags *batch.Flags, w planned) error {
	defer prepared.Close()
	c, verb, plan := screen.Call(), screen.Verb(), prepared.Plan()
	screen.Begin(plan)
	left := plan.Rows - plan.Done
	switch {
	case c.CheckOnly() && plan.File != nil && plan.Refusal != nil:
		return plan.Refusal
	case c.CheckOnly() && plan.Rows == 0:
		c.Notice("%s", w.nothing())
		return nil
	case c.CheckOnly():
		return c.WorkFound("%s of %s to %s", term.Counted(max(left, 1), "row"), plan.Source, verb.Base)
	case c.Rollback() && plan.Rows > 0:
		h, err := prepared.Rehearse(ctx, flags.Sample())
		if err != nil {
			return screen.Explain(ctx, nil, err)
		}
		if err := screen.Rehearsed(h); err != nil {
			return err
		}
		return flags.Save(c, prepared)
	}
	if !c.DryRun() {
		if err := w.begin(plan); err != nil {
			return err
		}
	}
	showPlan(screen, plan)
	nothing := plan.Rows == 0 && plan.RunID == ""
	switch {
	case plan.Refusal != nil:
		return plan.Refusal
	case nothing:
		c.Success("%s", w.nothing())
	case c.DryRun():
		c.Did(verb, "%s", w.amount(left, plan.Batches))
	}
	if c.DryRun() {
		return flags.Offer(c, prepared)
	}
	if err := flags.Save(c, prepared); err != nil || nothing {
		return err
	}
	if err := c.Confirm(ctx, w.facts(max(left, 1))); err != nil {
		return err
	}
	res, err := prepared.Run(ctx)
	return w.finish(ctx, res, err)
}

// showPlan prints the plan: as a document, as the result of a dry run, or before a run.
func showPlan(screen *batch.Screen, plan *batch.Plan) {
	c := screen.Call()
	switch {
	case c.JSONOutput():
		c.JSON(screen.PlanDocument(plan))
	case c.DryRun():
		c.Block(screen.PlanText(plan))
	default:
		c.Detail(1, "%s\n\n", screen.PlanText(plan))
	}
}
