package batch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// Range is the rows of one batch as a condition, for work that one SQL statement does on all of them: the rows whose keys lie between two
// bounds and that match the source's condition.
//
//	n, err := b.DB().ExecRows(ctx, "UPDATE orders SET total = price * count"+r.Where, r.Args...)
//	b.SetDone(n)
//
// The condition is asked again by the statement: a row that was changed since the bounds were found, and no longer matches, is left alone.
// Process must call SetDone with the number of affected rows.
type Range struct {
	// Where is a whole WHERE clause with a space in front, and Args its arguments.
	Where string
	Args  []any
}

// TableRanges says which rows [Ranges] walks. It is for packages of this module, which know tables by their catalogue.
type TableRanges struct {
	Table *dialect.Table
	Key   dialect.Key
	// Where is the condition in SQL, checked by the caller; "" for all rows.
	Where string
	// Explain may replace an error of measuring the rows.
	Explain func(ctx context.Context, err error) error
	// Measured is what the caller has counted a moment ago, so that it is not counted again, and shows a sample of itself; nil: nothing.
	Measured *Measured
}

// Measured says what matches the condition of a [TableRanges].
type Measured struct {
	First, Last keyset.Values // nil where there are no rows
	Rows        int64
}

// Ranges makes ranges of a table's keys the source. Each batch is one [Range]; Rows of the batch has that one element.
func Ranges(conn *db.DB, o TableRanges) Source[Range] {
	keys, err := keyset.New(conn.Dialect(), o.Table, o.Key)
	if err != nil {
		return Source[Range]{brokenSource{err}}
	}
	s := &rangesSource{conn: conn, o: o, keys: keys}
	s.walked = walked{way: s, described: o.Table, noSample: o.Measured != nil}
	return Source[Range]{s}
}

type rangesSource struct {
	walked
	conn *db.DB
	o    TableRanges
	keys *keyset.Keyset
	upTo keyset.Values // no row behind this key is measured; nil: all are
}

// Table is the table's name for people.
func (s *rangesSource) Table() string { return s.o.Table.FullName() }

// QuotedTable is its name in SQL.
func (s *rangesSource) QuotedTable() string { return s.keys.Table() }

// KeyColumns are the columns of the key.
func (s *rangesSource) KeyColumns() []string { return s.o.Key.Columns }

// images describes rows as a whole.
func (s *rangesSource) images() *rowimage.Table { return s.image }

func (s *rangesSource) plan(ctx context.Context, conn *db.DB, o planOptions) (*sourcePlan, error) {
	p, err := s.walked.plan(ctx, conn, o)
	if err != nil && s.o.Explain != nil {
		return nil, s.o.Explain(ctx, err)
	}
	return p, err
}

// Bounds finds the first and the last matching key and counts.
func (s *rangesSource) Bounds(ctx context.Context) (first, last keyset.Values, rows int64, err error) {
	if m := s.o.Measured; m != nil {
		return m.First, m.Last, m.Rows, nil
	}
	where, args := s.o.Where, []any(nil)
	if s.upTo != nil {
		through := s.keys.Through()
		args = through.Args(args, s.upTo)
		if where != "" {
			where = " AND (" + where + ")"
		}
		where = "(" + through.SQL + ")" + where
	}
	query := "SELECT count(*) FROM " + s.keys.Table()
	if where != "" {
		query += " WHERE (" + where + ")"
	}
	if err = s.conn.QueryRow(ctx, query, args...).Scan(&rows); err != nil || rows == 0 {
		return nil, nil, 0, err
	}
	if first, err = s.key(ctx, s.keys.First(where), args...); err != nil {
		return nil, nil, 0, err
	}
	if last, err = s.key(ctx, s.keys.Last(where), args...); err != nil {
		return nil, nil, 0, err
	}
	if first == nil || last == nil { // they went away in between
		return nil, nil, 0, nil
	}
	return first, last, rows, nil
}

// Nth finds the key of the n-th row of a range.
func (s *rangesSource) Nth(ctx context.Context, after, through keyset.Values, n int64) (keyset.Values, error) {
	lower := s.lower(after)
	return s.key(ctx, s.keys.PageEnd(lower, s.o.Where, int(n)), s.args(lower, after, through)...)
}

// lower is the predicate of a page's beginning; without a key it holds for all.
func (s *rangesSource) lower(after keyset.Values) keyset.Predicate {
	if after == nil {
		return keyset.Predicate{}
	}
	return s.keys.After()
}

func (s *rangesSource) args(lower keyset.Predicate, after, through keyset.Values) []any {
	const usual = 8
	args := lower.Args(make([]any, 0, usual), after)
	return s.keys.Through().Args(args, through)
}

// key runs a query for one key; nil where there is none.
func (s *rangesSource) key(ctx context.Context, query string, args ...any) (keyset.Values, error) {
	key, err := s.keys.Scan(s.conn.QueryRow(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return key, err
}

func (s *rangesSource) read(ctx context.Context, _ *db.DB, sh *shard, size int) (page, error) {
	p := page{lower: sh.after(), n: size, ranged: true}
	lower := s.lower(p.lower)
	end, err := s.key(ctx, s.keys.PageEnd(lower, s.o.Where, size), s.args(lower, p.lower, sh.Upper)...)
	switch {
	case err != nil:
		return p, fmt.Errorf("find the end of the batch: %w", err)
	case end == nil && size == 1: // not even one row is left
		return page{end: sh.Upper, last: true}, nil
	case end == nil:
		end = sh.Upper
		p.last = true
	default:
		p.last = end.Equal(sh.Upper)
	}
	p.end = end
	p.items = []Range{{Where: s.keys.Within(lower, s.o.Where), Args: s.args(lower, p.lower, end)}}
	return p, nil
}

// left counts the rows of a shard behind its last batch.
func (s *rangesSource) left(ctx context.Context, sh *shard) (rows int64, err error) {
	if sh.Shard.Done || sh.Upper == nil {
		return 0, nil
	}
	lower := s.lower(sh.after())
	query := "SELECT count(*) FROM " + s.keys.Table() + s.keys.Within(lower, s.o.Where)
	err = s.conn.QueryRow(ctx, query, s.args(lower, sh.after(), sh.Upper)...).Scan(&rows)
	return rows, err
}

func (s *rangesSource) describe(p page, _ int) (keyset.Values, string) { return p.end, "" }

func (s *rangesSource) before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error) {
	r := p.items.([]Range)[0]
	return s.image.Read(ctx, conn, r.Where, r.Args, true)
}

// replay makes a range of a single key.
func (s *rangesSource) replay(_ context.Context, _ *db.DB, row runstore.Quarantined) (page, error) {
	from := s.keys.From()
	r := Range{Where: s.keys.Within(from, s.o.Where), Args: s.keys.Through().Args(from.Args(nil, row.Key), row.Key)}
	return page{items: []Range{r}, n: 1, ranged: true}, nil
}
