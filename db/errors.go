package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
)

// Kind is a class of database error, the same on every database. Each kind is an error value: errors.Is(err,
// db.ErrUnique) holds for every [*Error] of that kind. For errors that other libraries return use [KindOf].
type Kind = dialect.Kind

// The kinds of database errors.
const (
	ErrUnknown          = dialect.Unknown
	ErrUnique           = dialect.Unique
	ErrForeignKey       = dialect.ForeignKey
	ErrNotNull          = dialect.NotNull
	ErrCheck            = dialect.Check
	ErrData             = dialect.Data
	ErrDeadlock         = dialect.Deadlock
	ErrSerialization    = dialect.Serialization
	ErrLockTimeout      = dialect.LockTimeout
	ErrDatabaseBusy     = dialect.Busy
	ErrStatementTimeout = dialect.StatementTimeout
	ErrConnectionLost   = dialect.ConnectionLost
	ErrReadOnly         = dialect.ReadOnly
	ErrDiskFull         = dialect.DiskFull
	ErrPermission       = dialect.Permission
	ErrUndefinedTable   = dialect.UndefinedTable
	ErrUndefinedColumn  = dialect.UndefinedColumn
	ErrSyntax           = dialect.Syntax
)

// What a caller can branch on besides the kinds.
var (
	// ErrCommitted marks an error that came after the COMMIT: the data is safe. A failing on-commit hook gives it.
	ErrCommitted = errors.New("the transaction is committed")
	// ErrOutcomeUnknown says that the connection was lost while COMMIT was under way: the work is either kept or
	// gone, and only the database can tell.
	ErrOutcomeUnknown = errors.New("the outcome of COMMIT is unknown")
	// ErrBroken says that a block cannot go on because one of its statements failed; its cause is wrapped too.
	ErrBroken = errors.New("the block is broken")
	// ErrDurableNested refuses a durable block inside another block.
	ErrDurableNested = errors.New("a durable block cannot be inside another block")
	// ErrNestedOption refuses an isolation level or access mode inside another block.
	ErrNestedOption = errors.New("isolation level and access mode belong to the outermost block")
	// ErrNested refuses Begin inside a block.
	ErrNested = errors.New("a transaction cannot be begun by hand inside a block")
	// ErrManaged refuses to commit or roll back by hand what a block will end.
	ErrManaged = errors.New("the transaction belongs to a block and is ended by it")
	// ErrNoBlock says that the call needs a block and the context has none of this database.
	ErrNoBlock = errors.New("the context is in no block of this database")
	// ErrEnded says that the context's block is over.
	ErrEnded = errors.New("the block of this context has ended")
	// ErrBusy says that a result set of the block is still open. Read it to its end or close it.
	ErrBusy = errors.New("busy: the block's connection still has an open result set; read it to its end or close it first")
	// ErrConcurrent says that a second goroutine used the block in the middle of a statement.
	ErrConcurrent = errors.New("the block is in use by another goroutine: a block is for one goroutine at a time")
	// ErrOutsideBlock refuses a statement outside a block during a dry run.
	ErrOutsideBlock = errors.New("dry run: a statement was sent outside the block's context and would change data for good")
	// ErrImplicitCommit refuses a statement that would commit the block's transaction.
	ErrImplicitCommit = errors.New("the statement would commit the block's transaction")
	// ErrOpaque refuses, in a dry run on MySQL or MariaDB, a statement that runs code of the database (CALL, EXECUTE): a procedure may
	// commit there, and what is committed cannot be rolled back.
	ErrOpaque = errors.New("dry run: the statement runs code of the database, which may commit")
	// ErrForeignCommit refuses an on-commit hook in a joined transaction, whose COMMIT drover does not see.
	ErrForeignCommit = errors.New("the transaction was joined: its owner commits it, so an on-commit hook cannot run")
)

// Error is a database error with what it was for and what class it is of. The driver's error is kept: errors.As finds it.
type Error struct {
	Op         string // what was being done: "exec", "commit", …
	Alias      string // the database
	Kind       Kind
	Code       string // SQLSTATE, MySQL error number or SQLite result code
	Constraint string // where the database names it
	Table      string
	Column     string
	Err        error
}

// Error says what failed, where, and the driver's message on one line.
func (e *Error) Error() string {
	return fmt.Sprintf("%s on %q: %s", e.Op, e.Alias, dialect.OneLine(e.Err.Error()))
}

// Unwrap returns the driver's error.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, kind) true for the error's kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// Retryable reports whether running the whole transaction again may succeed.
func (e *Error) Retryable() bool { return e.Kind.Retryable() }

// Hint advises on the kinds that have a usual remedy.
func (e *Error) Hint() string { return e.Kind.Hint() }

var dialects = []dialect.Dialect{postgres.Dialect{}, mysql.Dialect{}, sqlite.Dialect{}}

// KindOf classifies an error by the driver's error in its chain, whatever library returned it. It is [ErrUnknown] for
// an error that is no database error.
func KindOf(err error) Kind {
	if err == nil {
		return ErrUnknown
	}
	var own *Error
	if errors.As(err, &own) && own.Kind != ErrUnknown {
		return own.Kind
	}
	for _, d := range dialects {
		if fault, ok := d.Classify(err); ok {
			return fault.Kind
		}
	}
	if dialect.Lost(err) {
		return ErrConnectionLost
	}
	return ErrUnknown
}

// wrap gives a driver's error its class. Errors that say all themselves (nil, the context's, drover's own) stay as they are.
func (d *DB) wrap(op string, err error) error {
	var own *Error
	switch {
	case err == nil, errors.As(err, &own), errors.Is(err, sql.ErrNoRows), errors.Is(err, ErrBroken):
		return err
	}
	fault, ok := d.dialect.Classify(err)
	if !ok {
		switch {
		case dialect.Lost(err):
			fault.Kind = ErrConnectionLost
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), isOwn(err):
			return err
		}
	}
	return &Error{
		Op: op, Alias: d.alias, Kind: fault.Kind, Code: fault.Code,
		Constraint: fault.Constraint, Table: fault.Table, Column: fault.Column, Err: err,
	}
}

// isOwn reports whether err is a refusal of this package, which needs no words about the database around it.
func isOwn(err error) bool {
	for _, own := range []error{
		ErrEnded, ErrBusy, ErrConcurrent, ErrOutsideBlock, ErrImplicitCommit, ErrOpaque, ErrManaged, ErrNoBlock, ErrOutcomeUnknown, ErrInBlock,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	var acquire *AcquireError
	return errors.As(err, &acquire)
}

// BrokenError says that a block was rolled back, or that a statement in it was refused, because an earlier statement
// failed and its error was not returned. errors.Is(err, ErrBroken) holds, and so does errors.Is for the cause.
type BrokenError struct {
	Refused bool // a statement was refused; else the block was rolled back at its end
	Cause   error
}

// Error says what happened and why.
func (e *BrokenError) Error() string {
	what := "the block was rolled back because an error in it was not returned"
	if e.Refused {
		what = "statement refused: the block is broken by an earlier error"
	}
	return fmt.Sprintf("%s: %s", what, dialect.OneLine(e.Cause.Error()))
}

// Unwrap returns ErrBroken and the cause.
func (e *BrokenError) Unwrap() []error { return []error{ErrBroken, e.Cause} }

// Hint tells how to go on after a failed statement.
func (e *BrokenError) Hint() string {
	return "return the error from the block's function, or try the statement in an inner Atomic block"
}

// AcquireError says that no connection became free in time.
type AcquireError struct {
	Alias        string
	Waited       time.Duration
	SingleWriter bool
}

// Error says how long was waited for what.
func (e *AcquireError) Error() string {
	what := "a connection"
	if e.SingleWriter {
		what = "the one writing connection"
	}
	return fmt.Sprintf("no connection to %q: waited %s for %s", e.Alias, e.Waited, what)
}

// Hint names the likely cause.
func (e *AcquireError) Hint() string {
	if e.SingleWriter {
		return "a statement was probably sent with the context from outside the block that holds the connection: use the context the block's function was given"
	}
	return "raise the pool's size (db.MaxConns), or look for blocks and result sets that are never ended"
}

// Timeout reports true: AcquireError is a timeout.
func (e *AcquireError) Timeout() bool { return true }

// HookError says that the transaction is committed but an on-commit hook failed. errors.Is(err, ErrCommitted) holds.
type HookError struct {
	Hook   string // its name or the place that registered it
	NotRun []string
	Err    error
}

// Error names the hook and those after it that did not run.
func (e *HookError) Error() string {
	text := fmt.Sprintf("committed, but the on-commit hook %s failed: %s", e.Hook, e.Err)
	if len(e.NotRun) > 0 {
		text += fmt.Sprintf(" (not run: %s)", strings.Join(e.NotRun, ", "))
	}
	return text
}

// Unwrap returns ErrCommitted and the hook's error.
func (e *HookError) Unwrap() []error { return []error{ErrCommitted, e.Err} }

type argCountError struct{ want, got int }

func (e argCountError) Error() string {
	return fmt.Sprintf("the statement has %d placeholders and was given %d arguments", e.want, e.got)
}

// Wrap gives an error of this database its class, as all calls of [DB] do; op says what was being done. It is for packages of this module.
func (d *DB) Wrap(op string, err error) error { return d.wrap(op, err) }
