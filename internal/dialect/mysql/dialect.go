// Package mysql is the dialect of MySQL and MariaDB, on go-sql-driver.
package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Dialect is MySQL or MariaDB. The zero value is ready.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "mysql".
func (Dialect) Name() string { return "mysql" }

// Syntax returns MySQL's lexical rules.
func (Dialect) Syntax() sqltext.Syntax { return sqltext.MySQL }

// Features returns what MySQL and MariaDB can do.
func (Dialect) Features() dialect.Features {
	return dialect.Features{
		ImplicitCommit: true, MaxParams: 65535, OnDuplicateKey: true, EmptyColumns: true, ZeroMakesKey: true, RoundsSingles: true, PreparedStream: true, OrderedSet: true, Now: "CURRENT_TIMESTAMP(6)",
		IndexHints: true,
		Meters: dialect.Meters{
			LockWaits: "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
			DeadRows:  "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'",
		},
		Clock: "UTC_TIMESTAMP(6)", ClockAfter: "(UTC_TIMESTAMP(6) + INTERVAL (? * 1000) MICROSECOND)",
		Lax: "SELECT IF(@@innodb_flush_log_at_trx_commit = 1, '', CONCAT('innodb_flush_log_at_trx_commit is ', @@innodb_flush_log_at_trx_commit))",
		// The names of locks are those of the whole server, and short.
		SchemaLock:   "SELECT GET_LOCK(CONCAT('drover ', MD5(DATABASE())), 60)",
		SchemaUnlock: "SELECT RELEASE_LOCK(CONCAT('drover ', MD5(DATABASE())))",
		// A 0 stays 0 in an AUTO_INCREMENT column, dates may be zero, and no time is skipped or there twice.
		Verbatim: "SET @drover_sql_mode = @@SESSION.sql_mode, @drover_time_zone = @@SESSION.time_zone, " +
			"SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', SESSION time_zone = '+00:00'",
		VerbatimEnd: "SET SESSION sql_mode = @drover_sql_mode, SESSION time_zone = @drover_time_zone",
	}
}

// Server tells MariaDB from MySQL and old versions from new ones (MariaDB's and MySQL's manuals, SELECT, INSERT … RETURNING, JSON_TABLE).
func (Dialect) Server(version string) dialect.Server {
	maria := strings.HasPrefix(version, "mariadb ")
	skipLocked := maria && dialect.VersionAtLeast(version, 10, 6) || !maria && dialect.VersionAtLeast(version, 8, 0, 1)
	return dialect.Server{
		InsertReturning: maria && dialect.VersionAtLeast(version, 10, 5),
		RowLocks:        true,
		SkipLocked:      skipLocked,
		NoWait:          maria || skipLocked,
		LockOf:          !maria && skipLocked,
		JSONTable:       maria && dialect.VersionAtLeast(version, 10, 6) || !maria && dialect.VersionAtLeast(version, 8, 0, 4),
	}
}

// Quote returns ident in backticks.
func (Dialect) Quote(ident string) string { return "`" + strings.ReplaceAll(ident, "`", "``") + "`" }

// VersionQuery selects the server's version.
func (Dialect) VersionQuery() string { return "SELECT VERSION()" }

// Version tells MariaDB, which names itself in its version, from MySQL.
func (Dialect) Version(reported string) string {
	number, rest, _ := strings.Cut(reported, "-")
	if strings.HasPrefix(rest, "MariaDB") {
		return "mariadb " + number
	}
	return "mysql " + number
}

// Begin sets the isolation level for the next transaction and starts it (MySQL manual, 15.3.7 and 15.3.1).
func (Dialect) Begin(opts dialect.TxOptions) ([]string, error) {
	start := "START TRANSACTION"
	if opts.ReadOnly {
		start += " READ ONLY"
	}
	if opts.Isolation == sql.LevelDefault {
		return []string{start}, nil
	}
	level, err := isolation(opts.Isolation)
	if err != nil {
		return nil, err
	}
	return []string{"SET TRANSACTION ISOLATION LEVEL " + level, start}, nil
}

func isolation(level sql.IsolationLevel) (string, error) {
	switch level {
	case sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		return strings.ToUpper(level.String()), nil
	}
	return "", fmt.Errorf("mysql has no isolation level %q", level)
}

// End returns none: options of a transaction end with it.
func (Dialect) End(dialect.TxOptions) []string { return nil }

// CheckDeferred has nothing to do: constraints are checked row by row.
func (Dialect) CheckDeferred(context.Context, driver.Conn) error { return nil }

// Broken judges by the error: a deadlock takes the whole transaction with its savepoints (MySQL manual, InnoDB
// error handling), any other server error only its statement, and a lost connection everything.
func (Dialect) Broken(_ driver.Conn, err error) dialect.Damage {
	fault, ok := Dialect{}.Classify(err)
	switch {
	case ok && (fault.Kind == dialect.Deadlock || fault.Kind == dialect.Serialization || fault.Kind == dialect.ConnectionLost):
		return dialect.Transaction
	case ok:
		return dialect.Statement
	case dialect.Lost(err), errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The driver closes the connection when a context ends in the middle of a statement.
		return dialect.Transaction
	}
	return dialect.Harmless
}

// Classify reads the error number (MySQL and MariaDB error references).
func (Dialect) Classify(err error) (dialect.Fault, bool) {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		if errors.Is(err, mysql.ErrInvalidConn) {
			return dialect.Fault{Kind: dialect.ConnectionLost}, true
		}
		return dialect.Fault{}, false
	}
	fault := dialect.Fault{Kind: kinds[me.Number], Code: strconv.Itoa(int(me.Number))}
	fault.Column, fault.Constraint = named(fault.Kind, me.Message)
	return fault, true
}

// The server has no fields for what an error is about; its English messages have it in quotes.
var (
	messageColumn = regexp.MustCompile("(?:[Cc]olumn|Field) ['`](?:[^'`]*`\\.`)*([^'`]+)['`]")
	messageKey    = regexp.MustCompile(`for key '(?:[^'.]+\.)?([^']+)'`)
	messageCheck  = regexp.MustCompile("(?i)constraint [`']([^`']+)[`']")
)

// named reads the column and the constraint out of a message.
func named(kind dialect.Kind, message string) (column, constraint string) {
	first := func(re *regexp.Regexp) string {
		if m := re.FindStringSubmatch(message); m != nil {
			return m[1]
		}
		return ""
	}
	switch kind {
	case dialect.Unique:
		return "", first(messageKey)
	case dialect.Check, dialect.ForeignKey:
		return "", first(messageCheck)
	case dialect.NotNull, dialect.Data, dialect.UndefinedColumn:
		column = first(messageColumn)
		return column[strings.LastIndex(column, ".")+1:], ""
	}
	return "", ""
}

var kinds = map[uint16]dialect.Kind{
	1062: dialect.Unique,     // ER_DUP_ENTRY
	1586: dialect.Unique,     // ER_DUP_ENTRY_WITH_KEY_NAME
	1022: dialect.Unique,     // ER_DUP_KEY
	1216: dialect.ForeignKey, // ER_NO_REFERENCED_ROW
	1217: dialect.ForeignKey, // ER_ROW_IS_REFERENCED
	1451: dialect.ForeignKey, // ER_ROW_IS_REFERENCED_2
	1452: dialect.ForeignKey, // ER_NO_REFERENCED_ROW_2
	1048: dialect.NotNull,    // ER_BAD_NULL_ERROR
	1364: dialect.NotNull,    // ER_NO_DEFAULT_FOR_FIELD
	3819: dialect.Check,      // ER_CHECK_CONSTRAINT_VIOLATED (MySQL)
	4025: dialect.Check,      // ER_CONSTRAINT_FAILED (MariaDB)
	1264: dialect.Data,       // ER_WARN_DATA_OUT_OF_RANGE
	1265: dialect.Data,       // WARN_DATA_TRUNCATED
	1292: dialect.Data,       // ER_TRUNCATED_WRONG_VALUE
	1366: dialect.Data,       // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
	1406: dialect.Data,       // ER_DATA_TOO_LONG
	1213: dialect.Deadlock,   // ER_LOCK_DEADLOCK
	1020: dialect.Serialization,
	1205: dialect.LockTimeout,      // ER_LOCK_WAIT_TIMEOUT
	3572: dialect.LockTimeout,      // ER_LOCK_NOWAIT
	1317: dialect.StatementTimeout, // ER_QUERY_INTERRUPTED
	1969: dialect.StatementTimeout, // ER_STATEMENT_TIMEOUT (MariaDB)
	3024: dialect.StatementTimeout, // ER_QUERY_TIMEOUT (MySQL)
	1053: dialect.ConnectionLost,   // ER_SERVER_SHUTDOWN
	1927: dialect.ConnectionLost,   // ER_CONNECTION_KILLED (MariaDB)
	1290: dialect.ReadOnly,         // ER_OPTION_PREVENTS_STATEMENT: --read-only
	1792: dialect.ReadOnly,         // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	1836: dialect.ReadOnly,         // ER_READ_ONLY_MODE
	1021: dialect.DiskFull,         // ER_DISK_FULL
	1114: dialect.DiskFull,         // ER_RECORD_FILE_FULL
	1044: dialect.Permission,       // ER_DBACCESS_DENIED_ERROR
	1045: dialect.Permission,       // ER_ACCESS_DENIED_ERROR
	1142: dialect.Permission,       // ER_TABLEACCESS_DENIED_ERROR
	1143: dialect.Permission,       // ER_COLUMNACCESS_DENIED_ERROR
	1227: dialect.Permission,       // ER_SPECIFIC_ACCESS_DENIED_ERROR
	1146: dialect.UndefinedTable,   // ER_NO_SUCH_TABLE
	1054: dialect.UndefinedColumn,  // ER_BAD_FIELD_ERROR
	1064: dialect.Syntax,           // ER_PARSE_ERROR
}
