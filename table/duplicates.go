package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/keyset"
)

// noDuplicates refuses rows that have the same values in the columns: which of two would win is chance on some databases and an error on
// others. NULLs are not the same, nor are keys that the database is still to make.
func noDuplicates(m *model, b batch, columns []int) error {
	scratch := b.rows.scratch()
	r := scratch.record(columns)
	if len(columns) == 0 || len(columns) == 1 && r.ascending(b.rows) {
		return nil
	}
	var made []func() bool // whether the database is to make the key
	for _, i := range columns {
		if m.mapping.Columns[i].Auto {
			made = append(made, cell.Zero(scratch.field(i)))
		}
	}
	seen := make(map[any]int, b.rows.len())
	for row := range b.rows.len() {
		b.rows.load(row)
		key, err := r.key()
		if err != nil {
			return err
		}
		if key == nil || slices.ContainsFunc(made, func(zero func() bool) bool { return zero() }) {
			continue
		}
		if before, twice := seen[key]; twice {
			return &DuplicateKeyError{Table: m.fullName(), Key: r.keyText(), First: b.first + before, Second: b.first + row}
		}
		seen[key] = row
	}
	return nil
}

// ascending reports whether the record's one column is an integer that grows from row to row, so that no two are the same.
func (r *record) ascending(rows rowList) bool {
	number, ok := r.cells[0].(cell.Integer)
	if !ok {
		return false
	}
	last := int64(0)
	for i := range rows.len() {
		rows.load(i)
		v := number.Int()
		if i > 0 && v <= last {
			return false
		}
		last = v
	}
	return true
}

// key makes something comparable of the record's cells; nil where one of them is NULL.
func (r *record) key() (any, error) {
	if len(r.cells) == 1 {
		return r.keyPart(0)
	}
	var parts [4]any // a key of more columns is put together as text
	var rest strings.Builder
	for i := range r.cells {
		part, err := r.keyPart(i)
		if part == nil || err != nil {
			return nil, err
		}
		if i < len(parts)-1 {
			parts[i] = part
		} else {
			fmt.Fprintf(&rest, "%#v ", part)
		}
	}
	parts[len(parts)-1] = rest.String()
	return parts, nil
}

func (r *record) keyPart(i int) (any, error) {
	value, err := r.cells[i].Value()
	if err != nil {
		return nil, r.fail(i, err)
	}
	if b, ok := value.([]byte); ok {
		return string(b), nil
	}
	return value, nil
}

// keyText is the key for people.
func (r *record) keyText() string {
	parts := make([]string, len(r.cells))
	for i := range r.cells {
		value, _ := r.keyPart(i) // of which a key was made
		parts[i] = r.names[i] + " " + shorten(keyset.Text(value))
	}
	return strings.Join(parts, ", ")
}
