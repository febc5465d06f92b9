package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/testdb"
)

// What the database puts into a column by itself is told, for every way in which it does.
func TestCatalog_MadeColumns(t *testing.T) {
	tests := []struct {
		database  string
		create    string
		generated []string
		stamped   []string
		defaults  []string
	}{
		{testdb.NamePostgres, `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, n integer DEFAULT 1, twice integer GENERATED ALWAYS AS (n * 2) STORED, none integer DEFAULT NULL, word text)`, []string{"twice"}, nil, []string{"n"}},
		{
			testdb.NameMariaDB, `CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, n integer DEFAULT (1 + 1), made timestamp DEFAULT CURRENT_TIMESTAMP,
				seen timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, twice integer AS (n * 2) STORED, thrice integer AS (n * 3) VIRTUAL,
				none integer DEFAULT NULL, word varchar(9) DEFAULT 'NULL')`,
			[]string{"twice", "thrice"},
			[]string{"seen"},
			[]string{"n", "made", "seen", "word"},
		},
		{
			testdb.NameSQLite, `CREATE TABLE t (id INTEGER PRIMARY KEY, n integer DEFAULT (1 + 1), twice integer GENERATED ALWAYS AS (n * 2) STORED, thrice integer AS (n * 3), none integer DEFAULT NULL,
				word text DEFAULT 'NULL')`,
			[]string{"twice", "thrice"},
			nil,
			[]string{"n", "word"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.database, func(t *testing.T) {
			c, catalog := connect(t, tt.database)
			c.exec(t, tt.create)
			var generated, stamped, defaults []string
			for _, column := range table(t, c, catalog, "t").Columns {
				if column.Generated {
					generated = append(generated, column.Name)
				}
				if column.Stamped {
					stamped = append(stamped, column.Name)
				}
				if column.Default {
					defaults = append(defaults, column.Name)
				}
			}
			if diff := cmp.Diff(tt.generated, generated); diff != "" {
				t.Errorf("generated (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.stamped, stamped); diff != "" {
				t.Errorf("stamped (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.defaults, defaults); diff != "" {
				t.Errorf("defaults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCatalogSQLite_KeyOfGeneratedColumn(t *testing.T) {
	c, catalog := connect(t, testdb.NameSQLite)
	c.exec(t, `CREATE TABLE t (n integer, code integer NOT NULL GENERATED ALWAYS AS (n * 2) STORED UNIQUE)`)
	if diff := cmp.Diff([]string{"code"}, keyColumns(table(t, c, catalog, "t"))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// A number has one type, whether its statement was prepared or not.
func TestCatalogMySQL_UnsignedValues(t *testing.T) {
	c, catalog := connect(t, testdb.NameMariaDB)
	c.exec(t, `CREATE TABLE t (id bigint unsigned PRIMARY KEY, n int unsigned, b bigint, s varchar(20))`, `INSERT INTO t VALUES (1, 1, 1, '1'), (18446744073709551615, 4294967295, -1, '1')`)
	got := table(t, c, catalog, "t")
	for name, query := range map[string]string{"text": `SELECT id, n, b, s FROM t ORDER BY id`, "prepared": `SELECT id, n, b, s FROM t WHERE 1 = ? ORDER BY id`} {
		var args []any
		if name == "prepared" {
			args = []any{1}
		}
		var rows [][]any
		err := dialect.Each(t.Context(), c, query, args, func(scan func(...any) error) error {
			row := make([]any, len(got.Columns))
			dest := make([]any, len(row))
			for i := range row {
				dest[i] = &row[i]
			}
			err := scan(dest...)
			for i, column := range got.Columns {
				row[i] = column.Value(row[i])
			}
			rows = append(rows, row)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := [][]any{{uint64(1), int64(1), int64(1), "1"}, {uint64(18446744073709551615), int64(4294967295), int64(-1), "1"}}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestColumn_Value(t *testing.T) {
	text, unsigned, plain := dialect.Column{TextBytes: true}, dialect.Column{TextBytes: true, Unsigned: true}, dialect.Column{}
	tests := []struct {
		name   string
		column dialect.Column
		value  any
		want   any
	}{
		{"text", text, []byte("a"), "a"},
		{"NULL", text, nil, nil},
		{"bytes", plain, []byte("a"), []byte("a")},
		{"number", plain, int64(1), int64(1)},
		{"unsigned as a number", unsigned, int64(1), uint64(1)},
		{"unsigned as text", unsigned, []byte("18446744073709551615"), uint64(18446744073709551615)},
		{"unsigned as it is", unsigned, uint64(1), uint64(1)},
		{"no number", unsigned, []byte("x"), "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.column.Value(tt.value)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}
