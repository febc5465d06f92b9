package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/internal/bound"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// owner says who ends a transaction.
type owner int

const (
	ownerBlock  owner = iota // Atomic
	ownerManual              // Begin
	ownerCaller              // JoinSQL, JoinPGX: neither commit nor rollback is drover's
	ownerDryRun              // DryRun: always rolled back
	ownerAll                 // AtomicAll: prepared, then ended by its name
)

// transaction is one open transaction on one live connection, with the stack of its savepoints. It is the
// bound.Session of the *sql.DB that joins it.
type transaction struct {
	db    *DB
	conn  driver.Conn
	owner owner
	name  string // of a transaction that will be prepared; else ""
	// native is pgx's own transaction, where the connection runs on pgx. It is only asked for what needs it: the
	// transaction is ended by statements, as on the other databases.
	native pgx.Tx

	largeObjects atomic.Bool // were handed out

	active atomic.Bool // a statement is under way; a second goroutine is refused, not queued
	ended  atomic.Bool

	mu     sync.Mutex // guards the connection and what follows
	scopes []*scope   // the transaction itself first, the innermost savepoint last
	hooks  []hook
	number int             // of the last savepoint, for its name
	tally  dialect.Tally   // counts the changed rows of a dry run; else nil
	undone dialect.Changes // counted by tally, but rolled back with a savepoint

	last *LastUpdate // goes with COMMIT; else nil

	after   []string // statements that give the connection back its settings
	discard bool     // the connection must not go back to the pool

	openMu sync.Mutex
	open   []tracked // result sets and prepared statements on the connection

	joinMu sync.Mutex
	joined *sql.DB
}

type tracked struct {
	io.Closer
	result bool
}

func newTransaction(d *DB, conn driver.Conn, o owner) *transaction {
	return &transaction{db: d, conn: conn, owner: o, scopes: []*scope{{role: roleRoot}}}
}

// contextKey finds the transaction of one database in a context.
type contextKey struct{ core *core }

// current returns the transaction that ctx is in, or nil.
func (d *DB) current(ctx context.Context) *transaction {
	tx, _ := ctx.Value(contextKey{d.core}).(*transaction)
	return tx
}

func (tx *transaction) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{tx.db.core}, tx)
}

// outside returns ctx without its transaction of d, for what runs after the end.
func (d *DB) outside(ctx context.Context) context.Context {
	if d.current(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, contextKey{d.core}, (*transaction)(nil))
}

// sql returns the *sql.DB that is bound to the transaction's connection. After the end it is closed.
func (tx *transaction) sql() *sql.DB {
	tx.joinMu.Lock()
	defer tx.joinMu.Unlock()
	switch {
	case tx.joined != nil:
	case tx.ended.Load():
		return closedDB()
	default:
		tx.joined = bound.Open(tx)
	}
	return tx.joined
}

// Closed is called when somebody has closed the *sql.DB, as `defer client.Close()` does: the next who asks gets another one.
func (tx *transaction) Closed() {
	tx.joinMu.Lock()
	defer tx.joinMu.Unlock()
	tx.joined = nil
}

// closedDB is what joins a transaction that has ended before anybody asked for its *sql.DB.
var closedDB = sync.OnceValue(func() *sql.DB {
	closed := sql.OpenDB(refused{ErrEnded})
	_ = closed.Close()
	return closed
})

// Conn returns the live connection.
func (tx *transaction) Conn() driver.Conn { return tx.conn }

// Do sends one statement, unless it must be refused, and judges its error.
func (tx *transaction) Do(ctx context.Context, query string, args []driver.NamedValue, send func(context.Context) (int64, error)) error {
	if !tx.active.CompareAndSwap(false, true) {
		return ErrConcurrent
	}
	defer tx.active.Store(false)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	raw, err := tx.allow(ctx, query)
	if err != nil {
		return err
	}
	var affected int64
	err = tx.db.intercept(ctx, query, args, func(ctx context.Context) (err error) {
		affected, err = send(ctx)
		return err
	})
	switch {
	case err != nil:
		return tx.judge(err)
	case affected == bound.Prepared:
		return nil
	}
	if tx.tally != nil {
		tx.tally.Statement(query, affected)
	}
	if raw.verb != rawNone {
		tx.applyRaw(ctx, raw)
	}
	return nil
}

// Touch runs f on an open result set or statement.
func (tx *transaction) Touch(f func() error) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.judge(f())
}

// allow decides whether a statement may be sent.
func (tx *transaction) allow(ctx context.Context, query string) (rawSavepoint, error) {
	switch {
	case tx.ended.Load():
		return rawSavepoint{}, ErrEnded
	case ctx.Err() != nil:
		return rawSavepoint{}, context.Cause(ctx)
	case tx.busy():
		return rawSavepoint{}, ErrBusy
	}
	raw, err := tx.classify(query)
	if err != nil {
		return rawSavepoint{}, err
	}
	if tx.tally != nil {
		if err := tx.tally.Allow(query); err != nil {
			return rawSavepoint{}, err
		}
	}
	tx.look()
	if cause := tx.cause(); cause != nil && !tx.mends(raw) {
		return rawSavepoint{}, &BrokenError{Refused: true, Cause: cause}
	}
	return raw, nil
}

// look asks the PostgreSQL connection, which knows for itself, whether the transaction was broken by something that
// did not come by here: a result set of pgx, a large object.
func (tx *transaction) look() {
	if tx.native == nil || tx.cause() != nil {
		return
	}
	switch damage := tx.db.dialect.Broken(tx.conn, nil); damage {
	case dialect.Harmless:
	case dialect.Transaction:
		tx.mark(damage, tx.lost())
	default:
		tx.mark(damage, errServerAborted)
	}
}

var errServerAborted = errors.New("the server has aborted the transaction")

// busy reports whether a result set is open on the connection.
func (tx *transaction) busy() bool {
	tx.openMu.Lock()
	defer tx.openMu.Unlock()
	return slices.ContainsFunc(tx.open, func(t tracked) bool { return t.result })
}

// cause returns why the transaction cannot go on, or nil.
func (tx *transaction) cause() error {
	for _, s := range tx.scopes {
		if s.cause != nil {
			return s.cause
		}
	}
	return nil
}

// judge marks what a driver's error has broken. It returns the error as it should reach the caller.
func (tx *transaction) judge(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, driver.ErrSkip) || errors.Is(err, driver.ErrRemoveArgument) {
		return err
	}
	damage := tx.db.dialect.Broken(tx.conn, err)
	if errors.Is(err, driver.ErrBadConn) {
		// database/sql would answer ErrBadConn by trying again on a new connection, outside the transaction.
		err = tx.lost()
	}
	tx.mark(damage, tx.db.wrap("statement", err))
	return err
}

// lost is the error of a connection that is gone, where the driver has none that tells more.
func (tx *transaction) lost() error {
	return &Error{Op: "statement", Alias: tx.db.alias, Kind: ErrConnectionLost, Err: errConnectionClosed}
}

var errConnectionClosed = errors.New("the connection to the server is closed")

// mark notes err as the cause that the innermost undoable scope, or the whole transaction, must be rolled back.
func (tx *transaction) mark(damage dialect.Damage, err error) {
	switch damage {
	case dialect.Statement:
		for _, s := range slices.Backward(tx.scopes) {
			if s.undoable() {
				s.fail(err)
				return
			}
		}
	case dialect.Transaction:
		tx.scopes[0].fail(err)
	}
}

// fail keeps the first cause: later errors are its consequences.
func (s *scope) fail(err error) {
	if s.cause == nil {
		s.cause = err
	}
}

// Track remembers c until it is closed.
func (tx *transaction) Track(c io.Closer, result bool) {
	tx.openMu.Lock()
	defer tx.openMu.Unlock()
	tx.open = append(tx.open, tracked{c, result})
}

// Forget drops c, which was closed.
func (tx *transaction) Forget(c io.Closer) {
	tx.openMu.Lock()
	defer tx.openMu.Unlock()
	tx.open = slices.DeleteFunc(tx.open, func(t tracked) bool { return t.Closer == c })
}

// closeOpen closes the result sets that a block left open, and at the end of the transaction its prepared statements
// too, so that the next statement finds the connection free.
func (tx *transaction) closeOpen(statements bool) {
	tx.openMu.Lock()
	open := slices.Clone(tx.open)
	tx.openMu.Unlock()
	for _, t := range slices.Backward(open) {
		if t.result || statements {
			_ = t.Close() // its error has been judged
		}
	}
}

// Deadlines of statements that must not be cut short by the caller's context, on servers behind a network.
const (
	commitTimeout   = time.Minute
	rollbackTimeout = 10 * time.Second
)

// control sends a statement that moves the transaction, such as SAVEPOINT. The caller holds mu.
func (tx *transaction) control(ctx context.Context, query string) error {
	return tx.db.intercept(ctx, query, nil, func(ctx context.Context) error {
		return dialect.Exec(ctx, tx.conn, query)
	})
}

// closing is control with a context that outlives the caller's, for statements that end a savepoint.
func (tx *transaction) closing(ctx context.Context, query string) error {
	ctx, cancel := tx.closingContext(ctx, rollbackTimeout)
	defer cancel()
	return tx.control(ctx, query)
}

// closingContext returns a context for ending something: it outlives the caller's and has a deadline of its own where a
// network could keep it waiting.
func (tx *transaction) closingContext(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if tx.db.dialect.Features().Local {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// classify looks for statements that would end or damage the transaction behind the block's back.
func (tx *transaction) classify(query string) (rawSavepoint, error) {
	class := sqltext.Classify(tx.db.dialect.Syntax(), query)
	switch {
	case class&sqltext.TransactionControl != 0:
		return rawSavepoint{}, ErrManaged
	case class&sqltext.ImplicitCommit != 0 && tx.db.dialect.Features().ImplicitCommit:
		return rawSavepoint{}, ErrImplicitCommit
	case class&sqltext.Opaque != 0 && tx.owner == ownerDryRun && tx.db.dialect.Features().ImplicitCommit:
		return rawSavepoint{}, ErrOpaque
	case class&sqltext.SavepointControl != 0:
		return tx.parseRaw(query)
	}
	return rawSavepoint{}, nil
}
