package db

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
)

// Tx is a transaction that was begun by hand with [DB.Begin]. It is for one goroutine at a time and must be ended with
// Commit or Rollback; until then it holds a connection.
type Tx struct {
	db *DB
	tx *transaction
	// inner is set in a dry run, where the transaction is a savepoint.
	inner *scope

	mu      sync.Mutex
	over    bool
	release func() // gives the connection back and waits until it is
}

// Begin opens a transaction that is ended by hand, the counterpart of Django's set_autocommit(False). Statements sent with
// the returned context run in it, and [DB.Atomic] inside it is a savepoint. Inside a block it is [ErrNested].
//
//	ctx, tx, err := conn.Begin(ctx)
//	if err != nil { … }
//	defer tx.Rollback(ctx)   // does nothing after Commit
//	…
//	err = tx.Commit(ctx)
func (d *DB) Begin(ctx context.Context, opts ...BlockOption) (context.Context, *Tx, error) {
	o := options(opts)
	if o.retries > 0 || o.noSavepoint {
		return ctx, nil, errors.New("a transaction begun by hand can be neither retried nor joined: use Atomic")
	}
	if current := d.current(ctx); current != nil {
		if current.owner != ownerDryRun || current.depth() > 1 {
			return ctx, nil, ErrNested
		}
		s, err := current.push(ctx, roleBlock, true)
		if err != nil {
			return ctx, nil, err
		}
		return ctx, &Tx{db: d, tx: current, inner: s}, nil
	}
	if d.requireBlock {
		return ctx, nil, ErrOutsideBlock
	}
	// The connection may only be used inside (*sql.Conn).Raw, so a goroutine stays there until the end.
	began := make(chan *transaction)
	end := make(chan struct{})
	held := make(chan error, 1)
	given := make(chan struct{}) // closed when the connection is back in the pool
	go func() {
		defer close(given)
		held <- d.hold(ctx, o.tx, ownerManual, func(tx *transaction) error {
			began <- tx
			<-end
			return nil
		})
	}()
	select {
	case tx := <-began:
		t := &Tx{db: d, tx: tx, release: func() {
			close(end)
			<-given
		}}
		return tx.context(ctx), t, nil
	case err := <-held:
		return ctx, nil, err
	}
}

// Commit commits the transaction and then runs its on-commit hooks. The errors are those of [DB.Atomic]; where it fails
// nothing is kept. While an inner block is open it is refused with [ErrManaged], and after the end it is sql.ErrTxDone.
func (t *Tx) Commit(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return sql.ErrTxDone
	case t.tx.blockAbove(t.bottom()):
		return ErrManaged
	}
	t.over = true
	if t.inner != nil {
		return t.tx.release(ctx, t.inner)
	}
	hooks, err := t.tx.finish(ctx, nil)
	t.release()
	if err != nil {
		return err
	}
	return t.db.runHooks(ctx, hooks)
}

// Rollback ends the transaction without keeping anything. After the end it does nothing, so it can be deferred. While an
// inner block is open it is refused with [ErrManaged].
func (t *Tx) Rollback(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return nil
	case t.tx.blockAbove(t.bottom()):
		return ErrManaged
	}
	t.over = true
	if t.inner != nil {
		return t.tx.revert(ctx, t.inner, nil)
	}
	t.tx.rollback(ctx)
	t.release()
	return nil
}

// bottom is the scope that the transaction stands for.
func (t *Tx) bottom() *scope {
	if t.inner != nil {
		return t.inner
	}
	return t.tx.scopes[0]
}

// Savepoint opens a savepoint.
func (t *Tx) Savepoint(ctx context.Context) (*Savepoint, error) {
	s, err := t.tx.push(ctx, roleManual, true)
	if err != nil {
		return nil, err
	}
	return &Savepoint{t.tx, s}, nil
}

// Savepoint is a point that a transaction begun by hand can be rolled back to.
type Savepoint struct {
	tx    *transaction
	scope *scope
}

// Release keeps the work since the savepoint as the transaction's, and ends the savepoint.
func (s *Savepoint) Release(ctx context.Context) error {
	if s.tx.blockAbove(s.scope) {
		return ErrManaged
	}
	return s.tx.release(ctx, s.scope)
}

// Rollback undoes the work since the savepoint, drops the on-commit hooks registered since, mends a transaction that
// was broken since, and ends the savepoint. A second call, or one after Release, is sql.ErrTxDone.
func (s *Savepoint) Rollback(ctx context.Context) error {
	if s.tx.blockAbove(s.scope) {
		return ErrManaged
	}
	return s.tx.revert(ctx, s.scope, nil)
}

// blockAbove reports whether an Atomic block is open above s: its end is its own.
func (tx *transaction) blockAbove(s *scope) bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	i := slices.Index(tx.scopes, s)
	return i >= 0 && slices.ContainsFunc(tx.scopes[i+1:], func(s *scope) bool { return s.role == roleBlock })
}
