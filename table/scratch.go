package table

import (
	"reflect"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/mapping"
)

// scratch is one row that is read or written over and over, with the cells of its columns. It is used by one goroutine at a time.
type scratch struct {
	row     reflect.Value // the struct
	mapping *mapping.Struct
	table   string      // for errors
	cells   []cell.Cell // of the type's columns, each made when it is asked for
	whole   *record     // of all columns
}

// newScratch makes a scratch of the row that row points to.
func newScratch(s *mapping.Struct, table string, row any) *scratch {
	return &scratch{row: reflect.ValueOf(row).Elem(), mapping: s, table: table, cells: make([]cell.Cell, len(s.Columns))}
}

// scratch makes a scratch, or takes one that was released: for a single row, that costs as much as to read it.
func (m *model) scratch() *scratch {
	if s, ok := m.scratches.Get().(*scratch); ok {
		return s
	}
	return newScratch(m.mapping, m.fullName(), reflect.New(m.mapping.Type).Interface())
}

// release keeps a scratch for the next call.
func (m *model) release(s *scratch) {
	s.row.SetZero()
	m.scratches.Put(s)
}

// field is a column's field.
func (s *scratch) field(column int) reflect.Value {
	return s.row.FieldByIndex(s.mapping.Columns[column].Index)
}

// record is columns of the scratch.
func (s *scratch) record(columns []int) *record {
	all := len(columns) == len(s.cells) && isAll(columns)
	if all && s.whole != nil {
		return s.whole
	}
	r := &record{table: s.table, cells: make([]cell.Cell, len(columns)), names: make([]string, len(columns))}
	for n, i := range columns {
		if s.cells[i] == nil {
			s.cells[i] = cell.For(s.field(i).Addr(), s.mapping.Columns[i].JSON)
		}
		r.cells[n], r.names[n] = s.cells[i], s.mapping.Columns[i].Name
	}
	if all {
		s.whole = r
	}
	return r
}

func isAll(columns []int) bool {
	for n, i := range columns {
		if n != i {
			return false
		}
	}
	return true
}
