package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// purgeBatch is the default of --batch-size: large enough that the commit does not count, small enough that locks are
// held for a fraction of a second.
const purgeBatch = 1000

// Purge returns the command "purge", which deletes the rows of a table that match a condition: in batches along the
// primary key, each in its own transaction. It shows what it would do (--dry-run), asks before it does it, can be
// stopped between batches at any time, and is run again to go on.
func Purge() *drover.Command {
	var o purgeOptions
	return &drover.Command{
		Name:  "purge",
		Short: "Delete the rows of a table that match a condition, in batches",
		Long: `Delete the rows of a table that match a condition, in batches along its key, each batch in its own transaction.

The rows are counted first and shown with everything that goes with them: cascades, triggers, a sample. Rows whose
keys lie beyond the last matching one at that time are left alone. A row is deleted only if it still matches when its
batch is deleted. Ctrl-C stops after the current batch; the same command, run again, goes on.`,
		Example: `drover purge --table events --where "created_at < '2026-01-01'" --dry-run
drover purge --table events --where "status = 'done'" --batch-size 5000
drover purge --table sessions --all --limit 100000 --no-input`,
		Options:   drover.Options{DryRun: true, PlanOnly: true, Check: true, Confirm: true, BatchSize: purgeBatch, Limit: true},
		Require:   []string{"table"},
		Exclusive: [][]string{{"where", "all"}},
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.table, "table", "", "delete from this `table`, or schema.table")
			f.StringVar(&o.where, "where", "", "delete the rows for which this SQL `condition` holds")
			f.BoolVar(&o.all, "all", false, "delete all rows")
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return newPurge(c, o).run(ctx) },
		Complete: completeTable,
	}
}

type purgeOptions struct {
	table string
	where string
	all   bool
}

// purge is one invocation: what was asked for and, once found, the table it is about.
type purge struct {
	call    *drover.Call
	conn    *db.DB
	dialect dialect.Dialect
	options purgeOptions

	table *dialect.Table
	key   dialect.Key
	keys  *keyset.Keyset
	where string // the condition as a statement takes it; "" for all rows
}

func newPurge(c *drover.Call, o purgeOptions) *purge {
	return &purge{call: c, conn: c.DB(), dialect: c.DB().Dialect(), options: o}
}

func (p *purge) run(ctx context.Context) error {
	if err := p.checkOptions(); err != nil {
		return err
	}
	plan, err := p.makePlan(ctx)
	if err != nil {
		return err
	}
	switch {
	case p.call.CheckOnly():
		return p.check(plan)
	case p.call.DryRun():
		return p.preview(plan)
	}
	return p.execute(ctx, plan)
}

// makePlan looks at the table and its rows in one transaction that cannot write.
func (p *purge) makePlan(ctx context.Context) (*purgePlan, error) {
	options := []db.BlockOption{db.ReadOnly()}
	if p.conn.InBlock(ctx) {
		options = nil // the access mode is the surrounding block's
	}
	var plan *purgePlan
	err := p.conn.Atomic(ctx, func(ctx context.Context) (err error) {
		if err = p.findTable(ctx); err != nil {
			return err
		}
		if err = p.checkNames(); err != nil {
			return err
		}
		plan, err = p.measure(ctx)
		return err
	}, options...)
	return plan, err
}

// check answers --check: 0 when there is nothing to delete.
func (p *purge) check(plan *purgePlan) error {
	if plan.rows == 0 {
		p.call.Notice("%s", p.nothing())
		return nil
	}
	return p.call.WorkFound("%d rows of %s match", plan.rows, p.table.FullName())
}

// preview is the dry run: the plan is the result.
func (p *purge) preview(plan *purgePlan) error {
	c := p.call
	if c.JSONOutput() {
		c.JSON(p.document(plan))
		return p.refuseBlocked(plan)
	}
	if _, err := fmt.Fprintln(c.Out(), p.screen(plan)); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	if err := p.refuseBlocked(plan); err != nil {
		return err
	}
	if plan.rows == 0 {
		c.Line("%s", p.nothing())
		return nil
	}
	c.Did(drover.Deleted, "%s", p.amount(plan.rows, plan.batches))
	c.Notice("Run without --dry-run to apply.")
	return nil
}

// execute shows the plan, asks, and deletes.
func (p *purge) execute(ctx context.Context, plan *purgePlan) error {
	c := p.call
	if c.JSONOutput() {
		c.JSON(p.document(plan))
	} else {
		c.Detail(1, "%s", p.screen(plan))
		c.Detail(1, "")
	}
	if err := p.refuseBlocked(plan); err != nil {
		return err
	}
	r := newPurgeRun(p, plan)
	if plan.rows == 0 {
		if c.JSONOutput() {
			r.emitSummary("succeeded", nil)
			return nil
		}
		c.Success("%s", p.nothing())
		return nil
	}
	if err := c.Confirm(ctx, p.facts(plan)); err != nil {
		return err
	}
	return r.run(ctx)
}

// facts is what the user confirms: what was counted a moment ago.
func (p *purge) facts(plan *purgePlan) drover.Facts {
	f := drover.Facts{
		Action: "permanently delete", Count: plan.rows, What: "rows from " + p.table.FullName(), Severe: p.table.Name,
	}
	for _, e := range plan.effects {
		if e.rows > 0 {
			f.Cascades = append(f.Cascades, drover.Cascade{Action: e.verb(), Count: e.rows, What: "rows of " + e.table, Why: e.why()})
		}
	}
	return f
}

// amount is the sentence that a dry run, a run and its summary share, without its verb.
func (p *purge) amount(rows, batches int64) string {
	return plural(rows, "row") + " in " + plural(batches, "batch") + " from " + p.conn.Alias() + "."
}

func (p *purge) nothing() string {
	return "Nothing to delete: no rows of " + p.table.FullName() + " match."
}

// plural writes a count with its noun: 1 row, 2 batches.
func plural(n int64, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ch"):
		noun += "es"
	default:
		noun += "s"
	}
	return drover.Count(n) + " " + noun
}

// completeTable offers the tables of the database to the shell.
func completeTable(ctx context.Context, c *drover.Call, option, prefix string) []string {
	if option != "table" {
		return nil
	}
	alias, err := c.Flags().GetString("database")
	if err != nil {
		return nil
	}
	conn, err := c.Database(ctx, alias)
	if err != nil {
		return nil
	}
	names, err := conn.Dialect().Tables(ctx, conn)
	if err != nil {
		return nil
	}
	var fitting []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			fitting = append(fitting, name)
		}
	}
	return fitting
}
