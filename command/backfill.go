package command

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/term"
)

// Backfill returns the command "backfill", which sets columns of a table's rows to the values of SQL expressions: in batches along the primary
// key, each in its own transaction. It shows what it would do (--dry-run), asks before it does it, can be stopped at any time, and is run again
// to go on: no row is set twice by a run.
func Backfill() *drover.Command {
	var o backfillOptions
	var x batch.Flags
	return &drover.Command{
		Name:  "backfill",
		Short: "Set columns of a table's rows to SQL expressions, in batches",
		Long: `Set columns of a table's rows to SQL expressions, in batches along the table's key, each batch in its own transaction.

The rows are counted first and shown with some of their old and new values. Rows whose keys lie beyond the last
matching one at that time are left alone. A row is set only if it still matches when its batch is done, and by one run
only once. Ctrl-C stops after the current batch; the same command, run again, resumes the run. A run that is finished
is not repeated unless --again is given.`,
		Example: `drover backfill --table users --set "email_normalized = lower(trim(email))" --dry-run
drover backfill --table users --set "email_normalized = lower(trim(email))" --where "email_normalized IS NULL" --undo
drover backfill --table orders --set "total = price * count" --set "currency = 'EUR'" --workers 4 --max-errors 100`,
		Options:     drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Check: true, Confirm: true, Limit: true, EachDatabase: true},
		OneDatabase: []string{"resume", "retry", "plan", "plan-out"},
		Fill:        x.Fill,
		Require:     []string{"table", "set"},
		Flags: func(f *pflag.FlagSet) {
			x.Declare(f, batch.Options{}, func(f *pflag.FlagSet) {
				f.StringVar(&o.table, "table", "", "set columns of this `table`, or schema.table")
				f.StringArrayVar(&o.set, "set", nil, "set a column to an SQL expression, as \"`column = expression`\"; may be repeated")
				f.StringVar(&o.where, "where", "", "only in the rows for which this SQL `condition` holds")
			})
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return newBackfill(c, o, &x).run(ctx) },
		Complete: completeWork,
	}
}

type backfillOptions struct {
	table string
	set   []string
	where string
}

// backfill is one invocation: what was asked for, and some of the rows before and after it.
type backfill struct {
	*walk
	asked   []string
	whereIn bool // --where is given
	set     []assignment
	sample  []backfillRow
}

func newBackfill(c *drover.Call, o backfillOptions, flags *batch.Flags) *backfill {
	b := &backfill{
		walk:  &walk{target: newTarget(c, c.DB(), o.table, o.where), verb: drover.Updated, flags: flags},
		asked: o.set, whereIn: c.Flags().Changed("where"),
	}
	b.statement = b
	return b
}

// sql updates the rows of a range that match when it is sent.
func (b *backfill) sql(where string) string {
	set := make([]string, len(b.set))
	for i, a := range b.set {
		set[i] = b.dialect.Quote(a.column.Name) + " = (" + a.sql + ")"
	}
	return "UPDATE " + b.keys.Table() + " SET " + strings.Join(set, ", ") + where
}

func (b *backfill) checkOptions() error {
	if strings.TrimSpace(b.name) == "" {
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table whose rows are to be set")
	}
	for _, text := range b.asked {
		a, err := b.parse(text)
		if err != nil {
			return err
		}
		b.set = append(b.set, a)
	}
	switch {
	case !b.whereIn:
		return nil
	case strings.TrimSpace(b.given) == "":
		return drover.Exit(drover.ExitUsage, "--where is empty").Try("leave --where out to set the columns in every row")
	}
	return b.checkWhere()
}

// checkTable finds the columns, and refuses those that cannot be set and expressions that the database does not take.
func (b *backfill) checkTable(ctx context.Context) error {
	if b.table.NotTransactional {
		return drover.Exit(drover.ExitRefused, "the storage engine of %s has no transactions: rows of a batch that is interrupted would be set twice", b.table.FullName()).
			Try("give the table another storage engine first")
	}
	for i := range b.set {
		if err := b.resolve(i); err != nil {
			return err
		}
	}
	return b.accepted(ctx)
}

// refusal refuses to keep for undo what it cannot restore.
func (b *backfill) refusal(*walkPlan) error {
	if !b.options.Undo {
		return nil
	}
	for _, r := range b.pointed() {
		return drover.Exit(drover.ExitRefused, "--undo keeps the rows of %s alone, but %s points to what is set (%s), and its rows may change as well; nothing was changed",
			b.table.FullName(), b.display(r.Schema, r.Table), strings.Join(r.RefColumns, ", ")).
			Try("leave --undo out")
	}
	return nil
}

// pointed are the foreign keys of other tables that point to columns that are set.
func (b *backfill) pointed() []dialect.Reference {
	var all []dialect.Reference
	for _, r := range b.table.References {
		if slices.ContainsFunc(b.set, func(a assignment) bool { return slices.Contains(r.RefColumns, a.column.Name) }) {
			all = append(all, r)
		}
	}
	return all
}

// facts is what the user confirms: what was counted a moment ago.
func (b *backfill) facts(plan *walkPlan) drover.Facts {
	return drover.Facts{Action: "update", Count: plan.rows, What: "rows of " + b.table.FullName()}
}

func (b *backfill) amount(rows, batches int64) string {
	return term.Counted(rows, "row") + " in " + term.Counted(batches, "batch") + " on " + b.conn.Alias() + "."
}
