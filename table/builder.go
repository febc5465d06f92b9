package table

import (
	"context"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// statement is SQL that is ready for its database, with the arguments.
type statement struct {
	sql  string
	args []any
	// none says that no row can match, so that nothing needs to be sent.
	none bool
	// beforeWrite says that a write will probably follow.
	beforeWrite bool
}

// builder puts a statement together, with ? for parameters.
type builder struct {
	dialect dialect.Dialect
	text    strings.Builder
	args    []any
	none    bool
	err     error
}

func newBuilder(conn *db.DB) *builder {
	b := &builder{dialect: conn.Dialect()}
	const usual = 256
	b.text.Grow(usual)
	return b
}

func (b *builder) write(parts ...string) *builder {
	for _, p := range parts {
		b.text.WriteString(p)
	}
	return b
}

func (b *builder) arg(value any) *builder {
	b.text.WriteByte('?')
	b.args = append(b.args, value)
	return b
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// list writes items separated by commas.
func (b *builder) list(n int, item func(i int)) *builder {
	for i := range n {
		if i > 0 {
			b.text.WriteString(", ")
		}
		item(i)
	}
	return b
}

func (b *builder) columns(m *model, indexes []int) *builder {
	names := m.names(b.dialect)
	return b.list(len(indexes), func(i int) { b.write(names.columns[indexes[i]]) })
}

// selected writes columns as they are read.
func (b *builder) selected(m *model, indexes []int) *builder {
	names := m.names(b.dialect)
	return b.list(len(indexes), func(i int) { b.write(names.selects[indexes[i]]) })
}

// statement gives the text the database's own placeholders.
func (b *builder) statement() (statement, error) {
	if b.err != nil {
		return statement{}, b.err
	}
	sql, err := rebound(b.dialect.Syntax(), b.text.String())
	if err != nil {
		return statement{}, err
	}
	if most := b.dialect.Features().MaxParams; len(b.args) > most {
		return statement{}, &tooManyError{len(b.args), most}
	}
	return statement{sql: sql, args: b.args, none: b.none}, nil
}

// numbered holds texts with $1 for ?.
var numbered texts[string, string]

// rebound spells the placeholders as the database does.
func rebound(s sqltext.Syntax, text string) (string, error) {
	if s.Placeholder != sqltext.Dollar {
		return text, nil
	}
	if sql, ok := numbered.get(text); ok {
		return sql, nil
	}
	sql, _, err := sqltext.Rebind(s, text)
	const long = 4 << 10 // such a text is one of many rows, and may never come again
	if err == nil && len(text) < long {
		numbered.put(text, sql)
	}
	return sql, err
}

type tooManyError struct{ n, most int }

func (e *tooManyError) Error() string {
	return "the statement has " + strconv.Itoa(e.n) + " parameters, and the database takes " + strconv.Itoa(e.most)
}

// Hint names the calls that send several statements.
func (e *tooManyError) Hint() string {
	return "InBulk, BulkDelete and BulkUpdate take any number of keys"
}

// where writes the query's conditions, and extra ones before them, which are complete.
func (q *query) writeWhere(b *builder, extra ...string) {
	word := " WHERE "
	for _, e := range extra {
		if e != "" {
			b.write(word, e)
			word = " AND "
		}
	}
	for _, c := range q.where {
		b.write(word, "(")
		c.write(b)
		b.write(")")
		word = " AND "
	}
}

// writeOrder writes ORDER BY; reverse turns it round.
func (q *query) writeOrder(b *builder, order []ordering, reverse bool) {
	if len(order) == 0 {
		return
	}
	b.write(" ORDER BY ").list(len(order), func(i int) {
		b.write(b.dialect.Quote(q.model.mapping.Columns[order[i].column].Name))
		if order[i].desc != reverse {
			b.write(" DESC")
		}
	})
}

// writeLimit writes LIMIT and OFFSET.
func (b *builder) writeLimit(limit, offset int) {
	switch {
	case limit >= 0:
		b.write(" LIMIT ", strconv.Itoa(limit))
	case offset > 0:
		b.write(" LIMIT 9223372036854775807") // OFFSET alone is no SQL for MySQL and SQLite
	}
	if offset > 0 {
		b.write(" OFFSET ", strconv.Itoa(offset))
	}
}

// selection is what a SELECT of the query is made of.
type selection struct {
	columns string // the list, ready; empty: the query's columns
	order   []ordering
	reverse bool
	limit   int
	offset  int
	extra   string // a condition before the query's
	args    []any  // its arguments
}

// selection returns the query's own.
func (q *query) selection() selection {
	return selection{order: q.order, limit: q.limit, offset: q.offset}
}

// build makes the SELECT.
func (q *query) build(ctx context.Context, s selection) (statement, error) {
	if q.err != nil {
		return statement{}, q.err
	}
	if err := q.checkLock(ctx); err != nil {
		return statement{}, err
	}
	b := newBuilder(q.conn)
	b.write("SELECT ")
	if s.columns != "" {
		b.write(s.columns)
	} else {
		b.selected(q.model, q.columns)
	}
	b.write(" FROM ", q.model.quoted(b.dialect))
	b.args = append(b.args, s.args...)
	q.writeWhere(b, s.extra)
	q.writeOrder(b, s.order, s.reverse)
	b.writeLimit(s.limit, s.offset)
	q.writeLock(b)
	if s.limit == 0 {
		b.none = true
	}
	return b.statement()
}
