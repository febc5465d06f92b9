package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// effect is what deleting does to the rows of another table, or to further rows of the same one.
type effect struct {
	table  string
	action string // CASCADE, SET NULL or SET DEFAULT
	rows   int64
	deep   bool // rows that point to these in turn, in a circle of foreign keys, are not counted
}

func (e effect) verb() string {
	if e.action == "CASCADE" {
		return "delete"
	}
	return "change"
}

func (e effect) why() string { return "ON DELETE " + e.action }

// block is rows that the database will not leave without the row they point to.
type block struct {
	table   string
	columns []string
	action  string // RESTRICT or NO ACTION
	rows    int64
}

// column names the foreign key as table.column.
func (b block) column() string {
	if len(b.columns) == 1 {
		return b.table + "." + b.columns[0]
	}
	return b.table + " (" + strings.Join(b.columns, ", ") + ")"
}

// condition is a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

// cascade is one table that rows are deleted from: the purged table, or one that a cascade reaches.
type cascade struct {
	table *dialect.Table
	rows  []condition // each holds for some of the rows to delete; empty where there are none
	deep  bool        // a circle of foreign keys comes back to it

	followed bool // its foreign keys have been looked at
}

// where holds for all rows of the table that will be deleted.
func (c *cascade) where() condition {
	if len(c.rows) == 1 {
		return c.rows[0]
	}
	var all condition
	for i, one := range c.rows {
		if i > 0 {
			all.sql += " OR "
		}
		all.sql += "(" + strings.TrimPrefix(one.sql, " WHERE ") + ")"
		all.args = append(all.args, one.args...)
	}
	all.sql = " WHERE " + all.sql
	return all
}

// effects walks the foreign keys from the purged table, every table after all those that cascade into it, so that its
// rows are counted once however many ways lead to them.
type effects struct {
	*purge
	tables map[string]*cascade // by full name
	order  []*cascade          // parents before children
	open   map[string]bool     // on the way from the purged table

	plan *walkPlan
	kept []keptReference
}

// keptReference is a foreign key that forbids to delete what it points to. It is judged when all cascades are known.
type keptReference struct {
	dialect.Reference
	pointing condition
	self     bool
}

// measureEffects counts what goes with the rows of a plan.
func (p *purge) measureEffects(ctx context.Context, plan *walkPlan) error {
	e := &effects{purge: p, plan: plan, tables: map[string]*cascade{}, open: map[string]bool{}}
	root := &cascade{table: p.table, rows: []condition{p.scope(plan)}}
	if err := e.visit(ctx, root); err != nil {
		return err
	}
	slices.Reverse(e.order)
	for _, c := range e.order {
		if err := e.follow(ctx, c, c == root); err != nil {
			return fmt.Errorf("count the rows that go with those of %s: %w", c.table.FullName(), err)
		}
	}
	for _, k := range e.kept {
		if err := e.judge(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// visit finds the tables that cascades reach, children first.
func (e *effects) visit(ctx context.Context, c *cascade) error {
	name := c.table.FullName()
	e.tables[name], e.open[name] = c, true
	defer delete(e.open, name)
	for _, r := range c.table.References {
		child := r.FullName()
		if r.OnDelete != "CASCADE" {
			continue
		}
		if e.open[child] {
			e.tables[child].deep = true
			continue
		}
		if e.tables[child] != nil {
			continue
		}
		t, err := e.dialect.Table(ctx, e.conn, keyset.TableName(e.dialect, r.Schema, r.Table))
		if err != nil {
			return err
		}
		if err := e.visit(ctx, &cascade{table: t}); err != nil {
			return err
		}
	}
	e.order = append(e.order, c)
	return nil
}

// follow counts the rows of a table that a cascade deletes and looks at the foreign keys that point to it.
func (e *effects) follow(ctx context.Context, c *cascade, root bool) error {
	c.followed = true
	if len(c.rows) == 0 {
		return nil
	}
	if !root {
		n, err := e.countRows(ctx, c.table.Schema, c.table.Name, c.where())
		if err != nil {
			return err
		}
		e.purge.effects = append(e.purge.effects, effect{table: e.display(c.table.Schema, c.table.Name), action: "CASCADE", rows: n, deep: c.deep})
		if n == 0 {
			c.rows = nil // nothing of it is deleted, so nothing below it either
			return nil
		}
	}
	for _, r := range c.table.References {
		if err := e.reference(ctx, c, r, root); err != nil {
			return err
		}
	}
	return nil
}

// reference looks at one foreign key that points to a table that rows are deleted from.
func (e *effects) reference(ctx context.Context, parent *cascade, r dialect.Reference, root bool) error {
	name := e.display(r.Schema, r.Table)
	if !r.Indexed {
		e.plan.warn("%s has no index on (%s): every deleted row makes the database read all of it", name, strings.Join(r.Columns, ", "))
	}
	pointing := e.pointing(parent, r)
	child := e.tables[r.FullName()]
	self := r.FullName() == parent.table.FullName()
	switch r.OnDelete {
	case "CASCADE":
		if !child.followed {
			child.rows = append(child.rows, pointing)
			return nil
		}
		// A circle of foreign keys: its first turn is counted, without the rows that are deleted anyway.
		return e.count(ctx, r, pointing.except(child), effect{table: name, action: r.OnDelete, deep: true})
	case "SET NULL", "SET DEFAULT":
		if self {
			pointing = pointing.except(parent)
		}
		return e.count(ctx, r, pointing, effect{table: name, action: r.OnDelete})
	}
	e.kept = append(e.kept, keptReference{r, pointing, self})
	return nil
}

// count adds an effect, unless it is on no row.
func (e *effects) count(ctx context.Context, r dialect.Reference, where condition, on effect) (err error) {
	on.rows, err = e.countRows(ctx, r.Schema, r.Table, where)
	if err == nil && on.rows > 0 {
		e.purge.effects = append(e.purge.effects, on)
	}
	return err
}

// judge counts the rows that a foreign key without an action keeps, and with them the rows they point to.
func (e *effects) judge(ctx context.Context, k keptReference) error {
	where := k.pointing
	switch child := e.tables[k.FullName()]; {
	case k.self:
		where = where.without(e.toItself(k.Reference))
	case k.OnDelete == "NO ACTION" && child != nil:
		// Checked at the end of the statement, when the cascade has deleted these as well.
		where = where.except(child)
	}
	n, err := e.countRows(ctx, k.Schema, k.Table, where)
	if err != nil {
		return fmt.Errorf("count the rows of %s that point to rows to delete: %w", k.FullName(), err)
	}
	if n > 0 {
		e.purge.blocks = append(e.purge.blocks, block{table: e.display(k.Schema, k.Table), columns: k.Columns, action: k.OnDelete, rows: n})
	}
	return nil
}

// pointing holds for the rows of the referencing table that point to rows that will be deleted.
func (e *effects) pointing(parent *cascade, r dialect.Reference) condition {
	where := parent.where()
	return condition{
		sql: " WHERE " + e.tuple(r.Columns) + " IN (SELECT " + e.list(r.RefColumns) + " FROM " +
			keyset.TableName(e.dialect, parent.table.Schema, parent.table.Name) + where.sql + ")",
		args: where.args,
	}
}

// toItself holds for a row that points to itself.
func (e *effects) toItself(r dialect.Reference) condition {
	parts := make([]string, len(r.Columns))
	for i := range r.Columns {
		parts[i] = e.dialect.Quote(r.Columns[i]) + " = " + e.dialect.Quote(r.RefColumns[i])
	}
	return condition{sql: " WHERE " + strings.Join(parts, " AND ")}
}

// except takes out the rows of a table that are deleted anyway.
func (c condition) except(deleted *cascade) condition {
	if len(deleted.rows) == 0 {
		return c
	}
	return c.without(deleted.where())
}

// without takes out the rows for which other holds; those for which it is NULL stay.
func (c condition) without(other condition) condition {
	return condition{
		sql:  c.sql + " AND (" + strings.TrimPrefix(other.sql, " WHERE ") + ") IS NOT TRUE",
		args: slices.Concat(c.args, other.args),
	}
}

func (e *effects) countRows(ctx context.Context, schema, table string, where condition) (n int64, err error) {
	query := "SELECT count(*) FROM " + keyset.TableName(e.dialect, schema, table) + where.sql
	err = e.conn.QueryRow(ctx, query, where.args...).Scan(&n)
	return n, err
}

func (e *effects) list(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = e.dialect.Quote(c)
	}
	return strings.Join(quoted, ", ")
}

func (e *effects) tuple(columns []string) string {
	if len(columns) == 1 {
		return e.list(columns)
	}
	return "(" + e.list(columns) + ")"
}
