// Package keyset builds the SQL that walks a table in the order of a key, a page at a time, for keys of one or more
// columns.
//
// A page is a range of keys, (lower, end]. Its end is found by asking for the page's last key, never by an offset from
// the start of the table and never from the order in which rows came back:
//
//	k, err := keyset.New(dialect, table, table.Keys[0])
//	lower := k.After()
//	query := k.PageEnd(lower, "status = 'old'", 1000)
//	args := k.Through().Args(lower.Args(nil, cursor), last)
//
// The statements of a walk are the same text for every page, so that the database prepares them once. Values travel
// only as parameters. A text column is compared and sorted under its own collation on both sides: the cursor is a
// parameter, and a parameter takes the collation of the column it is compared with.
package keyset

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// Keyset is the order of one table's rows by one key. It is immutable.
type Keyset struct {
	table   string // quoted, with its schema
	columns []dialect.Column
	quoted  []string
	rows    bool // row comparison
	guesses bool // without statistics a range with two ends is guessed to be small
	blind   bool // there are none
}

// New returns the order of t's rows by key, which must be unique and free of NULLs: a comparison with NULL drops rows
// silently.
func New(d dialect.Dialect, t *dialect.Table, key dialect.Key) (*Keyset, error) {
	if len(key.Columns) == 0 {
		return nil, fmt.Errorf("keyset on table %s: the key has no columns", t.FullName())
	}
	k := &Keyset{table: TableName(d, t.Schema, t.Name), rows: d.Features().RowComparison, guesses: d.Features().GuessesRanges, blind: t.Rows < 0}
	for _, name := range key.Columns {
		c, ok := t.Column(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("keyset on table %s: no column %q", t.FullName(), name)
		case c.Nullable:
			return nil, fmt.Errorf("keyset on table %s: column %q can be NULL", t.FullName(), name)
		}
		k.columns = append(k.columns, c)
		k.quoted = append(k.quoted, d.Quote(name))
	}
	return k, nil
}

// TableName quotes a table's name with its schema, where it has one.
func TableName(d dialect.Dialect, schema, table string) string {
	if schema == "" {
		return d.Quote(table)
	}
	return d.Quote(schema) + "." + d.Quote(table)
}

// Table is the table's quoted name.
func (k *Keyset) Table() string { return k.table }

// Columns is the select list that [Keyset.Scan] reads.
func (k *Keyset) Columns() string {
	list := make([]string, len(k.columns))
	for i := range k.columns {
		list[i] = k.Select(i)
	}
	return strings.Join(list, ", ")
}

// Select is the SQL that reads the i-th column of the key.
func (k *Keyset) Select(i int) string { return k.columns[i].Select(k.quoted[i]) }

// OrderBy is the ascending order, without the words ORDER BY.
func (k *Keyset) OrderBy() string { return strings.Join(k.quoted, ", ") }

// Descending is the reverse order, without the words ORDER BY.
func (k *Keyset) Descending() string { return strings.Join(k.quoted, " DESC, ") + " DESC" }

// First selects the first key of the rows that where matches; an empty where matches all.
func (k *Keyset) First(where string) string {
	return "SELECT " + k.Columns() + " FROM " + k.table + filter(where) + " ORDER BY " + k.OrderBy() + " LIMIT 1"
}

// Last selects the last key of the rows that where matches; an empty where matches all.
func (k *Keyset) Last(where string) string {
	return "SELECT " + k.Columns() + " FROM " + k.table + filter(where) + " ORDER BY " + k.Descending() + " LIMIT 1"
}

// PageEnd selects the key of the size-th matching row of the range that begins at lower and ends with the walk's last
// key; it selects nothing where fewer rows are left. Its parameters are those of lower and then those of
// [Keyset.Through]. The size is part of the text: as a parameter it would hide from the planner how few rows are read.
func (k *Keyset) PageEnd(lower Predicate, where string, size int) string {
	return "SELECT " + k.Columns() + " FROM " + k.table + k.FirstWithin(lower, where) +
		" ORDER BY " + k.OrderBy() + " LIMIT 1 OFFSET " + strconv.Itoa(size-1)
}

// Within is the WHERE clause of a page: the range from lower through an end, and where. Its parameters are those of
// lower and then those of [Keyset.Through]. It is for a statement on all rows of the range; see [Keyset.FirstWithin].
func (k *Keyset) Within(lower Predicate, where string) string {
	return filter(lower.SQL, k.Through().SQL, where)
}

// FirstWithin is [Keyset.Within] for a query that takes the first rows of the range, with ORDER BY and LIMIT.
func (k *Keyset) FirstWithin(lower Predicate, where string) string {
	return filter(lower.SQL, k.Until().SQL, where)
}

func filter(conditions ...string) string {
	clause := ""
	for i, c := range conditions {
		if c == "" {
			continue
		}
		if i == len(conditions)-1 {
			c = "(" + c + ")" // the user's own text, which may hold an OR
		}
		if clause == "" {
			clause = " WHERE " + c
		} else {
			clause += " AND " + c
		}
	}
	return clause
}
