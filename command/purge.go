package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/term"
)

// Purge returns the command "purge", which deletes the rows of a table that match a condition: in batches along the
// primary key, each in its own transaction. It shows what it would do (--dry-run), asks before it does it, can be
// stopped at any time, and is run again to go on.
func Purge() *drover.Command {
	var o purgeOptions
	var x batch.Flags
	return &drover.Command{
		Name:  "purge",
		Short: "Delete the rows of a table that match a condition, in batches",
		Long: `Delete the rows of a table that match a condition, in batches along its key, each batch in its own transaction.

The rows are counted first and shown with everything that goes with them: cascades, triggers, a sample. Rows whose
keys lie beyond the last matching one at that time are left alone. A row is deleted only if it still matches when its
batch is deleted. Ctrl-C stops after the current batch; the same command, run again, resumes the run.

--older-than counts back from the database's clock, once: a run that is resumed keeps its boundary, and a new run has
a new one. With --archive-to each batch is in the file, and the file on the disk, before the batch is deleted.`,
		Example: `drover purge --table events --where "created_at < '2026-01-01'" --dry-run
drover purge --table events --where "status = 'done'" --dry-run=rollback
drover purge --table events --where "status = 'done'" --batch-size 5000 --undo
drover purge --table events --older-than 90d --column created_at
drover purge --table events --older-than 1w --column created_at --archive-to events.jsonl.gz
drover purge --table sessions --all --limit 100000 --no-input`,
		Options:     drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Check: true, Confirm: true, Limit: true, EachDatabase: true},
		OneDatabase: []string{"resume", "retry", "plan", "plan-out"},
		Fill:        x.Fill,
		Require:     []string{"table"},
		Exclusive:   [][]string{{"where", "all"}, {"older-than", "all"}},
		Flags: func(f *pflag.FlagSet) {
			x.Declare(f, batch.Options{}, func(f *pflag.FlagSet) {
				f.StringVar(&o.table, "table", "", "delete from this `table`, or schema.table")
				f.StringVar(&o.where, "where", "", "delete the rows for which this SQL `condition` holds")
				f.StringVar(&o.older, "older-than", "", "delete the rows that are older than this `age`: 12h, 90d, 2w")
				f.StringVar(&o.column, "column", "", "the `column` that tells a row's age")
				f.StringVar(&o.archive, "archive-to", "", "write the rows to this `file` of JSON Lines before they are deleted")
				f.BoolVar(&o.all, "all", false, "delete all rows")
			})
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return newPurge(c, o, &x).run(ctx) },
		Complete: completeWork,
	}
}

type purgeOptions struct {
	table string
	where string
	all   bool

	older, column string
	archive       string
}

// purge is one invocation: what was asked for, and what was found to go with it.
type purge struct {
	*walk
	all bool
	age age

	archiveTo string // --archive-to
	archive   *archive
	images    *rowimage.Table // that the archive is written from

	effects []effect // on other tables
	blocks  []block  // rows of other tables that keep rows from being deleted
	sample  []sampleRow
}

// sampleRow is one of the rows to delete: its values in the order of the table's columns.
type sampleRow []any

// sampleRows is how many rows of the sample are read.
const sampleRows = 5

func newPurge(c *drover.Call, o purgeOptions, flags *batch.Flags) *purge {
	p := &purge{
		walk: &walk{target: newTarget(c, c.DB(), o.table, o.where), verb: drover.Deleted, repeatable: true, flags: flags},
		all:  o.all,
		age:  age{older: o.older, column: o.column},

		archiveTo: o.archive,
	}
	p.statement = p
	return p
}

// sql deletes the rows of a range that match. The condition is asked again: a row that was changed since it was counted, or since
// the end of the range was found, and no longer matches, stays.
func (p *purge) sql(where string) string { return "DELETE FROM " + p.keys.Table() + where }

func (p *purge) checkOptions() error {
	if err := p.age.check(); err != nil {
		return err
	}
	if err := p.checkArchive(); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(p.name) == "":
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table to delete from")
	case p.all, p.given == "" && p.age.before > 0:
		return nil
	case strings.TrimSpace(p.given) == "":
		return drover.Exit(drover.ExitUsage, "no condition: without one every row would be deleted").
			Try(`--where "CONDITION" says which rows to delete`).
			Try("--older-than 90d --column created_at goes by their age").
			Try("--all deletes every row")
	}
	return p.checkWhere()
}

func (p *purge) checkTable(ctx context.Context) error {
	if p.age.before == 0 && p.archive == nil {
		return nil
	}
	if p.archive != nil {
		if err := p.prepareArchive(); err != nil {
			return err
		}
	}
	kept, runID, err := p.job(nil).Kept(ctx, p.conn, p.options)
	if err != nil {
		return err
	}
	if p.archive != nil && runID == "" {
		if err := p.archive.checkNew(); err != nil {
			return err
		}
	}
	return p.old(ctx, kept(boundaryName), runID)
}

func (p *purge) measure(ctx context.Context, plan *walkPlan) error {
	if err := p.measureEffects(ctx, plan); err != nil {
		return err
	}
	if p.table.NotTransactional {
		plan.warn("the storage engine of %s has no transactions: a batch that is interrupted stays deleted in part", p.table.FullName())
	}
	if p.options.Undo && len(p.triggers("DELETE")) > 0 {
		plan.warn("what the triggers do is not kept for undo")
	}
	return p.readSample(ctx, plan)
}

// readSample reads the first rows to delete.
func (p *purge) readSample(ctx context.Context, plan *walkPlan) error {
	columns := make([]string, len(p.table.Columns))
	for i, c := range p.table.Columns {
		columns[i] = c.Select(p.dialect.Quote(c.Name))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + p.keys.Table()
	if p.where != "" {
		query += " WHERE (" + p.where + ")"
	}
	query += fmt.Sprintf(" ORDER BY %s LIMIT %d", p.keys.OrderBy(), min(sampleRows, plan.rows))
	err := dialect.Each(ctx, p.conn, query, nil, func(scan func(...any) error) error {
		row, err := scanRow(scan, p.table.Columns)
		p.sample = append(p.sample, row)
		return err
	})
	if err != nil {
		return fmt.Errorf("read a sample: %w", err)
	}
	return nil
}

// scanRow reads one value for each column.
func scanRow(scan func(...any) error, columns []dialect.Column) (sampleRow, error) {
	row := make(sampleRow, len(columns))
	dest := make([]any, len(row))
	for i := range row {
		dest[i] = &row[i]
	}
	err := scan(dest...)
	for i, c := range columns {
		row[i] = c.Value(row[i])
	}
	return row, err
}

// refusal turns rows that keep others from being deleted into the error of a guard: the first batch that holds one
// of them would fail. So does a request to keep what undo cannot restore.
func (p *purge) refusal(*walkPlan) error {
	if len(p.blocks) > 0 {
		return p.blocked()
	}
	option := "--undo"
	if p.archive != nil {
		option = "--archive-to"
	}
	if !p.options.Undo && p.archive == nil || len(p.effects) == 0 {
		return nil
	}
	e := p.effects[0]
	refused := drover.Exit(drover.ExitRefused, option+" keeps the rows of %s alone, but deleting them would also %s %s of %s (%s); nothing was deleted",
		p.table.FullName(), e.verb(), term.Counted(e.rows, "row"), e.table, e.why())
	if e.action == "CASCADE" {
		refused = refused.Try("purge the rows of %s first, with %s as well", e.table, option)
	}
	return refused.Try("leave %s out", option)
}

func (p *purge) blocked() error {
	b := p.blocks[0]
	verb := "point"
	if b.rows == 1 {
		verb = "points"
	}
	refused := drover.Exit(drover.ExitRefused, "%s of %s still %s to rows that would be deleted (%s, ON DELETE %s); nothing was deleted",
		term.Counted(b.rows, "row"), b.table, verb, b.column(), b.action)
	for _, other := range p.blocks[1:] {
		refused = refused.Try("%s of %s too (%s)", term.Counted(other.rows, "row"), other.table, other.column())
	}
	return refused.Try("delete or change those rows of %s first, or narrow --where to rows that nothing points to", b.table)
}

// facts is what the user confirms: what was counted a moment ago.
func (p *purge) facts(plan *walkPlan) drover.Facts {
	f := drover.Facts{
		Action: "permanently delete", Count: plan.rows, What: "rows from " + p.table.FullName(), Severe: p.table.Name,
	}
	for _, e := range p.effects {
		if e.rows > 0 {
			f.Cascades = append(f.Cascades, drover.Cascade{Action: e.verb(), Count: e.rows, What: "rows of " + e.table, Why: e.why()})
		}
	}
	return f
}

func (p *purge) amount(rows, batches int64) string {
	return term.Counted(rows, "row") + " in " + term.Counted(batches, "batch") + " from " + p.conn.Alias() + "."
}
