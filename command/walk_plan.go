package command

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
)

// walkPlan is what a walk would do: counted, not guessed, but for the number and size of all the table's rows.
type walkPlan struct {
	version string

	matched int64         // rows that the condition matches
	counted time.Duration // how long counting them took
	rows    int64         // rows to work on: those, the first --limit of them, or what is left of the run that is resumed
	batches int64
	size    int // of a batch

	tableRows  int64
	tableExact bool

	// first and last are the keys of the first and the last row to work on. Rows that come to match beyond last while the run
	// lasts are left alone, so that it ends however fast rows are added.
	first, last keyset.Values

	warnings []string
	sql      string // of a batch

	prepared *batch.Prepared
	run      *batch.Plan // the engine's view of it
}

// nothing reports whether there is nothing to do. A run that was stopped behind its last row is still to be finished.
func (p *walkPlan) nothing() bool { return p.rows == 0 && p.run.RunID == "" }

func (p *walkPlan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// makePlan looks at the table, its rows and its runs in one transaction that cannot write.
func (w *walk) makePlan(ctx context.Context) (plan *walkPlan, err error) {
	options := []db.BlockOption{db.ReadOnly()}
	if w.conn.InBlock(ctx) {
		options = nil // the access mode is the surrounding block's
	}
	err = w.conn.Atomic(ctx, func(ctx context.Context) (err error) {
		if err = w.findTable(ctx); err != nil {
			return err
		}
		name, err := w.commonName(ctx)
		if err != nil {
			return err
		}
		setArgument(w.options.Arguments, "table", name)
		if err = w.checkNames(w.given); err != nil {
			return err
		}
		if err = w.checkTable(ctx); err != nil {
			return err
		}
		plan, err = w.plan(ctx)
		return err
	}, options...)
	return plan, err
}

// plan fills in the plan.
func (w *walk) plan(ctx context.Context) (*walkPlan, error) {
	plan := &walkPlan{tableRows: w.table.Rows, tableExact: w.table.RowsExact}
	var err error
	if plan.version, err = w.conn.Version(ctx); err != nil {
		return nil, err
	}
	start := w.call.Now()
	if plan.matched, err = w.matched(ctx); err != nil {
		return nil, w.rejectedWhere(ctx, fmt.Errorf("count the matching rows: %w", err))
	}
	plan.counted = w.call.Now().Sub(start)
	if err := w.countTable(ctx, plan); err != nil {
		return nil, err
	}
	if plan.sql, _, err = sqltext.Rebind(w.dialect.Syntax(), w.sql(w.keys.Within(w.keys.After(), w.where))); err != nil {
		return nil, err
	}
	if plan.matched > 0 {
		if err := w.bounds(ctx, plan); err != nil {
			return nil, err
		}
	}
	if err := w.prepare(ctx, plan); err != nil {
		return nil, err
	}
	switch {
	case plan.rows == 0, plan.matched == 0:
		return plan, nil
	case w.options.RetryOf != "": // the rows lie anywhere
		plan.first, plan.last = nil, nil
		if len(w.table.References) > 0 {
			plan.warn("what goes with these rows in other tables is not counted")
		}
		return plan, nil
	}
	if err := w.limitBounds(ctx, plan); err != nil {
		return nil, err
	}
	return plan, w.measure(ctx, plan)
}

func (w *walk) rejectedWhere(ctx context.Context, err error) error {
	return w.rejected(ctx, err, "--where", w.given, "the condition is what would follow WHERE in a statement on "+w.table.FullName())
}

// countTable replaces an estimate that the database does not have, or that the count has refuted.
func (w *walk) countTable(ctx context.Context, plan *walkPlan) error {
	switch {
	case w.where == "":
		plan.tableRows, plan.tableExact = plan.matched, true
	case plan.tableRows < plan.matched:
		if err := w.conn.QueryRow(ctx, "SELECT count(*) FROM "+w.keys.Table()).Scan(&plan.tableRows); err != nil {
			return fmt.Errorf("count the table's rows: %w", err)
		}
		plan.tableExact = true
	}
	return nil
}

// bounds finds the first and the last matching key.
func (w *walk) bounds(ctx context.Context, plan *walkPlan) (err error) {
	if plan.first, err = w.readKey(ctx, w.keys.First(w.where)); err != nil {
		return fmt.Errorf("find the first matching key: %w", err)
	}
	if plan.last, err = w.readKey(ctx, w.keys.Last(w.where)); err != nil {
		return fmt.Errorf("find the last matching key: %w", err)
	}
	return nil
}

// prepare hands what was counted to the engine, and takes over how much of it is to be done.
func (w *walk) prepare(ctx context.Context, plan *walkPlan) (err error) {
	job := w.job(&batch.Measured{First: plan.first, Last: plan.last, Rows: plan.matched})
	job.Describe = func(_ context.Context, p *batch.Plan) error {
		p.Bind("SQL", plan.sql)
		if w.bind != nil {
			w.bind(p)
		}
		return nil
	}
	if plan.prepared, err = job.Prepare(ctx, w.conn, w.options); err != nil {
		return err
	}
	plan.run = plan.prepared.Plan()
	plan.size = plan.run.Size
	plan.rows = plan.run.Rows - plan.run.Done
	if w.options.RetryOf == "" {
		plan.rows = min(plan.rows, plan.matched)
	}
	plan.rows = max(plan.rows, 0)
	plan.batches = (plan.rows + int64(plan.size) - 1) / int64(plan.size)
	return nil
}

// limitBounds finds the last key to work on where that is not the last one that matches.
func (w *walk) limitBounds(ctx context.Context, plan *walkPlan) (err error) {
	if plan.rows >= plan.matched {
		return nil
	}
	from, through := w.keys.From(), w.keys.Through()
	query := w.keys.PageEnd(from, w.where, int(plan.rows))
	if plan.last, err = w.readKey(ctx, query, through.Args(from.Args(nil, plan.first), plan.last)...); err != nil {
		return fmt.Errorf("find the key of the last row to work on: %w", err)
	}
	return nil
}

// scope is the condition, with its arguments, that holds for exactly the rows to work on.
func (w *walk) scope(plan *walkPlan) condition {
	from, through := w.keys.From(), w.keys.Through()
	return condition{
		sql:  w.keys.Within(from, w.where),
		args: through.Args(from.Args(nil, plan.first), plan.last),
	}
}
