package sqltext_test

import (
	"database/sql"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var syntaxOf = map[string]sqltext.Syntax{
	testdb.NamePostgres: sqltext.Postgres, testdb.NameMariaDB: sqltext.MySQL, testdb.NameSQLite: sqltext.SQLite,
}

// The databases find with expanded conditions the rows that belong to them, and delete no others.
func TestExpand_Servers(t *testing.T) {
	none := []int64{}
	many := make([]int64, 1000)
	for i := range many {
		many[i] = int64(i + 3)
	}
	nine := []int64{2, 3, 20, 21, 22, 23, 24, 25, 26}
	tests := []struct {
		where string
		args  map[string]any // by name; by number for ?
		want  []int64
	}{
		{"id IN (?)", map[string]any{"0": []int64{1, 3}}, []int64{1, 3}},
		{"id IN (?)", map[string]any{"0": none}, nil},
		{"NOT (number IN (?))", map[string]any{"0": none}, []int64{1, 2, 3, 4}},
		{"id NOT IN (?)", map[string]any{"0": none}, []int64{1, 2, 3, 4}},
		{"number NOT IN (?)", map[string]any{"0": none}, []int64{1, 2, 3, 4}},
		{"number NOT IN (?)", map[string]any{"0": []int64{10}}, []int64{2, 3}},
		{"id IN (?)", map[string]any{"0": nine}, []int64{2, 3}},
		{"NOT id IN (?)", map[string]any{"0": nine}, []int64{1, 4}},
		{"id In (\n?) AND id NOT\tin( ? )", map[string]any{"0": many, "1": nine}, []int64{4}},
		{"name IN (?)", map[string]any{"0": []string{"a", "c'"}}, []int64{1, 3}},
		{"name IN (?)", map[string]any{"0": []string{}}, nil},
		{"made IN (?) OR id = ?", map[string]any{"0": []string{}, "1": 4}, []int64{4}},
		{"id = ? OR name IN (?) AND id < ?", map[string]any{"0": 4, "1": []string{"a", "b"}, "2": 2}, []int64{1, 4}},
		{"id IN (SELECT id FROM u WHERE name IN (?) AND id > ?)", map[string]any{"0": []string{"a", "b"}, "1": 1}, []int64{2}},
		{"id IN (:ids) AND name <> :name", map[string]any{"ids": []int64{1, 2}, "name": "a"}, []int64{2}},
		{"CASE WHEN id=:limit THEN 1 ELSE 0 END = 1 OR id IN (:ids) OR id>:limit", map[string]any{"limit": 3, "ids": none}, []int64{3, 4}},
		{"name = ':name' OR name LIKE :name ESCAPE '!'", map[string]any{"name": "%!%"}, []int64{4}},
		{"id = 2 IS TRUE AND id IN (?) IS NOT TRUE", map[string]any{"0": nine}, nil},
		{"(id = ?) = (id IN (?))", map[string]any{"0": 2, "1": []int64{2, 3}}, []int64{1, 2, 4}},
	}
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		db := d.RawDB(t)
		for _, statement := range []string{
			`CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, number bigint, name varchar(20) NOT NULL, made timestamp NULL)`,
			`INSERT INTO t VALUES (1, 10, 'a', NULL), (2, 20, 'b', '2026-01-02 03:04:05'), (3, 30, 'c''', NULL), (4, NULL, '5%', NULL)`,
			`CREATE TABLE u (id bigint NOT NULL PRIMARY KEY, name varchar(20) NOT NULL)`,
			`INSERT INTO u SELECT id, name FROM t`,
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		for _, tt := range tests {
			t.Run(tt.where, func(t *testing.T) {
				condition, args := expanded(t, syntaxOf[d.Name], tt.where, tt.args)
				got := ids(t, db, "SELECT id FROM t WHERE ("+condition+") ORDER BY id", args)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s with %v (-want +got):\n%s", condition, args, diff)
				}
				deletes(t, db, condition, args, len(tt.want))
			})
		}
	})
}

// The jsonb operators of PostgreSQL reach it beside placeholders of both kinds.
func TestNamed_JSONOperators(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	db := d.RawDB(t)
	const table = `(VALUES (1, '{"a": 1}'::jsonb, ARRAY[1, 2]), (2, '{"b": 1}', ARRAY[3, 4])) AS t (id, j, a)`
	for _, tt := range []struct {
		where string
		args  map[string]any
	}{
		{"j ? :key", map[string]any{"key": "a"}},
		{"j ?| :keys AND a[1:1] = ARRAY[:n]::int[]", map[string]any{"keys": []string{"a", "c"}, "n": 1}},
		{"j ?? ?", map[string]any{"0": "a"}},
		{"j ??& ? AND id IN (?)", map[string]any{"0": []string{"a"}, "1": []int64{1, 2}}},
		{"JSON_BUILD_OBJECT('k', a[:n])::jsonb->'k' = '[1, 2]' AND :key IN (SELECT jsonb_object_keys(j)) AND a[1 : :m] = a", map[string]any{"m": 2, "key": "a"}},
	} {
		t.Run(tt.where, func(t *testing.T) {
			condition, args := expanded(t, sqltext.Postgres, tt.where, tt.args)
			got := ids(t, db, "SELECT id FROM (SELECT id, j, a, 2 AS n FROM "+table+") AS t WHERE ("+condition+") ORDER BY id", args)
			if diff := cmp.Diff([]int64{1}, got); diff != "" {
				t.Errorf("%s with %v (-want +got):\n%s", condition, args, diff)
			}
		})
	}
}

// expanded makes of a condition what is sent to the database, with its arguments.
func expanded(t *testing.T, s sqltext.Syntax, where string, values map[string]any) (condition string, args []any) {
	t.Helper()
	if err := sqltext.CheckCondition(s, where); err != nil {
		t.Fatal(err)
	}
	text, names, err := sqltext.Named(s, where)
	if err != nil {
		t.Fatal(err)
	}
	value := func(i int) any {
		if names == nil {
			return values[fmt.Sprint(i)]
		}
		return values[names[i]]
	}
	e, err := sqltext.Expand(s, text, func(i int) (int, bool) {
		list := reflect.ValueOf(value(i))
		if list.Kind() != reflect.Slice {
			return 0, false
		}
		return list.Len(), true
	}, s.Placeholder == sqltext.Dollar)
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Placeholders {
		if e.Pieces == nil || !e.Pieces[i].Elements {
			args = append(args, value(i))
			continue
		}
		list := reflect.ValueOf(value(i))
		for k := range e.Pieces[i].Marks {
			args = append(args, list.Index(min(k, list.Len()-1)).Interface())
		}
	}
	condition, n, err := sqltext.Rebind(s, e.Text)
	if err != nil || n != len(args) {
		t.Fatalf("Rebind(%q) = %d placeholders, %v, for %d arguments", e.Text, n, err, len(args))
	}
	return condition, args
}

func ids(t *testing.T, db *sql.DB, query string, args []any) (got []int64) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return got
}

// deletes fails unless a DELETE with the condition takes n rows, which it gives back.
func deletes(t *testing.T, db *sql.DB, condition string, args []any, n int) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	result, err := tx.ExecContext(t.Context(), "DELETE FROM t WHERE ("+condition+")", args...)
	if err != nil {
		t.Fatalf("DELETE with %s: %v", condition, err)
	}
	if got, err := result.RowsAffected(); err != nil || got != int64(n) {
		t.Errorf("DELETE with %s takes %d rows, %v; want %d", condition, got, err, n)
	}
}
