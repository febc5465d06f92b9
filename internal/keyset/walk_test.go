package keyset_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var dialects = map[string]dialect.Dialect{
	testdb.NamePostgres: postgres.Dialect{}, testdb.NameMariaDB: mysql.Dialect{}, testdb.NameSQLite: sqlite.Dialect{},
}

// insertNew inserts a row unless its key is there already, under whatever collation the database has.
var insertNew = map[string]string{
	testdb.NamePostgres: `INSERT INTO %s VALUES (%s) ON CONFLICT DO NOTHING`,
	testdb.NameMariaDB:  `INSERT IGNORE INTO %s VALUES (%s)`,
	testdb.NameSQLite:   `INSERT OR IGNORE INTO %s VALUES (%s)`,
}

// walk is the test's hold on one table of one database.
type walk struct {
	t     *testing.T
	db    *sql.DB
	name  string
	d     dialect.Dialect
	table *dialect.Table
	keys  *keyset.Keyset
}

func newWalk(t *testing.T, d testdb.Database, create string) *walk {
	t.Helper()
	w := &walk{t: t, db: d.RawDB(t), name: d.Name, d: dialects[d.Name]}
	if _, err := w.db.ExecContext(t.Context(), create); err != nil {
		t.Fatalf("%s: %v", create, err)
	}
	var err error
	if w.table, err = w.d.Table(t.Context(), queryer{w}, "t"); err != nil {
		t.Fatal(err)
	}
	if w.keys, err = keyset.New(w.d, w.table, w.table.Keys[0]); err != nil {
		t.Fatal(err)
	}
	return w
}

// pages walks the rows that where matches and returns how often each row, by its column n, was in a page.
func (w *walk) pages(rt *rapid.T, where string, size int) map[int64]int {
	seen := map[int64]int{}
	lower, cursor := w.keys.From(), w.key(rt, w.keys.First(where))
	last := w.key(rt, w.keys.Last(where))
	for page := 0; cursor != nil; page++ {
		end := w.key(rt, w.keys.PageEnd(lower, where, size), w.keys.Through().Args(lower.Args(nil, cursor), last)...)
		full := end != nil
		if !full {
			end = last
		}
		got := w.rows(rt, "SELECT n FROM t"+w.keys.Within(lower, where), w.keys.Through().Args(lower.Args(nil, cursor), end)...)
		if full && len(got) != size || len(got) > size {
			rt.Fatalf("page %d, %v to %v, has %d rows, want %d", page, cursor, end, len(got), size)
		}
		for _, n := range got {
			seen[n]++
		}
		if end.Equal(last) {
			return seen
		}
		if page > 1000 {
			rt.Fatalf("no end after %d pages, at %v", page, cursor)
		}
		lower, cursor = w.keys.After(), end
	}
	return seen
}

func (w *walk) key(rt *rapid.T, query string, args ...any) keyset.Values {
	var key keyset.Values
	err := dialect.Each(w.t.Context(), queryer{w}, query, args, func(scan func(...any) error) (err error) {
		key, err = w.keys.Scan(scan)
		return err
	})
	if err != nil {
		rt.Fatalf("%s %v: %v", query, args, err)
	}
	return key
}

func (w *walk) rows(rt *rapid.T, query string, args ...any) []int64 {
	var all []int64
	err := dialect.Each(w.t.Context(), queryer{w}, query, args, func(scan func(...any) error) error {
		var n int64
		err := scan(&n)
		all = append(all, n)
		return err
	})
	if err != nil {
		rt.Fatalf("%s %v: %v", query, args, err)
	}
	return all
}

func (w *walk) fill(rt *rapid.T, rows [][]any) {
	statement := func(query string, args ...any) {
		query, _, err := sqltext.Rebind(w.d.Syntax(), query)
		if err == nil {
			_, err = w.db.ExecContext(w.t.Context(), query, args...)
		}
		if err != nil {
			rt.Fatalf("%s %v: %v", query, args, err)
		}
	}
	statement("DELETE FROM t")
	for n, row := range rows {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(row)+1), ", ")
		statement(fmt.Sprintf(insertNew[w.name], "t", marks), append([]any{n}, row...)...)
	}
}

// Whatever the key and the size of a page, a walk has every matching row in exactly one page.
func TestWalk_CoversEachRowOnce(t *testing.T) {
	number := rapid.Custom(func(rt *rapid.T) any { return rapid.Int64Range(-3, 3).Draw(rt, "number") })
	wide := rapid.Custom(func(rt *rapid.T) any { return rapid.Int64().Draw(rt, "wide") })
	text := rapid.Custom(func(rt *rapid.T) any {
		return rapid.StringOfN(rapid.SampledFrom([]rune(`aAbBzZéÉß_-'"\%?09Ωж`)), 1, 3, -1).Draw(rt, "text")
	})
	day := rapid.Custom(func(rt *rapid.T) any {
		return fmt.Sprintf("2026-%02d-%02d 00:00:0%d", rapid.IntRange(1, 3).Draw(rt, "month"),
			rapid.IntRange(1, 28).Draw(rt, "day"), rapid.IntRange(0, 9).Draw(rt, "second"))
	})
	tests := []struct {
		name, create string
		columns      []*rapid.Generator[any]
	}{
		{"number", `CREATE TABLE t (n integer, a bigint NOT NULL PRIMARY KEY)`, []*rapid.Generator[any]{wide}},
		{"text", `CREATE TABLE t (n integer, a varchar(20) NOT NULL PRIMARY KEY)`, []*rapid.Generator[any]{text}},
		{"time and number", `CREATE TABLE t (n integer, a timestamp NOT NULL, b bigint NOT NULL, PRIMARY KEY (a, b))`, []*rapid.Generator[any]{day, number}},
		{"number and text", `CREATE TABLE t (n integer, a bigint NOT NULL, b varchar(20) NOT NULL, PRIMARY KEY (a, b))`, []*rapid.Generator[any]{number, text}},
		{"three, in another order", `CREATE TABLE t (n integer, a bigint NOT NULL, b varchar(20) NOT NULL, c bigint NOT NULL, PRIMARY KEY (c, b, a))`, []*rapid.Generator[any]{number, text, number}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				w := newWalk(t, d, tt.create)
				rapid.Check(t, func(rt *rapid.T) {
					rows := make([][]any, rapid.IntRange(0, 40).Draw(rt, "rows"))
					for i := range rows {
						for _, column := range tt.columns {
							rows[i] = append(rows[i], column.Draw(rt, "value"))
						}
					}
					w.fill(rt, rows)
					where := rapid.SampledFrom([]string{"", "n % 3 <> 0", "n < 5 OR n > 30", "n < 0"}).Draw(rt, "where")
					seen := w.pages(rt, where, rapid.IntRange(1, 12).Draw(rt, "size"))
					query := "SELECT n FROM t"
					if where != "" {
						query += " WHERE " + where
					}
					all := w.rows(rt, query)
					for _, n := range all {
						if seen[n] != 1 {
							rt.Errorf("row %d was in %d pages", n, seen[n])
						}
					}
					if len(seen) != len(all) {
						rt.Errorf("the pages hold %d rows of %d", len(seen), len(all))
					}
				})
			})
		})
	}
}
