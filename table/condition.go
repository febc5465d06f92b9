package table

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// condition is one of a query's conditions. It is put in parentheses.
type condition interface {
	write(b *builder)
}

// textCondition is a condition in SQL.
type textCondition struct {
	sql  string
	args []any
}

func (c textCondition) write(b *builder) {
	e, args, err := expand(b.dialect, c.sql, c.args)
	if err != nil {
		b.fail(err)
		return
	}
	b.none = b.none || e.Impossible
	b.write(e.Text)
	b.args = append(b.args, args...)
}

// expand checks a programmer's SQL and makes room in it for its arguments.
func expand(d dialect.Dialect, text string, args []any) (sqltext.Expansion, []any, error) {
	wrap := func(err error) error { return fmt.Errorf("condition %q: %w", text, err) }
	named, err := checked(d, text)
	if err != nil {
		return sqltext.Expansion{}, nil, wrap(err)
	}
	if args, err = positional(named.names, args); err != nil {
		return sqltext.Expansion{}, nil, wrap(err)
	}
	e := named.plain
	if e.Placeholders != len(args) || slices.ContainsFunc(args, isList) {
		e, err = sqltext.Expand(d.Syntax(), named.plain.Text, func(i int) (int, bool) {
			if i >= len(args) {
				return 0, false
			}
			return listLength(args[i])
		}, d.Features().Arrays)
	}
	switch {
	case err != nil:
		return e, nil, wrap(err)
	case e.Placeholders != len(args):
		return e, nil, wrap(fmt.Errorf("it has %d placeholders and was given %d arguments", e.Placeholders, len(args)))
	}
	values, err := spread(e, args)
	if err != nil {
		return e, nil, wrap(err)
	}
	return e, values, nil
}

// spread puts the arguments in the order of an expanded text's placeholders.
func spread(e sqltext.Expansion, args []any) ([]any, error) {
	out := make([]any, 0, len(args))
	for i, arg := range args {
		if e.Pieces == nil || !e.Pieces[i].Elements {
			value, err := cell.Plain(arg)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
			continue
		}
		list := reflect.ValueOf(arg)
		for k := range e.Pieces[i].Marks {
			value, err := cell.Plain(list.Index(min(k, list.Len()-1)).Interface())
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
	}
	return out, nil
}

// checkedText is a condition that was found to be one expression.
type checkedText struct {
	plain sqltext.Expansion // the text, with ? for :name, as it is when no argument is a list
	names []string
}

// checkedKey names a text and the kind of database that it was checked for.
type checkedKey struct {
	dialect, text string
}

// known holds the texts that were checked.
var known texts[checkedKey, checkedText]

// texts holds what was made of texts of SQL: a program has few, and sends them often. It is bounded, for texts can be made at run time.
type texts[K comparable, V any] struct {
	made  sync.Map
	count atomic.Int64
}

const maxTexts = 2000

func (t *texts[K, V]) get(text K) (v V, ok bool) {
	if found, ok := t.made.Load(text); ok {
		return found.(V), true
	}
	return v, false
}

func (t *texts[K, V]) put(text K, v V) {
	if t.count.Add(1) <= maxTexts {
		t.made.Store(text, v)
	}
}

func checked(d dialect.Dialect, text string) (checkedText, error) {
	key := checkedKey{d.Name(), text}
	if c, ok := known.get(key); ok {
		return c, nil
	}
	if err := sqltext.CheckCondition(d.Syntax(), text); err != nil {
		return checkedText{}, err
	}
	plain, names, err := sqltext.Named(d.Syntax(), text)
	if err != nil {
		return checkedText{}, err
	}
	e, err := sqltext.Expand(d.Syntax(), plain, func(int) (int, bool) { return 0, false }, false)
	if err != nil {
		return checkedText{}, err
	}
	c := checkedText{e, names}
	known.put(key, c)
	return c, nil
}

// positional puts named arguments in the order of their placeholders.
func positional(names []string, args []any) ([]any, error) {
	if names == nil {
		return args, nil
	}
	byName := map[string]any{}
	for _, a := range args {
		n, ok := a.(sql.NamedArg)
		if !ok {
			return nil, fmt.Errorf("it has the placeholder :%s, so its arguments must be sql.Named", names[0])
		}
		byName[n.Name] = n.Value
	}
	out := make([]any, len(names))
	for i, name := range names {
		value, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("it has no argument :%s", name)
		}
		out[i] = value
	}
	return out, nil
}

func isList(arg any) bool {
	_, list := listLength(arg)
	return list
}

// listLength reports whether an argument stands for its elements, and how many it has.
func listLength(arg any) (int, bool) {
	switch a := arg.(type) {
	case nil, []byte, string, int64, int:
		return 0, false
	case []int64:
		return len(a), true
	case []string:
		return len(a), true
	case driver.Valuer:
		return 0, false
	}
	v := reflect.ValueOf(arg)
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8 {
		return v.Len(), true
	}
	return 0, false
}
