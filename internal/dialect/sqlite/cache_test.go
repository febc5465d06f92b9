package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/stmtcache"
)

// counts is what reaches modernc's connections.
type counts struct {
	prepared, closed atomic.Int32 // statements
	passed           atomic.Int32 // texts that were not prepared
	open             atomic.Int32 // statements that were open when their connection was closed
	reset            atomic.Pointer[error]
}

type countingConnector struct {
	driver.Connector
	counts *counts
}

func (c countingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &countingConn{conn.(liveConn), c.counts}, nil
}

type countingConn struct {
	liveConn
	counts *counts
}

func (c *countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.liveConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.counts.prepared.Add(1)
	return &countingStmt{Stmt: s.(stmtcache.Stmt), counts: c.counts}, nil
}

func (c *countingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.counts.passed.Add(1)
	return c.liveConn.ExecContext(ctx, query, args)
}

func (c *countingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.counts.passed.Add(1)
	return c.liveConn.QueryContext(ctx, query, args)
}

func (c *countingConn) ResetSession(ctx context.Context) error {
	if err := c.counts.reset.Swap(nil); err != nil {
		return *err
	}
	return c.liveConn.ResetSession(ctx)
}

func (c *countingConn) Close() error {
	c.counts.open.Store(c.counts.prepared.Load() - c.counts.closed.Load())
	return c.liveConn.Close()
}

type countingStmt struct {
	stmtcache.Stmt
	counts *counts
}

func (s *countingStmt) Close() error {
	s.counts.closed.Add(1)
	return s.Stmt.Close()
}

// file is one database that several pools open.
type file struct {
	t    testing.TB
	path string
}

func newFile(t testing.TB) file {
	t.Helper()
	return file{t, filepath.Join(t.TempDir(), "test.db")}
}

func (f file) connector(params string) driver.Connector {
	f.t.Helper()
	path, values, err := parse("sqlite:" + f.path + params)
	if err != nil {
		f.t.Fatal(err)
	}
	setDefault(values, "journal_mode", "WAL")
	setDefault(values, "synchronous", "NORMAL")
	connector, err := newConnector(path, values)
	if err != nil {
		f.t.Fatal(err)
	}
	return connector
}

// testPool is one connection.
type testPool struct {
	*sql.DB
	t      testing.TB
	counts *counts
}

func (f file) pool(connector driver.Connector) testPool {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	f.t.Cleanup(func() { _ = db.Close() })
	return testPool{DB: db, t: f.t}
}

// cached opens a connection with the cache, plain one without.
func (f file) cached(params string) testPool {
	n := &counts{}
	p := f.pool(cachingConnector{countingConnector{f.connector(params), n}})
	p.counts = n
	return p
}

func (f file) plain(params string) testPool { return f.pool(f.connector(params)) }

func (p testPool) exec(query string, args ...any) {
	p.t.Helper()
	if _, err := p.ExecContext(p.t.Context(), query, args...); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

// queryer is a pool, a connection or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// lines returns the names of the columns and the rows, or the error.
func lines(t testing.TB, q queryer, query string, args ...any) []string {
	t.Helper()
	open, err := q.QueryContext(t.Context(), query, args...)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	defer open.Close()
	columns, err := open.Columns()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{strings.Join(columns, " ")}
	for open.Next() {
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := open.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
	}
	if err := open.Err(); err != nil {
		all = append(all, "error: "+err.Error())
	}
	return all
}

func wantLines(t testing.TB, q queryer, query string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(t, q, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

func wantCount(t testing.TB, what string, got *atomic.Int32, want int32) {
	t.Helper()
	if n := got.Load(); n != want {
		t.Errorf("%s %d times, want %d", what, n, want)
	}
}

// begin opens rows and reads the first.
func begin(t testing.TB, q queryer, query string, args ...any) (open *sql.Rows, first int) {
	t.Helper()
	open, err := q.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })
	if !open.Next() {
		t.Fatalf("%s: no row: %v", query, open.Err())
	}
	if err := open.Scan(&first); err != nil {
		t.Fatal(err)
	}
	return open, first
}

func next(t testing.TB, open *sql.Rows) (value int) {
	t.Helper()
	if !open.Next() {
		t.Fatalf("no further row: %v", open.Err())
	}
	if err := open.Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func closeRows(t testing.TB, open *sql.Rows) {
	t.Helper()
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
}

const numbers = `CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`

func TestCache_CompilesATextOnce(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(`CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT)`)
	wantCount(t, "prepared", &p.counts.prepared, 0)
	passed := p.counts.passed.Load()
	for i := range 100 {
		result, err := p.ExecContext(t.Context(), `INSERT INTO t (s) VALUES (?)`, fmt.Sprint("s", i))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := result.LastInsertId()
		if n, _ := result.RowsAffected(); n != 1 || id != int64(i+1) {
			t.Fatalf("insert %d: %d rows, id %d", i, n, id)
		}
		var s string
		if err := p.QueryRowContext(t.Context(), `SELECT s FROM t WHERE n = ?`, i+1).Scan(&s); err != nil || s != fmt.Sprint("s", i) {
			t.Fatalf("row %d: %q, %v", i, s, err)
		}
	}
	wantCount(t, "prepared", &p.counts.prepared, 2)
	wantCount(t, "closed", &p.counts.closed, 0)
	wantCount(t, "passed on", &p.counts.passed, passed)
}

// SQLite asks the authorizer whenever it compiles.
func TestCache_SQLiteCompilesATextOnce(t *testing.T) {
	tests := []struct{ name, query string }{
		{"select", `SELECT s FROM t WHERE n = ?`},
		{"order by a compared column", `SELECT s FROM t WHERE s = ? ORDER BY s`},
		{"insert", `INSERT INTO t (s) VALUES (?)`},
		{"semicolon and space at the end", "SELECT s FROM t WHERE n = ?;\n\t"},
	}
	asked := func(p testPool, query string) (first, further int) {
		p.exec(numbers)
		n := 0
		live(t, p.DB, func(conn driver.Conn) {
			err := conn.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(
				func(sqlite.AuthorizerActionCode, string, string, string, string) sqlite.AuthorizerReturnCode {
					n++
					return sqlite.AuthorizerOK
				})
			if err != nil {
				t.Fatal(err)
			}
		})
		lines(t, p, query, 5)
		first = n
		for i := range 5 {
			lines(t, p, query, 6+i)
			p.exec(query, 6+i)
		}
		return first, n - first
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if first, further := asked(newFile(t).cached(""), tt.query); first == 0 || further != 0 {
				t.Errorf("asked %d times and %d times more", first, further)
			}
			if first, further := asked(newFile(t).plain(""), tt.query); first == 0 || further < 10*first {
				t.Errorf("without the cache asked %d times and %d times more, so this tests nothing", first, further)
			}
		})
	}
}

// A transaction of database/sql has the statements of its connection.
func TestCache_OutlivesTransactions(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	for i := range 4 {
		tx, err := p.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), `UPDATE t SET s = ? WHERE n = 1`, i); err != nil {
			t.Fatal(err)
		}
		wantLines(t, tx, `SELECT s FROM t WHERE n = 1`, "s", fmt.Sprint(i))
		end := tx.Commit
		if i%2 == 1 {
			end = tx.Rollback
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, p, `SELECT s FROM t WHERE n = 1`, "s", "2")
	wantCount(t, "prepared", &p.counts.prepared, 2)
}

func TestCache_WhichTextsAreKept(t *testing.T) {
	tests := []struct {
		name, query string
		kept        bool
	}{
		{"select", `SELECT 1`, true},
		{"lower case", `select 1`, true},
		{"values", `VALUES (1)`, true},
		{"with", `WITH x AS (SELECT 1) SELECT * FROM x`, true},
		{"insert", `INSERT INTO t (s) VALUES ('x')`, true},
		{"replace", `REPLACE INTO t VALUES (1, 'x')`, true},
		{"update", `UPDATE t SET s = 'x'`, true},
		{"delete", `DELETE FROM t WHERE n = 1`, true},
		{"sqlc's head", "-- name: Get :one\nSELECT n\nFROM t\n", true},
		{"comment in front", "/* x; y */ SELECT 1", true},
		{"semicolon and space at the end", "\n  SELECT 1;\n\t", true},
		{"semicolon in a string", `SELECT 'a;b'`, true},
		{"length at the limit", `SELECT '` + strings.Repeat("x", stmtcache.MaxLength-len(`SELECT ''`)) + `'`, true},
		{"longer than the limit", `SELECT '` + strings.Repeat("x", stmtcache.MaxLength+1-len(`SELECT ''`)) + `'`, false},
		{"two statements", `SELECT 1; SELECT 2`, false},
		{"second statement of another kind", `UPDATE t SET s = 'x'; DROP TABLE IF EXISTS u`, false},
		{"create", `CREATE TABLE IF NOT EXISTS u (n)`, false},
		{"explain", `EXPLAIN SELECT 1`, false},
		{"pragma", `PRAGMA user_version`, false},
		{"nothing", ` -- nothing`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newFile(t).cached("")
			p.exec(numbers)
			p.counts.passed.Store(0)
			for range 3 {
				p.exec(tt.query)
				lines(t, p, tt.query)
			}
			if tt.kept {
				wantCount(t, "prepared", &p.counts.prepared, 1)
				wantCount(t, "passed on", &p.counts.passed, 0)
			} else {
				wantCount(t, "prepared", &p.counts.prepared, 0)
				wantCount(t, "passed on", &p.counts.passed, 6)
			}
			wantCount(t, "closed", &p.counts.closed, 0)
		})
	}
}

// Whatever is sent twice does twice what it does without the cache.
func TestCache_ChangesNoResult(t *testing.T) {
	tests := []struct {
		name, query string
		args        []any
	}{
		{"rows", `SELECT * FROM t ORDER BY n`, nil},
		{"no rows", `SELECT n, s AS x FROM t WHERE n = 77`, nil},
		{"positions", `SELECT ?, ?2, ?1`, []any{1, "b"}},
		{"names", `SELECT :a, @b, $a`, []any{sql.Named("a", 1), sql.Named("b", "b")}},
		{"an argument missing", `SELECT ?, ?`, []any{1}},
		{"an argument too many", `SELECT ?`, []any{1, 2}},
		{"NULL, blob, float", `SELECT ?, ?, ?`, []any{nil, []byte("x"), 1.5}},
		{"insert returning", `INSERT INTO t (s) VALUES (?), (?) RETURNING n, s`, []any{"x", "y"}},
		{"query of an update", `UPDATE t SET s = s || '!'`, nil},
		{"script", `INSERT INTO t (s) VALUES (?); INSERT INTO t (s) VALUES (?)`, []any{"x"}},
		{"script with rows", `DELETE FROM t WHERE n = 1; SELECT * FROM t`, nil},
		{"script that ends with a comment", `DELETE FROM t WHERE n = 1; -- done`, nil},
		{"script that fails at its end", `DELETE FROM t WHERE n = 1; SELECT * FROM nothing`, nil},
		{"text behind the statement", `SELECT 1; SELEC`, nil},
		{"unknown table", `SELECT * FROM nothing`, nil},
		{"unknown column", `UPDATE t SET x = 1`, nil},
		{"syntax", `SELECT 1 FROM ;`, nil},
		{"incomplete", `SELECT 1 FROM`, nil},
		{"unique", `INSERT INTO t VALUES (2, 'x')`, nil},
		{"error in the second row", `SELECT abs(column1) FROM (VALUES (1), (-9223372036854775808), (3))`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transcript := func(p testPool) (all []string) {
				p.exec(numbers)
				for range 2 {
					all = append(all, lines(t, p, tt.query, tt.args...)...)
					result, err := p.ExecContext(t.Context(), tt.query, tt.args...)
					all = append(all, fmt.Sprint("exec: ", err))
					if err == nil {
						n, _ := result.RowsAffected()
						id, _ := result.LastInsertId()
						all = append(all, fmt.Sprint("affected, id: ", n, id))
					}
				}
				return append(all, lines(t, p, `SELECT * FROM t`)...)
			}
			if diff := cmp.Diff(transcript(newFile(t).plain("")), transcript(newFile(t).cached(""))); diff != "" {
				t.Errorf("with the cache (-without +with):\n%s", diff)
			}
		})
	}
}

func TestCache_ColumnTypes(t *testing.T) {
	types := func(p testPool) (all []string) {
		p.exec(`CREATE TABLE t (i INTEGER, s VARCHAR(9), b BOOLEAN, d DATETIME, x BLOB, f REAL);
			INSERT INTO t VALUES (1, 'a', 1, '2026-01-02 03:04:05', x'00', 1.5)`)
		for range 2 {
			open, err := p.QueryContext(t.Context(), `SELECT *, 1 + 1 FROM t`)
			if err != nil {
				t.Fatal(err)
			}
			open.Next()
			columns, err := open.ColumnTypes()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range columns {
				length, hasLength := c.Length()
				nullable, knows := c.Nullable()
				precision, scale, decimal := c.DecimalSize()
				all = append(all, fmt.Sprint(c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, knows, precision, scale, decimal))
			}
			closeRows(t, open)
		}
		return all
	}
	if diff := cmp.Diff(types(newFile(t).plain("")), types(newFile(t).cached(""))); diff != "" {
		t.Errorf("with the cache (-without +with):\n%s", diff)
	}
}

func TestCache_ClosesTheLeastRecentlyUsed(t *testing.T) {
	p := newFile(t).cached("")
	query := func(i int) string { return fmt.Sprint("SELECT ", i) }
	for i := range stmtcache.MaxStatements {
		p.exec(query(i))
	}
	p.exec(query(0)) // now 1 is the oldest
	wantCount(t, "closed", &p.counts.closed, 0)
	p.exec(query(stmtcache.MaxStatements))
	wantCount(t, "closed", &p.counts.closed, 1)
	wantCount(t, "prepared", &p.counts.prepared, stmtcache.MaxStatements+1)
	p.exec(query(0))
	p.exec(query(2))
	wantCount(t, "prepared", &p.counts.prepared, stmtcache.MaxStatements+1)
	p.exec(query(1))
	wantCount(t, "prepared", &p.counts.prepared, stmtcache.MaxStatements+2)
	wantCount(t, "closed", &p.counts.closed, 2)
}

func TestCache_BoundsTheLengthOfAllTexts(t *testing.T) {
	p := newFile(t).cached("")
	for i := range 10 {
		p.exec(fmt.Sprintf("SELECT %d, '%s'", i, strings.Repeat("x", stmtcache.MaxLength-20)))
	}
	kept := p.counts.prepared.Load() - p.counts.closed.Load()
	if want := int32(stmtcache.MaxLengths / stmtcache.MaxLength); kept != want {
		t.Errorf("%d statements are kept, want %d", kept, want)
	}
}

// A text that is in use is compiled a second time, and one of the two is kept.
func TestCache_SameTextTwiceAtATime(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	tx, err := p.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const query = `SELECT n FROM t WHERE n > ? ORDER BY n`
	outer, a := begin(t, tx, query, 0)
	inner, b := begin(t, tx, query, 1)
	got := []int{a, b, next(t, outer), next(t, inner), next(t, outer)}
	if diff := cmp.Diff([]int{1, 2, 2, 3, 3}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantCount(t, "prepared", &p.counts.prepared, 2)
	closeRows(t, inner)
	wantCount(t, "closed", &p.counts.closed, 0)
	closeRows(t, outer)
	wantCount(t, "closed", &p.counts.closed, 1)
	again, a := begin(t, tx, query, 2)
	closeRows(t, again)
	if a != 3 {
		t.Errorf("got %d", a)
	}
	wantCount(t, "prepared", &p.counts.prepared, 2)
}

// At the driver: the rows that are closed have no further hold on the statement.
func TestCache_ClosedRowsAreDone(t *testing.T) {
	f := newFile(t)
	p := f.plain("")
	p.exec(numbers)
	n := &counts{}
	conn, err := cachingConnector{countingConnector{f.connector(""), n}}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	query := func() driver.Rows {
		open, err := conn.(driver.QueryerContext).QueryContext(t.Context(), `SELECT n FROM t`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return open
	}
	first := query()
	for range 2 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	second := query()
	defer second.Close()
	value := make([]driver.Value, 1)
	if err := first.Next(value); !errors.Is(err, io.EOF) {
		t.Errorf("reading closed rows: %v, %v", value, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Next(value); err != nil || value[0] != int64(1) {
		t.Errorf("reading open rows: %v, %v", value, err)
	}
	wantCount(t, "prepared", &n.prepared, 1)
	wantCount(t, "closed", &n.closed, 0)
}

func TestCache_AFailedStatementIsClosed(t *testing.T) {
	tests := []struct {
		name, query, mend string
		want              []string
	}{
		{
			"constraint", `INSERT INTO t VALUES (1, 'x') RETURNING n`, `DELETE FROM t WHERE n = 1`,
			[]string{"n", "1"},
		},
		{
			"in the second row", `SELECT abs(n) FROM big ORDER BY rowid`, `UPDATE big SET n = 5 WHERE n < 0`,
			[]string{"abs(n)", "1", "5"},
		},
		{
			"in a trigger", `UPDATE guarded SET n = n + 1 RETURNING n`, `DROP TRIGGER guard`,
			[]string{"n", "2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newFile(t).cached("")
			p.exec(numbers + `; CREATE TABLE big (n); INSERT INTO big VALUES (1), (-9223372036854775808);
				CREATE TABLE guarded (n); INSERT INTO guarded VALUES (1);
				CREATE TRIGGER guard BEFORE UPDATE ON guarded BEGIN SELECT raise(ABORT, 'no'); END`)
			for i := range int32(3) {
				got := lines(t, p, tt.query)
				if !strings.HasPrefix(got[len(got)-1], "error: ") {
					t.Fatalf("got %q, want an error", got)
				}
				wantCount(t, "prepared", &p.counts.prepared, i+1)
				wantCount(t, "closed", &p.counts.closed, i+1)
			}
			if _, err := p.ExecContext(t.Context(), tt.query); err == nil {
				t.Error("exec has no error")
			}
			wantCount(t, "closed", &p.counts.closed, 4)
			p.exec(tt.mend)
			wantLines(t, p, tt.query, tt.want...)
		})
	}
}

// A cancelled statement is closed, and its connection goes on.
func TestCache_Cancelled(t *testing.T) {
	const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`
	p := newFile(t).cached("")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		open, err := p.QueryContext(ctx, endless)
		if err != nil {
			t.Fatal(err)
		}
		if !open.Next() {
			t.Fatal(open.Err())
		}
		cancel()
		for open.Next() {
		}
		if !errors.Is(open.Err(), context.Canceled) {
			t.Errorf("rows end with %v", open.Err())
		}
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ExecContext(ctx, endless); !errors.Is(err, context.Canceled) {
			t.Errorf("exec gives %v", err)
		}
		wantLines(t, p, endless+` LIMIT 2`, "i", "1", "2")
	}
}

// What is kept sees each change of the schema, as if it were compiled anew.
func TestCache_SchemaChanges(t *testing.T) {
	const read = `SELECT * FROM t`
	before := []string{"n s", "1 a", "2 b", "3 c"}
	tests := []struct {
		name   string
		change string
		want   []string
	}{
		{"column added", `ALTER TABLE t ADD COLUMN x DEFAULT 7`, []string{"n s x", "1 a 7", "2 b 7", "3 c 7"}},
		{"column dropped", `ALTER TABLE t DROP COLUMN s`, []string{"n", "1", "2", "3"}},
		{"column renamed", `ALTER TABLE t RENAME COLUMN s TO z`, []string{"n z", "1 a", "2 b", "3 c"}},
		{"table dropped", `DROP TABLE t`, []string{"error: SQL logic error: no such table: t (1)"}},
		{
			"another table of the name", `DROP TABLE t; CREATE TABLE t (a, b, c); INSERT INTO t VALUES (4, 5, 6)`,
			[]string{"a b c", "4 5 6"},
		},
		{"a view of the name", `ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT max(n) AS m FROM u`, []string{"m", "3"}},
		{
			"columns in another order", `ALTER TABLE t RENAME TO u; CREATE TABLE t (s, n); INSERT INTO t SELECT s, n FROM u WHERE n = 1`,
			[]string{"s n", "a 1"},
		},
	}
	for _, tt := range tests {
		for _, by := range []string{"this connection", "another connection"} {
			t.Run(tt.name+" by "+by, func(t *testing.T) {
				f := newFile(t)
				p := f.cached("")
				changer := p
				if by != "this connection" {
					changer = f.plain("")
				}
				p.exec(numbers)
				wantLines(t, p, read, before...)
				wantLines(t, p, read, before...)
				changer.exec(tt.change)
				wantLines(t, p, read, tt.want...)
				wantLines(t, p, read, tt.want...)
			})
		}
	}
	t.Run("temp table in front", func(t *testing.T) {
		p := newFile(t).cached("")
		p.exec(numbers)
		wantLines(t, p, read, before...)
		p.exec(`CREATE TEMP TABLE t (x); INSERT INTO temp.t VALUES (9)`)
		wantLines(t, p, read, "x", "9")
		p.exec(`DROP TABLE temp.t`)
		wantLines(t, p, read, before...)
	})
	t.Run("rolled back", func(t *testing.T) {
		p := newFile(t).cached("")
		p.exec(numbers)
		wantLines(t, p, read, before...)
		p.exec(`BEGIN; ALTER TABLE t ADD COLUMN x`)
		wantLines(t, p, read, "n s x", "1 a <nil>", "2 b <nil>", "3 c <nil>")
		p.exec(`SAVEPOINT a; ALTER TABLE t DROP COLUMN s`)
		wantLines(t, p, read, "n x", "1 <nil>", "2 <nil>", "3 <nil>")
		p.exec(`ROLLBACK TO a`)
		wantLines(t, p, read, "n s x", "1 a <nil>", "2 b <nil>", "3 c <nil>")
		p.exec(`ROLLBACK`)
		wantLines(t, p, read, before...)
	})
	t.Run("attached and detached", func(t *testing.T) {
		other := newFile(t)
		other.plain("").exec(`CREATE TABLE far (x); INSERT INTO far VALUES (1)`)
		p := newFile(t).cached("")
		const far = `SELECT * FROM far`
		wantLines(t, p, far, "error: SQL logic error: no such table: far (1)")
		for range 2 {
			p.exec(`ATTACH ? AS other`, other.path)
			wantLines(t, p, far, "x", "1")
			p.exec(`DETACH other`)
			wantLines(t, p, far, "error: SQL logic error: no such table: far (1)")
		}
	})
	t.Run("insert without columns", func(t *testing.T) {
		f := newFile(t)
		p := f.cached("")
		p.exec(numbers)
		const insert = `INSERT INTO t VALUES (?, 'x')`
		p.exec(insert, 4)
		f.plain("").exec(`ALTER TABLE t ADD COLUMN x`)
		if _, err := p.ExecContext(t.Context(), insert, 5); err == nil || !strings.Contains(err.Error(), "has 3 columns but 2 values") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("index and constraint", func(t *testing.T) {
		f := newFile(t)
		p := f.cached("")
		p.exec(numbers)
		const insert = `INSERT INTO t (s) VALUES (?)`
		p.exec(insert, "x")
		f.plain("").exec(`CREATE UNIQUE INDEX i ON t (s)`)
		_, err := p.ExecContext(t.Context(), insert, "x")
		if fault, _ := (Dialect{}).Classify(err); fault.Kind != dialect.Unique {
			t.Errorf("got %v", err)
		}
	})
	t.Run("setting of the connection", func(t *testing.T) {
		p := newFile(t).cached("")
		p.exec(`CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a)`)
		const insert = `INSERT INTO b VALUES (?)`
		if _, err := p.ExecContext(t.Context(), insert, 7); err == nil {
			t.Error("the foreign key is not enforced")
		}
		p.exec(`PRAGMA foreign_keys = OFF`)
		p.exec(insert, 7)
		p.exec(`PRAGMA foreign_keys = ON`)
		if _, err := p.ExecContext(t.Context(), insert, 7); err == nil {
			t.Error("the foreign key is not enforced again")
		}
	})
}

// A kept statement holds no lock, even if its rows were not read to the end.
func TestCache_KeepsNoLock(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			f := newFile(t)
			params := "?_pragma=busy_timeout(0)&_pragma=journal_mode(" + journal + ")"
			p, other := f.cached(params), f.plain(params)
			p.exec(numbers + `; CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words VALUES ('x'), ('x')`)
			partly := func(q queryer) {
				for _, query := range []string{`SELECT n FROM t ORDER BY n`, `SELECT rowid FROM words WHERE words MATCH 'x'`} {
					open, _ := begin(t, q, query)
					closeRows(t, open)
				}
			}
			partly(p)
			other.exec(`INSERT INTO t (s) VALUES ('other')`)
			partly(p)
			if journal == "WAL" {
				wantLines(t, other, `PRAGMA wal_checkpoint(TRUNCATE)`, "busy log checkpointed", "0 0 0")
			}
			partly(p)
			other.exec(`VACUUM`)
			partly(p)
			p.exec(`VACUUM`)

			tx, err := p.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			partly(tx)
			if _, err := tx.ExecContext(t.Context(), `UPDATE t SET s = 'mine' WHERE n = 1`); err != nil {
				t.Fatal(err)
			}
			partly(tx)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			wantLines(t, other, `SELECT s FROM t WHERE n = 1`, "s", "mine")

			partly(p)
			p.exec(`DROP TABLE t`)
			p.exec(`DROP TABLE words`)
			wantLines(t, other, `SELECT count(*) FROM pragma_table_list WHERE name IN ('t', 'words')`, "count(*)", "0")
			if kept := p.counts.prepared.Load() - p.counts.closed.Load(); kept < 2 {
				t.Errorf("%d statements are kept, so this tests nothing", kept)
			}
		})
	}
}

// A statement that changes rows and returns them commits when its rows are closed, read or not.
func TestCache_ReturningCommitsAtClose(t *testing.T) {
	f := newFile(t)
	p, other := f.cached(""), f.plain("?_pragma=busy_timeout(0)")
	p.exec(numbers)
	for i := range 3 {
		open, _ := begin(t, p, `INSERT INTO t (s) VALUES ('x'), ('y') RETURNING n`)
		closeRows(t, open)
		wantLines(t, other, `SELECT count(*) FROM t`, "count(*)", fmt.Sprint(5+2*i))
	}
	other.exec(`DELETE FROM t`)
	wantCount(t, "prepared", &p.counts.prepared, 1)
}

func TestCache_CloseClosesStatementsFirst(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	for i := range 10 {
		p.exec(fmt.Sprint("SELECT ", i))
	}
	p.counts.open.Store(-1)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	wantCount(t, "prepared", &p.counts.prepared, 10)
	wantCount(t, "closed", &p.counts.closed, 10)
	if n := p.counts.open.Load(); n != 0 {
		t.Errorf("the connection was closed with %d open statements", n)
	}
}

// A connection that database/sql throws away takes its statements with it.
func TestCache_ResetSession(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	p.exec(`SELECT 1`)
	bad := driver.ErrBadConn
	p.counts.reset.Store(&bad)
	p.exec(`SELECT 1`)
	wantCount(t, "prepared", &p.counts.prepared, 2)
	wantCount(t, "closed", &p.counts.closed, 1)
	p.exec(`SELECT 1`)
	wantCount(t, "prepared", &p.counts.prepared, 2)
}

// live gives the driver's connection of a pool.
func live(t testing.TB, p *sql.DB, f func(conn driver.Conn)) {
	t.Helper()
	conn, err := p.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(live any) error {
		f(live.(driver.Conn))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// SQLite compiles a DELETE of all rows differently while its changes are watched.
func TestCache_CountSeesKeptStatements(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(`CREATE TABLE t (n); CREATE TABLE u (n)`)
	texts := []string{
		`INSERT INTO t (n) VALUES (1), (2), (3)`, `INSERT INTO u SELECT * FROM t`, `UPDATE t SET n = n + 1`, `DELETE FROM t`, `DELETE FROM u`,
	}
	run := func(conn driver.Conn) {
		for _, text := range texts {
			if err := dialect.Exec(t.Context(), conn, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := dialect.Changes{"t": {Inserted: 3, Updated: 3, Deleted: 3}, "u": {Inserted: 3, Deleted: 3}}
	for range 2 {
		live(t, p.DB, run)
		live(t, p.DB, func(conn driver.Conn) {
			tally, err := (Dialect{}).Count(t.Context(), conn, nil)
			if err != nil {
				t.Fatal(err)
			}
			run(conn)
			tally.Stop()
			got, err := tally.Changes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// A statement in use when the cache is emptied does not come back into it.
func TestCache_ForgetsStatementsInUse(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	live(t, p.DB, func(conn driver.Conn) {
		open, err := conn.(driver.QueryerContext).QueryContext(t.Context(), `SELECT n FROM t`, nil)
		if err != nil {
			t.Fatal(err)
		}
		tally, err := (Dialect{}).Count(t.Context(), conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tally.Stop()
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		wantCount(t, "closed", &p.counts.closed, 1)
	})
}

func TestCache_CheckDeferred(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(`CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)`)
	for i := range 4 {
		valid := i%2 == 1
		live(t, p.DB, func(conn driver.Conn) {
			for _, query := range []string{`BEGIN`, `DELETE FROM a`, `DELETE FROM b`, `INSERT INTO b VALUES (1)`} {
				if err := dialect.Exec(t.Context(), conn, query); err != nil {
					t.Fatal(err)
				}
			}
			if valid {
				if err := dialect.Exec(t.Context(), conn, `INSERT INTO a VALUES (1)`); err != nil {
					t.Fatal(err)
				}
			}
			err := (Dialect{}).CheckDeferred(t.Context(), conn)
			if fault, _ := (Dialect{}).Classify(err); (err == nil) != valid || !valid && fault.Kind != dialect.ForeignKey {
				t.Errorf("round %d: %v", i, err)
			}
			if !valid {
				if err := dialect.Exec(t.Context(), conn, `ROLLBACK`); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	wantLines(t, p, `SELECT * FROM b`, "a") // the check has undone everything
}

// What an authorizer compiled into a statement goes when it goes.
func TestCache_Authorizer(t *testing.T) {
	p := newFile(t).cached("")
	p.exec(numbers)
	const read = `SELECT s FROM t WHERE n = 1`
	register := func(fn sqlite.AuthorizerFn) {
		live(t, p.DB, func(conn driver.Conn) {
			if err := conn.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(fn); err != nil {
				t.Fatal(err)
			}
		})
	}
	wantLines(t, p, read, "s", "a")
	register(func(action sqlite.AuthorizerActionCode, _, column, _, _ string) sqlite.AuthorizerReturnCode {
		if action == sqlite.AuthRead && column == "s" {
			return sqlite.AuthorizerIgnore
		}
		return sqlite.AuthorizerOK
	})
	wantLines(t, p, read, "s", "<nil>")
	register(nil)
	wantLines(t, p, read, "s", "a")
}

// The counter by which SQLite knows a changed schema comes with the content, and is the same in both.
func TestCache_Deserialize(t *testing.T) {
	content := func(setup string) (content []byte) {
		p := newFile(t).plain("?_pragma=journal_mode(DELETE)")
		p.exec(setup)
		live(t, p.DB, func(conn driver.Conn) {
			var err error
			if content, err = conn.(liveConn).Serialize(); err != nil {
				t.Fatal(err)
			}
		})
		return content
	}
	one := content(`CREATE TABLE t (a); CREATE TABLE u (b); INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)`)
	two := content(`CREATE TABLE u (b); CREATE TABLE t (a); INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)`)
	p := newFile(t).cached("?_pragma=journal_mode(DELETE)")
	for _, content := range [][]byte{one, two, one} {
		live(t, p.DB, func(conn driver.Conn) {
			if err := conn.(liveConn).Deserialize(content); err != nil {
				t.Fatal(err)
			}
		})
		wantLines(t, p, `SELECT * FROM t`, "a", "1")
		wantLines(t, p, `SELECT * FROM u`, "b", "2")
	}
}

// Whatever modernc's connection and rows offer is there with the cache, too.
func TestCache_OffersWhatTheDriverOffers(t *testing.T) {
	f := newFile(t)
	conn, err := f.connector("").Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	open, err := conn.(driver.QueryerContext).QueryContext(t.Context(), `SELECT 1`, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	tests := []struct {
		name         string
		driver, with reflect.Type
		without      []string
	}{
		// Exec and Query are what database/sql called before it had contexts, the others are modernc's own lock.
		{"connection", reflect.TypeOf(conn), reflect.TypeFor[*cachedConn](), []string{"Exec", "Query", "Lock", "Unlock", "TryLock"}},
		{"rows", reflect.TypeOf(open), reflect.TypeFor[*typedRows](), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for m := range tt.driver.Methods() {
				has, ok := tt.with.MethodByName(m.Name)
				if left := strings.Contains(strings.Join(tt.without, " "), m.Name); left == ok {
					t.Errorf("method %s: in the cache %t, left out %t", m.Name, ok, left)
				}
				if ok && signature(has.Type) != signature(m.Type) {
					t.Errorf("method %s: got %s, want %s", m.Name, signature(has.Type), signature(m.Type))
				}
			}
		})
	}
}

// signature is a method's type without its receiver.
func signature(method reflect.Type) string {
	var b strings.Builder
	for i := 1; i < method.NumIn(); i++ {
		fmt.Fprint(&b, method.In(i), " ")
	}
	b.WriteString("→")
	for out := range method.Outs() {
		fmt.Fprint(&b, " ", out)
	}
	return b.String()
}

// A connection that is not modernc's is used as it is.
func TestCache_LeavesOtherConnectionsAlone(t *testing.T) {
	f := newFile(t)
	bare := connectorFunc(func(ctx context.Context) (driver.Conn, error) {
		conn, err := f.connector("").Connect(ctx)
		return struct{ driver.Conn }{conn}, err
	})
	conn, err := cachingConnector{bare}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, ok := conn.(*cachedConn); ok {
		t.Error("the connection has a cache")
	}
	failing := connectorFunc(func(context.Context) (driver.Conn, error) { return nil, io.ErrUnexpectedEOF })
	if conn, err := (cachingConnector{failing}).Connect(t.Context()); conn != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, %v", conn, err)
	}
}

type connectorFunc func(ctx context.Context) (driver.Conn, error)

func (f connectorFunc) Connect(ctx context.Context) (driver.Conn, error) { return f(ctx) }
func (f connectorFunc) Driver() driver.Driver                            { return nil }

func open(t testing.TB, rawURL string) *dialect.Opened {
	t.Helper()
	opened, err := Open(t.Context(), rawURL, dialect.OpenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

func TestOpen_ConnectionsHaveTheCache(t *testing.T) {
	file, memory := open(t, "sqlite:"+newFile(t).path), open(t, "sqlite::memory:")
	for name, p := range map[string]*sql.DB{"writer": file.Pool, "reader": file.Reader, "memory": memory.Pool} {
		live(t, p, func(conn driver.Conn) {
			if _, ok := conn.(*cachedConn); !ok {
				t.Errorf("%s: the connection is a %T", name, conn)
			}
		})
	}
}

// Readers and the writer use their caches at the same time.
func TestOpen_CachesOfSeveralConnections(t *testing.T) {
	opened := open(t, "sqlite:"+newFile(t).path)
	if _, err := opened.Pool.ExecContext(t.Context(), numbers); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if g == 0 && i%10 == 9 {
					if _, err := opened.Pool.ExecContext(t.Context(), fmt.Sprintf(`ALTER TABLE t ADD COLUMN c%d`, i)); err != nil {
						t.Error(err)
					}
				}
				if _, err := opened.Pool.ExecContext(t.Context(), `INSERT INTO t (s) VALUES (?)`, fmt.Sprint(g)); err != nil {
					t.Error(err)
				}
				got := lines(t, opened.Reader, `SELECT * FROM t WHERE n = ?`, 1+(g+i)%3)
				if len(got) != 2 {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
	wantLines(t, opened.Reader, `SELECT count(*) FROM t`, "count(*)", "403")
}

func TestOpen_DoubleQuotesAreForNames(t *testing.T) {
	f := newFile(t)
	f.plain("?_dqs=1").exec(numbers + `; CREATE INDEX old ON t (s) WHERE s <> "a"`)
	tests := []struct {
		name, params string
		want         string
	}{
		{"by default", "", `error: SQL logic error: no such column: "nme" - should this be a string literal in single-quotes? (1)`},
		{"asked for", "?_dqs=0", `error: SQL logic error: no such column: "nme" - should this be a string literal in single-quotes? (1)`},
		{"as SQLite was", "?_dqs=1", "nme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opened := open(t, "sqlite:"+f.path+tt.params)
			for _, p := range []*sql.DB{opened.Pool, opened.Reader} {
				got := lines(t, p, `SELECT "nme" FROM t WHERE n = 1`)
				if last := got[len(got)-1]; last != tt.want {
					t.Errorf("got %q, want %q", last, tt.want)
				}
				wantLines(t, p, `SELECT "n" FROM "t" WHERE "s" = 'b'`, "n", "2")
			}
			// A schema that was written before is read as it is.
			if _, err := opened.Pool.ExecContext(t.Context(), `INSERT INTO t (s) VALUES ('z')`); err != nil {
				t.Error(err)
			}
		})
	}
}
