// Package dialect names everything that differs between the databases drover speaks to, by feature.
//
// The three implementations live in the packages postgres, mysql and sqlite below this one. Code above
// asks a [Dialect] for a feature, a statement or a judgement; it never branches on a database's name.
package dialect

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/drover-dev/drover/internal/sqltext"
)

// Dialect is what drover knows about one kind of database. Implementations are stateless values and safe for
// concurrent use.
type Dialect interface {
	// Name is for people: messages, logs and test names. It is one of "postgres", "mysql" and "sqlite".
	Name() string
	// Syntax says how the database's SQL text is cut into tokens.
	Syntax() sqltext.Syntax
	// Features says what the database can do and which shape suits it.
	Features() Features
	// Quote returns ident as a quoted identifier. A dot in ident is part of the name.
	Quote(ident string) string

	// Begin returns the statements that open a transaction, in order. It fails for an isolation level
	// that the database does not have.
	Begin(opts TxOptions) ([]string, error)
	// End returns the statements that give the connection back its settings after such a transaction.
	End(opts TxOptions) []string
	// CheckValue says why a value cannot be stored as it is, where the driver or the database would not say it of the value, or change it.
	CheckValue(value driver.Value) error
	// CheckDeferred checks now what COMMIT would check. It is the last that is done in a transaction that is rolled back.
	CheckDeferred(ctx context.Context, conn driver.Conn) error
	// Broken judges an error that a statement got inside a transaction; conn is the live driver connection.
	Broken(conn driver.Conn, err error) Damage
	// Classify reads a driver's error anywhere in err's chain; ok is false when there is none of this database.
	Classify(err error) (fault Fault, ok bool)

	// VersionQuery selects one text: the server's version as it reports it.
	VersionQuery() string
	// Version puts the answer of VersionQuery in words: "postgres 15.18".
	Version(reported string) string
	// Server says what a version, in the words of Version, can do.
	Server(version string) Server

	// Identity names the database so that another one has another name, as far as it can tell: a plan that was approved for one is done on no other.
	// It is in words, holds no password, and is "" where there is nothing that lasts.
	Identity(ctx context.Context, q Queryer) (string, error)

	Catalog
	Counter
	Health
	Types
	Ages
	Replication
}

// Features are the facts that decide a statement's shape.
type Features struct {
	// SingleWriter: only one connection can write; others wait for it (SQLite).
	SingleWriter bool
	// ImplicitCommit: statements such as ALTER TABLE commit the open transaction (MySQL).
	ImplicitCommit bool
	// RowComparison: (a, b) > (x, y) uses an index. Where it is false the OR form is used (MySQL, MariaDB).
	RowComparison bool
	// GuessesRanges: a range with two ends is taken for very few rows where the table has no statistics, so that the rows are collected and sorted
	// instead of walked in the order of an index (PostgreSQL).
	GuessesRanges bool
	// Local: the database is a library in this process; a statement needs no network deadline.
	Local bool

	// Arrays: a parameter can be an array, and unnest makes rows of arrays (PostgreSQL). Where it is false, rows are sent as VALUES.
	Arrays bool
	// Copy: COPY … FROM STDIN (PostgreSQL).
	Copy bool
	// TypedParams: a parameter has a type, and what stands around it must tell it (PostgreSQL).
	TypedParams bool
	// MaxParams is the largest number of parameters of a statement.
	MaxParams int
	// OnDuplicateKey: an upsert is INSERT … ON DUPLICATE KEY UPDATE, which any unique key of the table sets off (MySQL). Where it is false
	// it is INSERT … ON CONFLICT (columns) DO UPDATE.
	OnDuplicateKey bool
	// EmptyColumns: an INSERT without columns is written () VALUES () (MySQL). Elsewhere it is DEFAULT VALUES.
	EmptyColumns bool
	// ZeroMakesKey: a 0 in an AUTO_INCREMENT column means "make a value" (MySQL without NO_AUTO_VALUE_ON_ZERO).
	ZeroMakesKey bool
	// RoundsSingles: a column of single precision comes rounded to six digits from a query that is not prepared (MySQL).
	RoundsSingles bool
	// PreparedStream: a large result is read faster from a prepared statement (MySQL's binary protocol).
	PreparedStream bool
	// IndexHints: FORCE INDEX behind a table's name (MySQL). See [Table.IndexHint].
	IndexHints bool
	// Cursors: DECLARE … CURSOR and FETCH (PostgreSQL). Elsewhere an open result set is one by itself.
	Cursors bool
	// OverridingIdentity is what an INSERT says after its columns to give an identity column that is GENERATED ALWAYS a value (PostgreSQL); ""
	// elsewhere.
	OverridingIdentity string
	// Verbatim is the statement that makes the session store values of columns of that name as they are, and VerbatimEnd the one that gives it
	// back its settings; "" where no setting decides.
	Verbatim, VerbatimEnd string
	// OrderedSet: an UPDATE sets its columns one after the other, so that an expression sees the new values of those before it (MySQL). Elsewhere
	// every expression sees the row as it was.
	OrderedSet bool
	// Harden is a statement that, outside a transaction, makes all that is committed survive a crash of the machine, also where commits do not wait
	// for the disk; "" where there is none.
	Harden string
	// Lax is a query for the setting by which commits may not survive a crash, where Harden cannot help; "" and an empty text where there is none.
	Lax string
	// Now is the SQL of the present time, as a time parameter would be stored.
	Now string
	// LooseTypes: a column holds values of any type, whatever its own is (SQLite).
	LooseTypes bool
	// TextForms are statements that make the rest of a transaction give the texts of values in forms that no setting of the session changes: dates
	// in ISO 8601 and UTC, all digits of a number. Where there are some, rows can be read as text (PostgreSQL).
	TextForms []string
	// Meters are queries that tell how busy the database is.
	Meters Meters
	// Clock is the SQL of the time at which its statement runs, in UTC, for drover's own tables. Now may be the time at which the transaction
	// began.
	Clock string
	// ClockAfter is Clock and as many milliseconds more as its one parameter says; they may be negative.
	ClockAfter string
	// SchemaLock is a query that waits until no other process changes drover's own tables, and then keeps others from it. It selects 1, or
	// something else where it has waited in vain. The lock ends with the transaction, or with SchemaUnlock where there is one; "" where
	// every transaction that writes is alone (SQLite).
	SchemaLock, SchemaUnlock string
	// TwoPhase is how transactions are prepared.
	TwoPhase TwoPhase
}

// Meters are queries for one number each; "" where the database cannot tell.
type Meters struct {
	// ReplicaLag is how many seconds the replica that is furthest behind is behind, as the primary knows; 0 where it has none.
	ReplicaLag string
	// LockWaits is how many sessions wait for locks.
	LockWaits string
	// DeadRows is how many row versions nobody needs any more and nobody has cleared away: of the table that {table} stands for, or, where
	// it is not in the query, of the whole server.
	DeadRows string
	// HeldLog is how many bytes of the write-ahead log the database must keep for a replica that has not taken them.
	HeldLog string
}

// TxOptions are the options of an outermost transaction.
type TxOptions struct {
	Isolation sql.IsolationLevel
	ReadOnly  bool
	// Name is the name of a transaction that will be prepared; else "". See [TwoPhase].
	Name string
}

// Damage says what an error did to the transaction it happened in.
type Damage int

const (
	// Harmless damage is none: nothing reached the database, or it took no notice; the transaction goes on.
	Harmless Damage = iota
	// Statement damage: the statement failed in the database. The work since the innermost savepoint cannot be trusted.
	Statement
	// Transaction damage: the database has thrown away the whole transaction, its savepoints included.
	Transaction
)
