package rowimage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/testdb"
)

// column is a type and what is stored in it, as SQL. The rows of the table have the first value of each column, the second…, and NULLs at the end.
type column struct {
	sql    string
	values []string
}

var typesOf = map[string]struct {
	before  []string // what a session does first, on the connection that writes the values
	columns []column
}{
	testdb.NamePostgres: {
		before: []string{
			`CREATE TYPE mood AS ENUM ('sad', 'glad')`, `CREATE DOMAIN day AS date`, `CREATE DOMAIN code AS varchar(5) CHECK (VALUE <> '')`,
			`CREATE TYPE pair AS (n int, s text, at timestamptz)`, `SET TIME ZONE 'Europe/Berlin'`,
		},
		columns: []column{
			{"smallint", []string{"-32768", "32767"}},
			{"integer", []string{"-2147483648", "0"}},
			{"bigint", []string{"-9223372036854775808", "9223372036854775807"}},
			{"oid", []string{"4294967295", "0"}},
			{"numeric", []string{"'NaN'", "'Infinity'", "'-Infinity'", "1e-1000", "123456789012345678901234567890.123456789000"}},
			{"numeric(12,3)", []string{"1.5", "-0.001"}},
			{"real", []string{"0.1", "'-0'", "'NaN'", "'Infinity'", "1e-45", "3.4028235e38"}},
			{"double precision", []string{"0.1", "'-0'", "'NaN'", "'-Infinity'", "5e-324", "1.7976931348623157e308", "0.30000000000000004"}},
			{"money", []string{"'-92233720368547758.08'", "'1.5'"}},
			{"boolean", []string{"true", "false"}},
			{"text", []string{"''", `E'a\\b\'"\n\t\u20ac\U0001F600'`, "'NULL'", "repeat('x', 100000)"}},
			{`text COLLATE "C"`, []string{"'Ä'", "'a '"}},
			{"varchar(3)", []string{"'ab '"}},
			{"char(5)", []string{"'ab'", "''"}},
			{`"char"`, []string{"'x'", "''"}},
			{"name", []string{"'a name'"}},
			{"code", []string{"'c'"}},
			{"bytea", []string{`''`, `'\x00ff5c27'`, "decode(repeat('00ff', 200), 'hex')"}},
			{"date", []string{"'infinity'", "'-infinity'", "'0044-03-15 BC'", "'5874897-12-31'", "'2026-02-03'"}},
			{"day", []string{"'infinity'", "'2026-02-03'"}},
			{"time", []string{"'24:00'", "'04:05:06.000001'"}},
			{"timetz", []string{"'04:05:06.789+05:30'", "'23:59:59-15:59'"}},
			{"timestamp", []string{"'infinity'", "'-infinity'", "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'2026-02-03 04:05:06.000001'"}},
			{"timestamptz", []string{"'infinity'", "'-infinity'", "'0044-03-15 12:00:00 BC'", "'294276-12-31 12:59:59.999999'", "'2026-10-25 02:30:00+02'", "'2026-10-25 02:30:00+01'", "'1890-01-01 00:00:00.5'", "'2026-02-03 04:05:06.1'"}},
			{"timestamp(0)", []string{"'2026-02-03 04:05:06'"}},
			{"interval", []string{"'-1 years 2 months -3 days 04:05:06.7'", "'178000000 years'", "'-00:00:00.000001'", "'1 mon -1 days'"}},
			{"json", []string{`'{"b": 1, "a":  [1.50, "\u20ac"], "b":2}'`, "'null'", `'"x"'`}},
			{"jsonb", []string{`'{"b": 1, "a": [1.50, "€"]}'`, "'null'", `'12345678901234567890.10'`}},
			{"xml", []string{`'<a b="c">d</a>'`}},
			{"uuid", []string{"'00000000-0000-0000-0000-000000000000'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}},
			{"mood", []string{"'glad'", "'sad'"}},
			{"integer[]", []string{"'{}'", "'{1,NULL,3}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"}},
			{"text[]", []string{`ARRAY['', 'a,b', '"', NULL, 'NULL', E'\\']`}},
			{"timestamptz[]", []string{"'{infinity,2026-10-25 02:30:00+01}'"}},
			{"mood[]", []string{"'{sad,glad}'"}},
			{"pair", []string{`ROW(1, 'a,"b', '2026-02-03 04:05:06+00')`, "ROW(NULL, '', NULL)"}},
			{"bit(5)", []string{"B'10101'"}},
			{"varbit", []string{"B''", "B'101'"}},
			{"inet", []string{"'10.0.0.1/8'", "'::1'", "'10.1.2.3'"}},
			{"cidr", []string{"'10.0.0.0/8'"}},
			{"macaddr", []string{"'08:00:2b:01:02:03'"}},
			{"int4range", []string{"'empty'", "'[1,5)'", "'(,)'"}},
			{"tstzrange", []string{"'[2026-02-03 04:05:06+00,infinity)'"}},
			{"numrange", []string{"'(1.10,2.0]'"}},
			{"int4multirange", []string{"'{[1,2),[5,9)}'"}},
			{"point", []string{"'(0.1,-0)'"}},
			{"polygon", []string{"'((0,0),(1,0.1),(1,1))'"}},
			{"tsvector", []string{"'a:1A b:2'"}},
			{"tsquery", []string{"'a & !b'"}},
			{"pg_lsn", []string{"'16/B374D848'"}},
		},
	},
	testdb.NameMariaDB: {
		before: []string{`SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', SESSION time_zone = '+02:00'`},
		columns: []column{
			{"tinyint", []string{"-128", "127"}},
			{"tinyint(1)", []string{"1", "0", "7"}},
			{"smallint unsigned", []string{"65535"}},
			{"mediumint", []string{"-8388608"}},
			{"int(6) zerofill", []string{"42"}},
			{"bigint", []string{"-9223372036854775808", "9223372036854775807"}},
			{"bigint unsigned", []string{"18446744073709551615", "9223372036854775808"}},
			{"decimal(65,30)", []string{"-12345678901234567890123456789012345.123456789012345678901234567891", "0.1"}},
			{"float", []string{"0.1", "-0e0", "1.17549435e-38", "3.40282347e38", "16777217", "1234567.9"}},
			{"float(7,3)", []string{"1234.567"}},
			{"double", []string{"0.1e0", "-0e0", "2.2250738585072014e-308", "1.7976931348623157e308", "0.30000000000000004e0", "9007199254740993e0", "123456789.12345678e0"}},
			{"double(20,4)", []string{"1234567890.1234"}},
			{"bit(1)", []string{"b'1'", "b'0'"}},
			{"bit(64)", []string{"18446744073709551615", "39"}},
			{"boolean", []string{"true"}},
			{"char(5)", []string{"'ab'", "''"}},
			{"varchar(20)", []string{"'ab  '", `'a\\b\'"\n\0\Z'`, "'€😀'", "''"}},
			{"varchar(20) CHARACTER SET latin1", []string{"'é€ß'"}},
			{"varchar(20) CHARACTER SET utf16", []string{"'😀'"}},
			{"varchar(20) COLLATE utf8mb4_bin", []string{"'A '"}},
			{"text", []string{"REPEAT('x', 60000)"}},
			{"longtext", []string{`'"\\'`}},
			{"binary(4)", []string{"x'01'", "x'00FF5C27'"}},
			{"varbinary(20)", []string{"x''", "x'00FF5C2700'"}},
			{"blob", []string{"REPEAT(x'00FF', 1000)", "x'27'"}},
			{"date", []string{"'0000-00-00'", "'2026-02-31'", "'2026-00-00'", "'9999-12-31'", "'2026-02-03'"}},
			{"datetime", []string{"'0000-00-00 00:00:00'", "'2026-02-31 04:05:06'", "'1000-01-01 00:00:00'"}},
			{"datetime(6)", []string{"'2026-02-03 04:05:06.000001'", "'0000-00-00 00:00:00'"}},
			{"timestamp", []string{"'0000-00-00 00:00:00'", "'1970-01-01 02:00:01'", "'2038-01-19 05:14:07'"}},
			{"timestamp(6)", []string{"'2026-02-03 04:05:06.000001'", "'2026-10-25 02:30:00.5'"}},
			{"time", []string{"'-838:59:59'", "'838:59:59'", "'00:00:00'"}},
			{"time(6)", []string{"'-00:00:00.000001'", "'04:05:06.5'"}},
			{"year", []string{"0", "1901", "2155"}},
			{"enum('a','b','')", []string{"'b'", "''"}},
			{"set('a','b')", []string{"'a,b'", "''"}},
			{"json", []string{`'{"b": 1, "a":  [1.50]}'`, "'null'"}},
			{"uuid", []string{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}},
			{"inet6", []string{"'::1'"}},
			{"point", []string{"POINT(0.1, -2)"}},
			{"geometry", []string{"ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))', 4326)"}},
		},
	},
	testdb.NameSQLite: {
		columns: func() (columns []column) {
			// Any value can be in any column; what the type says is which values are converted when they are written.
			values := []string{
				"0", "-9223372036854775808", "9223372036854775807", "0.1", "-0.0", "9e999", "-9e999", "5e-324", "1e20", "9007199254740993.0", "''", "'a'", "'1'", "'1.50'",
				"' 1'", "'0x10'", "'1e3'", "'2026-02-03'", "'2026-02-03 04:05:06.000001+02:00'", "'2026-02-30'", "'true'", "x''", "x'00ff'", "x'31'", "'a' || char(0) || 'b'",
				"CAST(x'ff41' AS TEXT)", "'€😀'", "1770091506", "1770091506123", "1", "2", "'NULL'", "CAST(zeroblob(3000) AS BLOB)",
			}
			for _, typ := range []string{
				"", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION", "NUMERIC", "DECIMAL(10,2)", "TEXT", "VARCHAR(10)", "CHAR(3) COLLATE NOCASE", "BLOB", "BOOLEAN", "DATE",
				"DATETIME", "TIMESTAMP", "TIME", "JSON", "ANYTHING",
			} {
				columns = append(columns, column{typ, values})
			}
			return columns
		}(),
	},
}

// Every type's values come back exactly, whether the rows were deleted or every column was overwritten.
func TestTypes_ComeBackExactly(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		types := typesOf[d.Name]
		create, names, rows := "CREATE TABLE t (id integer NOT NULL PRIMARY KEY", []string{}, 0
		for i, c := range types.columns {
			names = append(names, fmt.Sprintf("c%d", i))
			null := " NULL"
			if d.Name == testdb.NameSQLite {
				null = ""
			}
			create += fmt.Sprintf(", c%d %s%s", i, c.sql, null)
			rows = max(rows, len(c.values))
		}
		statements := append(slices.Clone(types.before), create+")")
		for r := range rows + 1 {
			list := []string{fmt.Sprint(r)}
			for _, c := range types.columns {
				list = append(list, append(slices.Clone(c.values), slices.Repeat([]string{"NULL"}, rows)...)[r])
			}
			statements = append(statements, "INSERT INTO t VALUES ("+strings.Join(list, ", ")+")")
		}
		raw := d.RawDB(t)
		raw.SetMaxOpenConns(1) // the settings are a session's
		for _, s := range statements {
			if _, err := raw.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%.300s: %v", s, err)
			}
		}
		w := newWorld(t, d)
		want := d.Dump(t)
		images := w.all(true)
		if len(images) != rows+1 {
			t.Fatalf("%d rows were read of %d", len(images), rows+1)
		}
		back := w.stored(images)
		w.same(want, images)

		w.exec("DELETE FROM t")
		w.block(func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, back) })
		w.same(want, images)

		w.exec("UPDATE t SET " + strings.Join(names, " = NULL, ") + " = NULL")
		back = w.stored(images, names...)
		w.block(func(ctx context.Context) error {
			for _, row := range back {
				if n, err := w.images.Update(ctx, w.DB, row); err != nil || n != 1 {
					return fmt.Errorf("%d rows: %w", n, err)
				}
			}
			return nil
		})
		w.same(want, images)
	})
}

// same checks that the database is as it was, and that its rows are read as they were: alone, in a block, and by key.
func (w *world) same(dump string, images []rowimage.Row) {
	w.t.Helper()
	alone, err := w.images.Read(w.t.Context(), w.DB, "", nil, false)
	if err != nil {
		w.t.Fatal(err)
	}
	keys := keysOf(images)
	for what, got := range map[string][]rowimage.Row{"alone": alone, "in a block": w.all(true), "by key": w.byKey(keys)} {
		if len(got) != len(images) {
			w.t.Errorf("%s: %d rows, want %d", what, len(got), len(images))
			continue
		}
		for i := range images {
			for _, c := range w.images.Changes(images[i], got[i]) {
				column, _ := w.table.Column(c.Column)
				w.t.Errorf("%s: row %v, %s: %#v is now %#v", what, images[i].Key, column.Type, c.Before, c.After)
			}
		}
	}
	if diff := cmp.Diff(dump, w.on.Dump(w.t)); diff != "" {
		w.t.Fatalf("the database has changed (-want +got):\n%s", diff)
	}
}
