package dialect

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
)

// Queryer is the part of a connection that reading the catalogue needs.
type Queryer interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Catalog reads a database's description of itself.
type Catalog interface {
	// Tables lists the tables that an unqualified or qualified name can mean, as the user would write them
	// (the schema is left out where the search path finds the table, and a table's name with a dot in it is quoted), sorted.
	Tables(ctx context.Context, q Queryer) ([]string, error)
	// Table describes one table. name is as the user wrote it: "t" or "schema.t", optionally quoted; an
	// unquoted name means what it means in a statement (PostgreSQL folds it to lower case) and, where no such
	// table exists, the table of exactly that spelling. It returns [ErrNoTable] when there is none.
	Table(ctx context.Context, q Queryer, name string) (*Table, error)
}

// ErrNoTable says that the catalogue has no such table.
const ErrNoTable = catalogError("no such table")

type catalogError string

func (e catalogError) Error() string { return string(e) }

// Table is what the catalogue says about one table.
type Table struct {
	Schema string // empty where the database has none (SQLite: "main" is left out)
	Name   string
	View   bool // a view or another relation that is no base table

	// NotTransactional is set where the table's storage engine does not take part in transactions, so that
	// a rollback leaves its changes in place (MyISAM, Aria and MEMORY of MySQL and MariaDB).
	NotTransactional bool

	Columns []Column
	// Keys holds the usable row identities, best first: the primary key, then unique keys whose columns
	// are all NOT NULL, those of fewer columns first. Left out are keys that a keyset cannot rely on: partial,
	// expression, prefix, invalid and deferrable ones, those whose columns sort otherwise than they compare
	// (ENUM of MySQL), and on PostgreSQL those of a table that others inherit from.
	Keys []Key
	// Unique holds the columns of every unique index, those that Keys leaves out too; a column is "" where it is an expression. Only MySQL's
	// catalogue fills it, where any of them sets an upsert's update off.
	Unique []Key

	// Rows is the number of rows and Bytes the size on disk, both as the database estimates them;
	// -1 where it does not say. RowsExact is set where Rows was counted.
	Rows      int64
	RowsExact bool
	Bytes     int64

	// Reclaim is the statement that the manual advises after a large delete, so that the space is used again
	// and the planner knows the new size; "" where the database sees to that by itself.
	Reclaim string

	// References are the enforced foreign keys that point to this table, its own included, sorted.
	References []Reference
	// Triggers are the enabled row and statement triggers of the table, sorted by name.
	Triggers []Trigger
}

// Column is one column.
type Column struct {
	Name     string
	Type     string // as the database writes it
	Nullable bool
	Collated bool // a text column: its order depends on a collation
	// Collation is the name of a text column's collation, which begins with its character set's. Only MySQL's catalogue fills it.
	Collation string
	Auto      bool // the database makes integers for it, and tells of the last: AUTO_INCREMENT of MySQL, INTEGER PRIMARY KEY of SQLite
	// Sequence: an INSERT that leaves the column out takes the next integer of a sequence: serial and identity columns of PostgreSQL.
	Sequence bool
	// Default: an INSERT that leaves the column out takes a value that the table says, and not NULL.
	Default bool

	// Raw is the SQL that reads the stored value unchanged, where the driver would turn the plain column
	// into something that does not compare as the column does (dates and booleans on SQLite); "" elsewhere.
	Raw string
	// TextBytes is set where drivers hand out the column's text as []byte. It must go back as a string: as
	// bytes it would be compared without the column's collation.
	TextBytes bool

	// Unsigned: the column holds integers of 64 bits without a sign, which the driver hands out as uint64, int64 or text, as the number is large
	// and the statement is prepared, or not (BIGINT UNSIGNED of MySQL).
	Unsigned bool

	// Generated: the database computes the column from others, and it cannot be written.
	Generated bool
	// Stamped: an UPDATE that does not set the column stores the present time in it (ON UPDATE CURRENT_TIMESTAMP of MySQL).
	Stamped bool
	// Exact is the SQL that reads the stored value so that it comes back bit by bit when it is written, where the driver or the session's
	// settings would make something else of it: infinite and zero dates, a FLOAT of MySQL; "" elsewhere.
	Exact string
	// Verbatim says that the session's settings decide what a value becomes when it is written: put [Features].Verbatim around it.
	Verbatim bool
}

// SelectExact is the SQL that reads the column's value so that it can be written back. quoted is the column's quoted name. Unlike that of
// Select, the value need not compare as the column does.
func (c Column) SelectExact(quoted string) string {
	if c.Exact != "" {
		return c.Exact
	}
	return c.Select(quoted)
}

// Select is the SQL that reads the column's value so that it can serve as a parameter again. quoted is the
// column's quoted name.
func (c Column) Select(quoted string) string {
	if c.Raw != "" {
		return c.Raw
	}
	return quoted
}

// Value gives what a driver handed out for the column the type that equal values of the column always have and that serves as a parameter.
func (c Column) Value(value any) any {
	switch v := value.(type) {
	case []byte:
		if c.Unsigned {
			if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
				return n
			}
		}
		if c.TextBytes {
			return string(v)
		}
	case int64:
		if c.Unsigned && v >= 0 {
			return uint64(v)
		}
	}
	return value
}

// Column returns the column of that name; ok is false when there is none.
func (t *Table) Column(name string) (c Column, ok bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Unfilled are the columns that stay without a value where an INSERT gives only some, although they are NOT NULL. Where a trigger is fired, which may
// give them one, there are none.
func (t *Table) Unfilled(given func(column string) bool) (names []string) {
	if slices.ContainsFunc(t.Triggers, func(g Trigger) bool { return slices.Contains(g.Events, "INSERT") }) {
		return nil
	}
	for _, c := range t.Columns {
		if !given(c.Name) && !c.Nullable && !c.Default && !c.Auto && !c.Sequence && !c.Generated {
			names = append(names, c.Name)
		}
	}
	return names
}

// FullName is the table's name for people: with its schema where the database has schemas.
func (t *Table) FullName() string { return join(t.Schema, t.Name) }

func join(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// IndexHint stands behind the table's name in a statement that looks rows up by the columns of a key and locks them; "" where the database
// needs none, and where there is no such key. MySQL and MariaDB take a table for nearly empty when they have lost its statistics, as after a
// crash: they read all of it then, and lock each row on the way.
func (t *Table) IndexHint(d Dialect, columns []string) string {
	if !d.Features().IndexHints {
		return ""
	}
	for _, k := range t.Keys {
		if k.Has(columns) {
			return " FORCE INDEX (" + d.Quote(k.Name) + ")"
		}
	}
	return ""
}

// Key is a primary key or a unique key without NULLs.
type Key struct {
	Name    string
	Columns []string
	Primary bool
	// Whole says that none of the columns can be NULL or is a prefix or an expression. Only MySQL's catalogue fills it.
	Whole bool
}

// Has reports whether the key is of exactly these columns, in any order.
func (k Key) Has(columns []string) bool {
	return len(k.Columns) == len(columns) && !slices.ContainsFunc(k.Columns, func(c string) bool { return !slices.Contains(columns, c) })
}

// Reference is a foreign key that points to the table in hand.
type Reference struct {
	Name       string
	Schema     string   // of the referencing table; empty where the database has none
	Table      string   // the referencing table
	Columns    []string // its columns
	RefColumns []string // the columns pointed to
	OnDelete   string   // NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT
	// Indexed is set where an index of the referencing table begins with Columns. Without one, every delete
	// reads the whole referencing table.
	Indexed bool
}

// FullName is the referencing table's name for people: with its schema where the database has schemas.
func (r Reference) FullName() string { return join(r.Schema, r.Table) }

// Trigger is one trigger of a table.
type Trigger struct {
	Name   string
	Events []string // INSERT, UPDATE, DELETE, TRUNCATE, in this order
}
