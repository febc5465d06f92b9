package table

import (
	"fmt"
	"reflect"

	"github.com/drover-dev/drover/internal/cell"
)

// Field is a column of T whose values are of the type V. It is made once, by [Col].
type Field[T, V any] struct {
	column int
	name   string
}

// Cond is a condition on rows of T, made by a [Field] or put together by [And], [Or] and [Not].
type Cond[T any] struct{ condition }

// Col returns the column of T that is called name. It panics with a [*MappingError] where T has no such column or its values are of
// another type: it is made for variables of a package.
//
//	var status = table.Col[Item, string]("status")
//	…
//	items.Filter(status.Eq("new"))
func Col[T, V any](name string) Field[T, V] {
	s, err := mappingOf[T]()
	if err != nil {
		panic(err)
	}
	i := s.Column(name)
	if i < 0 {
		reason := fmt.Sprintf("it has no column %q", name)
		if near := s.Nearest(name); near != "" {
			reason += fmt.Sprintf("; did you mean %q?", near)
		}
		panic(&MappingError{Type: s.Type.String(), Reason: reason})
	}
	t, want := s.Columns[i].Type, reflect.TypeFor[V]()
	if t != want && (t.Kind() != reflect.Pointer || t.Elem() != want) {
		panic(&MappingError{
			Type: s.Type.String(), Field: s.Columns[i].Field,
			Reason: fmt.Sprintf("its type is %s, and Col was told %s", t, want),
		})
	}
	return Field[T, V]{i, name}
}

// Name returns the column's name.
func (f Field[T, V]) Name() string { return f.name }

// fieldCondition compares a column with values.
type fieldCondition struct {
	name   string
	op     string // written before the values
	values []any
	list   bool // op takes a list
	array  any  // the list as a slice
}

func (c fieldCondition) write(b *builder) {
	column := b.dialect.Quote(c.name)
	values := make([]any, len(c.values))
	for i, v := range c.values {
		value, err := cell.Plain(v)
		if err != nil {
			b.fail(fmt.Errorf("column %q: %w", c.name, err))
			return
		}
		values[i] = value
	}
	switch {
	case !c.list:
		b.write(column, " ", c.op)
		for i, v := range values {
			if i > 0 {
				b.write(" AND")
			}
			b.write(" ").arg(v)
		}
	case len(values) == 0 && c.op == "IN":
		b.none = true
		b.write("1 = 0")
	case len(values) == 0:
		b.write("1 = 1")
	case b.dialect.Features().Arrays:
		literal, err := cell.Plain(c.array)
		if err != nil {
			b.fail(fmt.Errorf("column %q: %w", c.name, err))
			return
		}
		b.write(column, map[string]string{"IN": " = ANY(", "NOT IN": " <> ALL("}[c.op]).arg(literal).write(")")
	default:
		b.write(column, " ", c.op, " (").list(len(values), func(i int) { b.arg(values[i]) }).write(")")
	}
}

func (f Field[T, V]) compare(op string, values ...any) Cond[T] {
	return Cond[T]{fieldCondition{name: f.name, op: op, values: values}}
}

func (f Field[T, V]) in(op string, values []V) Cond[T] {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return Cond[T]{fieldCondition{name: f.name, op: op, values: list, list: true, array: values}}
}

// Eq holds where the column equals v; it never holds for NULL.
func (f Field[T, V]) Eq(v V) Cond[T] { return f.compare("=", v) }

// Ne holds where the column differs from v; it never holds for NULL.
func (f Field[T, V]) Ne(v V) Cond[T] { return f.compare("<>", v) }

// Lt holds where the column is less than v.
func (f Field[T, V]) Lt(v V) Cond[T] { return f.compare("<", v) }

// Le holds where the column is at most v.
func (f Field[T, V]) Le(v V) Cond[T] { return f.compare("<=", v) }

// Gt holds where the column is greater than v.
func (f Field[T, V]) Gt(v V) Cond[T] { return f.compare(">", v) }

// Ge holds where the column is at least v.
func (f Field[T, V]) Ge(v V) Cond[T] { return f.compare(">=", v) }

// Between holds where the column is at least a and at most b.
func (f Field[T, V]) Between(a, b V) Cond[T] { return f.compare("BETWEEN", a, b) }

// Like holds where the column matches the pattern, with the database's own LIKE: whether letter case counts depends on it.
func (f Field[T, V]) Like(pattern string) Cond[T] { return f.compare("LIKE", pattern) }

// In holds where the column is one of the values; with none of them nothing matches, and nothing is sent.
func (f Field[T, V]) In(values ...V) Cond[T] { return f.in("IN", values) }

// NotIn holds where the column is none of the values; with none of them it holds always.
func (f Field[T, V]) NotIn(values ...V) Cond[T] { return f.in("NOT IN", values) }

// IsNull holds where the column is NULL.
func (f Field[T, V]) IsNull() Cond[T] { return f.compare("IS NULL") }

// NotNull holds where the column is not NULL.
func (f Field[T, V]) NotNull() Cond[T] { return f.compare("IS NOT NULL") }

// joinedCondition puts conditions together.
type joinedCondition struct {
	parts []condition
	word  string // " AND ", " OR "
	not   bool
	empty string // what no parts mean
}

func (c joinedCondition) write(b *builder) {
	none := b.none
	if c.not {
		b.write("NOT ")
	}
	if len(c.parts) == 0 {
		b.write(c.empty)
		return
	}
	b.write("(")
	impossible := 0
	for i, p := range c.parts {
		if i > 0 {
			b.write(c.word)
		}
		b.write("(")
		b.none = false
		p.write(b)
		b.write(")")
		if b.none {
			impossible++
		}
	}
	b.write(")")
	all := impossible == len(c.parts) || impossible > 0 && c.word == " AND "
	b.none = none || all && !c.not
}

func join[T any](conds []Cond[T], j joinedCondition) Cond[T] {
	for _, c := range conds {
		j.parts = append(j.parts, c.condition)
	}
	return Cond[T]{j}
}

// And holds where all conditions hold.
func And[T any](conds ...Cond[T]) Cond[T] {
	return join(conds, joinedCondition{word: " AND ", empty: "1 = 1"})
}

// Or holds where one of the conditions holds; with none of them it never does.
func Or[T any](conds ...Cond[T]) Cond[T] {
	return join(conds, joinedCondition{word: " OR ", empty: "1 = 0"})
}

// Not holds where the condition does not, and not where it is unknown because of a NULL.
func Not[T any](cond Cond[T]) Cond[T] {
	return join([]Cond[T]{cond}, joinedCondition{word: " AND ", not: true})
}
