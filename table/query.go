package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
)

// Query is the rows of a table that match conditions, in an order. It is an immutable value and safe for concurrent use.
type Query[T any] struct {
	query
}

// query is a Query without the type of its rows: what needs no type is done by it.
type query struct {
	model   *model
	conn    *db.DB
	where   []condition
	order   []ordering
	limit   int // -1: none
	offset  int
	columns []int // what is read, as indexes into the mapping
	lock    *lock
	bulk    bulk
	err     error // told when the query is sent

	beforeWrite bool // a write will probably follow
}

// bulk is how bulk writes are cut.
type bulk struct {
	size      int // 0: the database's best
	perBatch  bool
	observe   func(Progress)
	validated bool
}

// Progress is what a bulk write has done so far.
type Progress struct {
	Rows    int64 // rows written
	Batches int64 // batches written
	Total   int64 // rows to write; -1 where it is not known
}

// ordering is one part of ORDER BY.
type ordering struct {
	column int
	desc   bool
}

// Rows is a [Table] or a [Query] of T.
type Rows[T any] interface{ typed() Query[T] }

func (q Query[T]) typed() Query[T] { return q }

// fail notes the first thing that is wrong with the query.
func (q *query) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// Where adds a condition, which is ANDed to those that there are: SQL that would follow WHERE, with ? for each argument, or :name with
// sql.Named arguments. A slice stands for its elements in IN (?) and NOT IN (?); an empty one matches nothing and everything. On
// PostgreSQL ?? is its operator ?. The text is checked and put in parentheses, so that an OR in it stays in it; values travel only as
// parameters.
//
// Names in it are the database's: a column that the type leaves out can be used. Quote mixed-case names as the database wants it.
func (q Query[T]) Where(sql string, args ...any) Query[T] {
	q.filter(textCondition{sql, args})
	return q
}

// Filter adds conditions on typed columns, which are ANDed to those that there are.
func (q Query[T]) Filter(conds ...Cond[T]) Query[T] {
	for _, c := range conds {
		q.filter(c.condition)
	}
	return q
}

func (q *query) filter(c condition) { q.where = append(slices.Clip(q.where), c) }

// OrderBy sets the order: columns, each ascending, or descending with a minus before or DESC behind. Without arguments there is none. It
// replaces an earlier order.
func (q Query[T]) OrderBy(columns ...string) Query[T] {
	q.orderBy(columns)
	return q
}

func (q *query) orderBy(columns []string) {
	q.order = nil
	for _, text := range columns {
		o, name := ordering{}, strings.TrimSpace(text)
		if rest, ok := strings.CutPrefix(name, "-"); ok {
			name, o.desc = rest, true
		}
		if fields := strings.Fields(name); len(fields) == 2 && q.model.mapping.Column(name) < 0 {
			switch strings.ToUpper(fields[1]) {
			case "DESC":
				name, o.desc = fields[0], !o.desc
			case "ASC":
				name = fields[0]
			}
		}
		var err error
		if o.column, err = q.model.column(name); err != nil {
			q.fail(err)
			return
		}
		q.order = append(q.order, o)
	}
}

// Limit bounds the number of rows. With 0 nothing is sent; less is an error.
func (q Query[T]) Limit(n int) Query[T] {
	if n < 0 {
		q.fail(fmt.Errorf("limit %d: %w", n, ErrBatchSize))
		return q
	}
	q.limit = n
	return q
}

// Offset leaves out the first n rows. It is slow: the database reads them all the same, and rows that others add or delete meanwhile move the
// rest. To go on where a page has ended, use a condition on the last key, or [Query.All], which does.
func (q Query[T]) Offset(n int) Query[T] {
	if n < 0 {
		q.fail(fmt.Errorf("offset %d: %w", n, ErrBatchSize))
		return q
	}
	q.offset = n
	return q
}

// Only reads these columns, and the key always. The other fields keep their zero value, which looks like a value: where that could be taken for
// one, read into a type that has only these columns, with [Into].
func (q Query[T]) Only(columns ...string) Query[T] {
	q.read(columns, func(i int, named bool) bool { return named })
	return q
}

// Defer reads all columns but these; the key is read always. See [Query.Only].
func (q Query[T]) Defer(columns ...string) Query[T] {
	old := q.columns
	q.read(columns, func(i int, named bool) bool { return !named && slices.Contains(old, i) })
	return q
}

// read sets the columns that are read; wanted is told whether the column i is among the names.
func (q *query) read(names []string, wanted func(i int, named bool) bool) {
	named, err := q.model.columnsOf(names)
	if err != nil {
		q.fail(err)
		return
	}
	q.columns = nil
	for i, c := range q.model.mapping.Columns {
		if c.Key || wanted(i, slices.Contains(named, i)) {
			q.columns = append(q.columns, i)
		}
	}
}

// Using returns the same query on another database. All statements of its calls go there.
func (q Query[T]) Using(conn *db.DB) Query[T] {
	q.conn = conn
	if err := q.model.suits(conn.Dialect()); err != nil {
		q.fail(err)
	}
	return q
}

// BatchSize sets how many rows a batch of a bulk write has. The default is what the database does best: 5,000 on PostgreSQL, where all rows
// without keys to be read back are one COPY, and 1,000 elsewhere. A batch that has more parameters than the database takes is sent in
// several statements, and on SQLite one of more than 500 rows, too.
func (q Query[T]) BatchSize(n int) Query[T] {
	if n <= 0 {
		q.fail(fmt.Errorf("batch size %d: %w", n, ErrBatchSize))
		return q
	}
	q.bulk.size = n
	return q
}

// TransactionPerBatch makes each batch of a bulk write a transaction of its own, so that what is done stays done when a later batch fails.
// The default is one transaction for the whole call. Inside a block the batches are part of the block either way.
func (q Query[T]) TransactionPerBatch() Query[T] {
	q.bulk.perBatch = true
	return q
}

// Observe calls f after each batch of a bulk write, in the goroutine of the call. What it is told of is not committed before the call has
// ended, unless there is a transaction for each batch. To stop a call between two batches, cancel its context in f.
func (q Query[T]) Observe(f func(Progress)) Query[T] {
	q.bulk.observe = f
	return q
}

// Validated checks rows with [Table.FullClean] before they are written: all of a slice before the first is sent, those of a sequence batch by
// batch.
func (q Query[T]) Validated() Query[T] {
	q.bulk.validated = true
	return q
}
