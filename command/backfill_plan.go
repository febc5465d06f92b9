package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/term"
)

// backfillRow is one of the rows to set: the values of its key, and those of each assignment's column before and after.
type backfillRow struct {
	key, before, after sampleRow
}

func (b *backfill) measure(ctx context.Context, plan *walkPlan) error {
	b.warnings(plan)
	if plan.run.RunID != "" {
		return nil // the first rows may be set already
	}
	return b.readSample(ctx, plan)
}

// accepted asks the database whether it takes the expressions, one by one.
func (b *backfill) accepted(ctx context.Context) error {
	for _, a := range b.set {
		err := b.ask(ctx, "EXPLAIN UPDATE "+b.keys.Table()+" SET "+b.dialect.Quote(a.column.Name)+" = ("+a.sql+") WHERE 1 = 0")
		if db.KindOf(err) == db.ErrReadOnly {
			// MariaDB explains no UPDATE in a block that only reads. In a condition, as in an UPDATE, an expression cannot be an aggregate.
			err = b.ask(ctx, "SELECT 1 FROM "+b.keys.Table()+" WHERE 1 = 0 AND ("+a.sql+") IS NULL")
		}
		if err != nil {
			return b.rejected(ctx, fmt.Errorf("ask for column %s: %w", a.column.Name, err), "--set "+a.column.Name, a.given,
				"the expression is what would follow = in an UPDATE of "+b.table.FullName())
		}
	}
	return nil
}

// ask runs a query for its error alone, in a block of its own so that the plan can go on after one.
func (b *backfill) ask(ctx context.Context, query string) error {
	return b.conn.Atomic(ctx, func(ctx context.Context) error {
		return dialect.Each(ctx, b.conn, query, nil, func(func(...any) error) error { return nil })
	})
}

func (b *backfill) warnings(plan *walkPlan) {
	for _, a := range b.set {
		if b.whereIn && b.names(b.given, a.column.Name) {
			plan.warn("--where asks for %s, which is set: a row may no longer match when it is done", a.column.Name)
		}
	}
	for _, c := range b.table.Columns {
		if c.Stamped && !b.sets(c.Name) {
			plan.warn("the database sets %s to the present time with every update", c.Name)
		}
	}
	for _, r := range b.pointed() {
		plan.warn("%s points to what is set (%s): the database may change its rows as well, or refuse", b.display(r.Schema, r.Table), strings.Join(r.RefColumns, ", "))
	}
	if b.options.Undo && len(b.triggers("UPDATE")) > 0 {
		plan.warn("what the triggers do to other rows is not kept for undo")
	}
}

func (b *backfill) sets(column string) bool {
	for _, a := range b.set {
		if a.column.Name == column {
			return true
		}
	}
	return false
}

// readSample reads the first rows, with the values that the expressions give for them.
func (b *backfill) readSample(ctx context.Context, plan *walkPlan) error {
	var columns []dialect.Column
	var list []string
	add := func(c dialect.Column, text string) {
		columns = append(columns, c)
		// Under a name of its own, so that ORDER BY can only mean the key.
		list = append(list, text+" AS "+b.dialect.Quote(fmt.Sprintf("sample value %d", len(columns))))
	}
	for i, name := range b.key.Columns {
		c, _ := b.table.Column(name)
		add(c, b.keys.Select(i))
	}
	for _, a := range b.set {
		add(a.column, a.column.Select(b.dialect.Quote(a.column.Name)))
		add(a.column, "("+a.sql+")")
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM " + b.keys.Table()
	if b.where != "" {
		query += " WHERE (" + b.where + ")"
	}
	query += fmt.Sprintf(" ORDER BY %s LIMIT %d", b.keys.OrderBy(), min(sampleRows, plan.rows))
	err := b.conn.Atomic(ctx, func(ctx context.Context) error {
		return dialect.Each(ctx, b.conn, query, nil, func(scan func(...any) error) error {
			values, err := scanRow(scan, columns)
			b.sample = append(b.sample, b.cut(values))
			return err
		})
	})
	if err == nil {
		return nil
	}
	if _, answered := b.dialect.Classify(err); !answered || ctx.Err() != nil {
		return fmt.Errorf("read a sample: %w", err)
	}
	b.sample = nil
	plan.warn("an expression fails in one of the first rows: %s", databaseMessage(err))
	return nil
}

// cut divides the values of a sample row.
func (b *backfill) cut(values sampleRow) backfillRow {
	row := backfillRow{key: values[:len(b.key.Columns)]}
	for i := len(b.key.Columns); i < len(values); i += 2 {
		row.before, row.after = append(row.before, values[i]), append(row.after, values[i+1])
	}
	return row
}

// lines are what is set, and some of the rows before and after.
func (b *backfill) lines(out *strings.Builder, plan *walkPlan) {
	label := "Set"
	for _, a := range b.set {
		line(out, label, "%s = %s", a.column.Name, term.Printable(a.given))
		label = ""
	}
	if names := b.triggers("UPDATE"); len(names) > 0 {
		line(out, "Triggers", "%s on UPDATE", strings.Join(names, ", "))
	}
	warningLines(out, plan)
	if len(b.sample) > 0 {
		out.WriteByte('\n')
	}
	label = "Sample"
	for _, row := range b.sample {
		var parts []string
		for i, name := range b.key.Columns {
			parts = append(parts, name+" "+b.sampleValue(row.key[i]))
		}
		for i, a := range b.set {
			parts = append(parts, a.column.Name+" "+b.sampleValue(row.before[i])+" -> "+b.sampleValue(row.after[i]))
		}
		line(out, label, "%s", strings.Join(parts, "  "))
		label = ""
	}
}

// done is what the summary says of the updated rows.
func (b *backfill) done(e *ending) (text string, details []batch.Detail) { return e.matchText(), nil }

type backfillDocument struct {
	planDocument
	Set    []setColumn      `json:"set"`
	Sample []changedColumns `json:"sample"`
}

type setColumn struct {
	Column     string `json:"column"`
	Expression string `json:"expression"`
}

type changedColumns struct {
	Key    map[string]any `json:"key"`
	Before map[string]any `json:"before"`
	After  map[string]any `json:"after"`
}

// document is the plan as one JSON document.
func (b *backfill) document(plan *walkPlan) any {
	d := backfillDocument{planDocument: b.planDocument(plan, b.triggers("UPDATE")), Sample: []changedColumns{}}
	for _, a := range b.set {
		d.Set = append(d.Set, setColumn{a.column.Name, a.given})
	}
	for _, row := range b.sample {
		changed := changedColumns{map[string]any{}, map[string]any{}, map[string]any{}}
		for i, name := range b.key.Columns {
			changed.Key[name] = jsonValue(row.key[i])
		}
		for i, a := range b.set {
			changed.Before[a.column.Name], changed.After[a.column.Name] = jsonValue(row.before[i]), jsonValue(row.after[i])
		}
		d.Sample = append(d.Sample, changed)
	}
	return d
}

type backfillSummary struct {
	summaryDocument
	Updated int64 `json:"updated"`
}

func (b *backfill) summary(e *ending) any { return backfillSummary{b.summaryDocument(e), e.Done} }
