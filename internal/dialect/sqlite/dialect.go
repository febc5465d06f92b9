// Package sqlite is the SQLite dialect, on modernc.org/sqlite; other drivers come in through db.From.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Dialect is SQLite. The zero value begins write transactions with BEGIN IMMEDIATE.
type Dialect struct {
	// Lock is the mode of write transactions: IMMEDIATE where it is empty, DEFERRED or EXCLUSIVE.
	Lock string
}

var _ dialect.Dialect = Dialect{}

// Name returns "sqlite".
func (Dialect) Name() string { return "sqlite" }

// Syntax returns SQLite's lexical rules.
func (Dialect) Syntax() sqltext.Syntax { return sqltext.SQLite }

// Features returns what SQLite can do.
func (Dialect) Features() dialect.Features {
	return dialect.Features{
		SingleWriter: true, RowComparison: true, Local: true, LooseTypes: true, MaxParams: 32766,
		Harden:     "PRAGMA wal_checkpoint(PASSIVE)", // which flushes the log before it reads it
		Now:        "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00')",
		Clock:      "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00')",
		ClockAfter: "(strftime('%Y-%m-%d %H:%M:%f', 'now', (? / 1000.0) || ' seconds') || '+00:00')",
	}
}

// Server tells old versions from new ones (SQLite manual, lang_returning).
func (Dialect) Server(version string) dialect.Server {
	returning := dialect.VersionAtLeast(version, 3, 35)
	return dialect.Server{InsertReturning: returning, UpdateReturning: returning}
}

// Quote returns ident in double quotes.
func (Dialect) Quote(ident string) string { return `"` + strings.ReplaceAll(ident, `"`, `""`) + `"` }

// VersionQuery selects the library's version.
func (Dialect) VersionQuery() string { return "SELECT sqlite_version()" }

// Version puts the version in words.
func (Dialect) Version(reported string) string { return "sqlite " + reported }

// Begin takes the write lock at once, so that a transaction that reads and then writes cannot fail half-way with
// "database is locked". A read-only transaction takes none (SQLite manual, lang_transaction). SQLite's
// transactions are serializable whatever level is asked for; lower levels are accepted as in database/sql drivers.
func (d Dialect) Begin(opts dialect.TxOptions) ([]string, error) {
	switch opts.Isolation {
	case sql.LevelDefault, sql.LevelSerializable, sql.LevelSnapshot, sql.LevelRepeatableRead, sql.LevelReadCommitted, sql.LevelReadUncommitted:
	default:
		return nil, fmt.Errorf("sqlite has no isolation level %q", opts.Isolation)
	}
	if opts.ReadOnly {
		return []string{"PRAGMA query_only = ON", "BEGIN DEFERRED"}, nil
	}
	lock := d.Lock
	if lock == "" {
		lock = "IMMEDIATE"
	}
	return []string{"BEGIN " + lock}, nil
}

// End takes back the write protection, which SQLite knows only for a connection.
func (Dialect) End(opts dialect.TxOptions) []string {
	if opts.ReadOnly {
		return []string{"PRAGMA query_only = OFF"}
	}
	return nil
}

// Primary result codes (SQLite manual, rescode).
const (
	codeError     = 1
	codePerm      = 3
	codeBusy      = 5
	codeLocked    = 6
	codeNoMem     = 7
	codeReadOnly  = 8
	codeInterrupt = 9
	codeIOErr     = 10
	codeCorrupt   = 11
	codeFull      = 13
	codeTooBig    = 18
	codeMismatch  = 20
	codeAuth      = 23
)

// Extended result codes.
const (
	codeCheck      = 275
	codeForeignKey = 787
	codeNotNull    = 1299
	codePrimaryKey = 1555
	codeTrigger    = 1811
	codeUnique     = 2067
	codeRowID      = 2579
	codeDataType   = 3091
	codeCommitHook = 531
)

// CheckDeferred lets SQLite commit, for it tells a violated deferred foreign key only then, with a commit hook that turns
// the COMMIT into a ROLLBACK after that check (SQLite manual, c3ref/commit_hook). A driver without the hook checks nothing.
func (Dialect) CheckDeferred(ctx context.Context, conn driver.Conn) error {
	hooked, ok := conn.(interface {
		RegisterCommitHook(callback sqlite.CommitHookFn)
	})
	if !ok {
		return nil
	}
	hooked.RegisterCommitHook(func() int32 { return 1 })
	defer hooked.RegisterCommitHook(nil)
	err := dialect.Exec(ctx, conn, "COMMIT")
	if code, ok := resultCode(err); ok && code == codeCommitHook {
		return nil
	}
	return err
}

// Broken judges by the code: out of space, I/O errors, out of memory and interruption can throw away the whole
// transaction (SQLite manual, lang_transaction, "response to errors within a transaction"); any other error only
// undoes its statement.
func (Dialect) Broken(_ driver.Conn, err error) dialect.Damage {
	code, ok := resultCode(err)
	switch {
	case !ok:
		if dialect.Lost(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return dialect.Transaction
		}
		return dialect.Harmless
	case code&0xff == codeFull, code&0xff == codeIOErr, code&0xff == codeNoMem, code&0xff == codeInterrupt, code&0xff == codeCorrupt:
		return dialect.Transaction
	}
	return dialect.Statement
}

// Classify reads the extended result code.
func (Dialect) Classify(err error) (dialect.Fault, bool) {
	code, ok := resultCode(err)
	if !ok {
		return dialect.Fault{}, false
	}
	fault := dialect.Fault{Kind: kindOf(code), Code: strconv.Itoa(code)}
	text := err.Error()
	if fault.Kind == dialect.Unknown && code&0xff == codeError {
		fault.Kind = kindOfText(text)
	}
	switch fault.Kind {
	case dialect.Unique, dialect.NotNull:
		fault.Table, fault.Column = failedColumn(text)
	case dialect.UndefinedColumn:
		fault.Column = unknownColumn(text)
	case dialect.Check:
		_, fault.Constraint, _ = strings.Cut(text, "CHECK constraint failed: ")
		fault.Constraint, _, _ = strings.Cut(fault.Constraint, " (")
	}
	return fault, true
}

func kindOf(code int) dialect.Kind {
	switch code {
	case codeUnique, codePrimaryKey, codeRowID:
		return dialect.Unique
	case codeForeignKey:
		return dialect.ForeignKey
	case codeNotNull:
		return dialect.NotNull
	case codeCheck:
		return dialect.Check
	case codeDataType:
		return dialect.Data
	}
	switch code & 0xff {
	case codeBusy, codeLocked:
		return dialect.Busy
	case codeReadOnly:
		return dialect.ReadOnly
	case codeInterrupt:
		return dialect.StatementTimeout
	case codeFull:
		return dialect.DiskFull
	case codePerm, codeAuth:
		return dialect.Permission
	case codeTooBig, codeMismatch:
		return dialect.Data
	}
	return dialect.Unknown
}

// kindOfText tells apart what SQLite reports under the one code SQLITE_ERROR; it has no other way.
func kindOfText(text string) dialect.Kind {
	switch {
	case strings.Contains(text, "no such table"):
		return dialect.UndefinedTable
	case strings.Contains(text, "no such column"), strings.Contains(text, "has no column named"):
		return dialect.UndefinedColumn
	case strings.Contains(text, "syntax error"), strings.Contains(text, "incomplete input"), strings.Contains(text, "unrecognized token"):
		return dialect.Syntax
	}
	return dialect.Unknown
}

// unknownColumn reads "no such column: t.a (1)" and "table t has no column named a (1)".
func unknownColumn(text string) string {
	_, name, ok := strings.Cut(text, "no such column: ")
	if !ok {
		_, name, _ = strings.Cut(text, "has no column named ")
	}
	name, _, _ = strings.Cut(name, " ")
	return strings.Trim(name[strings.LastIndex(name, ".")+1:], `"`)
}

// failedColumn reads "… constraint failed: t.a, t.b (2067)".
func failedColumn(text string) (table, column string) {
	_, list, ok := strings.Cut(text, "constraint failed: ")
	for ok && strings.Contains(list, "constraint failed: ") { // the driver repeats the class before the message
		_, list, _ = strings.Cut(list, "constraint failed: ")
	}
	list, _, _ = strings.Cut(list, " (")
	first, _, _ := strings.Cut(list, ", ")
	table, column, _ = strings.Cut(first, ".")
	return table, column
}
