// Package rowimage reads whole rows, compares them, stores them as text and writes them back: what a run needs to show what it would change, and
// to undo what it has changed.
//
//	images, err := rowimage.New(dialect, table, table.Keys[0])
//	before, err := images.Read(ctx, conn, keys.Within(lower, where), args, true)
//	…                                                     // the batch changes its rows
//	after, err := images.ReadKeys(ctx, conn, keysOf(before), false)
//	changes := images.Changes(before[0], after[0])        // the columns that differ
//	text, err := images.Encode(before[0], "status")       // for the journal
//	…
//	row, err := images.Decode(text)
//	n, err := images.Update(ctx, conn, row)
//
// An image holds what the table stores, bit by bit, whatever the column's type is and whatever Go or the driver would make of it: a value that
// would not come back is read as text. Generated columns are no part of it, since the database computes them again.
//
// Three things are outside of an image. A trigger fires on what is written back as on any other statement. Text of PostgreSQL that holds several
// values, such as an array or a range of times, is as DateStyle, IntervalStyle and TimeZone have it: it means the same where these are the same.
// And a large object, or a row of another table that a foreign key has deleted or changed as well, has to be read by itself.
package rowimage

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// Table makes and restores the images of one table's rows. It is immutable and safe for concurrent use.
type Table struct {
	name     string // for people
	keys     *keyset.Keyset
	from     string   // the table, and behind it that rows are looked up by the key
	key      []string // the names of the key's columns
	columns  []dialect.Column
	quoted   []string
	selects  string // the key and then the columns
	features dialect.Features
	match    string // the comparison of a key with parameters
	keyList  string // the key's quoted columns
	keyTypes string // a row of NULLs that have the types of the key's columns, and a comma, where the database needs it
}

// Row is the image of one row. Its key is what the row was found by: the image may hold another one, which the row had before.
type Row struct {
	Key keyset.Values
	// Values are those of [Table.Columns], in that order; [Absent] where the image does not hold the column.
	Values []any
}

// Absent stands for the value of a column that an image does not hold.
var Absent any = absent{}

type absent struct{}

// Change is a column that two images of a row differ in.
type Change struct {
	Column        string
	Before, After any
}

// New returns the images of t's rows, which are found by key: it must be one that package keyset takes.
func New(d dialect.Dialect, t *dialect.Table, key dialect.Key) (*Table, error) {
	keys, err := keyset.New(d, t, key)
	if err != nil {
		return nil, fmt.Errorf("images of rows: %w", err)
	}
	images := &Table{name: t.FullName(), keys: keys, key: key.Columns, features: d.Features(), selects: keys.Columns()}
	images.from = keys.Table() + t.IndexHint(d, key.Columns)
	var match, list, types []string
	for _, name := range key.Columns {
		quoted := d.Quote(name)
		match = append(match, quoted+" = ?")
		list = append(list, quoted)
		types = append(types, "(SELECT "+quoted+" FROM "+keys.Table()+" WHERE 1 = 0)")
	}
	images.match = strings.Join(match, " AND ")
	images.keyList = strings.Join(list, ", ")
	if d.Features().TypedParams {
		images.keyTypes = "(" + strings.Join(types, ", ") + "), "
	}
	for _, c := range t.Columns {
		if c.Generated {
			continue
		}
		quoted := d.Quote(c.Name)
		images.columns = append(images.columns, c)
		images.quoted = append(images.quoted, quoted)
		// Under a name of its own, so that ORDER BY can only mean the key.
		images.selects += ", " + c.SelectExact(quoted) + " AS " + d.Quote("exact value "+strconv.Itoa(len(images.columns)))
	}
	if len(images.columns) == 0 {
		return nil, fmt.Errorf("images of rows: table %s stores no columns", t.FullName())
	}
	return images, nil
}

// Columns are the names of the columns that an image holds: all that the table stores.
func (t *Table) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// Key is the names of the key's columns.
func (t *Table) Key() []string { return t.key }

// Held are the names of the columns that row's image holds, of all of [Table.Columns].
func (t *Table) Held(row Row) []string {
	var names []string
	for i, c := range t.columns {
		if i < len(row.Values) && row.Values[i] != Absent {
			names = append(names, c.Name)
		}
	}
	return names
}

// Changes tells the columns whose values differ, in the table's order. It compares the columns that both images hold.
func (t *Table) Changes(before, after Row) []Change {
	var changes []Change
	for i, c := range t.columns {
		b, a := before.Values[i], after.Values[i]
		if b != Absent && a != Absent && !same(b, a) {
			changes = append(changes, Change{Column: c.Name, Before: b, After: a})
		}
	}
	return changes
}

// Equal reports whether two images of a table hold the same: key, columns and values.
func Equal(a, b Row) bool {
	return slices.EqualFunc(a.Key, b.Key, same) && slices.EqualFunc(a.Values, b.Values, same)
}

// same tells a zero from a negative one, and takes a NaN for itself: what is stored counts.
func same(a, b any) bool {
	if a == Absent || b == Absent {
		return a == Absent && b == Absent
	}
	if x, ok := a.(float64); ok {
		y, ok := b.(float64)
		return ok && cmp.Compare(x, y) == 0 && math.Signbit(x) == math.Signbit(y)
	}
	return keyset.Values{a}.Equal(keyset.Values{b})
}

// index finds columns by name.
func (t *Table) index(names []string) ([]int, error) {
	places := make([]int, len(names))
	for i, name := range names {
		places[i] = slices.IndexFunc(t.columns, func(c dialect.Column) bool { return c.Name == name })
		if places[i] < 0 {
			return nil, fmt.Errorf("table %s stores no column %q", t.name, name)
		}
	}
	return places, nil
}

// held checks that row's image holds the columns at places.
func (t *Table) held(row Row, places []int) error {
	if len(row.Values) != len(t.columns) {
		return fmt.Errorf("the image has %d values for %d columns of table %s", len(row.Values), len(t.columns), t.name)
	}
	for _, i := range places {
		if row.Values[i] == Absent {
			return fmt.Errorf("the image of row %s of table %s holds no column %q", row.Key, t.name, t.columns[i].Name)
		}
	}
	if len(row.Key) != len(t.key) {
		return fmt.Errorf("the image's key %s has %d values for %d columns of table %s", row.Key, len(row.Key), len(t.key), t.name)
	}
	return nil
}

var errNoColumns = errors.New("the image holds no columns")
