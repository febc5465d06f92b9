// Package postgres is the PostgreSQL dialect, on pgx.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Dialect is PostgreSQL. The zero value is ready.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name returns "postgres".
func (Dialect) Name() string { return "postgres" }

// Syntax returns PostgreSQL's lexical rules.
func (Dialect) Syntax() sqltext.Syntax { return sqltext.Postgres }

// Features returns what PostgreSQL can do.
func (Dialect) Features() dialect.Features {
	return dialect.Features{
		RowComparison: true, GuessesRanges: true, Arrays: true, Copy: true, TypedParams: true, Cursors: true, MaxParams: 65535, Now: "CURRENT_TIMESTAMP",
		OverridingIdentity: "OVERRIDING SYSTEM VALUE",
		// A message in the log is a transaction of its own; one commit that is flushed flushes all before it.
		Harden: "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'drover', '')",
		Meters: dialect.Meters{
			ReplicaLag: "SELECT COALESCE(EXTRACT(EPOCH FROM max(replay_lag)), 0)::float8 FROM pg_stat_replication", // NULL while nothing is written
			LockWaits:  "SELECT count(*)::float8 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
			DeadRows: "WITH named AS (SELECT to_regclass($drover${table}$drover$) AS oid) SELECT COALESCE(sum(pg_stat_get_dead_tuples(oid)), 0)::float8 " +
				"FROM (SELECT oid FROM named UNION SELECT tree.relid FROM named, pg_partition_tree(named.oid) AS tree) AS parts",
			HeldLog: "SELECT COALESCE(max(pg_wal_lsn_diff(pg_current_wal_lsn(), held)), 0)::float8 " +
				"FROM (SELECT restart_lsn AS held FROM pg_replication_slots UNION ALL SELECT replay_lsn FROM pg_stat_replication) AS replicas",
		},
		Clock: "clock_timestamp()", ClockAfter: "(clock_timestamp() + CAST(? AS bigint) * INTERVAL '1 millisecond')",
		TextForms: []string{
			"SET LOCAL DateStyle = 'ISO, YMD'", "SET LOCAL TimeZone = 'UTC'", "SET LOCAL IntervalStyle = 'postgres'",
			"SET LOCAL bytea_output = 'hex'", "SET LOCAL extra_float_digits = 1",
		},
		SchemaLock: "SELECT count(pg_advisory_xact_lock(x'64726f766572'::bigint))", // the number spells "drover"
		TwoPhase:   twoPhase,
	}
}

// Server is the same for all supported versions.
func (Dialect) Server(string) dialect.Server {
	return dialect.Server{InsertReturning: true, UpdateReturning: true, RowLocks: true, SkipLocked: true, NoWait: true, LockOf: true, NoKey: true, KeepsPrepared: true}
}

// Quote returns ident in double quotes.
func (Dialect) Quote(ident string) string { return `"` + strings.ReplaceAll(ident, `"`, `""`) + `"` }

// VersionQuery selects the server's version number.
func (Dialect) VersionQuery() string { return "SHOW server_version" }

// Version puts the version in words; the packager's addition in brackets is left out.
func (Dialect) Version(reported string) string {
	number, _, _ := strings.Cut(reported, " ")
	return "postgres " + number
}

// Begin opens the transaction with one statement (PostgreSQL manual, BEGIN).
func (Dialect) Begin(opts dialect.TxOptions) ([]string, error) {
	query := "BEGIN"
	switch opts.Isolation {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		query += " ISOLATION LEVEL " + strings.ToUpper(opts.Isolation.String())
	case sql.LevelSnapshot:
		query += " ISOLATION LEVEL REPEATABLE READ"
	default:
		return nil, fmt.Errorf("postgres has no isolation level %q", opts.Isolation)
	}
	if opts.ReadOnly {
		query += " READ ONLY"
	}
	return []string{query}, nil
}

// NativeConn is a driver connection that runs on a pgx connection.
type NativeConn interface {
	Conn() *pgx.Conn
}

// End returns none: options of a transaction end with it.
func (Dialect) End(dialect.TxOptions) []string { return nil }

// CheckDeferred checks the deferred constraints (PostgreSQL manual, SET CONSTRAINTS).
func (Dialect) CheckDeferred(ctx context.Context, conn driver.Conn) error {
	return dialect.Exec(ctx, conn, "SET CONSTRAINTS ALL IMMEDIATE")
}

// CheckValue refuses nothing: the server says what is wrong with a value.
func (Dialect) CheckValue(driver.Value) error { return nil }

// Broken asks the protocol's transaction status, which is the server's own word, where the connection runs on
// pgx; with another driver it judges by the error.
func (Dialect) Broken(conn driver.Conn, err error) dialect.Damage {
	if native, ok := conn.(NativeConn); ok {
		pc := native.Conn()
		switch {
		case pc.IsClosed():
			return dialect.Transaction
		case pc.PgConn().TxStatus() == 'E':
			return dialect.Statement
		case pc.PgConn().TxStatus() == 'I':
			return dialect.Transaction
		}
		return dialect.Harmless
	}
	fault, ok := Dialect{}.Classify(err)
	switch {
	case dialect.Lost(err), fault.Kind == dialect.ConnectionLost, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return dialect.Transaction
	case ok:
		return dialect.Statement
	}
	return dialect.Harmless
}

// sqlStater is what the errors of pgx and lib/pq have in common.
type sqlStater interface {
	error
	SQLState() string
}

// Classify reads the SQLSTATE (PostgreSQL manual, appendix A).
func (Dialect) Classify(err error) (dialect.Fault, bool) {
	var state sqlStater
	if !errors.As(err, &state) {
		// pgx says so of a connection that the network has cut, even in the middle of a statement.
		return dialect.Fault{Kind: dialect.ConnectionLost}, errors.Is(err, pgconn.ErrConnClosed)
	}
	fault := dialect.Fault{Code: state.SQLState(), Kind: kindOf(state.SQLState())}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		fault.Constraint, fault.Table, fault.Column = pe.ConstraintName, pe.TableName, pe.ColumnName
		if fault.Kind == dialect.UndefinedColumn && fault.Column == "" {
			fault.Column = unknownColumn(pe.Message)
		}
	}
	return fault, true
}

// unknownName finds the name in: column "x" does not exist, column t.x does not exist. The server has no field for it.
var unknownName = regexp.MustCompile(`"([^"]+)"|\b[^\s".]+\.([^\s".]+)`)

func unknownColumn(message string) string {
	m := unknownName.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

var kinds = map[string]dialect.Kind{
	"23505": dialect.Unique,
	"23P01": dialect.Unique, // exclusion constraint
	"23503": dialect.ForeignKey,
	"23001": dialect.ForeignKey, // restrict
	"23502": dialect.NotNull,
	"23514": dialect.Check,
	"40P01": dialect.Deadlock,
	"40001": dialect.Serialization,
	"55P03": dialect.LockTimeout,
	"57014": dialect.StatementTimeout,
	"25006": dialect.ReadOnly,
	"53100": dialect.DiskFull,
	"42501": dialect.Permission,
	"42P01": dialect.UndefinedTable,
	"42703": dialect.UndefinedColumn,
	"42601": dialect.Syntax,
	"57P01": dialect.ConnectionLost, // admin shutdown
	"57P02": dialect.ConnectionLost, // crash shutdown
	"57P03": dialect.ConnectionLost, // cannot connect now
	"57P05": dialect.ConnectionLost, // idle session timeout
	"25P03": dialect.ConnectionLost, // idle in transaction timeout
	"25P04": dialect.ConnectionLost, // transaction timeout
}

func kindOf(state string) dialect.Kind {
	if kind, ok := kinds[state]; ok {
		return kind
	}
	switch {
	case strings.HasPrefix(state, "08"):
		return dialect.ConnectionLost
	case strings.HasPrefix(state, "22"):
		return dialect.Data
	}
	return dialect.Unknown
}
