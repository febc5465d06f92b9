package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestCatalogSQLite_Keys(t *testing.T) {
	tests := []struct {
		name, columns string
		want          []string
	}{
		{"rowid alias", `id INTEGER PRIMARY KEY, n`, []string{"*id"}},
		{"integer in any case", `id integer primary key autoincrement`, []string{"*id"}},
		{"no declared key", `a, b`, nil},
		{"other integer type may hold NULL", `id INT PRIMARY KEY`, nil},
		{"other integer type not null", `id INT NOT NULL PRIMARY KEY`, []string{"*id"}},
		{"text key may hold NULL", `id TEXT PRIMARY KEY`, nil},
		{"descending key is no alias", `id INTEGER PRIMARY KEY DESC`, nil},
		{"composite in key order", `a NOT NULL, b NOT NULL, PRIMARY KEY (b, a)`, []string{"*b,a"}},
		{"composite half nullable", `a NOT NULL, b, PRIMARY KEY (b, a)`, nil},
		{"unique not null", `a NOT NULL UNIQUE, b UNIQUE`, []string{"a"}},
		{"shorter unique key first", `a NOT NULL, b NOT NULL, c NOT NULL, UNIQUE (a, b), UNIQUE (c)`, []string{"c", "a,b"}},
	}
	c, catalog := connect(t, testdb.NameSQLite)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.exec(t, `DROP TABLE IF EXISTS t`, `CREATE TABLE t (`+tt.columns+`)`)
			if diff := cmp.Diff(tt.want, keyColumns(table(t, c, catalog, "t"))); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without rowid", func(t *testing.T) {
		c.exec(t, `DROP TABLE t`, `CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID`)
		if diff := cmp.Diff([]string{"*b,a"}, keyColumns(table(t, c, catalog, "t"))); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
	t.Run("partial and expression indexes", func(t *testing.T) {
		c.exec(t, `DROP TABLE t`, `CREATE TABLE t (a NOT NULL, b NOT NULL)`,
			`CREATE UNIQUE INDEX p ON t (a) WHERE b > 0`, `CREATE UNIQUE INDEX e ON t (a + 1)`)
		if keys := table(t, c, catalog, "t").Keys; len(keys) != 0 {
			t.Errorf("keys: %v", keys)
		}
	})
}

func TestCatalogSQLite_DatesAreReadRaw(t *testing.T) {
	c, catalog := connect(t, testdb.NameSQLite)
	c.exec(t, `CREATE TABLE t (day DATETIME NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, n))`)
	got := table(t, c, catalog, "t")
	day, _ := got.Column("day")
	n, _ := got.Column("n")
	if s := day.Select(`"day"`); s != `+"day"` {
		t.Errorf("day is read as %s", s)
	}
	if s := n.Select(`"n"`); s != `"n"` {
		t.Errorf("n is read as %s", s)
	}
}

func TestCatalogSQLite_ForeignKeyVariants(t *testing.T) {
	c, catalog := connect(t, testdb.NameSQLite)
	c.exec(t,
		`CREATE TABLE t (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID`,
		`CREATE TABLE implied (x, y, FOREIGN KEY (x, y) REFERENCES T ON DELETE CASCADE)`,
		`CREATE INDEX implied_index ON implied (y, x)`,
	)
	want := []dialect.Reference{{
		Table: "implied", Columns: []string{"x", "y"}, RefColumns: []string{"a", "b"}, OnDelete: "CASCADE", Indexed: true,
	}}
	if diff := cmp.Diff(want, table(t, c, catalog, "t").References); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	c.exec(t, `PRAGMA foreign_keys = OFF`)
	if refs := table(t, c, catalog, "t").References; len(refs) != 0 {
		t.Errorf("foreign keys are not enforced, got %v", refs)
	}
}

func TestCatalogSQLite_SchemasAndVirtualTables(t *testing.T) {
	c, catalog := connect(t, testdb.NameSQLite)
	c.exec(t,
		`ATTACH ':memory:' AS aux2`,
		`CREATE TABLE t (id INTEGER PRIMARY KEY)`,
		`CREATE TABLE aux2.t (aux_id INTEGER PRIMARY KEY)`,
		`CREATE TABLE aux2.only (id INTEGER PRIMARY KEY)`,
		`CREATE VIRTUAL TABLE words USING fts5(body)`,
	)
	for asked, want := range map[string]string{"t": "*id", "T": "*id", "aux2.t": "*aux_id", "only": "*id", "main.t": "*id"} {
		if got := table(t, c, catalog, asked); keyColumns(got)[0] != want {
			t.Errorf("Table(%s) has keys %v, want %s", asked, keyColumns(got), want)
		}
	}
	if got := table(t, c, catalog, "t").FullName(); got != "t" {
		t.Errorf("a table of main is called %q", got)
	}
	if got := table(t, c, catalog, "only").FullName(); got != "aux2.only" {
		t.Errorf("a table of an attached database is called %q", got)
	}
	if !table(t, c, catalog, "words").View {
		t.Error("a virtual table is no base table")
	}
}
