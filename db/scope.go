package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"

	"github.com/drover-dev/drover/internal/dialect"
)

// role says what opened a scope, and so who may close it.
type role int

const (
	roleRoot   role = iota // the transaction itself
	roleBlock              // an inner Atomic
	roleManual             // Tx.Savepoint
	roleTx                 // BeginTx of database/sql or Begin of pgx inside the block
	roleRaw                // SAVEPOINT sent as a statement
)

// scope is the transaction or one savepoint in it.
type scope struct {
	name     string // the savepoint's name; empty for the transaction and for blocks without a savepoint
	role     role
	hooks    int             // len(transaction.hooks) when it began: its own and its inner hooks come after
	cause    error           // why it must be rolled back
	rollback bool            // SetRollback asked for it
	counts   dialect.Changes // of the dry run when it began
}

// undoable reports whether rolling back s alone is possible.
func (s *scope) undoable() bool { return s.name != "" || s.role == roleRoot }

// push opens a savepoint, or a scope without one.
func (tx *transaction) push(ctx context.Context, r role, savepoint bool) (*scope, error) {
	if !tx.active.CompareAndSwap(false, true) {
		return nil, ErrConcurrent
	}
	defer tx.active.Store(false)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if _, err := tx.allow(ctx, ""); err != nil {
		return nil, err
	}
	counts, err := tx.changes(ctx)
	if err != nil {
		return nil, err
	}
	s := &scope{role: r, hooks: len(tx.hooks), counts: counts}
	if savepoint {
		tx.number++
		s.name = "drover_" + strconv.Itoa(tx.number)
		if err := tx.control(ctx, "SAVEPOINT "+s.name); err != nil {
			return nil, tx.db.wrap("open a savepoint", tx.judge(err))
		}
	}
	tx.scopes = append(tx.scopes, s)
	return s, nil
}

// pop takes s and what was left open above it off the stack. It fails when an inner block is still open above
// it: two goroutines have used the transaction. The caller holds mu.
func (tx *transaction) pop(s *scope) error {
	i := slices.Index(tx.scopes, s)
	if i < 0 || tx.ended.Load() {
		return sql.ErrTxDone
	}
	inner := tx.scopes[i+1:]
	if slices.ContainsFunc(inner, func(s *scope) bool { return s.role == roleBlock }) {
		err := errors.New("a block was ended before a block inside it: the transaction was used by two goroutines")
		tx.scopes[0].fail(err)
		return err
	}
	for _, left := range inner {
		switch {
		case left.cause != nil:
			s.fail(left.cause) // nobody rolled the savepoint back, so its failure is the outer's
		case left.role == roleTx && s.role != roleTx:
			s.fail(errUnended) // on a pool its work would be lost, so it must not be kept here
		}
	}
	tx.scopes = tx.scopes[:i]
	return nil
}

var errUnended = errors.New("a transaction that was begun inside the block was neither committed nor rolled back")

// release keeps the work of s as its parent's. A savepoint that cannot be released breaks the parent.
func (tx *transaction) release(ctx context.Context, s *scope) error {
	tx.closeOpen(false)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.pop(s); err != nil {
		return err
	}
	switch cause := tx.cause(); {
	case s.cause != nil:
		return tx.undo(ctx, s, &BrokenError{Cause: s.cause})
	case cause != nil:
		return &BrokenError{Cause: cause}
	case s.name == "":
		return nil
	}
	if err := tx.closing(ctx, "RELEASE SAVEPOINT "+s.name); err != nil {
		err = tx.db.wrap("release a savepoint", err)
		tx.mark(max(dialect.Statement, tx.db.dialect.Broken(tx.conn, err)), err)
		return err
	}
	return nil
}

// revert undoes the work of s and its inner scopes, and returns result, or what prevented the undoing.
func (tx *transaction) revert(ctx context.Context, s *scope, result error) error {
	tx.closeOpen(false)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.pop(s); err != nil {
		return errors.Join(result, err)
	}
	return tx.undo(ctx, s, result)
}

// undo rolls back to s, which is off the stack. A scope without a savepoint hands the need to its parent.
func (tx *transaction) undo(ctx context.Context, s *scope, result error) error {
	tx.hooks = tx.hooks[:min(s.hooks, len(tx.hooks))]
	if tx.scopes[0].cause != nil {
		return result // the whole transaction is lost: its savepoints are gone on the server
	}
	if s.name == "" {
		cause := result
		if cause == nil {
			cause = errRollbackRequested
		}
		tx.mark(dialect.Statement, cause)
		return result
	}
	err := tx.closing(ctx, "ROLLBACK TO SAVEPOINT "+s.name)
	if err == nil {
		err = tx.closing(ctx, "RELEASE SAVEPOINT "+s.name)
	}
	if err != nil {
		err = tx.db.wrap("roll back to a savepoint", err)
		tx.scopes[0].fail(errors.Join(err, result))
		return errors.Join(result, err)
	}
	tx.recount(ctx, s)
	return result
}

var errRollbackRequested = errors.New("a rollback was asked for in a block without a savepoint")

// Savepoint opens a savepoint for a transaction of database/sql inside the block.
func (tx *transaction) Savepoint(ctx context.Context) (driver.Tx, error) {
	s, err := tx.push(ctx, roleTx, true)
	if err != nil {
		return nil, err
	}
	return &savepointTx{tx, s}, nil
}

// savepointTx is what database/sql holds as the driver's transaction.
type savepointTx struct {
	tx    *transaction
	scope *scope
}

func (t *savepointTx) Commit() error   { return t.tx.release(context.Background(), t.scope) }
func (t *savepointTx) Rollback() error { return t.tx.revert(context.Background(), t.scope, nil) }
