package transfer_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/transfer"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// place is a database with the plain driver beside drover.
type place struct {
	testdb.Database
	conn *db.DB
	raw  *sql.DB
}

func newPlace(t *testing.T, name string) *place {
	t.Helper()
	d := testdb.Fresh(t, name)
	conn, err := db.Open(t.Context(), d.URL, db.Alias(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &place{d, conn, d.RawDB(t)}
}

func (p *place) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := p.raw.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %s: %v", p.Name, s, err)
		}
	}
}

func (p *place) side(t *testing.T, table string) transfer.Side {
	t.Helper()
	found, err := p.conn.Dialect().Table(t.Context(), p.conn, table)
	if err != nil {
		t.Fatal(err)
	}
	return transfer.Side{Conn: p.conn, Table: found, Key: found.Keys[0]}
}

// pairs runs fn for every database and every other one, and for two of the same kind.
func pairs(t *testing.T, fn func(t *testing.T, from, to *place)) {
	for _, a := range testdb.Names() {
		for _, b := range testdb.Names() {
			t.Run(a+" to "+b, func(t *testing.T) { fn(t, newPlace(t, a), newPlace(t, b)) })
		}
	}
}

// everything is a table with a column for each class that all databases know.
func everything(name, table string) string {
	columns := map[string][]string{
		testdb.NamePostgres: {
			"id bigint PRIMARY KEY", "small smallint", "whole bigint", "exact numeric(18,6)", "approx double precision", "single real", "yes boolean",
			"name varchar(100)", "body text", "code char(8)", "raw bytea", "day date", "clock time(6)", "seen timestamp(6)", "at timestamptz(6)",
			"uid uuid", "doc jsonb",
		},
		testdb.NameMariaDB: {
			"id bigint PRIMARY KEY", "small smallint", "whole bigint", "exact decimal(18,6)", "approx double", "single float", "yes tinyint(1)",
			"name varchar(100)", "body longtext", "code char(8)", "raw longblob", "day date", "clock time(6)", "seen datetime(6)", "at timestamp(6) NULL",
			"uid uuid", "doc longtext",
		},
		testdb.NameSQLite: {
			"id integer PRIMARY KEY", "small smallint", "whole bigint", "exact decimal(18,6)", "approx double", "single real", "yes boolean",
			"name varchar(100)", "body text", "code char(8)", "raw blob", "day date", "clock time", "seen datetime", "at timestamp",
			"uid uuid", "doc json",
		},
	}[name]
	return "CREATE TABLE " + table + " (" + strings.Join(columns, ", ") + ")"
}

// rows are values for everything, in SQL that all databases read, but for bytes and booleans. The document is written as PostgreSQL would write it.
func rows(name string) []string {
	bytes := func(hex string) string {
		if name == testdb.NamePostgres {
			return `'\x` + hex + `'`
		}
		return "x'" + hex + "'"
	}
	truth := map[bool]string{true: "1", false: "0"}
	if name == testdb.NamePostgres {
		truth = map[bool]string{true: "true", false: "false"}
	}
	null := strings.Repeat(", NULL", 16)
	return []string{
		"(1, -32768, 9223372036854775807, 123456789.123456, 1.7976931348623157e308, 0.5, " + truth[true] + ", 'añb 😀', 'line 1" + "\n" + "line 2', 'ab', " +
			bytes("00ff10") + ", '2026-02-28', '23:59:59.999999', '2026-01-02 03:04:05.123456', '2026-07-01 12:00:00.000001', " +
			"'0190a6a2-7c1e-7bbb-8000-0123456789ab', '{\"a\": \"x\", \"b\": [1, 2.50, null]}')",
		"(2, 32767, -9223372036854775807, -0.5, -2.5, 16777216, " + truth[false] + ", '', 'it''s', 'abcdefgh', " +
			bytes("") + ", '1999-12-31', '00:00:00', '1999-12-31 23:59:59', '1999-12-31 23:59:59', '00000000-0000-0000-0000-000000000000', '[]')",
		"(3" + null + ")",
	}
}

// move takes all rows of a table of one database to the other, and returns what the comparison finds.
func move(t *testing.T, from, to *place, fromTable, toTable string) (*transfer.Transfer, *transfer.Check) {
	t.Helper()
	way, err := transfer.New(from.side(t, fromTable), to.side(t, toTable), nil)
	if err != nil {
		t.Fatal(err)
	}
	page, _, err := way.Page(t.Context(), nil, []any{int64(1 << 60)}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var check *transfer.Check
	err = to.conn.Atomic(t.Context(), func(ctx context.Context) error {
		if err := way.Insert(ctx, page); err != nil {
			return err
		}
		check, err = way.Compare(ctx, page)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return way, check
}

// TestTransfer_ThereAndBack takes rows with values of every class to a table of another database, and from there to a second table of the first:
// the two tables of the first database hold the same, as its own driver reads them.
func TestTransfer_ThereAndBack(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *place) {
		from.exec(t, everything(from.Name, "one"), "INSERT INTO one VALUES "+strings.Join(rows(from.Name), ", "), everything(from.Name, "two"))
		to.exec(t, everything(to.Name, "other"))
		for _, way := range []struct {
			from, to    *place
			table, into string
		}{{from, to, "one", "other"}, {to, from, "other", "two"}} {
			if _, check := move(t, way.from, way.to, way.table, way.into); len(check.Differences) > 0 || check.Sum != check.OtherSum {
				t.Fatalf("%s to %s: %v", way.from.Name, way.to.Name, check.Differences)
			}
		}
		if diff := cmp.Diff(from.text(t, "one"), from.text(t, "two")); diff != "" {
			t.Errorf("what has come back is not what went (-went +came):\n%s", diff)
		}
	})
}

// text reads a table as the plain driver does. Blanks at the end of code do not count, and SQLite's texts of times are brought into one form.
func (p *place) text(t *testing.T, table string) (lines []string) {
	t.Helper()
	columns := "id, small, whole, exact, approx, single, yes, name, body, code, raw, day, clock, seen, at, uid, doc"
	rows, err := p.raw.QueryContext(t.Context(), "SELECT "+columns+" FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		values := make([]any, 17)
		dest := make([]any, len(values))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			}
		}
		lines = append(lines, fmt.Sprintf("%v", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestTransfer_DifferencesAreFound changes the rows that have arrived, one way after the other.
func TestTransfer_DifferencesAreFound(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *place) {
		from.exec(t, everything(from.Name, "one"), "INSERT INTO one VALUES "+strings.Join(rows(from.Name), ", "))
		to.exec(t, everything(to.Name, "other"))
		way, _ := move(t, from, to, "one", "other")
		page, _, err := way.Page(t.Context(), nil, []any{int64(9)}, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			change string
			want   string
		}{
			{"UPDATE other SET exact = exact + 0.000001 WHERE id = 1", "[{0 false exact}]"},
			{"UPDATE other SET name = 'x' WHERE id = 3", "[{0 false exact} {2 false name}]"},
			{"DELETE FROM other WHERE id = 2", "[{0 false exact} {1 true } {2 false name}]"},
		} {
			to.exec(t, step.change)
			check, err := way.Compare(t.Context(), page)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%v", plain(check.Differences)); got != step.want || check.Sum == check.OtherSum {
				t.Errorf("after %s: %s, want %s", step.change, got, step.want)
			}
		}
	})
}

// plain is a Difference without its Error method, for printing.
func plain(all []transfer.Difference) []struct {
	Row     int
	Missing bool
	Column  string
} {
	out := make([]struct {
		Row     int
		Missing bool
		Column  string
	}, len(all))
	for i, d := range all {
		out[i] = struct {
			Row     int
			Missing bool
			Column  string
		}(d)
	}
	return out
}

// TestTransfer_DocumentsAreComparedByWhatTheySay takes a document to PostgreSQL, which orders its members.
func TestTransfer_DocumentsAreComparedByWhatTheySay(t *testing.T) {
	from, to := newPlace(t, testdb.NameSQLite), newPlace(t, testdb.NamePostgres)
	from.exec(t, "CREATE TABLE t (id integer PRIMARY KEY, doc json)", `INSERT INTO t VALUES (1, '{"b": 1.0, "a": {"d": 1, "c": 2}}')`)
	to.exec(t, "CREATE TABLE t (id integer PRIMARY KEY, doc jsonb)")
	if _, check := move(t, from, to, "t", "t"); len(check.Differences) > 0 || check.Sum != check.OtherSum {
		t.Errorf("differences %v, sums %x and %x", check.Differences, check.Sum, check.OtherSum)
	}
}

// TestTransfer_CompositeKey finds rows again by a key of several columns, which the tables name in another order.
func TestTransfer_CompositeKey(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *place) {
		from.exec(t, "CREATE TABLE t (a int NOT NULL, b varchar(20) NOT NULL, v int, PRIMARY KEY (a, b))", "INSERT INTO t VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', 3)")
		to.exec(t, "CREATE TABLE t (v int, b varchar(20) NOT NULL, a int NOT NULL, PRIMARY KEY (b, a))")
		way, err := transfer.New(from.side(t, "t"), to.side(t, "t"), nil)
		if err != nil {
			t.Fatal(err)
		}
		page, end, err := way.Page(t.Context(), []any{int64(1), "x"}, []any{int64(2), "x"}, "v < 9", 1)
		if err != nil || len(page) != 1 || end.String() != "(1, y)" {
			t.Fatalf("page %v, end %v, error %v", page, end, err)
		}
		err = to.conn.Atomic(t.Context(), func(ctx context.Context) error { return way.Insert(ctx, page) })
		if err != nil {
			t.Fatal(err)
		}
		check, err := way.Compare(t.Context(), page)
		if err != nil || len(check.Differences) > 0 {
			t.Errorf("differences %+v, %v", check, err)
		}
		var v int
		if err := to.raw.QueryRowContext(t.Context(), "SELECT v FROM t WHERE a = 1 AND b = 'y'").Scan(&v); err != nil || v != 2 {
			t.Errorf("v is %d, %v", v, err)
		}
	})
}
