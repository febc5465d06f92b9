package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/bound"
	"github.com/drover-dev/drover/internal/dialect/postgres"
)

// ErrNotPGX says that the block does not run on pgx: another database, another driver, or a joined *sql.Tx, from which there
// is no way to pgx.
var ErrNotPGX = errors.New("the block's connection is not one of pgx")

// PGX returns the context's block as a pgx transaction, on the same connection: native pgx code, sqlc's pgx code, COPY and batches
// take part in the block. Its Begin is a savepoint; its Commit and Rollback are refused with [ErrManaged], for the block ends itself. Its
// Conn returns nil: a *pgx.Conn would let Begin and Commit end the block's transaction unseen.
//
// Outside a block it is [ErrNoBlock], and where the block does not run on pgx [ErrNotPGX].
func (d *DB) PGX(ctx context.Context) (pgx.Tx, error) {
	tx := d.current(ctx)
	switch {
	case tx == nil:
		return nil, ErrNoBlock
	case tx.native == nil:
		return nil, ErrNotPGX
	}
	return &pgxTx{tx: tx, conn: tx.conn.(postgres.NativeConn).Conn()}, nil
}

// PGXDBTX sends native pgx statements to the block of their context, or to the pool where there is none: the interface that sqlc's
// pgx code asks for. It can be made once and shared.
type PGXDBTX struct{ db *DB }

// PGXDBTX returns the context-routing native connection of d. Its methods fail with [ErrNotPGX] where d has no pgx pool.
func (d *DB) PGXDBTX() PGXDBTX { return PGXDBTX{d} }

// pgxRunner is what a pgx pool and a pgx transaction have in common.
type pgxRunner interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (x PGXDBTX) runner(ctx context.Context) (pgxRunner, error) {
	switch {
	case x.db.current(ctx) != nil:
		return x.db.PGX(ctx)
	case x.db.opened.Native == nil:
		return nil, ErrNotPGX
	}
	if err := x.db.DBTX().outside(ctx, x.db.opened.Pool); err != nil {
		return nil, err
	}
	return x.db.opened.Native, nil
}

// send passes a statement through the interceptors. Inside a block the block does that.
func (x PGXDBTX) send(ctx context.Context, query string, args []any, send func(context.Context, pgxRunner) error) error {
	r, err := x.runner(ctx)
	if err != nil {
		return err
	}
	if _, inside := r.(*pgxTx); inside || len(x.db.interceptors) == 0 {
		return send(ctx, r)
	}
	return x.db.intercept(ctx, query, named(args), func(ctx context.Context) error { return send(ctx, r) })
}

// Exec runs a statement.
func (x PGXDBTX) Exec(ctx context.Context, query string, args ...any) (tag pgconn.CommandTag, err error) {
	err = x.send(ctx, query, args, func(ctx context.Context, r pgxRunner) (err error) {
		tag, err = r.Exec(ctx, query, args...)
		return err
	})
	return tag, err
}

// Query runs a query.
func (x PGXDBTX) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	var rows pgx.Rows
	err := x.send(ctx, query, args, func(ctx context.Context, r pgxRunner) (err error) {
		rows, err = r.Query(ctx, query, args...) //nolint:sqlclosecheck // the caller's rows
		return err
	})
	if err != nil {
		if rows != nil { // an interceptor's error
			rows.Close()
		}
		return nil, err
	}
	return rows, nil
}

// QueryRow runs a query for one row.
func (x PGXDBTX) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	rows, err := x.Query(ctx, query, args...)
	return pgxRow{rows, err}
}

// CopyFrom copies rows into a table.
func (x PGXDBTX) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	var n int64
	err := x.send(ctx, "COPY "+table.Sanitize()+" FROM STDIN", nil, func(ctx context.Context, r pgxRunner) (err error) {
		n, err = r.CopyFrom(ctx, table, columns, src)
		return err
	})
	return n, err
}

// SendBatch sends statements in one round trip.
func (x PGXDBTX) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	r, err := x.runner(ctx)
	if err != nil {
		return pgxBatch{err: err}
	}
	return r.SendBatch(ctx, b)
}

// pgxTx is a block, or a savepoint in it, as a pgx transaction.
type pgxTx struct {
	tx    *transaction
	conn  *pgx.Conn
	scope *scope // nil for the block itself
}

var _ pgx.Tx = (*pgxTx)(nil)

// do sends one exchange through the block's rules.
func (t *pgxTx) do(ctx context.Context, query string, args []any, send func(context.Context) (int64, error)) error {
	if t.closed() {
		return pgx.ErrTxClosed
	}
	var values []driver.NamedValue
	if len(t.tx.db.interceptors) > 0 {
		values = named(args)
	}
	return t.tx.Do(ctx, query, values, send)
}

// Begin opens a savepoint.
func (t *pgxTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.closed() {
		return nil, pgx.ErrTxClosed
	}
	s, err := t.tx.push(ctx, roleTx, true)
	if err != nil {
		return nil, err
	}
	return &pgxTx{tx: t.tx, conn: t.conn, scope: s}, nil
}

// closed reports whether the savepoint has been ended, or what it is in.
func (t *pgxTx) closed() bool {
	if t.scope == nil {
		return false
	}
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	return !slices.Contains(t.tx.scopes, t.scope)
}

// Commit releases the savepoint; the block itself refuses.
func (t *pgxTx) Commit(ctx context.Context) error {
	switch {
	case t.scope == nil:
		return fmt.Errorf("commit: %w", ErrManaged)
	case t.closed():
		return pgx.ErrTxClosed
	}
	return t.tx.release(ctx, t.scope)
}

// Rollback rolls back to the savepoint; the block itself refuses.
func (t *pgxTx) Rollback(ctx context.Context) error {
	switch {
	case t.scope == nil:
		return fmt.Errorf("rollback: %w", ErrManaged)
	case t.closed():
		return pgx.ErrTxClosed
	}
	return t.tx.revert(ctx, t.scope, nil)
}

// Conn returns nil; see [DB.PGX].
func (t *pgxTx) Conn() *pgx.Conn { return nil }

// LargeObjects returns the transaction's large objects. After the end of the block they refuse to be used.
func (t *pgxTx) LargeObjects() pgx.LargeObjects {
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	if t.tx.last != nil { // pgx does not see the COMMIT, so its objects would work on after it: the zero value does not
		return pgx.LargeObjects{}
	}
	t.tx.largeObjects.Store(true)
	return t.tx.native.LargeObjects()
}

// Exec runs a statement.
func (t *pgxTx) Exec(ctx context.Context, query string, args ...any) (tag pgconn.CommandTag, err error) {
	err = t.do(ctx, query, args, func(ctx context.Context) (int64, error) {
		tag, err = t.conn.Exec(ctx, query, args...)
		return tag.RowsAffected(), err
	})
	return tag, err
}

// Query runs a query. The rows must be read or closed before the next statement.
func (t *pgxTx) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	rows := &pgxRows{tx: t.tx}
	err := t.do(ctx, query, args, func(ctx context.Context) (_ int64, err error) {
		rows.Rows, err = t.conn.Query(ctx, query, args...)
		if err == nil {
			t.tx.Track(rows, true)
		}
		return bound.Uncounted, err
	})
	if err != nil {
		if rows.Rows != nil { // an interceptor's error
			rows.finish()
		}
		return nil, err
	}
	return pgxResult{rows}, nil
}

// QueryRow runs a query for one row; its errors come from Scan.
func (t *pgxTx) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	rows, err := t.Query(ctx, query, args...)
	return pgxRow{rows, err}
}

// CopyFrom copies rows into a table.
func (t *pgxTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	err = t.do(ctx, "COPY "+table.Sanitize()+" FROM STDIN", nil, func(ctx context.Context) (int64, error) {
		n, err = t.conn.CopyFrom(ctx, table, columns, src)
		return n, err
	})
	return n, err
}

// Prepare prepares a statement on the connection, where it stays after the block.
func (t *pgxTx) Prepare(ctx context.Context, name, query string) (sd *pgconn.StatementDescription, err error) {
	err = t.do(ctx, query, nil, func(ctx context.Context) (int64, error) {
		sd, err = t.conn.Prepare(ctx, name, query)
		return bound.Prepared, err
	})
	return sd, err
}

// SendBatch sends statements in one round trip. The results must be closed before the next statement.
func (t *pgxTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		if raw, err := t.tx.classify(q.SQL); err != nil {
			return pgxBatch{err: err}
		} else if raw.verb != rawNone {
			return pgxBatch{err: fmt.Errorf("savepoints in a batch are not followed: %w", ErrManaged)}
		}
	}
	batch := &pgxResults{tx: t.tx}
	err := t.do(ctx, "", nil, func(ctx context.Context) (int64, error) {
		batch.BatchResults = t.conn.SendBatch(ctx, b)
		t.tx.Track(batch, true)
		return 0, nil
	})
	if err != nil {
		if batch.BatchResults != nil { // an interceptor's error
			_ = batch.Close()
		}
		return pgxBatch{err: err}
	}
	return pgxBatch{pgxResults: batch}
}
