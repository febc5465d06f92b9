package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/table"
)

// QueueOptions say how the rows of a [Queue] tell what becomes of them. The zero value is the columns status, claimed_by, claimed_at, attempts and
// error, and the states pending, processing, completed and failed.
type QueueOptions struct {
	// Status, ClaimedBy, ClaimedAt, Attempts and Error are the columns, as the catalogue spells them. ClaimedBy takes a text of up to 64
	// characters, ClaimedAt a time, which is the database's and should have a time zone where the database knows such a type, Attempts an
	// integer. ClaimedBy, ClaimedAt and Error hold NULL where there is nothing to say, or are left empty where they cannot.
	Status, ClaimedBy, ClaimedAt, Attempts, Error string
	// Pending, Processing, Completed and Failed are the values of the column Status: texts, or integers.
	Pending, Processing, Completed, Failed any
	// Stale is how old the claim of a row that nobody has locked must be to be taken back, by the database's clock; 0: five minutes.
	Stale time.Duration
	// MaxAttempts is how often a row may be claimed without becoming completed or failed, before it is failed; 0: 5.
	MaxAttempts int
}

const (
	defaultStale       = 5 * time.Minute
	defaultMaxAttempts = 5
	// queueRetries is how often a claim is tried again after a deadlock or its like.
	queueRetries = 8
	// queueKeys is how many keys a statement of the queue names.
	queueKeys = 500
	// releaseWithin is how long claims may take to be given back at the end of a run.
	releaseWithin = 5 * time.Second
)

func (o *QueueOptions) check() error {
	for name, value := range map[*string]string{
		&o.Status: "status", &o.ClaimedBy: "claimed_by", &o.ClaimedAt: "claimed_at", &o.Attempts: "attempts", &o.Error: "error",
	} {
		set(name, value)
	}
	states := []struct {
		value *any
		name  string
	}{{&o.Pending, "pending"}, {&o.Processing, "processing"}, {&o.Completed, "completed"}, {&o.Failed, "failed"}}
	seen := map[string]string{}
	for _, s := range states {
		set(s.value, any(s.name))
		text := fmt.Sprint(*s.value)
		if seen[text] != "" {
			return fmt.Errorf("options of the queue: the states %s and %s are both %q", seen[text], s.name, text)
		}
		seen[text] = s.name
	}
	if o.Stale < 0 || o.MaxAttempts < 0 {
		return errors.New("options of the queue: Stale and MaxAttempts must not be negative")
	}
	set(&o.Stale, defaultStale)
	set(&o.MaxAttempts, defaultMaxAttempts)
	return nil
}

// Queue makes a table that is a queue the source: its pending rows are claimed, worked on and completed, by any number of runs and processes at
// a time. query is a [table.Table] or a [table.Query] without order, limit and offset. It says which rows belong to the queue, whatever their
// status is: a condition on the status is an error.
//
// A batch's rows are claimed in a short transaction of its own, which leaves out rows that others have locked: they become processing, for all to
// see. What Process then writes, and that the rows are completed, is one transaction, so each row is done once. A row that is set aside is
// failed, with the error's text; when the run's quarantine is replayed, and the row is still failed, it can be completed yet. Process must leave
// the claim's columns and the row itself in place.
//
// When a runner dies its claims are taken back: by the run's next attempt at once, by others when they are stale. A row whose claim was taken back
// is pending again, and has one attempt less to go. Rows that were attempted before are claimed one by one, so that a row which kills the
// program takes no others with it. A run ends when there is no row left for it to claim. An index on the status and the key keeps claims fast.
func Queue[T any](query interface {
	Walk() (*table.Walk[T], error)
	Where(sql string, args ...any) table.Query[T]
}, o QueueOptions,
) Source[T] {
	w, err := query.Walk()
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Source[T]{brokenSource{err}}
	}
	return Source[T]{&queueSource[T]{where: query.Where, walk: w, o: o}}
}

// queueSource claims rows of a queue.
type queueSource[T any] struct {
	where func(sql string, args ...any) table.Query[T] // the queue's rows
	walk  *table.Walk[T]
	o     QueueOptions

	*queueTable                    // set by plan
	rows        table.Query[T]     // all rows of the table
	skip        []table.LockOption // leaves out locked rows, where the database can
	after       keyset.Predicate
	image       *rowimage.Table
	whole       atomic.Bool // the query was seen to find a claimed row
}

func (s *queueSource[T]) name() string { return s.walk.Table() }

func (s *queueSource[T]) shared() bool { return true }

func (s *queueSource[T]) plan(ctx context.Context, conn *db.DB, o planOptions) (*sourcePlan, error) {
	d := conn.Dialect()
	pending, err := s.where(d.Quote(s.o.Status)+" = ?", s.o.Pending).Using(conn).Walk()
	if err != nil {
		return nil, err
	}
	w := walked{way: pending}
	if err := w.look(ctx, conn); err != nil {
		return nil, err
	}
	if s.queueTable, err = newQueueTable(d, s.QuotedTable(), w.described, s.walk.KeyColumns(), s.o); err != nil {
		return nil, err
	}
	s.image = w.image
	key := dialect.Key{Columns: s.walk.KeyColumns()}
	order, err := keyset.New(d, withoutNulls(w.described, key), key)
	if err != nil {
		return nil, err
	}
	s.after = order.After()
	all, err := table.New[T](conn, table.Name(s.QuotedTable()))
	if err != nil {
		return nil, err
	}
	s.rows = all.Query
	server, err := conn.Server(ctx)
	if err != nil {
		return nil, err
	}
	s.skip = nil
	if server.SkipLocked {
		s.skip = []table.LockOption{table.SkipLocked}
	}
	p := &sourcePlan{table: w.described, order: orderOf(w)}
	if p.rows, err = pending.Count(ctx, nil, nil); err != nil {
		return nil, fmt.Errorf("count the pending rows of %s: %w", s.name(), err)
	}
	if p.sample, err = w.sample(ctx, conn, nil); err != nil {
		return nil, err
	}
	if o.limit > 0 {
		p.rows = min(p.rows, o.limit)
		p.shards = []runstore.Shard{{Planned: o.limit}}
		return p, nil
	}
	for n := range o.parts {
		p.shards = append(p.shards, runstore.Shard{Number: n, Planned: -1})
	}
	return p, nil
}

// QuotedTable is the table's name in SQL.
func (s *queueSource[T]) QuotedTable() string { return s.walk.QuotedTable() }

func (s *queueSource[T]) images() *rowimage.Table { return s.image }

func (s *queueSource[T]) prepare(ctx context.Context, conn *db.DB, sh *shard, size int) error {
	_, err := s.claimed(ctx, conn, sh, size)
	return err
}

// read locks rows that the shard has claimed. Those whose claim was taken back meanwhile are not its business any more.
func (s *queueSource[T]) read(ctx context.Context, conn *db.DB, sh *shard, size int) (page, error) {
	c, err := s.claimed(ctx, conn, sh, size) // they are claimed already, but for a rehearsal that looks at rows first
	if err != nil {
		return page{}, err
	}
	some := c.keys[:min(size, len(c.keys))]
	is := s.held(c)
	rows, keys, err := s.lock(ctx, conn, some, is.cond, is.args...)
	if err != nil {
		return page{}, fmt.Errorf("read the claimed rows: %w", err)
	}
	c.keys = slices.Concat(keys, c.keys[len(some):])
	c.page, c.settled = keys, false
	p := page{items: rows, n: len(rows), last: c.empty}
	if sh.Planned >= 0 && sh.Read+int64(p.n) >= sh.Planned {
		p.last = true
	}
	return p, nil
}

// lock reads rows by their keys and locks them, if the condition holds for them.
func (s *queueSource[T]) lock(ctx context.Context, conn *db.DB, keys []keyset.Values, cond string, args ...any) (rows []T, found []keyset.Values, err error) {
	for some := range slices.Chunk(keys, queueKeys) {
		in, values := s.of(some)
		part, err := s.rows.Using(conn).Where(in, values...).Where(cond, args...).OrderBy(s.walk.KeyColumns()...).ForUpdate().List(ctx)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, part...)
	}
	found, err = keysOf(s.walk, rows)
	return rows, found, err
}

func (s *queueSource[T]) describe(p page, i int) (keyset.Values, string) {
	return describeRow(s.walk, p, i)
}

// replay gives a failed row once more, unless somebody has given it another state.
func (s *queueSource[T]) replay(ctx context.Context, conn *db.DB, row runstore.Quarantined) (page, error) {
	rows, _, err := s.lock(ctx, conn, []keyset.Values{row.Key}, s.status+" = ?", s.o.Failed)
	return page{items: rows, n: len(rows)}, err
}

// settle notes on the rows what became of them. That each of them is still claimed makes sure that none is done twice.
func (s *queueSource[T]) settle(ctx context.Context, w *work) error {
	var keys []keyset.Values
	var is owned
	c, _ := w.shard.held.(*claim)
	if c == nil { // a replay
		keys, is = []keyset.Values{w.page.replayed[0].Key}, owned{s.status + " = ?", []any{s.o.Failed}}
	} else {
		keys, is = c.page, owned{s.claimedBy + " = ?", []any{c.by}}
	}
	bad := map[int]error{}
	for _, a := range w.aside {
		bad[a.index] = a.err
	}
	var done []keyset.Values
	for i, key := range keys {
		if err := bad[i]; err != nil {
			if err := s.fail(ctx, w.DB(), key, err, is); err != nil {
				return err
			}
			continue
		}
		done = append(done, key)
	}
	if err := s.complete(ctx, w.DB(), done, is); err != nil {
		return err
	}
	if c != nil {
		c.settled, c.batches = true, w.shard.Batches
	}
	return nil
}

func (s *queueSource[T]) reject(ctx context.Context, w *work, _ error) error { return s.settle(ctx, w) }

// before reads the rows of a page as they were before they were claimed, so that undo makes them pending.
func (s *queueSource[T]) before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error) {
	rows, _ := p.items.([]T)
	keys, err := keysOf(s.walk, rows)
	if err != nil {
		return nil, err
	}
	images, err := s.image.ReadKeys(ctx, conn, keys, true)
	if err != nil || len(p.replayed) > 0 {
		return images, err
	}
	for _, image := range images {
		s.unclaim(s.image.Columns(), image.Values)
	}
	return images, nil
}
