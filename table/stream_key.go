package table

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/mapping"
)

// keyPage is one page of a walk by key.
type keyPage struct {
	size  int
	after []any // the last key of the page before; nil for the first page
}

// keyWalk reads the key of a page's last row.
type keyWalk struct {
	keys *keyset.Keyset
	desc bool
	// places are the key's columns in the result. Those that are hidden are read beside the row: a column that the driver would turn into
	// something that does not compare as the column does.
	places []int
	hidden int // how many columns at the end of the result are not the row's
}

// predicate holds for the rows behind the last key.
func (w *keyWalk) predicate() keyset.Predicate {
	if w.desc {
		return w.keys.Before()
	}
	return w.keys.After()
}

// keyset returns the walk's order over the type's key.
func (m *model) keyset(d dialect.Dialect) (*keyset.Keyset, []dialect.Column, error) {
	t := &dialect.Table{Schema: m.schema, Name: m.name}
	var key dialect.Key
	for _, i := range m.mapping.Keys {
		c := m.mapping.Columns[i]
		column := dialect.Column{Name: c.Name}
		if d.Features().Local && turned(c) {
			column.Raw = "+" + d.Quote(c.Name)
		}
		t.Columns = append(t.Columns, column)
		key.Columns = append(key.Columns, c.Name)
	}
	k, err := keyset.New(d, t, key)
	return k, t.Columns, err
}

// turned reports whether SQLite's drivers turn what is stored in such a column into another value.
func turned(c mapping.Column) bool {
	t := c.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == reflect.TypeFor[time.Time]() || t.Kind() == reflect.Bool
}

// walk returns how the query is walked by key, or nil where its order is not the key's.
func (q *query) walk(columns []int) *keyWalk {
	keys := q.model.mapping.Keys
	if len(keys) == 0 || q.offset > 0 || len(q.order) > 0 && len(q.order) != len(keys) {
		return nil
	}
	w := &keyWalk{}
	for n, o := range q.order {
		if o.column != keys[n] || o.desc != q.order[0].desc {
			return nil
		}
		w.desc = o.desc
	}
	k, described, err := q.model.keyset(q.conn.Dialect())
	if err != nil {
		return nil
	}
	w.keys = k
	for n, i := range keys {
		place := slices.Index(columns, i)
		if place < 0 || described[n].Raw != "" {
			place = len(columns) + w.hidden
			w.hidden++
		}
		w.places = append(w.places, place)
	}
	return w
}

// turn makes one page of the selection.
func (w *keyWalk) turn(sel *selection, page *keyPage, s *source) {
	if len(sel.order) == 0 {
		sel.order = s.keyOrder()
	}
	sel.limit = page.size
	if w.hidden > 0 {
		sel.columns += ", " + w.hiddenList(s.columns)
	}
	if page.after != nil {
		p := w.predicate()
		sel.extra, sel.args = p.SQL, p.Args(nil, page.after)
	}
}

// columnList is the select list of columns.
func (q *query) columnList(columns []int) string {
	b := newBuilder(q.conn)
	return b.selected(q.model, columns).text.String()
}

// hiddenList is the select list of the hidden columns.
func (w *keyWalk) hiddenList(columns []int) string {
	var list []string
	for n, place := range w.places {
		if place >= len(columns) {
			list = append(list, w.keys.Select(n))
		}
	}
	return strings.Join(list, ", ")
}

// record makes the record of a page: the row's cells, and behind them one for each hidden column. cursor gives the key of the row that was
// read last.
func (w *keyWalk) record(columns []string, lay layout) (r *record, cursor func() ([]any, error), err error) {
	visible := len(columns) - w.hidden
	own, err := lay(columns[:visible])
	if err != nil {
		return nil, nil, err
	}
	r = &record{cells: slices.Clip(own.cells), names: slices.Clip(own.names), table: own.table}
	for _, name := range columns[visible:] {
		r.cells = append(r.cells, &cell.Any{Ptr: new(any), Text: true})
		r.names = append(r.names, name)
	}
	return r, func() ([]any, error) {
		key := make([]any, len(w.places))
		for n, place := range w.places {
			value, err := r.cells[place].Value()
			if err == nil && value == nil {
				err = cell.ErrNull
			}
			if err != nil {
				return nil, r.fail(place, err)
			}
			key[n] = value
		}
		return key, nil
	}, nil
}

func sameKey(a, b any) bool {
	return keyset.Values{a}.Equal(keyset.Values{b})
}
