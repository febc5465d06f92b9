package batch

import (
	"context"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/planfile"
)

// Kept returns the values that the run which these options go on with was given in [Options.Frozen], by their names, and the run's id; of a replay, they
// are those of the run whose rows are replayed. For a new run the id is "", and the values are those of the plan file that the run is held to, or "". It
// only reads, and fails as [Job.Plan] does where there is nothing to go on with.
func (j *Job[T]) Kept(ctx context.Context, conn *db.DB, o Options) (value func(name string) string, runID string, err error) {
	r, err := j.runner(conn, o)
	if err != nil {
		return nil, "", err
	}
	if err := r.lookUp(ctx); err != nil {
		return nil, "", err
	}
	run := r.current
	if run == nil && r.settings.RetryOf != "" {
		if run, err = r.store.Find(ctx, r.settings.RetryOf); err != nil {
			return nil, "", err
		}
	}
	switch {
	case run != nil:
		return run.Argument, run.ID, nil
	case o.approved != nil:
		return func(name string) string { return planfile.Value(o.approved.Kept, name) }, "", nil
	}
	return func(string) string { return "" }, "", nil
}

// Prepared is a job that is measured and not begun yet, so that what is shown and confirmed is what is then done. End it with one of Run, Rehearse and
// Close.
type Prepared struct{ r *runner }

// Prepare does what [Job.Plan] does, and keeps what it has found for Run. Called in a block that only reads, it sees what the block sees.
func (j *Job[T]) Prepare(ctx context.Context, conn *db.DB, o Options) (*Prepared, error) {
	r, err := j.runner(conn, o)
	if err != nil {
		return nil, err
	}
	if _, err := r.makePlan(ctx); err != nil {
		r.closePhase()
		return nil, err
	}
	return &Prepared{r}, nil
}

// Plan is what was measured. It must not be changed.
func (p *Prepared) Plan() *Plan { return p.r.plan }

// Undo reports whether the run keeps what the rows were: as Options say, or as the run began that is resumed.
func (p *Prepared) Undo() bool { return p.r.settings.Undo }

// Run is [Job.Run] by the plan.
func (p *Prepared) Run(ctx context.Context) (*Result, error) {
	if p.r.plan.Refusal != nil {
		p.r.closePhase()
		return nil, p.r.plan.Refusal
	}
	return p.r.execute(ctx)
}

// Rehearse is [Job.Rehearse] by the plan.
func (p *Prepared) Rehearse(ctx context.Context, batches int) (*Rehearsal, error) {
	return p.r.rehearsePlan(ctx, batches)
}

// Close gives back what the source holds open.
func (p *Prepared) Close() { p.r.closePhase() }
