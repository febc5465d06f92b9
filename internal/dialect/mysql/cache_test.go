package mysql_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect/stmtcache"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// session is one connection of a pool that drover opened, to a database with a table t of ten rows.
type session struct {
	*testing.T
	conn  *sql.Conn
	admin *sql.DB
}

func newSession(t *testing.T) *session {
	t.Helper()
	d := testdb.Fresh(t, testdb.NameMariaDB)
	pool, err := db.Open(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	s := &session{T: t, admin: d.Server.Admin(t, "mysql")}
	if s.conn, err = pool.SQL(t.Context()).Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() })
	s.exec(`CREATE TABLE t (id integer PRIMARY KEY, name varchar(20) NOT NULL, score float, at datetime(6), data blob, price decimal(10,2))`)
	for i := range 10 {
		s.exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, 'n%d', %d.5, '2026-01-02 03:04:05.678901', x'00ff', %d.25)`, i, i, i, i))
	}
	return s
}

func (s *session) exec(query string, args ...any) {
	s.Helper()
	if _, err := s.conn.ExecContext(s.Context(), query, args...); err != nil {
		s.Fatalf("%s: %v", query, err)
	}
}

// prepares counts the statements that the session has prepared so far, and closed counts those that it has closed.
func (s *session) prepares() (prepared, closed int) {
	s.Helper()
	rows, err := s.conn.QueryContext(s.Context(), `SHOW SESSION STATUS WHERE Variable_name IN ('Com_stmt_prepare', 'Com_stmt_close')`)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			s.Fatal(err)
		}
		if strings.EqualFold(name, "Com_stmt_prepare") {
			prepared = n
		} else {
			closed = n
		}
	}
	return prepared, closed
}

func (s *session) wantPrepared(want int) {
	s.Helper()
	if got, _ := s.prepares(); got != want {
		s.Errorf("%d statements were prepared, want %d", got, want)
	}
}

// rows reads a result as it comes from the driver.
func (s *session) rows(query string, args ...any) (all [][]any) {
	s.Helper()
	rows, err := s.conn.QueryContext(s.Context(), query, args...)
	if err != nil {
		s.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		s.Fatal(err)
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			s.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		s.Fatal(err)
	}
	return all
}

func TestCache_PreparesATextAtItsSecondUse(t *testing.T) {
	s := newSession(t)
	const query = "SELECT name FROM t WHERE id = ?"
	s.rows(query, 1)
	s.wantPrepared(0)
	for i := range 5 {
		if got := s.rows(query, i); len(got) != 1 || fmt.Sprintf("%s", got[0][0]) != fmt.Sprintf("n%d", i) {
			t.Errorf("the row %d is %v", i, got)
		}
	}
	s.wantPrepared(1)
	for range 3 {
		s.exec("UPDATE t SET score = ? WHERE id = ?", 1, 2)
	}
	s.wantPrepared(2)
}

func TestCache_ChangesNoResult(t *testing.T) {
	s := newSession(t)
	const query = "SELECT id, name, id * 1e0 / 3, at, data, price, NULL, id > 3 FROM t WHERE id < ? ORDER BY id"
	first := s.rows(query, 5)
	for range 2 {
		if diff := cmp.Diff(first, s.rows(query, 5)); diff != "" {
			t.Errorf("prepared (-first +again):\n%s", diff)
		}
	}
	s.wantPrepared(1)
}

func TestCache_WhichTextsAreKept(t *testing.T) {
	s := newSession(t)
	for _, query := range []string{"SET @x = ?", "DO ? + 1", "SELECT 1"} {
		for range 3 {
			if strings.Contains(query, "?") {
				s.exec(query, 1)
			} else {
				s.rows(query)
			}
		}
	}
	long := "SELECT ?, '" + strings.Repeat("x", stmtcache.MaxLength) + "'"
	for range 3 {
		s.rows(long, 1)
	}
	s.wantPrepared(0)
}

func TestCache_ClosesTheLeastRecentlyUsed(t *testing.T) {
	s := newSession(t)
	query := func(i int) string { return fmt.Sprintf("SELECT %d FROM t WHERE id = ?", i) }
	for i := range stmtcache.MaxStatements + 1 {
		s.rows(query(i), 1)
		s.rows(query(i), 1)
	}
	prepared, closed := s.prepares()
	if prepared != stmtcache.MaxStatements+1 || closed != 1 {
		t.Errorf("%d statements were prepared and %d closed", prepared, closed)
	}
	s.rows(query(stmtcache.MaxStatements), 1)
	s.wantPrepared(prepared)
	s.rows(query(0), 1) // which is the one that was closed
	s.wantPrepared(prepared + 1)
}

func TestCache_SameTextTwiceAtATime(t *testing.T) {
	s := newSession(t)
	const query = "SELECT id FROM t WHERE id >= ? ORDER BY id"
	s.rows(query, 0)
	s.rows(query, 0)
	rows, err := s.conn.QueryContext(t.Context(), query, 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rows.Close(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if got := s.rows(query, 7); len(got) != 3 {
		t.Errorf("%d rows after rows that were closed early, want 3", len(got))
	}
}

func TestCache_AFailedStatementIsClosed(t *testing.T) {
	s := newSession(t)
	const query = "INSERT INTO t (id, name) VALUES (?, ?)"
	s.exec(query, 100, "a")
	s.exec(query, 101, "a")
	for range 2 {
		if _, err := s.conn.ExecContext(t.Context(), query, 100, "again"); err == nil {
			t.Error("a key was stored twice")
		}
	}
	s.exec(query, 102, "a")
	if _, closed := s.prepares(); closed != 2 {
		t.Errorf("%d statements were closed, want 2", closed)
	}
}

func TestCache_SchemaChanges(t *testing.T) {
	s := newSession(t)
	const query = "SELECT * FROM t WHERE id = ?"
	for range 3 {
		s.rows(query, 1)
	}
	s.exec("ALTER TABLE t ADD COLUMN more integer NOT NULL DEFAULT 7, DROP COLUMN price")
	got := s.rows(query, 1)
	if len(got) != 1 || len(got[0]) != 6 || got[0][5] != int64(7) {
		t.Errorf("after the change the row is %v", got)
	}
	s.exec("DROP TABLE t")
	if _, err := s.conn.ExecContext(t.Context(), query, 1); err == nil {
		t.Error("a dropped table was read")
	}
}

func TestCache_ServerWithoutRoom(t *testing.T) {
	s := newSession(t)
	var most int
	if err := s.admin.QueryRowContext(t.Context(), "SELECT @@GLOBAL.max_prepared_stmt_count").Scan(&most); err != nil {
		t.Fatal(err)
	}
	if _, err := s.admin.ExecContext(t.Context(), "SET GLOBAL max_prepared_stmt_count = 0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := s.admin.ExecContext(t.Context(), fmt.Sprintf("SET GLOBAL max_prepared_stmt_count = %d", most)); err != nil {
			t.Error(err)
		}
	}()
	for i := range 4 {
		if got := s.rows("SELECT name FROM t WHERE id = ?", i); len(got) != 1 {
			t.Errorf("%d rows", len(got))
		}
	}
}

func TestCache_OutlivesTransactions(t *testing.T) {
	s := newSession(t)
	for range 3 {
		tx, err := s.conn.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE t SET name = ? WHERE id = ?", "x", 1); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	s.wantPrepared(1)
	if got := s.rows("SELECT name FROM t WHERE id = 1"); fmt.Sprintf("%s", got[0][0]) != "n1" {
		t.Errorf("the name is %s", got[0][0])
	}
}
