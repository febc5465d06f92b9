package dialect_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// connection is one connection of the plain driver, so that search_path, temporary tables and pragmas last.
type connection struct {
	conn   *sql.Conn
	syntax sqltext.Syntax
}

func (c connection) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	bound, _, err := sqltext.Rebind(c.syntax, query)
	if err != nil {
		return nil, err
	}
	return c.conn.QueryContext(ctx, bound, args...)
}

func connect(t *testing.T, name string) (connection, dialect.Catalog) {
	t.Helper()
	dialects := map[string]dialect.Dialect{
		testdb.NamePostgres: postgres.Dialect{}, testdb.NameMariaDB: mysql.Dialect{}, testdb.NameSQLite: sqlite.Dialect{},
	}
	d := testdb.Fresh(t, name)
	conn, err := d.RawDB(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := connection{conn: conn, syntax: dialects[name].Syntax()}
	if name == testdb.NameSQLite {
		c.exec(t, `PRAGMA foreign_keys = ON`)
	}
	return c, dialects[name]
}

func (c connection) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func table(t *testing.T, c connection, catalog dialect.Catalog, name string) *dialect.Table {
	t.Helper()
	got, err := catalog.Table(t.Context(), c, name)
	if err != nil {
		t.Fatalf("Table(%s): %v", name, err)
	}
	return got
}

// keyColumns is the keys of a table as lists of columns, the primary one marked.
func keyColumns(t *dialect.Table) []string {
	var keys []string
	for _, k := range t.Keys {
		list := strings.Join(k.Columns, ",")
		if k.Primary {
			list = "*" + list
		}
		keys = append(keys, list)
	}
	return keys
}

// TestCatalog_SameOnEveryDatabase describes one schema that all three databases can hold.
func TestCatalog_SameOnEveryDatabase(t *testing.T) {
	for _, name := range testdb.Names() {
		t.Run(name, func(t *testing.T) {
			c, catalog := connect(t, name)
			c.exec(t,
				`CREATE TABLE events (id integer NOT NULL PRIMARY KEY, code varchar(20) NOT NULL UNIQUE, note varchar(20) UNIQUE, n integer NOT NULL)`,
				`CREATE TABLE tags (b integer NOT NULL, a varchar(20) NOT NULL, event integer, PRIMARY KEY (a, b),
				 CONSTRAINT tags_event FOREIGN KEY (event) REFERENCES events (id) ON DELETE CASCADE)`,
				`CREATE INDEX tags_event_index ON tags (event)`,
				`CREATE TABLE pairs (a varchar(20), b integer, up integer,
				 CONSTRAINT pairs_tag FOREIGN KEY (a, b) REFERENCES tags (a, b) ON DELETE SET NULL)`,
				`CREATE TABLE plain (n integer)`,
				`CREATE VIEW recent AS SELECT id FROM events`,
			)
			events := table(t, c, catalog, "events")
			if diff := cmp.Diff([]string{"*id", "code"}, keyColumns(events)); diff != "" {
				t.Errorf("keys of events (-want +got):\n%s", diff)
			}
			var columns []string
			for _, col := range events.Columns {
				nullable := ""
				if col.Nullable {
					nullable = "?"
				}
				if col.Collated {
					nullable += "~"
				}
				columns = append(columns, col.Name+nullable)
			}
			if diff := cmp.Diff([]string{"id", "code~", "note?~", "n"}, columns); diff != "" {
				t.Errorf("columns of events (-want +got):\n%s", diff)
			}
			ignoreSchema := cmpopts.IgnoreFields(dialect.Reference{}, "Schema", "Name")
			want := []dialect.Reference{{
				Table: "tags", Columns: []string{"event"}, RefColumns: []string{"id"}, OnDelete: "CASCADE", Indexed: true,
			}}
			if diff := cmp.Diff(want, events.References, ignoreSchema); diff != "" {
				t.Errorf("references to events (-want +got):\n%s", diff)
			}
			tags := table(t, c, catalog, "tags")
			if diff := cmp.Diff([]string{"*a,b"}, keyColumns(tags)); diff != "" {
				t.Errorf("keys of tags: the primary key in its own order (-want +got):\n%s", diff)
			}
			want = []dialect.Reference{{
				Table: "pairs", Columns: []string{"a", "b"}, RefColumns: []string{"a", "b"}, OnDelete: "SET NULL",
				Indexed: name == testdb.NameMariaDB, // InnoDB makes an index for every foreign key
			}}
			if diff := cmp.Diff(want, tags.References, ignoreSchema); diff != "" {
				t.Errorf("references to tags (-want +got):\n%s", diff)
			}
			if keys := table(t, c, catalog, "plain").Keys; len(keys) != 0 {
				t.Errorf("plain has no key, got %v", keys)
			}
			if !table(t, c, catalog, "recent").View || events.View {
				t.Error("View must be set for the view recent and not for the table events")
			}
			if events.NotTransactional {
				t.Error("events is transactional")
			}
			if _, err := catalog.Table(t.Context(), c, "nowhere"); !errors.Is(err, dialect.ErrNoTable) {
				t.Errorf("Table(nowhere): %v, want ErrNoTable", err)
			}
			names, err := catalog.Tables(t.Context(), c)
			if diff := cmp.Diff([]string{"events", "pairs", "plain", "tags"}, names); err != nil || diff != "" {
				t.Errorf("Tables: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestCatalog_QuotedAndMixedCaseNames(t *testing.T) {
	for _, name := range testdb.Names() {
		t.Run(name, func(t *testing.T) {
			c, catalog := connect(t, name)
			q := `"`
			if name == testdb.NameMariaDB {
				q = "`"
			}
			create := func(table string) string {
				return "CREATE TABLE " + q + strings.ReplaceAll(table, q, q+q) + q + " (" + q + "The Key" + q + " integer NOT NULL PRIMARY KEY)"
			}
			odd := `a.b c` + q + `d`
			c.exec(t, create("Mixed"), create(odd))
			for _, asked := range []string{"Mixed", q + "Mixed" + q} {
				if got := table(t, c, catalog, asked); got.Name != "Mixed" {
					t.Errorf("Table(%s) is %q", asked, got.Name)
				}
			}
			got := table(t, c, catalog, q+strings.ReplaceAll(odd, q, q+q)+q)
			if got.Name != odd || !slices.Equal(keyColumns(got), []string{"*The Key"}) {
				t.Errorf("got table %q with keys %v", got.Name, keyColumns(got))
			}
		})
	}
}

func TestCatalog_Triggers(t *testing.T) {
	bodies := map[string][]string{
		testdb.NamePostgres: {
			`CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
			`CREATE TRIGGER gone AFTER DELETE OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing()`,
			`CREATE TRIGGER off AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION nothing()`,
			`ALTER TABLE t DISABLE TRIGGER off`,
			`CREATE TRIGGER wiped BEFORE TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION nothing()`,
		},
		testdb.NameMariaDB: {
			`CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW SET @x = 1`,
			`CREATE TRIGGER made BEFORE INSERT ON t FOR EACH ROW SET @x = 1`,
		},
		testdb.NameSQLite: {
			`CREATE TRIGGER IF NOT EXISTS main."the DELETE one" BEFORE UPDATE OF n ON t BEGIN SELECT 1; END`,
			`CREATE TEMP TRIGGER gone AFTER delete ON t BEGIN SELECT 1; END`,
		},
	}
	want := map[string][]dialect.Trigger{
		testdb.NamePostgres: {{Name: "gone", Events: []string{"UPDATE", "DELETE"}}, {Name: "wiped", Events: []string{"TRUNCATE"}}},
		testdb.NameMariaDB:  {{Name: "gone", Events: []string{"DELETE"}}, {Name: "made", Events: []string{"INSERT"}}},
		testdb.NameSQLite:   {{Name: "gone", Events: []string{"DELETE"}}, {Name: "the DELETE one", Events: []string{"UPDATE"}}},
	}
	for _, name := range testdb.Names() {
		t.Run(name, func(t *testing.T) {
			c, catalog := connect(t, name)
			c.exec(t, `CREATE TABLE t (id integer NOT NULL PRIMARY KEY, n integer)`)
			c.exec(t, bodies[name]...)
			if diff := cmp.Diff(want[name], table(t, c, catalog, "t").Triggers); diff != "" {
				t.Errorf("triggers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCatalog_SelfReference(t *testing.T) {
	for _, name := range testdb.Names() {
		t.Run(name, func(t *testing.T) {
			c, catalog := connect(t, name)
			c.exec(t, `CREATE TABLE nodes (id integer NOT NULL PRIMARY KEY, parent integer,
			           CONSTRAINT up FOREIGN KEY (parent) REFERENCES nodes (id))`)
			refs := table(t, c, catalog, "nodes").References
			if len(refs) != 1 || refs[0].Table != "nodes" || !slices.Contains([]string{"NO ACTION", "RESTRICT"}, refs[0].OnDelete) {
				t.Errorf("references: %+v", refs)
			}
		})
	}
}
