package batch

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// ForeignRows reads the rows of [Foreign]. It is for packages of this module.
type ForeignRows interface {
	// Page reads the first rows of a range of keys, (after, through], that match where, and gives the key of the last one.
	Page(ctx context.Context, after, through keyset.Values, where string, size int) (rows []rowimage.Row, end keyset.Values, err error)
	// ByKeys reads the rows of those keys that exist.
	ByKeys(ctx context.Context, keys []keyset.Values, lock bool) ([]rowimage.Row, error)
}

// ForeignImages say what belongs to the rows that [Foreign] gives. It is for packages of this module.
type ForeignImages struct {
	// Table is the quoted name of the table that the rows go to, and Images are its rows; nil where nobody asks.
	Table  string
	Images *rowimage.Table
	// Keys are the keys of the rows that are there already and that a batch changes; nil: it changes none.
	Keys func(rows []rowimage.Row) []keyset.Values
}

// Foreign makes rows of a table of another database, conn, the source: the run and its checkpoint are in the database that they go to. The rows are
// read before the batch's transaction begins and are not locked. As the source of a later phase it ends where the first phase did. It is for packages
// of this module.
func Foreign(conn *db.DB, o TableRanges, rows ForeignRows, to ForeignImages) Source[rowimage.Row] {
	keys, err := keyset.New(conn.Dialect(), o.Table, o.Key)
	if err != nil {
		return Source[rowimage.Row]{brokenSource{err}}
	}
	return Source[rowimage.Row]{&foreignSource{ranges: &rangesSource{conn: conn, o: o, keys: keys}, reader: rows, to: to}}
}

// foreignSource walks a table of a database that the run is not in.
type foreignSource struct {
	ranges *rangesSource
	reader ForeignRows
	to     ForeignImages
}

func (s *foreignSource) name() string { return s.ranges.Table() }

func (s *foreignSource) plan(ctx context.Context, _ *db.DB, o planOptions) (*sourcePlan, error) {
	return measureWay(ctx, s.ranges, o)
}

func (s *foreignSource) endAt(last keyset.Values) { s.ranges.upTo = last }

// prepare reads the shard's next page.
func (s *foreignSource) prepare(ctx context.Context, _ *db.DB, sh *shard, size int) error {
	p := page{lower: sh.after()}
	rows, end, err := s.reader.Page(ctx, p.lower, sh.Upper, s.ranges.o.Where, size)
	if err != nil {
		return fmt.Errorf("read the rows of the batch: %w", err)
	}
	p.items, p.n, p.end = rows, len(rows), end
	p.last = len(rows) < size || end.Equal(sh.Upper)
	if p.n == 0 {
		p.end = sh.Upper
	}
	sh.held = p
	return nil
}

func (s *foreignSource) read(_ context.Context, _ *db.DB, sh *shard, _ int) (page, error) {
	return sh.held.(page), nil
}

func (s *foreignSource) left(ctx context.Context, sh *shard) (int64, error) {
	return s.ranges.left(ctx, sh)
}

func (s *foreignSource) describe(p page, i int) (keyset.Values, string) {
	rows, _ := p.items.([]rowimage.Row)
	if i >= len(rows) {
		return nil, ""
	}
	return rows[i].Key, jsonText(rows[i].Values)
}

func (s *foreignSource) replay(ctx context.Context, _ *db.DB, row runstore.Quarantined) (page, error) {
	rows, err := s.reader.ByKeys(ctx, []keyset.Values{row.Key}, false)
	return page{items: rows, n: len(rows)}, err
}

func (s *foreignSource) images() *rowimage.Table { return s.to.Images }

// QuotedTable is the name of the table that the rows go to.
func (s *foreignSource) QuotedTable() string { return s.to.Table }

func (s *foreignSource) before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error) {
	rows, _ := p.items.([]rowimage.Row)
	if s.to.Keys == nil || len(rows) == 0 {
		return nil, nil
	}
	return s.to.Images.ReadKeys(ctx, conn, s.to.Keys(rows), true)
}
