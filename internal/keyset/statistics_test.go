package keyset_test

import (
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestPageEnd_WithoutStatistics asks PostgreSQL how it finds the end of a page of a table that was never analysed, as one is that was loaded a moment
// ago: by walking the index as far as the page goes, for a key of each type, and not by sorting all rows behind the page.
func TestPageEnd_WithoutStatistics(t *testing.T) {
	for typ, value := range map[string]string{
		"integer": "i", "bigint": "i", "varchar(20)": "lpad(i::text, 9, '0')", "uuid": "lpad(i::text, 32, '0')::uuid", "timestamptz": "'2026-01-01'::timestamptz + i * interval '1 second'",
		"numeric(10,2)": "i",
	} {
		t.Run(typ, func(t *testing.T) {
			w := newWalk(t, testdb.Fresh(t, testdb.NamePostgres), "CREATE TABLE t (k "+typ+" PRIMARY KEY, filling text)")
			if _, err := w.db.ExecContext(t.Context(), "INSERT INTO t SELECT "+value+", repeat('x', 100) FROM generate_series(1, 20000) i"); err != nil {
				t.Fatal(err)
			}
			lower := w.keys.After()
			query, _, err := sqltext.Rebind(w.d.Syntax(), w.keys.PageEnd(lower, "filling <> ''", 100))
			if err != nil {
				t.Fatal(err)
			}
			var first, last any
			if err := w.db.QueryRowContext(t.Context(), "SELECT min(k::text), max(k::text) FROM t").Scan(&first, &last); err != nil {
				t.Fatal(err)
			}
			rows, err := w.db.QueryContext(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF) "+query, first, last)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			var plan []string
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					t.Fatal(err)
				}
				plan = append(plan, line)
			}
			text := strings.Join(plan, "\n")
			_, bounds, found := strings.Cut(text, "Index Cond: ")
			bounds, _, _ = strings.Cut(bounds, "\n")
			if strings.Contains(text, "Sort") || !strings.Contains(text, "Index Scan using t_pkey") || !found || !strings.Contains(bounds, "<=") {
				t.Errorf("the plan is\n%s", text)
			}
			if err := rows.Err(); err != nil {
				t.Error(err)
			}
			if _, err := w.db.ExecContext(t.Context(), "ANALYZE t"); err != nil {
				t.Fatal(err)
			}
			analysed, err := w.d.Table(t.Context(), queryer{w}, "t")
			if err != nil {
				t.Fatal(err)
			}
			keys, err := keyset.New(w.d, analysed, analysed.Keys[0])
			if err != nil {
				t.Fatal(err)
			}
			if got, want := keys.Until().SQL, keys.Through().SQL; got != want {
				t.Errorf("with statistics the end of a page is %s, want %s", got, want)
			}
		})
	}
}
