package table

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/keyset"
)

// noDuplicates refuses rows that have the same values in the columns: which of two would win is chance on some databases and an error on
// others. NULLs are not the same, nor are keys that the database is still to make. first is the place of the first row in the call's input.
func noDuplicates[T any](m *model, rows []T, columns []int, first int) error {
	if len(columns) == 0 {
		return nil
	}
	if len(columns) == 1 && ascending(m, rows, columns[0]) {
		return nil
	}
	r := structRecord[T](m.mapping, columns, m.fullName())
	seen := make(map[any]int, len(rows))
	for row := range rows {
		*r.scratch = rows[row]
		key, text, err := r.key()
		if err != nil {
			return err
		}
		if key == nil || m.unset(columns, reflect.ValueOf(&rows[row]).Elem()) {
			continue
		}
		if before, twice := seen[key]; twice {
			return &DuplicateKeyError{Table: m.fullName(), Key: text(), First: first + before, Second: first + row}
		}
		seen[key] = row
	}
	return nil
}

// unset reports whether one of the columns is still to be made by the database.
func (m *model) unset(columns []int, row reflect.Value) bool {
	return slices.ContainsFunc(columns, func(i int) bool {
		c := m.mapping.Columns[i]
		return c.Auto && row.FieldByIndex(c.Index).IsZero()
	})
}

// ascending reports whether an integer column grows from row to row, so that no two are the same.
func ascending[T any](m *model, rows []T, column int) bool {
	c := m.mapping.Columns[column]
	switch c.Type.Kind() {
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16:
	default:
		return false
	}
	last := int64(0)
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem().FieldByIndex(c.Index).Int()
		if i > 0 && v <= last {
			return false
		}
		last = v
	}
	return true
}

// key makes something comparable of the record's cells; nil where one of them is NULL.
func (r *record[T]) key() (key any, text func() string, err error) {
	values := make(keyset.Values, len(r.cells))
	for i, c := range r.cells {
		value, err := c.Value()
		if err != nil {
			return nil, nil, r.fail(i, err)
		}
		if value == nil {
			return nil, nil, nil
		}
		if b, ok := value.([]byte); ok {
			value = string(b)
		}
		values[i] = value
	}
	text = func() string {
		parts := make([]string, len(values))
		for i, v := range values {
			parts[i] = r.names[i] + " " + shorten(keyset.Text(v))
		}
		return strings.Join(parts, ", ")
	}
	if len(values) == 1 {
		return values[0], text, nil
	}
	return fmt.Sprintf("%#v", []any(values)), text, nil
}
