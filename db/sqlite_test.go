package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func openSQLite(t *testing.T, url string, opts ...db.OpenOption) *db.DB {
	t.Helper()
	return open(t, testdb.Database{Name: testdb.NameSQLite, URL: url}, opts...)
}

// readPragma asks the writer inside a block and the reader outside, where there is one.
func readPragma(t *testing.T, conn *db.DB, name string) (writer, reader string) {
	t.Helper()
	noError(t, conn.Atomic(t.Context(), func(ctx context.Context) error {
		return conn.QueryRow(ctx, "PRAGMA "+name).Scan(&writer)
	}))
	noError(t, conn.QueryRow(t.Context(), "SELECT * FROM pragma_"+name).Scan(&reader))
	return writer, reader
}

func TestSQLite_Settings(t *testing.T) {
	own := testdb.SQLite(t) + "?_pragma=busy_timeout(123)&_pragma=synchronous(FULL)&_pragma=journal_mode(DELETE)&_pragma=foreign_keys(0)&_pragma=cache_size(77)"
	tests := []struct {
		name, url string
		want      map[string][2]string // of the writer and the reader
	}{
		{"file", testdb.SQLite(t), map[string][2]string{
			"journal_mode": {"wal", "wal"}, "busy_timeout": {"5000", "5000"}, "foreign_keys": {"1", "1"},
			"synchronous": {"1", "1"}, "query_only": {"0", "1"},
		}},
		{"the user's own", own, map[string][2]string{
			"journal_mode": {"delete", "delete"}, "busy_timeout": {"123", "123"}, "foreign_keys": {"0", "0"},
			"synchronous": {"2", "2"}, "query_only": {"0", "1"}, "cache_size": {"77", "77"},
		}},
		{"shorthands", testdb.SQLite(t) + "?_timeout=321&_fk=0&_journal_mode=TRUNCATE&_sync=EXTRA", map[string][2]string{
			"journal_mode": {"truncate", "truncate"}, "busy_timeout": {"321", "321"}, "foreign_keys": {"0", "0"},
			"synchronous": {"3", "3"}, "query_only": {"0", "1"},
		}},
		{"memory", "sqlite::memory:", map[string][2]string{
			"journal_mode": {"memory", "memory"}, "foreign_keys": {"1", "1"}, "query_only": {"0", "0"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := openSQLite(t, test.url)
			got := map[string][2]string{}
			for name := range test.want {
				writer, reader := readPragma(t, conn, name)
				got[name] = [2]string{writer, reader}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("writer and reader (-want +got):\n%s", diff)
			}
		})
	}
}

// A file that is opened for reading only is left as it is, its journal mode too.
func TestSQLite_ReadOnlyFile(t *testing.T) {
	d := testdb.Fresh(t, testdb.NameSQLite)
	raw := d.RawDB(t)
	_, err := raw.ExecContext(t.Context(), "CREATE TABLE item (name TEXT)")
	noError(t, err)
	conn := openSQLite(t, d.URL+"?mode=ro")
	if writer, reader := readPragma(t, openSQLite(t, d.URL+"?mode=ro&_txlock=deferred"), "journal_mode"); writer != "delete" || reader != "delete" {
		t.Errorf("the journal modes are %s and %s", writer, reader)
	}
	var n int
	noError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM item").Scan(&n))
	wantIs(t, conn.Exec(t.Context(), insertText("a")), db.ErrReadOnly)
	wantIs(t, conn.Atomic(t.Context(), func(ctx context.Context) error { return conn.Exec(ctx, insertText("a")) }), db.ErrReadOnly)
}

func TestSQLite_TimesSortAndParse(t *testing.T) {
	conn := openSQLite(t, testdb.SQLite(t))
	noError(t, conn.Exec(t.Context(), "CREATE TABLE moment (at DATETIME)"))
	at := time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.FixedZone("EDT", -4*3600))
	noError(t, conn.Exec(t.Context(), "INSERT INTO moment VALUES (?)", at))
	var text, date string
	noError(t, conn.QueryRow(t.Context(), "SELECT CAST(at AS TEXT), datetime(at) FROM moment").Scan(&text, &date))
	if text != "2026-07-01 16:00:00.123456+00:00" || date != "2026-07-01 16:00:00" {
		t.Errorf("stored %q, which SQLite reads as %q", text, date)
	}
}

func TestSQLite_FileNames(t *testing.T) {
	tests := []struct{ name, file, url string }{
		{"space", "a b.db", "sqlite:DIR/a b.db"},
		{"escaped space", "a b.db", "sqlite:DIR/a%20b.db"},
		{"percent", "100%.db", "sqlite:DIR/100%.db"},
		{"escaped percent", "100%41.db", "sqlite:DIR/100%2541.db"},
		{"escaped question mark", "why?.db", "sqlite:DIR/why%3F.db"},
		{"hash", "c#.db", "sqlite:DIR/c#.db"},
		{"colon", "c:d.db", "sqlite:DIR/c:d.db"},
		{"letters", "täble.db", "sqlite:DIR/täble.db"},
		{"parameters", "p.db", "sqlite:DIR/p.db?_pragma=cache_size(10)"},
		{"three slashes", "x.db", "sqlite://DIR/x.db"},
		{"four slashes", "x.db", "sqlite:///DIR/x.db"},
		{"file", "x.db", "file:DIR/x.db"},
		{"file with slashes", "x.db", "file://DIR/x.db"},
		{"sqlite3", "x.db", "sqlite3:DIR/x.db"},
		{"relative", "x.db", "sqlite:x.db"},
		{"relative with a colon", "c:d.db", "sqlite:c:d.db"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			conn := openSQLite(t, strings.Replace(test.url, "DIR", dir, 1))
			noError(t, conn.Exec(t.Context(), "CREATE TABLE t (a)"))
			var n int
			noError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n)) // the reader has the same file
			noError(t, conn.Close())
			if _, err := os.Stat(filepath.Join(dir, test.file)); err != nil {
				entries, _ := os.ReadDir(dir)
				t.Errorf("%v; there is %v", err, entries)
			}
		})
	}
}

func TestSQLite_MemorySurvives(t *testing.T) {
	conn := openSQLite(t, "sqlite::memory:")
	other := openSQLite(t, "sqlite::memory:")
	noError(t, conn.Exec(t.Context(), "CREATE TABLE item (name TEXT)"))
	noError(t, conn.Exec(t.Context(), insertText("a")))
	if value := recovered(func() {
		_ = conn.Atomic(t.Context(), func(ctx context.Context) error {
			noError(t, conn.Exec(ctx, insertText("b")))
			panic("boom") // database/sql closes the connection
		})
	}); value != "boom" {
		t.Errorf("got %v", value)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			var n int
			if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM item").Scan(&n); err != nil || n != 1 {
				t.Errorf("read %d rows, %v", n, err)
			}
		})
	}
	readers.Wait()
	wantIs(t, other.Exec(t.Context(), insertText("a")), db.ErrUndefinedTable) // each has its own
}

// While a block writes, reading goes on beside it, with a SELECT or a read-only block.
func TestSQLite_ReadPool(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "b"); err != nil {
				return err
			}
			for _, query := range []string{"SELECT count(*) FROM item", "(select count(*) FROM item)", " \n\tSELECT count(*) FROM item"} {
				if query[0] == '(' {
					query = "VALUES ((SELECT count(*) FROM item))"
				}
				var n int
				noError(t, w.QueryRow(t.Context(), query).Scan(&n))
				if n != 1 {
					t.Errorf("%s: outside there are %d rows", query, n)
				}
			}
			outside, err := w.names(t.Context())
			noError(t, err)
			if !cmp.Equal(outside, []string{"a"}) {
				t.Errorf("outside there is %q", outside)
			}
			return w.Atomic(t.Context(), func(ctx context.Context) error {
				names, err := w.names(ctx)
				return must(err, expect(cmp.Equal(names, []string{"a"}), "a reading block sees %q", names))
			}, db.ReadOnly())
		}))
		// A reader cannot write, whatever the text says.
		_, err := w.Query(t.Context(), "SELECT 1; DELETE FROM item")
		if err == nil {
			t.Error("a reader has written")
		}
		w.wantNames(t, "a", "b")
	}, testdb.NameSQLite)
}

func TestSQLite_OuterContext(t *testing.T) {
	w := newWorld(t, testdb.Fresh(t, testdb.NameSQLite), db.AcquireTimeout(50*time.Millisecond))
	outer := t.Context()
	noError(t, w.Atomic(outer, func(ctx context.Context) error {
		_, prepareErr := w.DBTX().PrepareContext(outer, "SELECT 1")
		_, txErr := w.DBTX().BeginTx(outer, nil)
		for way, err := range map[string]error{
			"Exec":    w.Exec(outer, insertText("a")),
			"Atomic":  w.Atomic(outer, func(context.Context) error { return nil }),
			"Row":     w.QueryRow(outer, "INSERT INTO item (name) VALUES ('b') RETURNING id").Scan(new(int)),
			"Prepare": prepareErr,
			"BeginTx": txErr,
		} {
			var acquire *db.AcquireError
			if !errors.As(err, &acquire) {
				t.Errorf("%s: got %v (%T), want an *AcquireError", way, err, err)
				continue
			}
			if !acquire.SingleWriter || !strings.Contains(acquire.Hint(), "use the context the block's function was given") ||
				!strings.Contains(acquire.Error(), "waited 50ms for the one writing connection") {
				t.Errorf("%s: %q, hint %q", way, acquire, acquire.Hint())
			}
		}
		return w.add(ctx, "inside")
	}))
	w.wantNames(t, "inside")
	w.wantUsable(t)
}

// A trigger's body has BEGIN … END, which is no transaction control.
func TestSQLite_CreateTriggerInABlock(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				w.Exec(ctx, "CREATE TABLE log (name TEXT)"),
				w.Exec(ctx, `CREATE TEMP TRIGGER gone AFTER DELETE ON item BEGIN
					SELECT CASE WHEN old.id > 0 THEN 1 END;
				END`),
				w.Exec(ctx, `CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON item FOR EACH ROW WHEN new.id > 0 BEGIN
					INSERT INTO log (name) VALUES (new.name);
					UPDATE log SET name = CASE name WHEN 'x' THEN 'y' ELSE name END;
				END;`),
				w.add(ctx, "a"),
			)
		}))
		var n int
		noError(t, w.raw.QueryRowContext(t.Context(), "SELECT count(*) FROM log").Scan(&n))
		if n != 1 {
			t.Errorf("the trigger has logged %d rows", n)
		}
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			return w.Exec(ctx, "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM log; END; COMMIT")
		})
		wantIs(t, err, db.ErrManaged)
	}, testdb.NameSQLite)
}

// A deferred write transaction that finds the file changed since it read is busy.
func TestSQLite_BusySnapshot(t *testing.T) {
	d := testdb.Fresh(t, testdb.NameSQLite)
	d.URL += "?_txlock=deferred&_pragma=busy_timeout(1)"
	conn := open(t, d)
	noError(t, conn.Exec(t.Context(), itemTable[d.Name]))
	raw := testdb.Database{Name: d.Name, URL: strings.TrimSuffix(d.URL, "?_txlock=deferred&_pragma=busy_timeout(1)")}.RawDB(t)
	err := conn.Atomic(t.Context(), func(ctx context.Context) error {
		var n int
		noError(t, conn.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&n))
		_, err := raw.ExecContext(ctx, insertText("theirs"))
		return must(err, conn.Exec(ctx, insertText("mine")))
	})
	wantIs(t, err, db.ErrDatabaseBusy)
	var own *db.Error
	if !errors.As(err, &own) || !own.Retryable() || own.Hint() == "" {
		t.Errorf("got %+v", own)
	}
}
