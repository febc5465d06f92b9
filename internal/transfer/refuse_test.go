package transfer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/transfer"
)

// TestNew_Refuses gives tables whose rows do not go into each other.
func TestNew_Refuses(t *testing.T) {
	pg, maria, lite := testdb.NamePostgres, testdb.NameMariaDB, testdb.NameSQLite
	for _, tt := range []struct {
		name         string
		from, to     string
		source, dest string
		only         []string
		want         string
	}{
		{"a column that is not there", pg, maria, "(id int PRIMARY KEY, a int)", "(id int PRIMARY KEY)", nil, `there is no column "a"`},
		{"a named column that is not there", pg, maria, "(id int PRIMARY KEY)", "(id int PRIMARY KEY)", []string{"b"}, `there is no column "b"`},
		{"an array", pg, maria, "(id int PRIMARY KEY, a int[])", "(id int PRIMARY KEY, a longtext)", nil, "a: integer[] into longtext: the type is known to one kind of database alone"},
		{"an array of another type", pg, pg, "(id int PRIMARY KEY, a int[])", "(id int PRIMARY KEY, a bigint[])", nil, "a: integer[] into bigint[]"},
		{"text into a number", pg, maria, "(id int PRIMARY KEY, a text)", "(id int PRIMARY KEY, a int)", nil, "a: text into int(11): no value of the one is a value of the other"},
		{"a float into a decimal", maria, pg, "(id int PRIMARY KEY, a double)", "(id int PRIMARY KEY, a numeric(10,2))", nil, "a: double into numeric(10,2)"},
		{"a time into a date", maria, lite, "(id int PRIMARY KEY, a datetime)", "(id integer PRIMARY KEY, a date)", nil, "a: datetime into date"},
		{"a generated column", lite, pg, "(id integer PRIMARY KEY, a int)", "(id int PRIMARY KEY, a int GENERATED ALWAYS AS (id + 1) STORED)", nil, "a: the database computes it"},
		{"another key", lite, maria, "(id integer PRIMARY KEY, a int NOT NULL)", "(id int NOT NULL, a int PRIMARY KEY)", nil, "the key id is none of the other table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, to := newPlace(t, tt.from), newPlace(t, tt.to)
			from.exec(t, "CREATE TABLE t "+tt.source)
			to.exec(t, "CREATE TABLE t "+tt.dest)
			_, err := transfer.New(from.side(t, "t"), to.side(t, "t"), tt.only)
			var mismatch *transfer.MismatchError
			if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestInsert_RefusesWhatWouldChange gives values that the other column would round, cut or take for another one. Nothing is written.
func TestInsert_RefusesWhatWouldChange(t *testing.T) {
	pg, maria, lite := testdb.NamePostgres, testdb.NameMariaDB, testdb.NameSQLite
	for _, tt := range []struct {
		from, to string
		in       string
		value    string
		out      string
		want     string
	}{
		{pg, maria, "bigint", "2147483648", "int", "between -2147483648 and 2147483647"},
		{maria, pg, "bigint unsigned", "18446744073709551615", "bigint", "between -9223372036854775808 and 9223372036854775807"},
		{maria, lite, "bigint unsigned", "18446744073709551615", "bigint", "between -9223372036854775808 and 9223372036854775807"},
		{pg, maria, "numeric", "1.005", "decimal(10,2)", "a number of 8 digits before the point and 2 behind it"},
		{pg, maria, "numeric", "'NaN'", "decimal(10,2)", "a decimal number"},
		{pg, lite, "numeric(30,10)", "12345678901.0123456789", "decimal(30,10)", "a number of at most 15 digits"},
		{pg, maria, "double precision", "0.1", "float", "a number of single precision"},
		{maria, pg, "tinyint(1)", "2", "boolean", "true or false"},
		{pg, maria, "timestamp(6)", "'2026-01-02 03:04:05.5'", "datetime", "a time of at most 0 digits of a second"},
		{pg, maria, "timestamp", "'infinity'", "datetime(6)", "a date and time that other databases know"},
		{pg, lite, "date", "'infinity'", "date", "a day of the calendar"},
		{maria, pg, "time", "'-01:00:00'", "time", "a time of day"},
		{lite, pg, "integer", "'seven'", "integer", "an integer"},
		{lite, maria, "datetime", "'yesterday'", "datetime", "a date and time that other databases know"},
		{lite, pg, "text", "'{'", "jsonb", "JSON"},
		{lite, pg, "text", "'no'", "uuid", "a UUID"},
		{lite, maria, "", "'text'", "int", "a value of the column's class, integer"},
		{pg, maria, "bytea", `'\x01'`, "binary(4)", "4 bytes long"},
		{pg, maria, "text", "'longer'", "varchar(3)", "too long"},
		{maria, pg, "varchar(10)", "'a\\0b'", "text", "0x00"},
	} {
		t.Run(tt.in+" "+tt.value+" "+tt.from+" to "+tt.to+" "+tt.out, func(t *testing.T) {
			from, to := newPlace(t, tt.from), newPlace(t, tt.to)
			from.exec(t, "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v "+tt.in+")", "INSERT INTO t VALUES (1, "+tt.value+")")
			to.exec(t, "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v "+tt.out+")")
			way, err := transfer.New(from.side(t, "t"), to.side(t, "t"), nil)
			if err != nil {
				t.Fatal(err)
			}
			page, _, err := way.Page(t.Context(), nil, []any{int64(9)}, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			err = to.conn.Atomic(t.Context(), func(ctx context.Context) error { return way.Insert(ctx, page) })
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if db.KindOf(err) != db.ErrData {
				t.Errorf("the error is of kind %v, want %v", db.KindOf(err), db.ErrData)
			}
			var n int
			if err := to.raw.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows were written: %v", n, err)
			}
			check, err := way.Compare(t.Context(), page)
			if err != nil || len(check.Differences) != 1 || !check.Differences[0].Missing {
				t.Errorf("compared: %+v, %v", check, err)
			}
		})
	}
}
