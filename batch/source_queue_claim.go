package batch

import (
	"context"
	"fmt"
	"slices"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/table"
)

// claim is what a shard has claimed of a queue.
type claim struct {
	by   string // what the rows say: run, token and shard
	conn *db.DB
	keys []keyset.Values // claimed, and not known to be done
	page []keyset.Values // the first of them: those that are being worked on
	// settled says that page was settled in a batch, which is committed if the shard has more batches now than then.
	settled bool
	batches int64
	looked  bool // stale claims were looked for
	unsure  bool // whether the last claim was committed is not known
	empty   bool // there was nothing to claim
	// latest is the last key that was claimed, from which the next claim goes on, and ahead how many claims have done so one after the other.
	latest keyset.Values
	ahead  int
}

// mostAhead is after how many claims the search begins again at the first key, so that rows which became pending there do not wait for ever.
const mostAhead = 50

// committed drops the rows that are done.
func (c *claim) committed(batches int64) {
	if c.settled && batches > c.batches {
		c.keys, c.page, c.settled = c.keys[len(c.page):], nil, false
	}
}

// owned is a condition that holds for rows as long as nobody else has taken them.
type owned struct {
	cond string
	args []any
}

// held holds for the rows of a claim that are not done.
func (s *queueSource[T]) held(c *claim) owned {
	return owned{s.claimedBy + " = ? AND " + s.status + " = ?", []any{c.by, s.o.Processing}}
}

// claimed returns the shard's claim, after claiming up to size rows where it holds none.
func (s *queueSource[T]) claimed(ctx context.Context, conn *db.DB, sh *shard, size int) (*claim, error) {
	c, _ := sh.held.(*claim)
	if c == nil {
		c = &claim{by: fmt.Sprintf("%s/%d/%d", sh.RunID, sh.Token, sh.Number), conn: conn}
		sh.held = c
	}
	c.committed(sh.Batches)
	if len(c.keys) > 0 {
		return c, nil
	}
	var keys []keyset.Values
	err := conn.Atomic(ctx, func(ctx context.Context) (err error) {
		keys, err = s.take(ctx, conn, sh, c, size)
		return err
	}, db.Retry(queueRetries))
	if c.unsure = err != nil; c.unsure {
		return nil, fmt.Errorf("claim rows of %s: %w", s.name(), err)
	}
	c.keys, c.page, c.settled, c.looked, c.empty = keys, nil, false, true, len(keys) == 0
	return c, nil
}

// take claims rows, in a transaction.
func (s *queueSource[T]) take(ctx context.Context, conn *db.DB, sh *shard, c *claim, size int) ([]keyset.Values, error) {
	if c.unsure {
		is := s.held(c)
		keys, err := s.selectKeys(ctx, conn, s.rows.Where(is.cond, is.args...).Limit(size))
		if err != nil || len(keys) > 0 {
			return keys, err
		}
	}
	if !c.looked {
		if err := s.takeBack(ctx, conn, sh, s.skip); err != nil {
			return nil, err
		}
	}
	keys, err := s.claimSome(ctx, conn, c, size)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	// A runner that was taken for dead may have rows locked yet: the run must not end before they are free.
	if err := s.takeBack(ctx, conn, sh, nil); err != nil {
		return nil, err
	}
	return s.claimSome(ctx, conn, c, size)
}

// claimSome claims pending rows: as many as are wanted of those that were never attempted, or a single one of the others. It looks behind the
// last claim first: the rows before are done, but the database would walk over what is left of them each time.
func (s *queueSource[T]) claimSome(ctx context.Context, conn *db.DB, c *claim, size int) ([]keyset.Values, error) {
	untried := s.where(s.status+" = ? AND "+s.tried+" = 0", s.o.Pending).Limit(size)
	choices := []table.Query[T]{untried, s.where(s.status+" = ? AND "+s.tried+" > 0", s.o.Pending).Limit(1)}
	goesOn := c.latest != nil && c.ahead < mostAhead
	if goesOn {
		behind := untried.Where(s.after.SQL, s.after.Args(nil, c.latest)...)
		choices = slices.Insert(choices, 0, behind)
	}
	for i, q := range choices {
		keys, err := s.selectKeys(ctx, conn, q.ForUpdate(s.skip...))
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 {
			continue
		}
		if c.ahead++; !goesOn || i > 0 {
			c.ahead = 0
		}
		c.latest = keys[len(keys)-1]
		n, err := s.update(ctx, conn, s.claiming, []any{s.o.Processing, c.by}, keys, owned{s.status + " = ?", []any{s.o.Pending}})
		if err != nil {
			return nil, err
		}
		if n != int64(len(keys)) {
			return nil, Fatal(fmt.Errorf("%d of %d rows could be made %v: a trigger, a rule or a row security policy may keep them",
				n, len(keys), s.o.Processing))
		}
		return keys, s.checkQuery(ctx, conn, c, keys)
	}
	return nil, nil
}

// checkQuery refuses a query that does not find rows any more once they are claimed: it would not find stale claims either.
func (s *queueSource[T]) checkQuery(ctx context.Context, conn *db.DB, c *claim, keys []keyset.Values) error {
	if s.whole.Load() {
		return nil
	}
	in, values := s.of(keys[:1])
	is := s.held(c)
	n, err := s.where(in, values...).Where(is.cond, is.args...).Using(conn).Count(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return Fatal(fmt.Errorf("the queue's query does not match a row that is %v; leave the condition on %s out of it", s.o.Processing, s.o.Status))
	}
	s.whole.Store(true)
	return nil
}

// selectKeys reads the keys of a query's rows, in their order.
func (s *queueSource[T]) selectKeys(ctx context.Context, conn *db.DB, q table.Query[T]) ([]keyset.Values, error) {
	columns := s.walk.KeyColumns()
	rows, err := q.Using(conn).Only(columns...).OrderBy(columns...).List(ctx)
	if err != nil {
		return nil, err
	}
	return keysOf(s.walk, rows)
}

// takeBack makes claims pending again that nobody works on: those of earlier attempts of the run, and stale ones. Rows that a live runner works
// on are locked, so a claim is never too old for it; a row that is claimed and not yet locked may be lost to it, which it finds out. own are the
// options of the lock on the run's own rows.
func (s *queueSource[T]) takeBack(ctx context.Context, conn *db.DB, sh *shard, own []table.LockOption) error {
	before := owned{
		s.status + " = ? AND " + s.claimedBy + " LIKE ? AND " + s.claimedBy + " NOT LIKE ?",
		[]any{s.o.Processing, sh.RunID + "/%", fmt.Sprintf("%s/%d/%%", sh.RunID, sh.Token)},
	}
	stale := owned{
		s.status + " = ? AND " + s.claimedAt + " < " + conn.Dialect().Features().ClockAfter,
		[]any{s.o.Processing, -s.o.Stale.Milliseconds()},
	}
	for {
		mine, err := s.selectKeys(ctx, conn, s.where(before.cond, before.args...).Limit(queueKeys).ForUpdate(own...))
		if err != nil {
			return err
		}
		old, err := s.selectKeys(ctx, conn, s.where(stale.cond, stale.args...).Limit(queueKeys).ForUpdate(s.skip...))
		if err != nil {
			return err
		}
		if err := s.giveBack(ctx, conn, slices.Concat(mine, old), owned{s.status + " = ?", []any{s.o.Processing}}, false); err != nil {
			return err
		}
		if len(mine) < queueKeys && len(old) < queueKeys {
			return nil
		}
	}
}

// release gives back what a shard holds at the end of a run. Rows that were never worked on get their attempt back.
func (s *queueSource[T]) release(sh *shard) {
	c, _ := sh.held.(*claim)
	sh.held = nil
	if c == nil {
		return
	}
	c.committed(sh.Batches)
	if len(c.keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	// Where this fails the claims are taken back later, as those of a runner that has died.
	_ = c.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := s.giveBack(ctx, c.conn, c.page, s.held(c), false); err != nil {
			return err
		}
		return s.giveBack(ctx, c.conn, c.keys[len(c.page):], s.held(c), true)
	}, db.Retry(queueRetries))
}
