package batch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/table"
)

// Rows makes the rows of a query the source: a [table.Table] or a [table.Query] without order, limit and offset. They are walked in the order
// of the primary key, up to the last matching key of the run's beginning, and each batch's rows are locked while it is worked on. A row is
// given as it is then: one that does not match any more is left out, one that came to match ahead of the walk is worked on.
func Rows[T any](query interface {
	Walk() (*table.Walk[T], error)
},
) Source[T] {
	w, err := query.Walk()
	if err != nil {
		return Source[T]{brokenSource{err}}
	}
	return Source[T]{&rowsSource[T]{walk: w, walked: walked{way: w}}}
}

// rowsSource reads the rows of a query.
type rowsSource[T any] struct {
	walked
	walk *table.Walk[T]
}

func (s *rowsSource[T]) plan(ctx context.Context, conn *db.DB, o planOptions) (*sourcePlan, error) {
	if err := s.look(ctx, conn); err != nil {
		return nil, err
	}
	if s.described.Rows < 0 {
		s.walk = s.walk.WithoutStatistics()
		s.way = s.walk
	}
	return s.walked.plan(ctx, conn, o)
}

func (s *rowsSource[T]) read(ctx context.Context, _ *db.DB, sh *shard, size int) (page, error) {
	p := page{lower: sh.after()}
	rows, end, err := s.walk.Page(ctx, p.lower, sh.through(), size, true)
	if err != nil {
		return p, fmt.Errorf("read the rows of the batch: %w", err)
	}
	p.items, p.n, p.end = rows, len(rows), end
	p.last = len(rows) < size || sh.Upper != nil && end.Equal(sh.Upper)
	return p, nil
}

func (s *rowsSource[T]) describe(p page, i int) (keyset.Values, string) {
	return describeRow(s.walk, p, i)
}

// describeRow gives the key of a row of a page and the row as JSON.
func describeRow[T any](w *table.Walk[T], p page, i int) (keyset.Values, string) {
	rows, _ := p.items.([]T)
	if i >= len(rows) {
		return nil, ""
	}
	key, err := w.Key(rows[i])
	if err != nil {
		key = nil
	}
	return key, jsonText(rows[i])
}

// keysOf gives the keys of rows.
func keysOf[T any](w *table.Walk[T], rows []T) ([]keyset.Values, error) {
	keys := make([]keyset.Values, len(rows))
	for i, row := range rows {
		key, err := w.Key(row)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

func (s *rowsSource[T]) replay(ctx context.Context, _ *db.DB, row runstore.Quarantined) (page, error) {
	rows, err := s.walk.ByKeys(ctx, []keyset.Values{row.Key}, true)
	return page{items: rows, n: len(rows)}, err
}

func (s *rowsSource[T]) before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error) {
	rows, _ := p.items.([]T)
	keys, err := keysOf(s.walk, rows)
	if err != nil {
		return nil, err
	}
	return s.image.ReadKeys(ctx, conn, keys, true)
}

// way is what is asked of a walk by key, whatever its rows are.
type way interface {
	Bounds(ctx context.Context) (first, last keyset.Values, rows int64, err error)
	Nth(ctx context.Context, after, through keyset.Values, n int64) (keyset.Values, error)
	Table() string
	QuotedTable() string
	KeyColumns() []string
}

// walked is a source that is walked by a key of a table.
type walked struct {
	way
	described *dialect.Table // nil until it is read
	image     *rowimage.Table
	noSample  bool
}

func (s *walked) name() string            { return s.Table() }
func (s *walked) images() *rowimage.Table { return s.image }

// look describes the table, for images and for the plan.
func (s *walked) look(ctx context.Context, conn *db.DB) (err error) {
	if s.image != nil {
		return nil
	}
	if s.described == nil {
		if s.described, err = conn.Dialect().Table(ctx, conn, s.QuotedTable()); err != nil {
			return fmt.Errorf("describe table %s: %w", s.Table(), err)
		}
	}
	key := dialect.Key{Columns: s.KeyColumns()}
	s.image, err = rowimage.New(conn.Dialect(), withoutNulls(s.described, key), key)
	return err
}

// withoutNulls is a table as it is where no key is NULL. SQLite lets a primary key be NULL; rows are read and found by keys that are not.
func withoutNulls(t *dialect.Table, key dialect.Key) *dialect.Table {
	own := *t
	own.Columns = slices.Clone(t.Columns)
	for i, c := range own.Columns {
		if slices.Contains(key.Columns, c.Name) {
			own.Columns[i].Nullable = false
		}
	}
	return &own
}

// plan counts the rows and cuts them into shards of about as many each.
func (s *walked) plan(ctx context.Context, conn *db.DB, o planOptions) (*sourcePlan, error) {
	if err := s.look(ctx, conn); err != nil {
		return nil, err
	}
	p, err := measureWay(ctx, s.way, o)
	if err != nil {
		return nil, err
	}
	p.table = s.described
	if p.rows > 0 && !s.noSample {
		p.sample, err = s.sample(ctx, conn, p.last)
	}
	return p, err
}

// orderOf names the columns of the key, for people.
func orderOf(w way) string { return strings.Join(w.KeyColumns(), ", ") }

// measureWay counts the rows of a walk and cuts them into shards of about as many each; where the shards are known it does neither.
func measureWay(ctx context.Context, w way, o planOptions) (*sourcePlan, error) {
	p := &sourcePlan{order: orderOf(w), rows: -1}
	if o.known {
		return p, nil
	}
	var err error
	if p.first, p.last, p.rows, err = w.Bounds(ctx); err != nil {
		return nil, fmt.Errorf("measure the rows of %s: %w", w.Table(), err)
	}
	if p.rows == 0 {
		return p, nil
	}
	if o.limit > 0 && p.rows > o.limit {
		if p.last, err = w.Nth(ctx, nil, p.last, o.limit); err != nil {
			return nil, fmt.Errorf("find the last row within the limit: %w", err)
		}
		p.rows = o.limit
	}
	if p.shards, err = cut(ctx, w, p, int64(o.parts)); err != nil {
		return nil, fmt.Errorf("cut %s into shards: %w", w.Table(), err)
	}
	return p, nil
}

// sample reads the first rows.
func (s *walked) sample(ctx context.Context, conn *db.DB, last keyset.Values) ([]rowimage.Row, error) {
	var keys []keyset.Values
	var after keyset.Values
	for range sampleRows {
		key, err := s.Nth(ctx, after, last, 1)
		if err != nil {
			return nil, fmt.Errorf("read a sample: %w", err)
		}
		if key == nil {
			break
		}
		keys = append(keys, key)
		after = key
	}
	return s.image.ReadKeys(ctx, conn, keys, false)
}

// sampleRows is how many rows a plan shows.
const sampleRows = 5

// cut finds the keys between the shards.
func cut(ctx context.Context, w way, p *sourcePlan, parts int64) ([]runstore.Shard, error) {
	each := max((p.rows+parts-1)/parts, 1)
	var shards []runstore.Shard
	var lower keyset.Values
	for left := p.rows; left > 0; {
		sh := runstore.Shard{Number: len(shards), Lower: lower, Upper: p.last, Planned: min(each, left)}
		if left > each {
			upper, err := w.Nth(ctx, lower, p.last, each)
			if err != nil {
				return nil, err
			}
			if upper != nil && !upper.Equal(p.last) {
				sh.Upper = upper
			}
		}
		shards = append(shards, sh)
		if sh.Upper.Equal(p.last) {
			break
		}
		lower, left = sh.Upper, left-sh.Planned
	}
	return shards, nil
}

// brokenSource tells at its first use what was wrong when it was made.
type brokenSource struct{ err error }

func (s brokenSource) name() string { return "" }
func (s brokenSource) plan(context.Context, *db.DB, planOptions) (*sourcePlan, error) {
	return nil, s.err
}

func (s brokenSource) read(context.Context, *db.DB, *shard, int) (page, error) { return page{}, s.err }
func (s brokenSource) describe(page, int) (keyset.Values, string)              { return nil, "" }
