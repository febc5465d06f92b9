package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
)

// purgePlan is what a purge would do: counted, not guessed, but for the number and size of all the table's rows.
type purgePlan struct {
	version string

	matched int64         // rows that the condition matches
	counted time.Duration // how long counting them took
	rows    int64         // rows to delete: those, or the first --limit of them
	batches int64
	size    int // of a batch

	tableRows  int64
	tableExact bool

	// first and last are the keys of the first and the last row to delete. Rows that come to match beyond last while
	// the purge runs are left alone, so that it ends however fast rows are added.
	first, last keyset.Values

	effects  []effect // on other tables
	blocks   []block  // rows of other tables that keep rows from being deleted
	warnings []string
	sample   []sampleRow
	sql      string // of a batch
}

// sampleRow is one of the rows to delete: its values in the order of the table's columns.
type sampleRow []any

// sampleRows is how many rows of the sample are read.
const sampleRows = 5

// measure fills in the plan. It only reads.
func (p *purge) measure(ctx context.Context) (*purgePlan, error) {
	plan := &purgePlan{size: p.call.BatchSize(), tableRows: p.table.Rows, tableExact: p.table.RowsExact}
	var err error
	if plan.version, err = p.conn.Version(ctx); err != nil {
		return nil, err
	}
	start := p.call.Now()
	if plan.matched, err = p.count(ctx); err != nil {
		return nil, p.rejected(ctx, fmt.Errorf("count the matching rows: %w", err))
	}
	plan.counted = p.call.Now().Sub(start)
	if err := p.countTable(ctx, plan); err != nil {
		return nil, err
	}
	plan.sql, _, err = sqltext.Rebind(p.dialect.Syntax(), p.deleteSQL(p.keys.After()))
	if err != nil {
		return nil, err
	}
	plan.rows = plan.matched
	if limit := p.call.Limit(); limit > 0 {
		plan.rows = min(plan.rows, limit)
	}
	if plan.rows == 0 {
		return plan, nil
	}
	plan.batches = (plan.rows + int64(plan.size) - 1) / int64(plan.size)
	if err := p.bounds(ctx, plan); err != nil {
		return nil, err
	}
	if plan.effects, plan.blocks, plan.warnings, err = p.measureEffects(ctx, plan); err != nil {
		return nil, err
	}
	if p.table.NotTransactional {
		plan.warnings = append(plan.warnings, fmt.Sprintf(
			"the storage engine of %s has no transactions: a batch that is interrupted stays deleted in part", p.table.FullName()))
	}
	plan.sample, err = p.readSample(ctx)
	return plan, err
}

// count counts the rows that match now.
func (p *purge) count(ctx context.Context) (n int64, err error) {
	query := "SELECT count(*) FROM " + p.keys.Table()
	if p.where != "" {
		query += " WHERE (" + p.where + ")"
	}
	err = p.conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// countTable replaces an estimate that the database does not have, or that the count has refuted.
func (p *purge) countTable(ctx context.Context, plan *purgePlan) error {
	switch {
	case p.where == "":
		plan.tableRows, plan.tableExact = plan.matched, true
	case plan.tableRows < plan.matched:
		if err := p.conn.QueryRow(ctx, "SELECT count(*) FROM "+p.keys.Table()).Scan(&plan.tableRows); err != nil {
			return fmt.Errorf("count the table's rows: %w", err)
		}
		plan.tableExact = true
	}
	return nil
}

// bounds finds the first and the last key to delete.
func (p *purge) bounds(ctx context.Context, plan *purgePlan) (err error) {
	if plan.first, err = p.readKey(ctx, p.keys.First(p.where)); err != nil {
		return fmt.Errorf("find the first matching key: %w", err)
	}
	if plan.last, err = p.readKey(ctx, p.keys.Last(p.where)); err != nil {
		return fmt.Errorf("find the last matching key: %w", err)
	}
	if plan.rows == plan.matched {
		return nil
	}
	from, through := p.keys.From(), p.keys.Through()
	query := p.keys.PageEnd(from, p.where, int(plan.rows))
	plan.last, err = p.readKey(ctx, query, through.Args(from.Args(nil, plan.first), plan.last)...)
	if err != nil {
		return fmt.Errorf("find the key of the last row within --limit: %w", err)
	}
	return nil
}

// readKey runs a query for one key.
func (p *purge) readKey(ctx context.Context, query string, args ...any) (keyset.Values, error) {
	return p.keys.Scan(p.conn.QueryRow(ctx, query, args...).Scan)
}

// scope is the condition, with its arguments, that holds for exactly the rows to delete.
func (p *purge) scope(plan *purgePlan) condition {
	from, through := p.keys.From(), p.keys.Through()
	return condition{
		sql:  p.keys.Within(from, p.where),
		args: through.Args(from.Args(nil, plan.first), plan.last),
	}
}

// deleteSQL deletes the matching rows from a lower bound through the end of a page. The condition is asked again: a row
// that was changed since it was counted, or since the end of the page was found, and no longer matches, stays.
func (p *purge) deleteSQL(lower keyset.Predicate) string {
	return "DELETE FROM " + p.keys.Table() + p.keys.Within(lower, p.where)
}

// readSample reads the first rows to delete.
func (p *purge) readSample(ctx context.Context) ([]sampleRow, error) {
	columns := make([]string, len(p.table.Columns))
	for i, c := range p.table.Columns {
		columns[i] = c.Select(p.dialect.Quote(c.Name))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + p.keys.Table()
	if p.where != "" {
		query += " WHERE (" + p.where + ")"
	}
	query += fmt.Sprintf(" ORDER BY %s LIMIT %d", p.keys.OrderBy(), sampleRows)
	var rows []sampleRow
	err := dialect.Each(ctx, p.conn, query, nil, func(scan func(...any) error) error {
		row := make(sampleRow, len(p.table.Columns))
		dest := make([]any, len(row))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		for i, c := range p.table.Columns {
			if text, ok := row[i].([]byte); ok && c.TextBytes {
				row[i] = string(text)
			}
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read a sample: %w", err)
	}
	if limit := p.call.Limit(); limit > 0 && int64(len(rows)) > limit {
		rows = rows[:limit]
	}
	return rows, nil
}

// triggers are those that deleting fires.
func (p *purge) triggers() []string {
	var names []string
	for _, g := range p.table.Triggers {
		if slices.Contains(g.Events, "DELETE") {
			names = append(names, g.Name)
		}
	}
	return names
}

// refuseBlocked turns rows that keep others from being deleted into the error of a guard: the first batch that holds one
// of them would fail.
func (p *purge) refuseBlocked(plan *purgePlan) error {
	if len(plan.blocks) == 0 {
		return nil
	}
	b := plan.blocks[0]
	verb := "point"
	if b.rows == 1 {
		verb = "points"
	}
	refused := drover.Exit(drover.ExitRefused, "%s of %s still %s to rows that would be deleted (%s, ON DELETE %s); nothing was deleted",
		plural(b.rows, "row"), b.table, verb, b.column(), b.action)
	for _, other := range plan.blocks[1:] {
		refused = refused.Try("%s of %s too (%s)", plural(other.rows, "row"), other.table, other.column())
	}
	return refused.Try("delete or change those rows of %s first, or narrow --where to rows that nothing points to", b.table)
}
