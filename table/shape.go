package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/pgbinary"
	"github.com/drover-dev/drover/internal/suggest"
)

// shape is what PostgreSQL's catalogue says of a table's columns: how a value is written in binary, and to what a text is cast.
type shape struct {
	columns map[string]shapeColumn
	names   []string
}

type shapeColumn struct {
	oid    uint32 // of the type; of a domain, of what it is made of
	name   string // of the type, as a cast has it
	length int    // the most characters of a varchar or char; 0: no limit
}

// binary reports whether values of the column can be written in binary.
func (c shapeColumn) binary() bool { return pgbinary.CanAppend(c.oid) }

func (s *shape) column(name string) shapeColumn { return s.columns[name] }

// shapeOf reads a table's columns once for a database. A table that is changed later is read again after the first statement that fails.
func (m *model) shapeOf(ctx context.Context, conn *db.DB) (*shape, error) {
	name := m.quoted(conn.Dialect())
	if known, ok := conn.Facts().Table(name).(*shape); ok {
		return known, nil
	}
	s, err := m.readShape(ctx, conn)
	if err == nil {
		conn.Facts().SetTable(name, s)
	}
	return s, err
}

// same reports whether two shapes have the same columns.
func (s *shape) same(other *shape) bool {
	return slices.Equal(s.names, other.names) && maps.Equal(s.columns, other.columns)
}

func (m *model) readShape(ctx context.Context, conn *db.DB) (*shape, error) {
	// A cast to bit without a length would cut.
	const query = `
SELECT a.attname::text, (CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END)::int8, CASE t.oid WHEN 1560 THEN 'bit varying' ELSE format_type(a.atttypid, NULL) END,
  CASE WHEN t.oid IN (1042, 1043) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(?::text) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`
	s := &shape{columns: map[string]shapeColumn{}}
	err := dialect.Each(ctx, conn, query, []any{m.quoted(conn.Dialect())}, func(scan func(...any) error) error {
		var column string
		var c shapeColumn
		err := scan(&column, &c.oid, &c.name, &c.length)
		s.columns[column] = c
		s.names = append(s.names, column)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the columns of table %s: %w", m.fullName(), err)
	case len(s.columns) == 0:
		return nil, &db.Error{Op: "read the columns", Alias: conn.Alias(), Kind: db.ErrUndefinedTable, Table: m.fullName(), Err: fmt.Errorf("there is no table %s", m.fullName())}
	}
	return s, nil
}

// description is what the catalogue of a database without arrays says of a table.
type description struct {
	table *dialect.Table
	read  time.Time
}

// maxAge is how long a description is believed: a unique key that is added meanwhile is not seen.
const maxAge = 10 * time.Second

// described reads what the catalogue says of a table, or remembers it.
func (m *model) described(ctx context.Context, conn *db.DB) (*dialect.Table, error) {
	d := conn.Dialect()
	if known, ok := conn.Facts().Table(m.quoted(d)).(*description); ok && time.Since(known.read) < maxAge {
		return known.table, nil
	}
	t, err := d.Table(ctx, conn, m.quoted(d))
	if err == nil {
		conn.Facts().SetTable(m.quoted(d), &description{t, time.Now()})
	}
	return t, err
}

// check refuses columns that the table does not have.
func (s *shape) check(m *model, columns []int) error {
	for _, i := range columns {
		name := m.mapping.Columns[i].Name
		if _, ok := s.columns[name]; !ok {
			return &ColumnError{Table: m.fullName(), Column: name, Nearest: suggest.Nearest(name, s.names)}
		}
	}
	return nil
}

// forget drops what is known of the table after an error that it may be the reason of.
func (m *model) forget(conn *db.DB, err error) {
	switch db.KindOf(err) {
	case db.ErrUnique, db.ErrForeignKey, db.ErrNotNull, db.ErrCheck:
		return
	}
	if _, ok := errors.AsType[*db.Error](err); ok || errors.Is(err, errShapeChanged) {
		conn.Facts().ForgetTable(m.quoted(conn.Dialect()))
	}
}
