// Package transfer takes rows of a table to a table of another database, and tells whether they have arrived.
//
//	t, err := transfer.New(from, to, nil)               // which column goes where, or why that cannot be
//	rows, end, err := t.Page(ctx, after, last, where, 1000)
//	err = t.Insert(ctx, rows)                           // in a block of the other database
//	…
//	differences, err := t.Compare(ctx, rows)            // reads the other database's rows of these keys
//
// A value goes as it is between columns of one type of one kind of database. Elsewhere it is brought into a form that all databases share, and
// back: a value that the other column would round, cut or take for another one is an error of its row, so nothing is changed on the way.
package transfer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
)

// Side is a table of one database, whose rows are found by a key.
type Side struct {
	Conn  *db.DB
	Table *dialect.Table
	Key   dialect.Key
}

// Transfer is the way of rows from one table to another. It is immutable and safe for concurrent use.
type Transfer struct {
	from, to side
	columns  []column
	key      []int // the places of the key's columns in columns
}

type side struct {
	conn   *db.DB
	images *rowimage.Table
}

// column is a column of both tables.
type column struct {
	name     string
	in, out  dialect.Type
	from, to dialect.Column
	asIs     bool
	note     string
}

// Column tells how a column goes.
type Column struct {
	Name, From, To string // the types as the databases write them
	Note           string // what does not fit; "" where all values do
}

// MismatchError says why rows of a table cannot go to another.
type MismatchError struct {
	From, To string
	Reasons  []string // one for each column
}

// Error lists the reasons.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("rows of %s do not fit into %s: %s", e.From, e.To, strings.Join(e.Reasons, "; "))
}

// New finds for each of the named columns of from, or for all that are stored where none are named, the column of that name of to. The key of to
// must have the same columns as that of from. The error is [*MismatchError].
func New(from, to Side, only []string) (*Transfer, error) {
	t := &Transfer{}
	mismatch := &MismatchError{From: from.Table.FullName(), To: to.Table.FullName()}
	refuse := func(format string, args ...any) {
		mismatch.Reasons = append(mismatch.Reasons, fmt.Sprintf(format, args...))
	}
	for _, name := range only {
		if _, ok := from.Table.Column(name); !ok {
			refuse("there is no column %q", name)
		}
	}
	for _, c := range from.Table.Columns {
		inKey := slices.Contains(from.Key.Columns, c.Name)
		if only != nil && !slices.Contains(only, c.Name) && !inKey || only == nil && c.Generated {
			continue
		}
		col, err := match(from, to, c)
		if err != nil {
			refuse("%v", err)
			continue
		}
		if inKey {
			t.key = append(t.key, len(t.columns))
		}
		t.columns = append(t.columns, col)
	}
	for _, name := range to.Table.Unfilled(func(name string) bool {
		_, is := from.Table.Column(name)
		return is && (only == nil || slices.Contains(only, name) || slices.Contains(from.Key.Columns, name))
	}) {
		refuse("there is no value for the column %q of %s, NOT NULL without a default", name, mismatch.To)
	}
	if !to.Key.Has(from.Key.Columns) {
		refuse("the key %s is none of the other table", strings.Join(from.Key.Columns, ", "))
	}
	if len(mismatch.Reasons) > 0 {
		return nil, mismatch
	}
	var err error
	if t.from, err = t.side(from, func(c column) dialect.Column { return c.from }); err != nil {
		return nil, err
	}
	to.Key.Columns = from.Key.Columns // in one order on both sides
	t.to, err = t.side(to, func(c column) dialect.Column { return c.to })
	return t, err
}

// match finds the column that c goes to.
func match(from, to Side, c dialect.Column) (column, error) {
	other, ok := to.Table.Column(c.Name)
	if !ok {
		return column{}, fmt.Errorf("there is no column %q", c.Name)
	}
	if other.Generated {
		return column{}, fmt.Errorf("%s: the database computes it", c.Name)
	}
	a, b := from.Conn.Dialect(), to.Conn.Dialect()
	col := column{name: c.Name, from: c, to: other, in: a.Type(c), out: b.Type(other)}
	if col.asIs = a.Name() == b.Name() && strings.EqualFold(c.Type, other.Type); col.asIs {
		return col, nil
	}
	var err error
	if col.note, err = fit(col.in, col.out); err != nil {
		return column{}, fmt.Errorf("%s: %s into %s: %w", c.Name, typeText(c), typeText(other), err)
	}
	return col, nil
}

func typeText(c dialect.Column) string {
	if c.Type == "" {
		return "no type"
	}
	return c.Type
}

// side makes the images of the columns that go.
func (t *Transfer) side(s Side, pick func(column) dialect.Column) (side, error) {
	part := *s.Table
	part.Columns = nil
	for _, c := range t.columns {
		part.Columns = append(part.Columns, pick(c))
	}
	images, err := rowimage.New(s.Conn.Dialect(), &part, s.Key)
	return side{conn: s.Conn, images: images}, err
}

// Columns tells how each column goes.
func (t *Transfer) Columns() []Column {
	all := make([]Column, len(t.columns))
	for i, c := range t.columns {
		all[i] = Column{Name: c.name, From: typeText(c.from), To: typeText(c.to), Note: c.note}
	}
	return all
}

// Page reads the first rows of a range of the source's keys, (after, through], that match where; end is the last one's key.
func (t *Transfer) Page(ctx context.Context, after, through keyset.Values, where string, size int) (rows []rowimage.Row, end keyset.Values, err error) {
	rows, err = t.from.images.Page(ctx, t.from.conn, after, through, where, size)
	if len(rows) > 0 {
		end = rows[len(rows)-1].Key
	}
	return rows, end, err
}

// ByKeys reads rows of the source that exist, in the order of keys. With lock they are locked until the end of the block of the source that ctx must
// be in.
func (t *Transfer) ByKeys(ctx context.Context, keys []keyset.Values, lock bool) ([]rowimage.Row, error) {
	return t.from.images.ReadKeys(ctx, t.from.conn, keys, lock)
}

// converted brings the values of a row of the source into the form in which the other table's are compared. The error names the column whose value
// does not fit.
func (t *Transfer) converted(row rowimage.Row) ([]any, error) {
	out := make([]any, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		var err error
		if out[i], err = c.convert(row.Values[i]); err != nil {
			return nil, &db.Error{Op: "copy", Alias: t.to.conn.Alias(), Kind: db.ErrData, Column: c.name, Err: fmt.Errorf("column %s: %w", c.name, err)}
		}
	}
	return out, nil
}

// row makes a row of the other table of values in the form in which they are compared.
func (t *Transfer) row(values []any) rowimage.Row {
	out := rowimage.Row{Values: make([]any, len(t.columns)), Key: make(keyset.Values, len(t.key))}
	for i, c := range t.columns {
		out.Values[i] = values[i]
		if !c.asIs {
			out.Values[i] = write(c.out, c.to, values[i])
		}
	}
	for n, i := range t.key {
		out.Key[n] = out.Values[i]
	}
	return out
}

// convert brings a value of the source into the form in which the other table's are compared.
func (c *column) convert(value any) (any, error) {
	if c.asIs {
		return value, nil
	}
	value, class, err := Read(c.in, value)
	if err != nil {
		return nil, err
	}
	return convert(class, value, c.out)
}

// OtherKeys are the values of columns of the other table's rows that rows of the source go to, but for rows that do not fit.
func (t *Transfer) OtherKeys(rows []rowimage.Row, columns []string) []keyset.Values {
	places := make([]int, len(columns))
	for n, name := range columns {
		places[n] = slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	}
	var keys []keyset.Values
	for _, row := range rows {
		values, err := t.converted(row)
		if err != nil {
			continue
		}
		other := t.row(values)
		key := make(keyset.Values, len(columns))
		for n, at := range places {
			key[n] = other.Values[at]
		}
		keys = append(keys, key)
	}
	return keys
}

// Insert writes rows of the source to the other table, in its block.
func (t *Transfer) Insert(ctx context.Context, rows []rowimage.Row) error {
	others := make([]rowimage.Row, len(rows))
	for i, row := range rows {
		values, err := t.converted(row)
		if err != nil {
			return err
		}
		others[i] = t.row(values)
	}
	return t.to.images.Insert(ctx, t.to.conn, others)
}

// Overwrite writes one row of the source over the other table's row of its key.
func (t *Transfer) Overwrite(ctx context.Context, row rowimage.Row) error {
	values, err := t.converted(row)
	if err != nil {
		return err
	}
	_, err = t.to.images.Update(ctx, t.to.conn, t.row(values))
	return err
}

// Clear deletes rows of the source, in its block.
func (t *Transfer) Clear(ctx context.Context, keys []keyset.Values) (int64, error) {
	return t.from.images.Delete(ctx, t.from.conn, keys)
}

// Difference says how the other table's row differs from a row of the source.
type Difference struct {
	Row     int  // its place
	Missing bool // there is no row of its key
	Column  string
}

// Error says it in one line.
func (d Difference) Error() string {
	if d.Missing {
		return "the row is not there"
	}
	return "column " + d.Column + " differs"
}

// Check is what a comparison has found.
type Check struct {
	Differences []Difference
	// Sum is the checksum of the source's rows in the form in which they are compared, and OtherSum that of the other table's rows of their keys.
	Sum, OtherSum [sha256.Size]byte
}

// Compare reads the other table's rows of the keys of rows, and compares them: their number and checksum, and where these differ row by row. A
// row that does not fit is a difference too.
func (t *Transfer) Compare(ctx context.Context, rows []rowimage.Row) (*Check, error) {
	keys := make([]keyset.Values, 0, len(rows))
	wanted := make([][]any, len(rows)) // nil for a row that does not fit: it cannot be there
	for i, row := range rows {
		if values, err := t.converted(row); err == nil {
			wanted[i] = values
			keys = append(keys, t.row(values).Key)
		}
	}
	found, err := t.to.images.ReadKeys(ctx, t.to.conn, keys, false)
	if err != nil {
		return nil, err
	}
	have := make(map[string][]any, len(found))
	for _, row := range found {
		values, ok := t.back(row)
		if !ok {
			continue // it cannot be equal
		}
		key, err := t.spell(values)
		if err != nil {
			return nil, err
		}
		have[key] = values
	}
	return t.check(wanted, have)
}

// check compares rows with those that there are: by their checksums, and where these differ row by row. A row that does not fit has no checksum.
func (t *Transfer) check(wanted [][]any, have map[string][]any) (*Check, error) {
	found := make([][]any, len(wanted))
	unfit := false
	for i, values := range wanted {
		if values == nil {
			unfit = true
			continue
		}
		key, err := t.spell(values)
		if err != nil {
			return nil, err
		}
		found[i] = have[key]
	}
	c := &Check{}
	for _, side := range []struct {
		sum  *[sha256.Size]byte
		rows [][]any
	}{{&c.Sum, wanted}, {&c.OtherSum, found}} {
		sum := sha256.New()
		for _, values := range side.rows {
			text, err := t.fold(values)
			if err != nil {
				return nil, err
			}
			_, _ = io.WriteString(sum, text) // a hash does not fail
		}
		sum.Sum(side.sum[:0])
	}
	if c.Sum == c.OtherSum && !unfit {
		return c, nil
	}
	for i, values := range wanted {
		if values == nil || found[i] == nil {
			c.Differences = append(c.Differences, Difference{Row: i, Missing: true})
		} else if column := t.differs(values, found[i]); column != "" {
			c.Differences = append(c.Differences, Difference{Row: i, Column: column})
		}
	}
	return c, nil
}

// back brings a value of the other table into the form in which it is compared.
func (c *column) back(value any) (any, error) {
	if c.asIs {
		return value, nil
	}
	typ := c.out
	if typ.Class == dialect.Any {
		typ = c.in
	}
	value, _, err := Read(typ, value)
	return value, err
}

// back brings the values of a row of the other table into the form in which they are compared; ok is false where that has no such form.
func (t *Transfer) back(row rowimage.Row) (values []any, ok bool) {
	values = make([]any, len(t.columns))
	for i := range t.columns {
		var err error
		if values[i], err = t.columns[i].back(row.Values[i]); err != nil {
			return nil, false
		}
	}
	return values, true
}

// differs names the first column in which two rows differ; "" where they are the same.
func (t *Transfer) differs(a, b []any) string {
	for i, c := range t.columns {
		if !alike(c.out, a[i], b[i]) {
			return c.name
		}
	}
	return ""
}

// spell writes the key of a row whose values are in the form in which they are compared.
func (t *Transfer) spell(values []any) (string, error) {
	key := make(keyset.Values, len(t.key))
	for n, i := range t.key {
		key[n] = values[i]
	}
	return keyset.Encode(key)
}

// fold writes a row for the checksum: two rows that are alike are written alike.
func (t *Transfer) fold(values []any) (string, error) {
	folded := make(keyset.Values, len(values))
	for i, value := range values {
		if text, ok := value.(string); ok && t.columns[i].out.Class == dialect.JSON {
			if plain, err := foldJSON(text); err == nil {
				value = plain
			}
		}
		folded[i] = value
	}
	return keyset.Encode(folded)
}
