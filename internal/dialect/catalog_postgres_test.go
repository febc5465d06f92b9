package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestCatalogPostgres_SearchPathAndFolding(t *testing.T) {
	c, catalog := connect(t, testdb.NamePostgres)
	c.exec(t,
		`CREATE SCHEMA app`, `CREATE SCHEMA other`,
		`CREATE TABLE app.t (id integer PRIMARY KEY)`, `CREATE TABLE other.t (id2 integer PRIMARY KEY)`,
		`CREATE TABLE other.u (id integer PRIMARY KEY)`,
		`CREATE TABLE app."Case" (big integer PRIMARY KEY)`, `CREATE TABLE app."case" (small integer PRIMARY KEY)`,
		`SET search_path = app, public`)
	tests := []struct{ asked, want, key string }{
		{"t", "app.t", "*id"},
		{"T", "app.t", "*id"},
		{"other.t", "other.t", "*id2"},
		{"Other.T", "other.t", "*id2"},
		{"Case", "app.case", "*small"}, // as a statement would read it
		{`"Case"`, "app.Case", "*big"},
		{`app."Case"`, "app.Case", "*big"},
	}
	for _, tt := range tests {
		t.Run(tt.asked, func(t *testing.T) {
			got := table(t, c, catalog, tt.asked)
			if got.FullName() != tt.want || keyColumns(got)[0] != tt.key {
				t.Errorf("got %s with key %v, want %s with %s", got.FullName(), keyColumns(got), tt.want, tt.key)
			}
		})
	}
	c.exec(t, `CREATE TEMP TABLE t (temp_id integer PRIMARY KEY)`)
	if got := table(t, c, catalog, "t"); keyColumns(got)[0] != "*temp_id" {
		t.Errorf("a temporary table hides the other: got %s", got.FullName())
	}
	names, err := catalog.Tables(t.Context(), c)
	if diff := cmp.Diff([]string{"Case", "app.t", "case", "other.t", "other.u", "t"}, names); err != nil || diff != "" {
		t.Errorf("Tables: %v (-want +got):\n%s", err, diff)
	}
}

func TestCatalogPostgres_KeysThatCannotServe(t *testing.T) {
	c, catalog := connect(t, testdb.NamePostgres)
	c.exec(t,
		`CREATE TABLE t (a integer NOT NULL, b integer NOT NULL, c integer, d integer NOT NULL UNIQUE DEFERRABLE, e text NOT NULL)`,
		`CREATE UNIQUE INDEX t_partial ON t (a) WHERE b > 0`,
		`CREATE UNIQUE INDEX t_expression ON t (lower(e))`,
		`CREATE UNIQUE INDEX t_nullable ON t (a, c)`,
		`CREATE UNIQUE INDEX t_good ON t (b, a) INCLUDE (c)`,
		`CREATE TABLE parent (id integer PRIMARY KEY)`, `CREATE TABLE child () INHERITS (parent)`,
	)
	want := []dialect.Key{{Name: "t_good", Columns: []string{"b", "a"}}}
	if diff := cmp.Diff(want, table(t, c, catalog, "t").Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if keys := table(t, c, catalog, "parent").Keys; len(keys) != 0 {
		t.Errorf("the key of a parent is not unique over its children, got %v", keys)
	}
}

func TestCatalogPostgres_PartitionsAreOneTable(t *testing.T) {
	c, catalog := connect(t, testdb.NamePostgres)
	c.exec(t,
		`CREATE TABLE m (id integer, day integer, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)`,
		`CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10)`,
		`CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (10) TO (20)`,
		`INSERT INTO m SELECT i, i % 20 FROM generate_series(1, 1000) i`,
		`CREATE TABLE whole (day integer, id integer, FOREIGN KEY (day, id) REFERENCES m ON DELETE CASCADE)`,
		`CREATE TABLE half (day integer, id integer, FOREIGN KEY (day, id) REFERENCES m1)`,
		`ANALYZE m`,
	)
	m := table(t, c, catalog, "m")
	if diff := cmp.Diff([]string{"*day,id"}, keyColumns(m)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if m.View || m.Rows != 1000 || m.Bytes <= 0 {
		t.Errorf("View %v, Rows %d, Bytes %d; want a table of 1000 rows", m.View, m.Rows, m.Bytes)
	}
	var refs []string
	for _, r := range m.References {
		refs = append(refs, r.FullName()+" "+r.OnDelete)
	}
	if diff := cmp.Diff([]string{"public.half NO ACTION", "public.whole CASCADE"}, refs); diff != "" {
		t.Errorf("references of the tree (-want +got):\n%s", diff)
	}
	refs = nil
	for _, r := range table(t, c, catalog, "m2").References {
		refs = append(refs, r.FullName()+" "+r.OnDelete)
	}
	if diff := cmp.Diff([]string{"public.whole CASCADE"}, refs); diff != "" {
		t.Errorf("references of a partition (-want +got):\n%s", diff)
	}
}

func TestCatalogPostgres_RowsUnknownBeforeAnalyze(t *testing.T) {
	c, catalog := connect(t, testdb.NamePostgres)
	c.exec(t, `CREATE TABLE t (id integer PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 1000)`)
	if got := table(t, c, catalog, "t"); got.Rows != -1 || got.Bytes <= 0 {
		t.Errorf("before: Rows %d, Bytes %d; want -1 and the size", got.Rows, got.Bytes)
	}
	c.exec(t, `ANALYZE t`)
	if got := table(t, c, catalog, "t").Rows; got != 1000 {
		t.Errorf("after: Rows is %d, want 1000", got)
	}
}
