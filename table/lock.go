package table

import (
	"context"
	"fmt"
)

// LockOption is an option of [Query.ForUpdate].
type LockOption func(*lock)

type lock struct {
	noWait, skipLocked, noKey, ofTable bool
}

// NoWait makes the query fail at once, with db.ErrLockTimeout, where another transaction has locked a row.
func NoWait(l *lock) { l.noWait = true }

// SkipLocked leaves out rows that another transaction has locked.
func SkipLocked(l *lock) { l.skipLocked = true }

// NoKey locks rows against all but transactions that only refer to them by foreign key (PostgreSQL's FOR NO KEY UPDATE).
func NoKey(l *lock) { l.noKey = true }

// OfTable locks rows of the query's own table only, not those of tables in its subqueries (FOR UPDATE OF).
func OfTable(l *lock) { l.ofTable = true }

// ForUpdate locks the rows that are read until the end of the block. Outside a block the query is refused with [ErrLockOutsideBlock] when it
// is sent, and with an option that the database lacks, with [ErrLockUnsupported]. In SQLite a block that may write is alone anyway:
// there is nothing to lock, and NoWait and SkipLocked hold by themselves.
func (q Query[T]) ForUpdate(opts ...LockOption) Query[T] {
	q.lock = &lock{}
	for _, opt := range opts {
		opt(q.lock)
	}
	if q.lock.noWait && q.lock.skipLocked {
		q.fail(fmt.Errorf("NoWait and SkipLocked exclude each other: %w", ErrLockUnsupported))
	}
	return q
}

// checkLock refuses what the database would refuse or forget.
func (q *query) checkLock(ctx context.Context) error {
	if q.lock == nil {
		return nil
	}
	if !q.conn.InBlock(ctx) {
		return ErrLockOutsideBlock
	}
	server, err := q.conn.Server(ctx)
	if err != nil {
		return err
	}
	name := q.conn.Dialect().Name()
	for _, o := range []struct {
		asked, has bool
		what       string
	}{
		{q.lock.noWait, server.NoWait || !server.RowLocks, "NOWAIT"},
		{q.lock.skipLocked, server.SkipLocked || !server.RowLocks, "SKIP LOCKED"},
		{q.lock.noKey, server.NoKey, "FOR NO KEY UPDATE"},
		{q.lock.ofTable, server.LockOf, "FOR UPDATE OF"},
	} {
		if o.asked && !o.has {
			return fmt.Errorf("%s on %s: %w", o.what, name, ErrLockUnsupported)
		}
	}
	return nil
}

func (q *query) writeLock(b *builder) {
	if q.lock == nil || b.dialect.Features().SingleWriter {
		return
	}
	b.write(" FOR ")
	if q.lock.noKey {
		b.write("NO KEY ")
	}
	b.write("UPDATE")
	if q.lock.ofTable {
		b.write(" OF ", b.dialect.Quote(q.model.name))
	}
	switch {
	case q.lock.noWait:
		b.write(" NOWAIT")
	case q.lock.skipLocked:
		b.write(" SKIP LOCKED")
	}
}
