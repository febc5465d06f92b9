// Package rowfile writes rows of a table to a file, in the order of a key and in constant memory.
//
//	s, err := rowfile.New(conn, table, key, columns, where)
//	…
//	err = s.Snapshot(ctx, func(ctx context.Context) error {       // one state of the database
//		written, err = s.Write(ctx, w, rowfile.Range{}, counted)
//		return err
//	})
package rowfile

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Source is the rows of a table that match a condition. It is immutable.
type Source struct {
	conn    *db.DB
	dialect dialect.Dialect
	key     []dialect.Column
	keys    *keyset.Keyset
	columns []datafile.Column
	list    string // the select list of the columns
	where   string
}

// New returns the rows of t for which where holds, a condition as package db takes it or "" for all rows, with some of the table's columns.
func New(conn *db.DB, t *dialect.Table, key dialect.Key, columns []dialect.Column, where string) (*Source, error) {
	s := &Source{conn: conn, dialect: conn.Dialect(), where: where}
	var err error
	if s.keys, err = keyset.New(s.dialect, t, key); err != nil {
		return nil, err
	}
	for _, name := range key.Columns {
		c, _ := t.Column(name) // which the keyset has found
		s.key = append(s.key, c)
	}
	features := s.dialect.Features()
	var list []string
	for _, c := range columns {
		column := datafile.Column{Name: c.Name, Type: s.dialect.Type(c), Nullable: c.Nullable, Loose: features.LooseTypes}
		quoted := s.dialect.Quote(c.Name)
		text := len(features.TextForms) > 0
		switch {
		case text && column.Type.Class == dialect.Text && column.Type.Padded: // with another name, so that it is not what the rows are ordered by
			list = append(list, "CAST("+quoted+" AS text) AS "+s.dialect.Quote("text of "+c.Name))
		case text:
			list = append(list, quoted)
		default:
			list = append(list, c.SelectExact(quoted))
			if column.Type.Class == dialect.Opaque && !c.TextBytes {
				column.Type.Class = dialect.Bytes
			}
		}
		s.columns = append(s.columns, column)
	}
	s.list = strings.Join(list, ", ")
	return s, nil
}

// Columns are the columns of the file.
func (s *Source) Columns() []datafile.Column { return s.columns }

// Range is some of the rows. The zero value is all of them.
type Range struct {
	After   keyset.Values // only those behind this key; nil: from the first one on
	Through keyset.Values // only those up to this key; nil: to the last one
	Limit   int64         // at most so many; 0: all
	Keys    bool          // tell the first and the last key
}

// Written is what was written.
type Written struct {
	Rows        int64
	First, Last keyset.Values // where the range asked for them, and there were rows
}

// Snapshot calls fn with a transaction that only reads and sees one state of the database, and in which Write can be called.
func (s *Source) Snapshot(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.conn.Atomic(ctx, func(ctx context.Context) error {
		for _, statement := range s.dialect.Features().TextForms {
			if err := s.conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return fn(ctx)
	}, db.Isolation(sql.LevelRepeatableRead), db.ReadOnly(), db.Durable())
}

// Query is the statement of a range and its parameters, as the database takes them.
func (s *Source) Query(r Range) (query string, args []any, err error) {
	list := s.list
	if r.Keys {
		list += ", " + s.keys.Columns()
	}
	var conditions []string
	if r.After != nil {
		after := s.keys.After()
		conditions = append(conditions, after.SQL)
		args = after.Args(args, r.After)
	}
	if r.Through != nil {
		through := s.keys.Through()
		if r.Limit > 0 {
			through = s.keys.Until()
		}
		conditions = append(conditions, through.SQL)
		args = through.Args(args, r.Through)
	}
	if s.where != "" {
		conditions = append(conditions, "("+s.where+")")
	}
	query = "SELECT " + list + " FROM " + s.keys.Table()
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	query += " ORDER BY " + s.keys.OrderBy()
	if r.Limit > 0 {
		query += " LIMIT " + strconv.FormatInt(r.Limit, 10)
	}
	query, _, err = sqltext.Rebind(s.dialect.Syntax(), query)
	return query, args, err
}
