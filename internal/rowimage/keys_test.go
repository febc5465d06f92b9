package rowimage_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/testdb"
)

// numbers inserts rows of t with the columns that list makes of i, from 1 to n.
func numbers(name string, n int, list string) string {
	return map[string]string{
		testdb.NamePostgres: fmt.Sprintf(`INSERT INTO t SELECT %s FROM generate_series(1, %d) AS s (i)`, list, n),
		testdb.NameMariaDB:  fmt.Sprintf(`INSERT INTO t SELECT %s FROM (SELECT seq AS i FROM seq_1_to_%d) s`, list, n),
		testdb.NameSQLite:   fmt.Sprintf(`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %[2]d) INSERT INTO t SELECT %[1]s FROM s`, list, n),
	}[name]
}

// Any kind of key finds its row again after the key's way through its text, in any order, any number of them.
func TestReadKeys_AnyKey(t *testing.T) {
	text := map[string]string{testdb.NamePostgres: "lpad(i::text, 5, '0') || 'é'", testdb.NameMariaDB: "CONCAT(LPAD(i, 5, '0'), 'é')", testdb.NameSQLite: "printf('%05dé', i)"}
	day := map[string]string{
		testdb.NamePostgres: "'2026-01-01'::timestamp + i * interval '1 hour 1 microsecond'", testdb.NameMariaDB: "TIMESTAMP('2026-01-01') + INTERVAL i * 3600.000001 SECOND",
		testdb.NameSQLite: "datetime('2026-01-01', i || ' hours')",
	}
	zoned := map[string][2]string{
		testdb.NamePostgres: {"timestamptz", "'2026-01-01'::timestamptz + i * interval '1 hour'"}, testdb.NameMariaDB: {"timestamp", "TIMESTAMP('2026-01-01') + INTERVAL i HOUR"},
		testdb.NameSQLite: {"timestamp", "datetime('2026-01-01', i || ' hours')"},
	}
	id := map[string][2]string{
		testdb.NamePostgres: {"uuid", "md5(i::text)::uuid"}, testdb.NameMariaDB: {"binary(16)", "UNHEX(MD5(i))"}, testdb.NameSQLite: {"blob", "CAST(printf('%c%d', i, i * 7919) AS BLOB)"},
	}
	large := map[string][2]string{
		testdb.NamePostgres: {"numeric(20)", "18446744073709551615 - i"}, testdb.NameMariaDB: {"bigint unsigned", "18446744073709551615 - i"}, testdb.NameSQLite: {"bigint", "9223372036854775807 - i"},
	}
	tests := []struct {
		name    string
		columns func(d string) (types, values []string)
	}{
		{"number", func(string) (types, values []string) { return []string{"bigint"}, []string{"i * 7919"} }},
		{"large number", func(d string) (types, values []string) { return []string{large[d][0]}, []string{large[d][1]} }},
		{"text", func(d string) (types, values []string) { return []string{"varchar(20)"}, []string{text[d]} }},
		{"id", func(d string) (types, values []string) { return []string{id[d][0]}, []string{id[d][1]} }},
		{"time", func(d string) (types, values []string) { return []string{"timestamp(6)"}, []string{day[d]} }},
		{"time with a zone", func(d string) (types, values []string) { return []string{zoned[d][0]}, []string{zoned[d][1]} }},
		{"number and text", func(d string) (types, values []string) {
			return []string{"integer", "varchar(20)"}, []string{"i % 3", text[d]}
		}},
		{"four", func(d string) (types, values []string) {
			return []string{id[d][0], zoned[d][0], "varchar(20)", large[d][0]}, []string{id[d][1], zoned[d][1], text[d], large[d][1]}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				types, values := tt.columns(d.Name)
				create, names := "CREATE TABLE t (n integer NOT NULL", []string{}
				for i, typ := range types {
					names = append(names, fmt.Sprintf("k%d", i))
					create += fmt.Sprintf(", k%d %s NOT NULL", i, typ)
				}
				const rows = 620 // several statements, the last one not full
				w := newWorld(t, d, create+", PRIMARY KEY ("+strings.Join(names, ", ")+"))", numbers(d.Name, rows, "i, "+strings.Join(values, ", ")))
				images := w.all(false)
				if len(images) != rows {
					t.Fatalf("%d rows, want %d", len(images), rows)
				}
				images = w.stored(images)
				random := rand.New(rand.NewPCG(1, 2))
				random.Shuffle(rows, func(i, j int) { images[i], images[j] = images[j], images[i] })

				got := w.byKey(keysOf(images))
				if !slices.EqualFunc(images, got, rowimage.Equal) {
					t.Errorf("read by key: %d rows that are not the %d asked for, in their order", len(got), rows)
				}
				w.exec("DELETE FROM t WHERE n % 2 = 0")
				left := slices.DeleteFunc(slices.Clone(images), func(r rowimage.Row) bool { return r.Values[0].(int64)%2 == 0 })
				if got = w.byKey(keysOf(images)); !slices.EqualFunc(left, got, rowimage.Equal) {
					t.Errorf("read by key after a delete: %d rows, want the %d that are left", len(got), len(left))
				}
				w.block(func(ctx context.Context) error {
					n, err := w.images.Delete(ctx, w.DB, keysOf(images[:rows/2]))
					if gone := slices.IndexFunc(left, func(r rowimage.Row) bool { return rowimage.Equal(r, images[rows/2]) }); err == nil && gone >= 0 && n != int64(gone) {
						t.Errorf("%d rows were deleted, want %d", n, gone)
					}
					return err
				})
				kept := slices.DeleteFunc(slices.Clone(images[rows/2:]), func(r rowimage.Row) bool { return r.Values[0].(int64)%2 == 0 })
				if got = w.byKey(keysOf(images)); !slices.EqualFunc(kept, got, rowimage.Equal) {
					t.Errorf("read by key after Delete: %d rows, want %d", len(got), len(kept))
				}
			})
		})
	}
}

// A key that is spelled otherwise than the row has it is the row's key all the same, and so is a time of another zone.
func TestReadKeys_OtherSpellings(t *testing.T) {
	create := map[string]string{
		testdb.NamePostgres: `CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
		testdb.NameMariaDB:  `SET @unused = 1`, testdb.NameSQLite: `SELECT 1`,
	}
	typ := map[string]string{testdb.NamePostgres: "varchar(20) COLLATE blind", testdb.NameMariaDB: "varchar(20) COLLATE utf8mb4_general_ci", testdb.NameSQLite: "varchar(20) COLLATE NOCASE"}
	for name, keys := range map[string][]keyset.Values{"one column": {{"A"}, {"zzz"}, {"c"}, {"b"}, {"A"}}, "two columns": {{"A", int64(1)}, {"zzz", int64(1)}, {"c", int64(1)}, {"b", int64(1)}, {"A", int64(1)}}} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				primary := "k"
				if len(keys[0]) == 2 {
					primary = "k, m"
				}
				w := newWorld(t, d, create[d.Name], `CREATE TABLE t (k `+typ[d.Name]+` NOT NULL, m integer NOT NULL, PRIMARY KEY (`+primary+`))`,
					`INSERT INTO t VALUES ('a', 1), ('B', 1), ('c', 1), ('d', 1)`)
				var got []string
				for _, row := range w.byKey(keys) {
					got = append(got, row.Key[0].(string))
				}
				if want := []string{"a", "c", "B", "a"}; !slices.Equal(got, want) {
					t.Errorf("rows %v, want %v", got, want)
				}
			})
		})
	}
	t.Run("zone", func(t *testing.T) {
		w := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), `CREATE TABLE t (k timestamptz PRIMARY KEY)`, `INSERT INTO t VALUES ('2026-02-03 04:05:06+00')`)
		at := time.Date(2026, 2, 3, 5, 5, 6, 0, time.FixedZone("", 3600))
		if rows := w.byKey([]keyset.Values{{at}}); len(rows) != 1 {
			t.Errorf("%d rows, want 1", len(rows))
		}
	})
}

// Keys are looked up in the index, whatever their columns: the plan of a full statement does not read the table.
func TestReadKeys_UseTheIndex(t *testing.T) {
	for _, key := range []string{"a", "a, b", "b, a, c"} {
		t.Run(key, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				text := map[string]string{testdb.NamePostgres: "'k' || i", testdb.NameMariaDB: "CONCAT('k', i)", testdb.NameSQLite: "'k' || i"}[d.Name]
				analyse := map[string]string{testdb.NamePostgres: "ANALYZE t", testdb.NameMariaDB: "ANALYZE TABLE t", testdb.NameSQLite: "ANALYZE"}[d.Name]
				w := newWorld(t, d, `CREATE TABLE t (a integer NOT NULL, b varchar(20) NOT NULL, c integer NOT NULL, filling varchar(2000), PRIMARY KEY (`+key+`))`,
					numbers(d.Name, 10000, "i, "+text+", i, '"+strings.Repeat("x", 1500)+"'"), analyse)
				var keys []keyset.Values
				for i := range 500 / len(strings.Split(key, ",")) {
					values := map[string]any{"a": int64(i*9 + 1), "b": fmt.Sprintf("k%d", i*9+1), "c": int64(i*9 + 1)}
					var k keyset.Values
					for column := range strings.SplitSeq(key, ", ") {
						k = append(k, values[column])
					}
					keys = append(keys, k)
				}
				read := w.explained(func(ctx context.Context) error {
					rows, err := w.images.ReadKeys(ctx, w.DB, keys, true)
					if len(rows) != len(keys) {
						t.Errorf("%d rows were read, want %d", len(rows), len(keys))
					}
					return err
				})
				deleted := w.explained(func(ctx context.Context) error {
					n, err := w.images.Delete(ctx, w.DB, keys)
					if n != int64(len(keys)) {
						t.Errorf("%d rows were deleted, want %d", n, len(keys))
					}
					return err
				})
				scan := map[string]*regexp.Regexp{
					testdb.NamePostgres: regexp.MustCompile(`Seq Scan on t\b`), testdb.NameMariaDB: regexp.MustCompile(`\bt (ALL|index)\b`), testdb.NameSQLite: regexp.MustCompile(`SCAN t\b`),
				}[d.Name]
				look := map[string]*regexp.Regexp{
					testdb.NamePostgres: regexp.MustCompile(`using t_pkey|on t_pkey`), testdb.NameMariaDB: regexp.MustCompile(`\bt (range|eq_ref) PRIMARY`), testdb.NameSQLite: regexp.MustCompile(`SEARCH t USING`),
				}[d.Name]
				for what, plan := range map[string]string{"read": read, "delete": deleted} {
					if scan.MatchString(plan) || !look.MatchString(plan) {
						t.Errorf("the %s does not go by the index:\n%s", what, plan)
					}
				}
			})
		})
	}
}

// explained runs fn in a block and returns the plan of its first statement with parameters.
func (w *world) explained(fn func(ctx context.Context) error) string {
	w.t.Helper()
	w.log.Reset()
	var plan string
	w.block(func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		explain := "EXPLAIN "
		if w.on.Name == testdb.NameSQLite {
			explain = "EXPLAIN QUERY PLAN "
		}
		for _, s := range w.log.Statements() {
			if len(s.Args) == 0 {
				continue
			}
			return dialect.Each(ctx, w, explain+s.SQL, s.Args, func(scan func(...any) error) error {
				cells := make([]any, map[string]int{testdb.NamePostgres: 1, testdb.NameMariaDB: 10, testdb.NameSQLite: 4}[w.on.Name])
				text := make([]sql.NullString, len(cells))
				for i := range cells {
					cells[i] = &text[i]
				}
				err := scan(cells...)
				for _, c := range text {
					plan += c.String + " "
				}
				plan += "\n"
				return err
			})
		}
		return nil
	})
	return plan
}
