package table

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/mapping"
)

// Table is all rows of one table, as values of the struct type T, and the place of its bulk writes. Every method of [Query] works on it.
// It is an immutable value and safe for concurrent use.
type Table[T any] struct {
	Query[T]
}

// Option is an option of [New] and [Of].
type Option func(*options)

type options struct{ name string }

// Name names the table: "item", "app.item", or with quotes around a part that has a dot in it. It means exactly this spelling on every
// database. The default is what the type's method TableName returns, the name in bun.BaseModel's tag, or the type's name in snake case.
func Name(name string) Option { return func(o *options) { o.name = name } }

// New returns the table that T describes on conn, or a [*MappingError] that says in a sentence why T cannot be its rows. It sends nothing.
func New[T any](conn *db.DB, opts ...Option) (Table[T], error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	s, err := mappingOf[T]()
	if err != nil {
		return Table[T]{}, err
	}
	if o.name == "" {
		o.name = s.Table
	}
	schema, name, err := dialect.SplitName(o.name, "\"`[")
	if err != nil {
		return Table[T]{}, &MappingError{Type: s.Type.String(), Reason: err.Error()}
	}
	m := &model{mapping: s, schema: schema.Text, name: name.Text}
	if err := m.suits(conn.Dialect()); err != nil {
		return Table[T]{}, err
	}
	return Table[T]{Query[T]{query{model: m, conn: conn, limit: -1, columns: allColumns(s)}}}, nil
}

// Of is [New] for a type that is known to be right: it panics with the error, as regexp.MustCompile does.
func Of[T any](conn *db.DB, opts ...Option) Table[T] {
	t, err := New[T](conn, opts...)
	if err != nil {
		panic(err)
	}
	return t
}

func mappingOf[T any]() (*mapping.Struct, error) {
	return mapping.Of(reflect.TypeFor[T](), cell.Usable)
}

// model is a table as a type describes it. It is the same for all databases.
type model struct {
	mapping   *mapping.Struct
	schema    string
	name      string
	last      atomic.Pointer[names]
	scratches sync.Pool // of *scratch
}

// names are a table's and its columns' names as a database quotes them.
type names struct {
	dialect dialect.Dialect
	table   string
	columns []string
	selects []string // how the columns are read
}

// names quotes the names once for a dialect, until another one asks.
func (m *model) names(d dialect.Dialect) *names {
	if n := m.last.Load(); n != nil && n.dialect == d {
		return n
	}
	n := &names{dialect: d, table: keyset.TableName(d, m.schema, m.name), columns: make([]string, len(m.mapping.Columns))}
	n.selects = n.columns
	for i, c := range m.mapping.Columns {
		n.columns[i] = d.Quote(c.Name)
	}
	for i, c := range m.mapping.Columns {
		if single(c.Type) && d.Features().RoundsSingles {
			n.selects = slices.Clone(n.selects)
			n.selects[i] = n.columns[i] + " * 1e0 AS " + n.columns[i]
		}
	}
	m.last.Store(n)
	return n
}

func allColumns(s *mapping.Struct) []int {
	all := make([]int, len(s.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}

// single reports whether a type is a float32.
func single(t reflect.Type) bool {
	return t.Kind() == reflect.Float32 || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Float32
}

// suits refuses columns that a database cannot have.
func (m *model) suits(d dialect.Dialect) error {
	if d.Features().Arrays {
		return nil
	}
	for _, c := range m.mapping.Columns {
		if cell.Array(c.Type, c.JSON) {
			return &MappingError{
				Type: m.mapping.Type.String(), Field: c.Field,
				Reason: fmt.Sprintf("%s has no arrays; mark the field json to store it as a document", d.Name()),
			}
		}
	}
	return nil
}

// fullName is the table's name for people.
func (m *model) fullName() string {
	if m.schema == "" {
		return m.name
	}
	return m.schema + "." + m.name
}

// quoted is the table's name in a statement.
func (m *model) quoted(d dialect.Dialect) string { return m.names(d).table }

// column finds a column by name.
func (m *model) column(name string) (int, error) {
	if i := m.mapping.Column(name); i >= 0 {
		return i, nil
	}
	return -1, &ColumnError{Table: m.fullName(), Column: name, Nearest: m.mapping.Nearest(name)}
}

// columnsOf finds columns by name.
func (m *model) columnsOf(names []string) ([]int, error) {
	indexes := make([]int, len(names))
	for n, name := range names {
		i, err := m.column(name)
		if err != nil {
			return nil, err
		}
		indexes[n] = i
	}
	return indexes, nil
}

// Using returns the same table on another database.
func (t Table[T]) Using(conn *db.DB) Table[T] { return Table[T]{t.Query.Using(conn)} }

// BatchSize is [Query.BatchSize].
func (t Table[T]) BatchSize(n int) Table[T] { return Table[T]{t.Query.BatchSize(n)} }

// TransactionPerBatch is [Query.TransactionPerBatch].
func (t Table[T]) TransactionPerBatch() Table[T] { return Table[T]{t.Query.TransactionPerBatch()} }

// Observe is [Query.Observe].
func (t Table[T]) Observe(f func(Progress)) Table[T] { return Table[T]{t.Query.Observe(f)} }

// Validated is [Query.Validated].
func (t Table[T]) Validated() Table[T] { return Table[T]{t.Query.Validated()} }
