package db_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// typesTable has a column of every type that is read in a way of its own, and a row of values and one of nulls.
var typesTable = map[string][]string{
	testdb.NamePostgres: {
		`CREATE TABLE types (id int PRIMARY KEY, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(12,4),
			v varchar(10), c char(3), tx text, by bytea, d date, ts timestamp, tz timestamptz, j json, jb jsonb, u uuid,
			a integer[], ta text[], iv interval, o oid, x xml, arb bit varying(8))`,
		`INSERT INTO types VALUES (1, true, 2, 8000000000, 1.5, 2.25, 12345.6789, 'varchar', 'abc', 'täxt', '\x00ff10', '2026-07-01',
			'2026-07-01 12:00:00.123456', '2026-07-01 12:00:00.123456-04', '{"a": 1}', '{"b": [1, 2]}', '6ecd8c99-4036-403d-bf84-cf8400f67836',
			'{1,2,3}', '{a,"b c",NULL}', '1 day 02:00:00', 42, '<a/>', B'1010')`,
		`INSERT INTO types (id) VALUES (2)`,
		`INSERT INTO types (id, d, ts, tz) VALUES (3, 'infinity', '-infinity', 'infinity')`,
	},
	testdb.NameMariaDB: {
		`CREATE TABLE types (id int PRIMARY KEY, b boolean, i2 smallint, i8 bigint, u8 bigint unsigned, f4 float, f8 double, n decimal(12,4),
			v varchar(10), c char(3), tx text, by_ varbinary(10), d date, ts datetime(6), tz timestamp(6) NULL, j json, tm time, y year, e enum('a','b'))`,
		`INSERT INTO types VALUES (1, true, 2, 8000000000, 18446744073709551615, 1.5, 2.25, 12345.6789, 'varchar', 'abc', 'täxt', x'00ff10', '2026-07-01',
			'2026-07-01 12:00:00.123456', '2026-07-01 12:00:00.123456', '{"a": 1}', '12:30:00', 2026, 'b')`,
		`INSERT INTO types (id) VALUES (2)`,
	},
	testdb.NameSQLite: {
		`CREATE TABLE types (id INTEGER PRIMARY KEY, b BOOLEAN, i INTEGER, f REAL, n NUMERIC, v VARCHAR(10), tx TEXT, by BLOB, d DATE, ts DATETIME, tz TIMESTAMP, j JSON)`,
		`INSERT INTO types VALUES (1, true, 8000000000, 2.25, 12345.6789, 'varchar', 'täxt', x'00ff10', '2026-07-01',
			'2026-07-01 12:00:00.123456', '2026-07-01 12:00:00.123456+00:00', '{"a": 1}')`,
		`INSERT INTO types (id) VALUES (2)`,
	},
}

// column is what database/sql tells of a column.
type column struct {
	Name, Type, Scan         string
	Nullable, NullableOK     bool
	Length, Precision, Scale int64
	LengthOK, DecimalOK      bool
}

type table struct {
	Columns []column
	Rows    [][]any
}

// readTypes reads all of the table types with its column types, as any and, where they are not null, as text.
func readTypes(t *testing.T, ctx context.Context, q queryer) table {
	t.Helper()
	rows, err := q.QueryContext(ctx, "SELECT * FROM types ORDER BY id")
	noError(t, err)
	defer func() { noError(t, rows.Close()) }()
	types, err := rows.ColumnTypes()
	noError(t, err)
	var got table
	for _, c := range types {
		is := column{Name: c.Name(), Type: c.DatabaseTypeName(), Scan: c.ScanType().String()}
		is.Nullable, is.NullableOK = c.Nullable()
		is.Length, is.LengthOK = c.Length()
		is.Precision, is.Scale, is.DecimalOK = c.DecimalSize()
		got.Columns = append(got.Columns, is)
	}
	for rows.Next() {
		values := make([]any, len(types))
		dest := make([]any, len(types))
		for i := range values {
			dest[i] = &values[i]
		}
		noError(t, rows.Scan(dest...))
		got.Rows = append(got.Rows, values)
	}
	noError(t, rows.Err())
	return got
}

// joinedTransactions calls fn with a context in each kind of transaction.
func joinedTransactions(t *testing.T, w *world, conn *db.DB, fn func(t *testing.T, ctx context.Context)) {
	t.Helper()
	t.Run("block", func(t *testing.T) {
		noError(t, conn.Atomic(t.Context(), func(ctx context.Context) error {
			fn(t, ctx)
			return nil
		}))
	})
	t.Run("JoinSQL", func(t *testing.T) {
		tx, err := conn.SQL(t.Context()).BeginTx(t.Context(), nil)
		noError(t, err)
		defer func() { noError(t, tx.Commit()) }()
		ctx, leave, err := conn.JoinSQL(t.Context(), tx)
		noError(t, err)
		defer func() { noError(t, leave()) }()
		fn(t, ctx)
	})
	if w.Native() == nil {
		return
	}
	t.Run("JoinPGX", func(t *testing.T) {
		tx, err := w.Native().Begin(t.Context())
		noError(t, err)
		defer func() { noError(t, tx.Commit(t.Context())) }()
		ctx, leave, err := conn.JoinPGX(t.Context(), tx)
		noError(t, err)
		defer func() { noError(t, leave()) }()
		fn(t, ctx)
	})
}

// What is read in a block, column types included, is what the plain pool reads.
func TestJoinTypes_ReadAsByThePool(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, typesTable[w.on.Name]...)
		want := readTypes(t, t.Context(), w.SQL(t.Context()))
		if len(want.Rows) < 2 || len(want.Columns) < 10 {
			t.Fatalf("read %d rows of %d columns", len(want.Rows), len(want.Columns))
		}
		check := func(t *testing.T, ctx context.Context) {
			t.Helper()
			if diff := cmp.Diff(want, readTypes(t, ctx, w.SQL(ctx))); diff != "" {
				t.Errorf("bound (-pool +bound):\n%s", diff)
			}
			if diff := cmp.Diff(want, readTypes(t, ctx, w.DBTX())); diff != "" {
				t.Errorf("routed (-pool +routed):\n%s", diff)
			}
			stmt, err := w.SQL(ctx).PrepareContext(ctx, "SELECT * FROM types ORDER BY id")
			noError(t, err)
			defer func() { noError(t, stmt.Close()) }()
			if w.on.Name == testdb.NameSQLite { // its one connection is in use; text and prepared statements are read alike
				if diff := cmp.Diff(want, readTypes(t, ctx, stmtQueryer{stmt})); diff != "" {
					t.Errorf("prepared (-pool +bound):\n%s", diff)
				}
				return
			}
			fromPool, err := w.SQL(t.Context()).PrepareContext(t.Context(), "SELECT * FROM types ORDER BY id")
			noError(t, err)
			defer func() { noError(t, fromPool.Close()) }()
			if diff := cmp.Diff(readTypes(t, t.Context(), stmtQueryer{fromPool}), readTypes(t, ctx, stmtQueryer{stmt})); diff != "" {
				t.Errorf("prepared (-pool +bound):\n%s", diff)
			}
		}
		joinedTransactions(t, w, w.DB, check)
	})
}

type stmtQueryer struct{ stmt *sql.Stmt }

func (q stmtQueryer) QueryContext(ctx context.Context, _ string, _ ...any) (*sql.Rows, error) {
	return q.stmt.QueryContext(ctx)
}

// The pool itself reads as the plain driver does, but for what Open sets: PostgreSQL's times are UTC.
func TestJoinTypes_PoolReadsAsThePlainDriver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, typesTable[w.on.Name]...)
		utc := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff(readTypes(t, t.Context(), w.raw), readTypes(t, t.Context(), w.SQL(t.Context())), utc); diff != "" {
			t.Errorf("(-driver +pool):\n%s", diff)
		}
	})
}

var roundTripTable = map[string]string{
	testdb.NamePostgres: `CREATE TABLE trip (who text PRIMARY KEY, at timestamptz, raw bytea, empty text, doc jsonb, amount numeric(12,4), flag boolean, big bigint)`,
	testdb.NameMariaDB:  `CREATE TABLE trip (who varchar(20) PRIMARY KEY, at datetime(6), raw blob, empty text, doc json, amount decimal(12,4), flag boolean, big bigint)`,
	testdb.NameSQLite:   `CREATE TABLE trip (who TEXT PRIMARY KEY, at DATETIME, raw BLOB, empty TEXT, doc TEXT, amount NUMERIC, flag BOOLEAN, big INTEGER)`,
}

type trip struct {
	At     time.Time
	Raw    []byte
	Empty  sql.NullString
	Doc    map[string]int
	Amount string
	Flag   bool
	Big    int64
}

// Values written in each kind of transaction arrive as they were sent, and read alike everywhere.
func TestJoinTypes_RoundTrip(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, roundTripTable[w.on.Name])
		want := trip{
			At:     time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC),
			Raw:    []byte{0, 255, 16},
			Doc:    map[string]int{"a": 1},
			Amount: "12345.6789",
			Flag:   true,
			Big:    1 << 40,
		}
		write := func(ctx context.Context, who string) {
			t.Helper()
			doc, err := json.Marshal(want.Doc)
			noError(t, err)
			local := want.At.In(time.FixedZone("EDT", -4*3600))
			noError(t, w.Exec(ctx, "INSERT INTO trip (who, at, raw, empty, doc, amount, flag, big) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				who, local, want.Raw, nil, string(doc), want.Amount, want.Flag, want.Big))
		}
		check := func(ctx context.Context, who string) {
			t.Helper()
			var got trip
			var doc []byte
			noError(t, w.QueryRow(ctx, "SELECT at, raw, empty, doc, amount, flag, big FROM trip WHERE who = ?", who).
				Scan(&got.At, &got.Raw, &got.Empty, &doc, &got.Amount, &got.Flag, &got.Big))
			noError(t, json.Unmarshal(doc, &got.Doc))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("written by %s (-want +got):\n%s", who, diff)
			}
		}
		write(t.Context(), "pool")
		joinedTransactions(t, w, w.DB, func(t *testing.T, ctx context.Context) {
			write(ctx, t.Name()[len(t.Name())-5:])
			check(ctx, "pool")
			check(ctx, t.Name()[len(t.Name())-5:])
		})
		for _, who := range []string{"pool", "block", "inSQL"} {
			check(t.Context(), who)
		}
	})
}

// Slices are arrays on PostgreSQL, through every door, and so is = ANY.
func TestJoinTypes_Arrays(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.setup(t, "CREATE TABLE arr (a bigint[], b text[])")
		joinedTransactions(t, w, w.DB, func(t *testing.T, ctx context.Context) {
			noError(t, w.Exec(ctx, "DELETE FROM arr"))
			noError(t, w.Exec(ctx, "INSERT INTO arr (a, b) SELECT ?::bigint[], ?::text[]", []int64{1, 2, 3}, []string{"x", "y z"}))
			var text string
			var sum int64
			noError(t, w.QueryRow(ctx, "SELECT b::text, (SELECT sum(n) FROM unnest(a) n WHERE n = ANY(?)) FROM arr", []int64{2, 3}).Scan(&text, &sum))
			if text != `{x,"y z"}` || sum != 5 {
				t.Errorf("got %s and %d", text, sum)
			}
			var ints []int64
			noError(t, w.QueryRow(ctx, "SELECT a FROM arr").Scan(typeMap.SQLScanner(&ints)))
			if diff := cmp.Diff([]int64{1, 2, 3}, ints); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}, testdb.NamePostgres)
}

var typeMap = pgtype.NewMap()
