package batch

import (
	"context"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// Source is where the rows of a job come from. [Rows], [Ranges], [Queue], [Seq], [CSV] and [JSONL] make one.
type Source[T any] struct{ source }

// source is a Source without the type of its rows. plan only reads; the other methods are called by several workers, each for a shard of its own.
type source interface {
	// name is for people: "public.events".
	name() string
	// plan measures the rows and cuts them into at most so many shards as asked.
	plan(ctx context.Context, conn *db.DB, o planOptions) (*sourcePlan, error)
	// read gives the next rows of a shard, at most size, in the batch's transaction. It gives the same rows again until the shard has moved on.
	read(ctx context.Context, conn *db.DB, sh *shard, size int) (page, error)
	// describe gives the key of the i-th row of a page and the row itself as JSON, for the quarantine; either may be empty.
	describe(p page, i int) (key keyset.Values, input string)
}

// teller is a source whose keys people know by other words than their values.
type teller interface {
	// tell writes a key; "" where there is none.
	tell(key keyset.Values) string
}

// planOptions is what a plan is made for.
type planOptions struct {
	parts int   // at most so many shards
	limit int64 // at most so many rows; 0: all
	// known says that the run has its shards already: the rows are not measured again, and the source only makes itself ready to read them.
	known bool
}

// sourcePlan is what a source's plan found.
type sourcePlan struct {
	rows   int64 // -1 where they cannot be counted
	shards []runstore.Shard
	// table is the table that the rows are in; nil where they are in none.
	table       *dialect.Table
	first, last keyset.Values
	order       string // the columns of the key
	sample      []rowimage.Row
}

// page is the rows of one batch.
type page struct {
	items any // []T
	n     int // how many, or at most so many where they are not read
	end   keyset.Values
	last  bool // nothing is left in the shard behind it
	lower keyset.Values
	// ranged says that the rows are not read: n is how many there may be, and Process says how many there were.
	ranged bool
	// replayed is the quarantined row that the page is a replay of.
	replayed []runstore.Quarantined
}

// counted reports whether n is the number of rows.
func (p *page) counted() bool { return !p.ranged }

// preparer is a source that gets rows for the shard before the batch's transaction begins.
type preparer interface {
	prepare(ctx context.Context, conn *db.DB, sh *shard, size int) error
}

// sharer is a source that several runs can work on at a time, because rows are claimed one by one.
type sharer interface{ shared() bool }

// settler is a source that notes on the rows themselves what became of them, in the batch's transaction.
type settler interface {
	// settle is called after Process, with the rows that it set aside in w.aside.
	settle(ctx context.Context, w *work) error
	// reject is called in place of Process for a page of one row that cannot be processed.
	reject(ctx context.Context, w *work, cause error) error
}

// imager is a source whose rows are in one table, so that they can be compared before and after a batch.
type imager interface {
	images() *rowimage.Table
	// QuotedTable is the table's name in SQL.
	QuotedTable() string
	// before reads the rows of a page as they are, locked.
	before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error)
}

// recounter is a source that can count the rows that are left of a shard.
type recounter interface {
	left(ctx context.Context, sh *shard) (int64, error)
}

// replayer is a source that can read a row again that was set aside; the page is empty where it is gone.
type replayer interface {
	replay(ctx context.Context, conn *db.DB, row runstore.Quarantined) (page, error)
}

// follower is a source whose rows, in a later phase, are those that the first phase was about: it goes no further than that did.
type follower interface{ endAt(last keyset.Values) }

// closer is a source that holds something open, and releaser one that holds something open for a shard.
type (
	closer   interface{ close() }
	releaser interface{ release(sh *shard) }
)

// shard is a shard with what the engine and the source know of it while it is worked.
type shard struct {
	runstore.Shard
	// narrow is the size of the next batches after a failed one, until they are past the place; 0: the run's.
	narrow int
	// wide is the size at which narrow ends.
	wide int
	// idle counts full pages, one after the other, of which nothing was changed.
	idle int
	// held is whatever the source keeps for the shard.
	held any
}

// through is the last key of the shard.
func (s *shard) through() keyset.Values { return s.Upper }

// after is where the next batch begins.
func (s *shard) after() keyset.Values {
	if s.Reached != nil {
		return s.Reached
	}
	return s.Lower
}
