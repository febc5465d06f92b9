package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/postgres"
)

// hold takes a connection, opens a transaction on it and calls f, which must end the transaction before it returns. The connection
// is held through (*sql.Conn).Raw for all that time, so f may use the driver's connection, and only f. A connection that turns
// out to be dead at BEGIN is replaced: nothing was done on it.
func (d *DB) hold(ctx context.Context, opts dialect.TxOptions, o owner, f func(*transaction) error) error {
	const maxDead = 64 // more than a pool keeps idle; a server that is down fails to connect before that
	for try := 1; ; try++ {
		began, err := d.tryHold(ctx, opts, o, f)
		if began || err == nil || KindOf(err) != ErrConnectionLost || isConnect(err) || try == maxDead || ctx.Err() != nil {
			return err
		}
	}
}

// isConnect reports whether err came from opening a connection, which trying again at once would not mend.
func isConnect(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == "connect"
}

func (d *DB) tryHold(ctx context.Context, opts dialect.TxOptions, o owner, f func(*transaction) error) (began bool, err error) {
	pool := d.opened.Pool
	if opts.ReadOnly && d.opened.Reader != nil {
		pool = d.opened.Reader
	}
	if opts.Isolation == sql.LevelDefault {
		opts.Isolation = d.isolation
	}
	begin, err := d.dialect.Begin(opts)
	if err != nil {
		return false, err
	}
	conn, err := d.acquire(ctx, pool)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	rawErr := conn.Raw(func(live any) error {
		tx := newTransaction(d, live.(driver.Conn), o)
		tx.name = opts.Name
		if pool != d.opened.Reader {
			tx.after = d.dialect.End(opts)
		}
		if err = tx.begin(ctx, begin); err != nil {
			err = d.wrap("begin", err)
			return driver.ErrBadConn // a connection that did not begin is in no known state
		}
		began = true
		err = f(tx)
		if tx.discard {
			return driver.ErrBadConn
		}
		return nil
	})
	if err == nil && rawErr != nil && !errors.Is(rawErr, driver.ErrBadConn) {
		err = d.wrap("use the connection", rawErr)
	}
	return began, err
}

// begin sends the statements that open the transaction, the last one through pgx where the connection runs on it.
func (tx *transaction) begin(ctx context.Context, statements []string) error {
	end := "COMMIT"
	if tx.name != "" {
		end = dialect.Named(tx.db.dialect.Features().TwoPhase.Prepare[0], tx.name)
	}
	for i, query := range statements {
		native, ok := tx.conn.(postgres.NativeConn)
		if !ok || i < len(statements)-1 {
			if err := tx.control(ctx, query); err != nil {
				return err
			}
			continue
		}
		err := tx.db.intercept(ctx, query, nil, func(ctx context.Context) (err error) {
			tx.native, err = native.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: query, CommitQuery: end})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finish ends the transaction of a block whose function returned err, and returns the hooks to run.
func (tx *transaction) finish(ctx context.Context, err error) ([]hook, error) {
	keep, err := tx.verdict(ctx, err)
	if keep {
		return tx.commit(ctx)
	}
	tx.rollback(ctx)
	return nil, err
}

// verdict unwinds the transaction of a block whose function returned err, and says whether its work is to be kept, or else the block's error.
func (tx *transaction) verdict(ctx context.Context, err error) (keep bool, _ error) {
	root, popErr := tx.unwind()
	switch {
	case err != nil:
	case popErr != nil:
		err = popErr
	case root.cause != nil:
		err = &BrokenError{Cause: root.cause}
	case root.rollback:
	case ctx.Err() != nil:
		err = fmt.Errorf("rolled back before COMMIT: %w", context.Cause(ctx))
	default:
		return true, nil
	}
	return false, err
}

// unwind closes what was left open on the connection and takes all savepoints off the stack.
func (tx *transaction) unwind() (*scope, error) {
	tx.closeOpen(true)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.look()
	root := tx.scopes[0]
	err := tx.pop(root)
	tx.scopes = []*scope{root}
	return root, err
}

// commit sends COMMIT and tells a failure from an unknown outcome.
func (tx *transaction) commit(ctx context.Context) ([]hook, error) {
	tx.mu.Lock()
	tx.ended.Store(true) // while mu is held: no other goroutine's statement may come after the COMMIT
	sent := false
	err := tx.db.intercept(context.WithoutCancel(ctx), "COMMIT", nil, func(ctx context.Context) error {
		sent = true
		return tx.sendCommit(ctx)
	})
	tx.mu.Unlock()
	if err == nil {
		tx.end(ctx)
		return tx.hooks, nil
	}
	refused, isRefused := errors.AsType[noRow](err)
	if sent && !isRefused && tx.db.outcomeUnknown(err) {
		tx.discard = true
		tx.end(ctx)
		return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, tx.db.wrap("commit", err))
	}
	// PostgreSQL has ended the transaction, SQLite keeps it open after SQLITE_BUSY: the rollback makes both sure.
	tx.rollback(ctx)
	if isRefused {
		return nil, refused.error
	}
	return nil, tx.db.wrap("commit", err)
}

// sendCommit and sendRollback end the transaction, through pgx where the connection runs on it: so pgx knows that its
// transaction is over, and refuses large objects that are used later. Beside a last UPDATE there are no large objects.
func (tx *transaction) sendCommit(ctx context.Context) error {
	ctx, cancel := tx.closingContext(ctx, commitTimeout)
	defer cancel()
	switch {
	case tx.last != nil:
		return tx.commitWithLast(ctx)
	case tx.native != nil:
		return tx.native.Commit(ctx)
	}
	return dialect.Exec(ctx, tx.conn, "COMMIT")
}

func (tx *transaction) sendRollback(ctx context.Context) error {
	ctx, cancel := tx.closingContext(ctx, rollbackTimeout)
	defer cancel()
	if tx.native != nil {
		if err := tx.native.Rollback(ctx); !errors.Is(err, pgx.ErrTxClosed) {
			return err
		}
	}
	statements := tx.rollbackStatements()
	for _, query := range statements[:len(statements)-1] {
		_ = dialect.Exec(ctx, tx.conn, query)
	}
	return dialect.Exec(ctx, tx.conn, statements[len(statements)-1])
}

// rollbackStatements end the transaction while it is not prepared. The last one says how that went.
func (tx *transaction) rollbackStatements() []string {
	if tx.name == "" {
		return []string{"ROLLBACK"}
	}
	var statements []string
	for _, s := range tx.db.dialect.Features().TwoPhase.Abandon {
		statements = append(statements, dialect.Named(s, tx.name))
	}
	return statements
}

// outcomeUnknown reports whether a COMMIT that failed with err may have been done all the same: it was sent, and what
// came back is no answer of the server to it. driver.ErrBadConn means that nothing was sent.
func (d *DB) outcomeUnknown(err error) bool {
	if d.dialect.Features().Local || errors.Is(err, driver.ErrBadConn) {
		return false
	}
	fault, answered := d.dialect.Classify(err)
	return !answered || fault.Kind == ErrConnectionLost
}

// rollback ends the transaction without keeping anything. When ROLLBACK cannot be sent the connection is closed, which
// rolls back as well, so its failure is no failure of the block.
func (tx *transaction) rollback(ctx context.Context) {
	tx.closeOpen(true)
	tx.mu.Lock()
	tx.ended.Store(true)
	sent := false
	statements := tx.rollbackStatements()
	err := tx.db.intercept(context.WithoutCancel(ctx), statements[len(statements)-1], nil, func(ctx context.Context) error {
		sent = true
		return tx.sendRollback(ctx)
	})
	if !sent { // an interceptor kept it back, but the transaction must not stay open on a pooled connection
		err = tx.sendRollback(ctx)
	}
	tx.mu.Unlock()
	if err != nil && !tx.db.dialect.Features().Local {
		tx.discard = true
	}
	tx.end(ctx)
}

// end makes every later use of the transaction an error.
func (tx *transaction) end(ctx context.Context) {
	tx.ended.Store(true)
	tx.joinMu.Lock()
	joined := tx.joined
	tx.joinMu.Unlock()
	if joined != nil {
		_ = joined.Close()
	}
	if tx.discard {
		return
	}
	for _, query := range tx.after {
		if err := dialect.Exec(context.WithoutCancel(ctx), tx.conn, query); err != nil {
			tx.discard = true
		}
	}
}
