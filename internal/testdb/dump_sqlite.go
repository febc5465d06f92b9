package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

type sqliteDumper struct{ path string }

// open takes a file that is not there for an empty database; opening it would make it.
func (d sqliteDumper) open() (*sql.DB, error) {
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		return sql.Open("sqlite", ":memory:")
	}
	return openSQLite(d.path)
}

func (d sqliteDumper) schema(ctx context.Context, tx *sql.Tx, _ dumpOptions) (string, error) {
	var text strings.Builder
	for _, pragma := range []string{"user_version", "application_id"} {
		var value int64
		if err := tx.QueryRowContext(ctx, `PRAGMA `+pragma).Scan(&value); err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "PRAGMA %s = %d;\n", pragma, value)
	}
	// The objects that SQLite makes by itself are called sqlite_ and follow from the others.
	statements, err := dumpQueries(ctx, tx, `
		SELECT type || ' ' || name, sql
		FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND sql IS NOT NULL
		ORDER BY type, name`)
	for _, s := range statements {
		fmt.Fprintf(&text, "\n-- %s\n%s;\n", s.title, s.query)
	}
	return text.String(), err
}

func (d sqliteDumper) queries(ctx context.Context, tx *sql.Tx, o dumpOptions) ([]dumpQuery, error) {
	tables, err := dumpQueries(ctx, tx, `
		SELECT name, name
		FROM sqlite_schema
		WHERE type = 'table' AND (name NOT LIKE 'sqlite\_%' ESCAPE '\' OR (name = 'sqlite_sequence' AND ?))
		ORDER BY name`, o.sequences)
	if err != nil {
		return nil, err
	}
	for i, table := range tables {
		// A value is read as its SQL literal, which tells its type and is not changed by the driver. Texts are quoted
		// here because quote ends at a zero byte.
		columns, err := dumpQueries(ctx, tx, `
			SELECT name, format('CASE typeof("%w") WHEN ''text'' THEN '''''''' || "%w" || '''''''' ELSE quote("%w") END', name, name, name)
			FROM pragma_table_xinfo(?)
			WHERE hidden <> 1
			ORDER BY cid`, table.title)
		if err != nil {
			return nil, err
		}
		var list []string
		for _, c := range columns {
			list = append(list, c.query)
		}
		tables[i].query = "SELECT " + strings.Join(list, ", ") + ` FROM "` + strings.ReplaceAll(table.title, `"`, `""`) + `"`
	}
	return tables, nil
}
