package table

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/mapping"
	"github.com/drover-dev/drover/internal/pgbinary"
)

// record is one row that is read or written over and over: a cell for each column, which points to a field of a scratch value.
type record struct {
	cells []cell.Cell
	names []string // of the cells' columns, for errors
	table string   // for errors
}

// layout makes the record for a result with the given columns.
type layout func(columns []string) (*record, error)

// form makes, for one reading of a result, its layout and the function that returns the row that was read last.
type form[R any] func() (layout, func() R)

// structForm is the form of columns of a struct's mapping.
func structForm[R any](s *mapping.Struct, columns []int, table string) form[R] {
	return scratchForm(func(row *R) layout {
		scratch := newScratch(s, table, row)
		return func([]string) (*record, error) { return scratch.record(columns), nil }
	})
}

// scratchForm is the form of rows that are read into one value and copied from it.
func scratchForm[R any](into func(row *R) layout) form[R] {
	return func() (layout, func() R) {
		row := new(R)
		return into(row), func() R { return *row }
	}
}

// fail says where a value did not fit.
func (r *record) fail(i int, err error) error {
	return &ValueError{Table: r.table, Column: r.names[i], Err: err}
}

// format is how a column of a native PostgreSQL result is read.
type format struct {
	oid    uint32
	binary bool
}

// formatsOf reads how the server sends a result.
func formatsOf(fields []pgconn.FieldDescription) []format {
	formats := make([]format, len(fields))
	for i, f := range fields {
		formats[i] = format{f.DataTypeOID, f.Format == pgx.BinaryFormatCode}
	}
	return formats
}

// binaryTypes asks pgx for the binary format of all types that package pgbinary decodes. The others come as text.
var binaryTypes = func() pgx.QueryResultFormatsByOID {
	formats := pgx.QueryResultFormatsByOID{}
	for _, oid := range []uint32{
		pgbinary.Bool, pgbinary.Bytea, pgbinary.Name, pgbinary.Int8, pgbinary.Int2, pgbinary.Int4, pgbinary.Text, pgbinary.OID, pgbinary.JSON,
		pgbinary.Float4, pgbinary.Float8, pgbinary.BPChar, pgbinary.Varchar, pgbinary.Date, pgbinary.Timestamp, pgbinary.Timestamptz,
		pgbinary.Numeric, pgbinary.UUID, pgbinary.JSONB,
	} {
		formats[oid] = pgx.BinaryFormatCode
	}
	return formats
}()

// decode reads a row of a native PostgreSQL result.
func (r *record) decode(formats []format, raw [][]byte) error {
	for i, c := range r.cells {
		var err error
		switch src := raw[i]; {
		case src == nil:
			err = c.Scan(nil)
		case formats[i].binary:
			err = c.Decode(formats[i].oid, src)
		case formats[i].oid == pgbinary.Bytea:
			err = scanHex(c, string(src))
		default:
			err = c.Scan(string(src))
		}
		if err != nil {
			return r.fail(i, err)
		}
	}
	return nil
}

// scanHex reads the text form of bytea.
func scanHex(c cell.Cell, text string) error {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
	if err != nil {
		return err
	}
	return c.Scan(raw)
}

// scan reads a row of a driver of database/sql.
func (r *record) scan(values []driver.Value) error {
	for i, c := range r.cells {
		if err := c.Scan(values[i]); err != nil {
			return r.fail(i, err)
		}
	}
	return nil
}

// dests are the destinations for Scan of *sql.Rows.
func (r *record) dests() []any {
	dests := make([]any, len(r.cells))
	for i, c := range r.cells {
		dests[i] = scanInto{c, func(err error) error { return r.fail(i, err) }}
	}
	return dests
}

// scanInto is a cell that says which column it is.
type scanInto struct {
	cell cell.Cell
	fail func(error) error
}

func (s scanInto) Scan(src any) error {
	if err := s.cell.Scan(src); err != nil {
		return s.fail(err)
	}
	return nil
}

// textual tells the cells that take anything which of a driver's []byte are text.
func (r *record) textual(typeName func(i int) string) {
	for i, c := range r.cells {
		if a, ok := c.(*cell.Any); ok {
			name := strings.ToUpper(typeName(i))
			a.Text = !strings.Contains(name, "BLOB") && !strings.Contains(name, "BINARY") && name != "BIT" && name != "GEOMETRY" && name != ""
		}
	}
}

// formOf returns how rows become values of R: a struct by its columns' names, a map, a tuple, or a single value.
func formOf[R any](table string) (form[R], error) {
	t := reflect.TypeFor[R]()
	switch any(*new(R)).(type) {
	case map[string]any:
		return any(mapForm(table)).(form[R]), nil
	case []any:
		return any(tupleForm(table)).(form[R]), nil
	}
	if cell.Usable(t, false) == "" {
		return valueForm[R](table), nil
	}
	s, err := mapping.Of(t, cell.Usable)
	if err != nil {
		return nil, err
	}
	return scratchForm(func(row *R) layout { return namedLayout(newScratch(s, table, row)) }), nil
}

// namedLayout finds a struct's fields by the names of the result's columns.
func namedLayout(scratch *scratch) layout {
	s := scratch.mapping
	return func(columns []string) (*record, error) {
		indexes := make([]int, len(columns))
		found := map[int]bool{}
		for n, name := range columns {
			i := s.Column(name)
			if i < 0 {
				return nil, fmt.Errorf("the result has a column %q, and %s has no field for it", name, s.Type)
			}
			if found[i] {
				return nil, fmt.Errorf("the result has the column %q twice", name)
			}
			indexes[n], found[i] = i, true
		}
		for _, i := range s.Keys {
			if !found[i] {
				return nil, fmt.Errorf("the result has no column %q, which is the key of %s", s.Columns[i].Name, s.Type)
			}
		}
		return scratch.record(indexes), nil
	}
}

// anyLayout takes whatever the database has, in whatever columns.
func anyLayout(table string, names *[]string, values *[]any) layout {
	return func(columns []string) (*record, error) {
		*names, *values = columns, make([]any, len(columns))
		r := &record{names: columns, table: table}
		for i := range *values {
			r.cells = append(r.cells, &cell.Any{Ptr: &(*values)[i]})
		}
		return r, nil
	}
}

func mapForm(table string) form[map[string]any] {
	return func() (layout, func() map[string]any) {
		var names []string
		var values []any
		return anyLayout(table, &names, &values), func() map[string]any {
			row := make(map[string]any, len(values))
			for i, name := range names {
				row[name] = values[i]
			}
			return row
		}
	}
}

func tupleForm(table string) form[[]any] {
	return func() (layout, func() []any) {
		var names []string
		var values []any
		return anyLayout(table, &names, &values), func() []any { return slices.Clone(values) }
	}
}

func valueForm[R any](table string) form[R] {
	return scratchForm(func(value *R) layout { return valueLayout(table, reflect.ValueOf(value)) })
}

// valueLayout is the layout of a result of one column, which value points to.
func valueLayout(table string, value reflect.Value) layout {
	return func(columns []string) (*record, error) {
		if len(columns) != 1 {
			return nil, fmt.Errorf("the result has %d columns, and a single value was asked for", len(columns))
		}
		return &record{cells: []cell.Cell{cell.For(value, false)}, names: columns, table: table}, nil
	}
}
