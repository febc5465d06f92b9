package table_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// propTruth is a truth value of SQL. The greater one wins an OR, the smaller one an AND.
type propTruth int

const (
	propFalse propTruth = iota
	propUnknown
	propTrue
)

func propTruthOf(holds bool) propTruth {
	if holds {
		return propTrue
	}
	return propFalse
}

// propCond is a condition in three forms: of the model, typed, and as SQL.
type propCond[T any] struct {
	holds func(*T) propTruth
	cond  table.Cond[T]
	text  string
	args  []any
}

// propColumn draws conditions on one column. get returns nil for NULL.
func propColumn[T, V any](rt *rapid.T, name string, get func(*T) *V, compare func(a, b V) int, value *rapid.Generator[V]) propCond[T] {
	f := table.Col[T, V](name)
	draw := func() V { return value.Draw(rt, name) }
	binary := func(op string, cond func(V) table.Cond[T], holds func(int) bool) propCond[T] {
		v := draw()
		return propCond[T]{func(row *T) propTruth {
			if got := get(row); got != nil {
				return propTruthOf(holds(compare(*got, v)))
			}
			return propUnknown
		}, cond(v), name + " " + op + " ?", []any{v}}
	}
	list := func(op string, cond func(...V) table.Cond[T], in bool) propCond[T] {
		values := rapid.SliceOfN(value, 0, 3).Draw(rt, name+" values")
		return propCond[T]{func(row *T) propTruth {
			got := get(row)
			switch {
			case len(values) == 0:
				return propTruthOf(!in)
			case got == nil:
				return propUnknown
			}
			return propTruthOf(in == slices.ContainsFunc(values, func(v V) bool { return compare(*got, v) == 0 }))
		}, cond(values...), name + " " + op + " (?)", []any{values}}
	}
	null := func(op string, cond table.Cond[T], is bool) propCond[T] {
		return propCond[T]{func(row *T) propTruth { return propTruthOf((get(row) == nil) == is) }, cond, name + " " + op, nil}
	}
	switch rapid.IntRange(0, 10).Draw(rt, "operator") {
	case 0:
		return binary("=", f.Eq, func(c int) bool { return c == 0 })
	case 1:
		return binary("<>", f.Ne, func(c int) bool { return c != 0 })
	case 2:
		return binary("<", f.Lt, func(c int) bool { return c < 0 })
	case 3:
		return binary("<=", f.Le, func(c int) bool { return c <= 0 })
	case 4:
		return binary(">", f.Gt, func(c int) bool { return c > 0 })
	case 5:
		return binary(">=", f.Ge, func(c int) bool { return c >= 0 })
	case 6:
		return list("IN", f.In, true)
	case 7:
		return list("NOT IN", f.NotIn, false)
	case 8:
		return null("IS NULL", f.IsNull(), true)
	case 9:
		return null("IS NOT NULL", f.NotNull(), false)
	default:
		a, b := draw(), draw()
		return propCond[T]{func(row *T) propTruth {
			if got := get(row); got != nil {
				return propTruthOf(compare(*got, a) >= 0 && compare(*got, b) <= 0)
			}
			return propUnknown
		}, f.Between(a, b), name + " BETWEEN ? AND ?", []any{a, b}}
	}
}

// cond draws a condition of some depth.
func (m *propMachine[T, P]) cond(depth int) propCond[T] {
	kind := rapid.IntRange(0, 8).Draw(m.T, "condition")
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 6, 7:
		return m.joined(depth, kind == 6)
	case 8:
		inner := m.cond(depth - 1)
		return propCond[T]{func(row *T) propTruth { return propTrue - inner.holds(row) }, table.Not(inner.cond), "NOT (" + inner.text + ")", inner.args}
	case 5:
		prefix := rapid.SampledFrom([]string{"a", "ab", "it's"}).Draw(m.T, "prefix")
		return propCond[T]{func(row *T) propTruth {
			return propTruthOf(strings.HasPrefix(P(row).body().Name, prefix))
		}, table.Col[T, string]("name").Like(prefix + "%"), "name LIKE ?", []any{prefix + "%"}}
	case 4:
		return propColumn(m.T, "seen", func(row *T) *time.Time { return P(row).body().Seen }, time.Time.Compare, rapid.Custom(func(rt *rapid.T) time.Time {
			return time.Date(1969, 12, rapid.IntRange(30, 35).Draw(rt, "day"), 23, 59, 59, 123456000, time.FixedZone("z", 3600*rapid.IntRange(-1, 1).Draw(rt, "zone")))
		}))
	case 3:
		return propColumn(m.T, "code", func(row *T) *string { return P(row).body().Code }, cmp.Compare[string], rapid.SampledFrom([]string{"c1", "c3", "f002", "f007"}))
	case 2:
		return propColumn(m.T, "score", func(row *T) *float64 { return P(row).body().Score }, cmp.Compare[float64], rapid.SampledFrom([]float64{-0.5, 0, 1.5}))
	case 1:
		return propColumn(m.T, "name", func(row *T) *string { return &P(row).body().Name }, cmp.Compare[string], rapid.SampledFrom([]string{"", "a", "abc", "two\nlines"}))
	}
	return propColumn(m.T, "qty", func(row *T) *int32 { return &P(row).body().Qty }, cmp.Compare[int32], rapid.Int32Range(0, 5))
}

// joined draws an AND or an OR of no conditions or more.
func (m *propMachine[T, P]) joined(depth int, and bool) propCond[T] {
	parts := make([]propCond[T], rapid.IntRange(0, 3).Draw(m.T, "parts"))
	conds, texts := make([]table.Cond[T], len(parts)), make([]string, len(parts))
	var args []any
	for i := range parts {
		parts[i] = m.cond(depth - 1)
		conds[i], texts[i] = parts[i].cond, "("+parts[i].text+")"
		args = append(args, parts[i].args...)
	}
	if and {
		return propCond[T]{func(row *T) propTruth {
			truth := propTrue
			for _, p := range parts {
				truth = min(truth, p.holds(row))
			}
			return truth
		}, table.And(conds...), cmp.Or(strings.Join(texts, " AND "), "1 = 1"), args}
	}
	return propCond[T]{func(row *T) propTruth {
		truth := propFalse
		for _, p := range parts {
			truth = max(truth, p.holds(row))
		}
		return truth
	}, table.Or(conds...), cmp.Or(strings.Join(texts, " OR "), "1 = 0"), args}
}

// propQuery is a query with what the model says of it.
type propQuery[T any] struct {
	q       table.Query[T]
	conds   []propCond[T]
	words   []string // for messages
	compare func(a, b *T) int
	byKey   bool // its order is the key's
	ordered bool
	limit   int // -1: none
	offset  int
}

func (q propQuery[T]) matches(row *T) bool {
	return !slices.ContainsFunc(q.conds, func(c propCond[T]) bool { return c.holds(row) != propTrue })
}

func (q propQuery[T]) String() string {
	return strings.Join(q.words, " ")
}

// query draws a query; with an order, it may have a limit and an offset.
func (m *propMachine[T, P]) query(ordering bool) propQuery[T] {
	q := propQuery[T]{q: m.table.Query, limit: -1, byKey: true}
	for range rapid.IntRange(0, 2).Draw(m.T, "conditions") {
		c := m.cond(2)
		q.conds = append(q.conds, c)
		q.words = append(q.words, fmt.Sprintf("%s %v;", c.text, c.args))
		if rapid.Bool().Draw(m.T, "typed") {
			q.q = q.q.Filter(c.cond)
		} else {
			q.q = q.q.Where(c.text, c.args...)
		}
	}
	byKey := func(a, b *T) int { return P(a).key().compare(P(b).key()) }
	q.compare = byKey
	if !ordering {
		return q
	}
	switch way := rapid.SampledFrom([]string{"none", "key", "key", "-key", "qty", "-qty", "score", "-score"}).Draw(m.T, "order"); way {
	case "none":
		return q
	case "key", "-key":
		columns := slices.Clone(m.on)
		if way == "-key" {
			for i := range columns {
				columns[i] = "-" + columns[i]
			}
			q.compare = func(a, b *T) int { return byKey(b, a) }
		}
		q.q = q.q.OrderBy(columns...)
	default:
		q.byKey = false
		q.q = q.q.OrderBy(append([]string{way}, m.on...)...)
		q.compare = func(a, b *T) int {
			c := m.compareBy(strings.TrimPrefix(way, "-"), a, b)
			if way[0] == '-' {
				c = -c
			}
			return cmp.Or(c, byKey(a, b))
		}
	}
	q.ordered = true
	if rapid.IntRange(0, 2).Draw(m.T, "limited") == 0 {
		q.limit = rapid.IntRange(0, 6).Draw(m.T, "limit")
		q.q = q.q.Limit(q.limit)
	}
	if rapid.IntRange(0, 3).Draw(m.T, "offset") == 0 {
		q.offset = rapid.IntRange(0, 3).Draw(m.T, "offset by")
		q.q = q.q.Offset(q.offset)
	}
	q.words = append(q.words, "limit", fmt.Sprint(q.limit), "offset", fmt.Sprint(q.offset))
	return q
}

// compareBy compares two rows by a column, with NULLs where the database has them.
func (m *propMachine[T, P]) compareBy(column string, a, b *T) int {
	x, y := P(a).body(), P(b).body()
	if column == "qty" {
		return cmp.Compare(x.Qty, y.Qty)
	}
	nulls := -1
	if m.name == testdb.NamePostgres {
		nulls = 1
	}
	switch {
	case x.Score == nil && y.Score == nil:
		return 0
	case x.Score == nil:
		return nulls
	case y.Score == nil:
		return -nulls
	}
	return cmp.Compare(*x.Score, *y.Score)
}

// rows returns what the query returns by the model.
func (m *propMachine[T, P]) rows(q propQuery[T]) []T {
	rows := slices.DeleteFunc(m.model.clone().rows, func(r T) bool { return !q.matches(&r) })
	slices.SortFunc(rows, func(a, b T) int { return q.compare(&a, &b) })
	rows = rows[min(q.offset, len(rows)):]
	if q.limit >= 0 {
		rows = rows[:min(q.limit, len(rows))]
	}
	return rows
}
