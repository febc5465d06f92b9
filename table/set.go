package table

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/mapping"
)

// Set is the new values of columns: Go values, or expressions of [Expr] and [Now]. A value must fit the column's field; nil is NULL.
type Set map[string]any

// Key is the values of the columns by which a row is found.
type Key map[string]any

// Expression is a value that the database computes.
type Expression struct {
	sql  string
	args []any
	now  bool
}

// Expr is an SQL expression with ? for each argument, such as Expr("views + ?", 1). Its names are the row's columns.
func Expr(sql string, args ...any) Expression { return Expression{sql: sql, args: args} }

// Now is the database's present time: of the transaction's begin on PostgreSQL, of the statement's elsewhere.
func Now() Expression { return Expression{now: true} }

func (e Expression) write(b *builder) {
	if e.now {
		b.write(b.dialect.Features().Now)
		return
	}
	b.write("(")
	textCondition{e.sql, e.args}.write(b)
	b.write(")")
}

// assignment is one column of a Set.
type assignment struct {
	column int
	value  any // a driver's value or an Expression
}

// assignments checks a set against the type. They come in the order of the type's columns, so that the same set is the same statement.
func (m *model) assignments(set map[string]any, keys bool) ([]assignment, error) {
	list := make([]assignment, 0, len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		i, err := m.column(name)
		if err != nil {
			return nil, err
		}
		c := m.mapping.Columns[i]
		value := set[name]
		if _, computed := value.(Expression); computed {
			if keys {
				return nil, &ValueError{Table: m.fullName(), Column: name, Err: fmt.Errorf("a key must be a value, not an expression")}
			}
			list = append(list, assignment{i, value})
			continue
		}
		plain, err := columnValue(c, value)
		if err != nil {
			return nil, &ValueError{Table: m.fullName(), Column: name, Err: err}
		}
		list = append(list, assignment{i, plain})
	}
	slices.SortFunc(list, func(a, b assignment) int { return a.column - b.column })
	return list, nil
}

// columnValue makes a driver's value of a Go value for a column, as if it had been the field's.
func columnValue(c mapping.Column, value any) (any, error) {
	if value == nil {
		if !cell.Nullable(c.Type, c.JSON) {
			return nil, fmt.Errorf("the field %s (%s) cannot be NULL; make it a pointer or a sql.Null", c.Field, c.Type)
		}
		return nil, nil
	}
	scratch := reflect.New(c.Type)
	of := cell.For(scratch, c.JSON)
	given := reflect.ValueOf(value)
	elem := c.Type
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	switch {
	case given.Type().AssignableTo(c.Type):
		scratch.Elem().Set(given)
		return of.Value()
	case given.Type().AssignableTo(elem):
		p := reflect.New(elem)
		p.Elem().Set(given)
		scratch.Elem().Set(p)
		return of.Value()
	case c.JSON:
		return nil, &cell.TypeError{Value: value, Type: c.Type.String()}
	}
	plain, err := cell.Plain(value)
	if err != nil {
		return nil, err
	}
	if plain == nil {
		return columnValue(c, nil)
	}
	// A string is not quietly read as a number, nor a number written as a string.
	if text := kindIsText(elem); text != isText(plain) && !structLike(elem) {
		return nil, &cell.TypeError{Value: value, Type: c.Type.String()}
	}
	if _, truth := plain.(bool); truth != (elem.Kind() == reflect.Bool) && !structLike(elem) {
		return nil, &cell.TypeError{Value: value, Type: c.Type.String()}
	}
	if err := of.Scan(plain); err != nil {
		return nil, err
	}
	return of.Value()
}

func kindIsText(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func isText(value any) bool {
	switch value.(type) {
	case string, []byte:
		return true
	}
	return false
}

// structLike reports whether a type reads its own texts: times, UUIDs, decimals.
func structLike(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Array, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return t.Implements(reflect.TypeFor[driver.Valuer]())
}

// writeSet writes "a = ?, b = (…)".
func (m *model) writeSet(b *builder, list []assignment) {
	b.list(len(list), func(n int) {
		b.write(b.dialect.Quote(m.mapping.Columns[list[n].column].Name), " = ")
		m.writeValue(b, list[n])
	})
}

func (m *model) writeValue(b *builder, a assignment) {
	value := a.value
	if e, computed := value.(Expression); computed {
		e.write(b)
		return
	}
	if err := b.dialect.CheckValue(value); err != nil {
		b.fail(&ValueError{Table: m.fullName(), Column: m.mapping.Columns[a.column].Name, Err: err})
	}
	if number, ok := value.(float64); ok && b.dialect.Features().Arrays {
		value = floatText(number) // of a number that is too large for a real, pgx would make an infinity
	}
	b.arg(value)
}

// floatText writes a number so that it is read as a value of any type of numbers that has it.
func floatText(v float64) string {
	const exact = 1 << 53
	if v == math.Trunc(v) && math.Abs(v) < exact {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
