package table

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/mapping"
	"github.com/drover-dev/drover/internal/pgbinary"
)

// record is one row that is read into over and over: a scratch value with a cell for each column of the result.
type record[R any] struct {
	scratch *R
	cells   []cell.Cell
	names   []string // of the cells' columns, for errors
	table   string   // for errors
	take    func() R // gives the row away; nil: a copy of the scratch
}

// row returns the row that was read.
func (r *record[R]) row() R {
	if r.take != nil {
		return r.take()
	}
	return *r.scratch
}

// layout makes the record for a result with the given columns.
type layout[R any] func(columns []string) (*record[R], error)

// structRecord is the record of a struct, for columns of its mapping.
func structRecord[T any](s *mapping.Struct, columns []int, table string) *record[T] {
	r := &record[T]{scratch: new(T), table: table}
	value := reflect.ValueOf(r.scratch).Elem()
	r.cells = make([]cell.Cell, len(columns))
	r.names = make([]string, len(columns))
	for n, i := range columns {
		c := &s.Columns[i]
		r.cells[n] = cell.For(value.FieldByIndex(c.Index).Addr(), c.JSON)
		r.names[n] = c.Name
	}
	return r
}

// fail says where a value did not fit.
func (r *record[R]) fail(i int, err error) error {
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
func (r *record[R]) decode(formats []format, raw [][]byte) error {
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
func (r *record[R]) scan(values []driver.Value) error {
	for i, c := range r.cells {
		if err := c.Scan(values[i]); err != nil {
			return r.fail(i, err)
		}
	}
	return nil
}

// dests are the destinations for Scan of *sql.Rows.
func (r *record[R]) dests() []any {
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
func (r *record[R]) textual(typeName func(i int) string) {
	for i, c := range r.cells {
		if a, ok := c.(*cell.Any); ok {
			name := strings.ToUpper(typeName(i))
			a.Text = !strings.Contains(name, "BLOB") && !strings.Contains(name, "BINARY") && name != "BIT" && name != "GEOMETRY" && name != ""
		}
	}
}

// layoutOf returns how rows become values of R: a struct by its columns' names, a map, a tuple, or a single value. known are the columns
// where they are known before the query is sent.
func layoutOf[R any](table string) (layout[R], error) {
	t := reflect.TypeFor[R]()
	switch any(*new(R)).(type) {
	case map[string]any:
		return mapLayout[R](table), nil
	case []any:
		return tupleLayout[R](table), nil
	}
	if cell.Usable(t, false) == "" {
		return valueLayout[R](table), nil
	}
	s, err := mapping.Of(t, cell.Usable)
	if err != nil {
		return nil, err
	}
	return func(columns []string) (*record[R], error) {
		indexes := make([]int, len(columns))
		found := map[int]bool{}
		for n, name := range columns {
			i := s.Column(name)
			if i < 0 {
				return nil, fmt.Errorf("the result has a column %q, and %s has no field for it", name, t)
			}
			if found[i] {
				return nil, fmt.Errorf("the result has the column %q twice", name)
			}
			indexes[n], found[i] = i, true
		}
		for _, i := range s.Keys {
			if !found[i] {
				return nil, fmt.Errorf("the result has no column %q, which is the key of %s", s.Columns[i].Name, t)
			}
		}
		return structRecord[R](s, indexes, table), nil
	}, nil
}

// anyRecord is a record whose cells take whatever the database has.
func anyRecord[R any](table string, columns []string) (*record[R], []any) {
	values := make([]any, len(columns))
	r := &record[R]{names: columns, table: table}
	for i := range values {
		r.cells = append(r.cells, &cell.Any{Ptr: &values[i]})
	}
	return r, values
}

func mapLayout[R any](table string) layout[R] {
	return func(columns []string) (*record[R], error) {
		r, values := anyRecord[R](table, columns)
		r.take = func() R {
			row := make(map[string]any, len(values))
			for i, name := range columns {
				row[name] = values[i]
			}
			return any(row).(R)
		}
		return r, nil
	}
}

func tupleLayout[R any](table string) layout[R] {
	return func(columns []string) (*record[R], error) {
		r, values := anyRecord[R](table, columns)
		r.take = func() R {
			row := make([]any, len(values))
			copy(row, values)
			return any(row).(R)
		}
		return r, nil
	}
}

func valueLayout[R any](table string) layout[R] {
	return func(columns []string) (*record[R], error) {
		if len(columns) != 1 {
			return nil, fmt.Errorf("the result has %d columns, and a single value was asked for", len(columns))
		}
		r := &record[R]{scratch: new(R), names: columns, table: table}
		r.cells = []cell.Cell{cell.For(reflect.ValueOf(r.scratch), false)}
		return r, nil
	}
}
