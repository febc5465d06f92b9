package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// TestPurge_KeyTypes walks keys of many types: each value goes from the database to the program and back as a parameter,
// and must mean the same row there.
func TestPurge_KeyTypes(t *testing.T) {
	tests := map[string][]struct{ columnType, value string }{ // value is written for the row of the number %[1]d
		testdb.NamePostgres: {
			{"bigint", "9223372036854775807 - %[1]d"},
			{"numeric", "1234567890123456789012345 + %[1]d::numeric / 1000"},
			{"double precision", "%[1]d / 7.0"},
			{"real", "%[1]d / 7.0"},
			{"text", "chr(64 + %[1]d) || 'é' || %[1]d"},
			{"char(8)", "'k%[1]d'"},
			{"uuid", "md5('%[1]d')::uuid"},
			{"bytea", "decode(md5('%[1]d'), 'hex')"},
			{"date", "date '2026-01-01' + %[1]d"},
			{"timestamp", "timestamp '2026-01-01 00:00:00.000001' + %[1]d * interval '1 microsecond'"},
			{"timestamptz", "timestamptz '2026-03-29 00:59:59.999999+00' + %[1]d * interval '10 minutes 1 microsecond'"},
			{"time", "time '00:00' + %[1]d * interval '1 second'"},
			{"interval", "%[1]d * interval '1 hour'"},
			{"inet", "inet '10.0.0.0' + %[1]d"},
			{"int[]", "ARRAY[%[1]d %% 3, %[1]d]"},
			{"mood", "(enum_range(NULL::mood))[%[1]d]"},
			{"whole", "%[1]d"},
		},
		testdb.NameMariaDB: {
			{"bigint unsigned", "18446744073709551615 - %[1]d"},
			{"decimal(15,3)", "123456789012 + %[1]d / 1000"},
			{"double", "%[1]d / 7.0e0"},
			{"varchar(20) collate utf8mb4_bin", "concat(char(64 + %[1]d), 'é', %[1]d)"},
			{"varchar(20)", "concat(char(64 + %[1]d), 'é', %[1]d)"},
			{"char(8)", "'k%[1]d'"},
			{"uuid", "concat(lpad(hex(%[1]d * 7919 %% 251), 8, '0'), '-0000-4000-8000-', lpad(%[1]d, 12, '0'))"},
			{"inet6", "'2001:db8::%[1]d'"},
			{"binary(16)", "unhex(md5('%[1]d'))"},
			{"varbinary(20)", "unhex(md5('%[1]d'))"},
			{"date", "date '2026-01-01' + interval %[1]d day"},
			{"datetime(6)", "timestamp '2026-01-01 00:00:00.000001' + interval %[1]d microsecond"},
			{"timestamp(6)", "timestamp '2026-03-29 00:59:59.999999' + interval %[1]d * 600000001 microsecond"},
			{"time", "sec_to_time(%[1]d)"},
			{"year", "2000 + %[1]d"},
		},
		testdb.NameSQLite: {
			{"TEXT", "'k%[1]d'"},
			{"TEXT COLLATE NOCASE", "char(64 + %[1]d) || 'é'"},
			{"BLOB", "CAST('b%[1]d' AS BLOB)"},
			{"REAL", "%[1]d / 7.0"},
			{"NUMERIC", "%[1]d * 1.5"},
			{"DATETIME", "datetime('2026-01-01', '+%[1]d minutes')"},
			{"TIMESTAMP", "1767225600 + %[1]d"},
			{"BOOLEAN", "%[1]d"},
			{"", "CASE %[1]d %% 4 WHEN 0 THEN %[1]d WHEN 1 THEN 'k%[1]d' WHEN 2 THEN %[1]d / 7.0 ELSE CAST('b%[1]d' AS BLOB) END"},
		},
	}
	const rows = 20
	for name, types := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testdb.Fresh(t, name))
			if name == testdb.NamePostgres {
				var moods []string
				for i := range rows {
					moods = append(moods, fmt.Sprintf("'m%d'", rows-i))
				}
				b.exec(t, "CREATE TYPE mood AS ENUM ("+strings.Join(moods, ", ")+")", "CREATE DOMAIN whole AS integer CHECK (VALUE > 0)")
			}
			for number, tt := range types {
				table := fmt.Sprintf("t%d", number)
				t.Run(tt.columnType, func(t *testing.T) {
					b.exec(t, "CREATE TABLE "+table+" (k "+tt.columnType+" NOT NULL PRIMARY KEY, n integer)")
					for i := 1; i <= rows; i++ {
						value := strings.ReplaceAll(strings.ReplaceAll(tt.value, "%[1]d", fmt.Sprint(i)), "%%", "%")
						b.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%s, %d)", table, value, i))
					}
					b.unchanged(t, func() { b.mustCall(t, "--table", table, "--where", "n % 4 <> 0", "--dry-run", "--json") })
					b.mustCall(t, "--table", table, "--where", "n % 4 <> 0", "--no-input", "--batch-size", "2", "--limit", "13")
					b.wantCount(t, "SELECT count(*) FROM "+table+" WHERE n % 4 <> 0", 2)
					b.mustCall(t, "--table", table, "--where", "n % 4 <> 0", "--no-input", "--batch-size", "1")
					b.wantCount(t, "SELECT count(*) FROM "+table+" WHERE n % 4 = 0", rows/4)
					b.wantCount(t, "SELECT count(*) FROM "+table, rows/4)
				})
			}
		})
	}
}
