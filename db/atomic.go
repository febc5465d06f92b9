package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/drover-dev/drover/internal/dialect"
)

// BlockOption is an option of [DB.Atomic] and [DB.Begin].
type BlockOption func(*blockOptions)

type blockOptions struct {
	durable     bool
	noSavepoint bool
	tx          dialect.TxOptions
	retries     int
	onRetry     func(Attempt)
}

// Durable makes the block refuse to run inside another one, so that its end is always a COMMIT: [ErrDurableNested]. Inside
// a dry run it is allowed.
func Durable() BlockOption { return func(o *blockOptions) { o.durable = true } }

// NoSavepoint joins an inner block to its parent without a savepoint, which saves two statements. If the inner block
// fails, the parent is rolled back too, whatever becomes of the error. It means nothing on an outermost block.
func NoSavepoint() BlockOption { return func(o *blockOptions) { o.noSavepoint = true } }

// Isolation sets the isolation level of an outermost block; inside another block it is [ErrNestedOption].
func Isolation(level sql.IsolationLevel) BlockOption {
	return func(o *blockOptions) { o.tx.Isolation = level }
}

// ReadOnly makes the database refuse writes in an outermost block; inside another block it is [ErrNestedOption]. On SQLite
// the block then runs beside the writer.
func ReadOnly() BlockOption { return func(o *blockOptions) { o.tx.ReadOnly = true } }

// Retry runs an outermost block again, up to n times, when it fails with a deadlock, a serialization failure, a lock
// timeout or a busy SQLite file, after a growing random pause of 50 ms to 2 s. The function is called anew each time, so what it
// does outside the database must bear repeating. An unknown outcome of COMMIT is never retried. Inside another block the option is
// ignored: only the outermost transaction can be run again.
func Retry(n int) BlockOption { return func(o *blockOptions) { o.retries = n } }

// Attempt tells of a failed attempt that will be retried.
type Attempt struct {
	Number int           // 1 for the first attempt
	Of     int           // attempts allowed
	Wait   time.Duration // the pause before the next
	Err    error         // why this one failed
}

// OnRetry calls f before each pause of [Retry], in the block's goroutine.
func OnRetry(f func(Attempt)) BlockOption { return func(o *blockOptions) { o.onRetry = f } }

func options(opts []BlockOption) blockOptions {
	var o blockOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Atomic runs fn in a transaction: it is committed when fn returns nil and rolled back when fn returns an error, panics, or
// its context ends. fn must send its statements with the context that it is given. Inside another block of the same database
// fn runs in a savepoint; an error undoes the inner block alone.
//
// fn's error is returned as it is. Other errors: [*BrokenError] when a statement failed and fn returned nil;
// [*Error] when BEGIN or COMMIT failed (a deferred constraint, say; nothing is kept); [ErrOutcomeUnknown] when the
// connection was lost during COMMIT; [*HookError] when the data is committed and an on-commit hook failed;
// [*AcquireError] when no connection became free.
//
// A panic of fn goes on after the rollback. COMMIT is sent even if the context ends meanwhile; a context that ended
// before it rolls the block back.
func (d *DB) Atomic(ctx context.Context, fn func(ctx context.Context) error, opts ...BlockOption) error {
	o := options(opts)
	if tx := d.current(ctx); tx != nil {
		return tx.inner(ctx, fn, o)
	}
	if d.requireBlock {
		return ErrOutsideBlock
	}
	return d.retrying(ctx, o, func() error { return d.outermost(ctx, fn, o) })
}

// retrying runs attempts at an outermost block as [Retry] says.
func (d *DB) retrying(ctx context.Context, o blockOptions, attempt func() error) error {
	if o.retries <= 0 {
		return attempt()
	}
	number := 0
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 50*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		number++
		err := attempt()
		if err != nil && (!KindOf(err).Retryable() || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrCommitted) || isInDoubt(err)) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(uint(o.retries)+1), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			d.log.WarnContext(ctx, "block failed, will retry", "database", d.alias, "attempt", number, "of", o.retries+1, "wait", wait, "error", err)
			if o.onRetry != nil {
				o.onRetry(Attempt{Number: number, Of: o.retries + 1, Wait: wait, Err: err})
			}
		}))
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok { // the last try's: backoff unwraps only those before it
		return permanent.Unwrap()
	}
	return err
}

// outermost runs one attempt of a block that is a transaction, then its hooks.
func (d *DB) outermost(ctx context.Context, fn func(context.Context) error, o blockOptions) error {
	var hooks []hook
	err := d.hold(ctx, o.tx, ownerBlock, func(tx *transaction) (err error) {
		finished := false
		defer func() {
			if !finished { // fn panicked, or ended its goroutine
				tx.rollback(ctx)
			}
		}()
		err = fn(tx.context(ctx))
		finished = true
		hooks, err = tx.finish(ctx, err)
		return err
	})
	if err != nil {
		return err
	}
	return d.runHooks(ctx, hooks)
}

// inner runs a block inside the transaction that ctx is in.
func (tx *transaction) inner(ctx context.Context, fn func(context.Context) error, o blockOptions) error {
	// The first level of a dry run stands for an outermost block.
	pretended := tx.owner == ownerDryRun && tx.depth() == 1
	switch {
	case o.durable && !pretended:
		return ErrDurableNested
	case o.tx != dialect.TxOptions{} && !pretended:
		return ErrNestedOption
	}
	s, err := tx.push(ctx, roleBlock, !o.noSavepoint)
	if err != nil {
		return err
	}
	finished := false
	defer func() {
		if !finished {
			_ = tx.revert(ctx, s, errPanicked)
		}
	}()
	err = fn(ctx)
	finished = true
	switch {
	case err != nil:
		return tx.revert(ctx, s, err)
	case s.rollback:
		return tx.revert(ctx, s, nil)
	}
	return tx.release(ctx, s)
}

var errPanicked = errors.New("an inner block panicked")

func (tx *transaction) depth() int {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return len(tx.scopes)
}

// SetRollback makes the context's innermost block roll back at its end without an error, or takes that back. Outside a block it is
// [ErrNoBlock], after its end [ErrEnded], and in a joined transaction, which drover does not end, [ErrManaged].
func (d *DB) SetRollback(ctx context.Context, rollback bool) error {
	tx := d.current(ctx)
	if tx == nil {
		return ErrNoBlock
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	s := tx.scopes[len(tx.scopes)-1]
	switch {
	case tx.ended.Load():
		return ErrEnded
	case s.role == roleRoot && tx.owner == ownerCaller:
		return ErrManaged
	}
	s.rollback = rollback
	return nil
}

// WillRollback reports whether the context's block will be rolled back at its end whatever its function returns: because
// [DB.SetRollback] asked for it or because a statement has failed. Outside a block it is [ErrNoBlock], and after its end [ErrEnded].
func (d *DB) WillRollback(ctx context.Context) (bool, error) {
	tx := d.current(ctx)
	if tx == nil {
		return false, ErrNoBlock
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.ended.Load() {
		return false, ErrEnded
	}
	return tx.scopes[len(tx.scopes)-1].rollback || tx.cause() != nil, nil
}

// InBlock reports whether ctx is in a transaction of d.
func (d *DB) InBlock(ctx context.Context) bool {
	tx := d.current(ctx)
	return tx != nil && !tx.ended.Load()
}
