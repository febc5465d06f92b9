package mysql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// Tables implements [dialect.Catalog].
func (Dialect) Tables(ctx context.Context, q dialect.Queryer) ([]string, error) {
	const query = "" +
		"SELECT CONCAT(CASE WHEN TABLE_SCHEMA = DATABASE() THEN '' ELSE CONCAT(TABLE_SCHEMA, '.') END,\n" +
		"  CASE WHEN TABLE_NAME LIKE '%.%' THEN CONCAT('`', REPLACE(TABLE_NAME, '`', '``'), '`') ELSE TABLE_NAME END) AS name" + `
FROM information_schema.TABLES
WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
  AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY name`
	names, err := dialect.Names(ctx, q, query)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return names, nil
}

// Table implements [dialect.Catalog]. A schema is what MySQL also calls a database.
func (Dialect) Table(ctx context.Context, q dialect.Queryer, name string) (*dialect.Table, error) {
	schema, table, err := dialect.SplitName(name, "`\"")
	if err != nil {
		return nil, err
	}
	t, err := relation(ctx, q, schema.Text, table.Text)
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	if t == nil {
		return nil, fmt.Errorf("table %s: %w", name, dialect.ErrNoTable)
	}
	for _, part := range []struct {
		what string
		read func(context.Context, dialect.Queryer, *dialect.Table) error
	}{
		{"columns and keys", readColumnsAndKeys},
		{"foreign keys", readReferences},
		{"triggers", readTriggers},
	} {
		if err := part.read(ctx, q, t); err != nil {
			return nil, fmt.Errorf("read the %s of table %s: %w", part.what, t.FullName(), err)
		}
	}
	return t, nil
}

// relation finds a table or view; without a schema it is looked for in the connection's database. It returns
// nil when there is none.
func relation(ctx context.Context, q dialect.Queryer, schema, name string) (*dialect.Table, error) {
	// Where names are compared without case, the exact spelling goes first.
	const query = `
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE NOT IN ('BASE TABLE', 'SYSTEM VERSIONED'),
  COALESCE(e.TRANSACTIONS, 'NO') <> 'YES', COALESCE(t.TABLE_ROWS, -1), COALESCE(t.DATA_LENGTH + t.INDEX_LENGTH, -1)
FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND t.TABLE_NAME = ?
ORDER BY t.TABLE_NAME = BINARY ? DESC
LIMIT 1`
	var t *dialect.Table
	err := dialect.Each(ctx, q, query, []any{schema, name, name}, func(scan func(...any) error) error {
		t = &dialect.Table{}
		if err := scan(&t.Schema, &t.Name, &t.View, &t.NotTransactional, &t.Rows, &t.Bytes); err != nil {
			return err
		}
		t.NotTransactional = t.NotTransactional && !t.View
		return nil
	})
	return t, err
}

func readColumnsAndKeys(ctx context.Context, q dialect.Queryer, t *dialect.Table) error {
	const query = `
SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, COALESCE(NUMERIC_PRECISION, 0), IS_NULLABLE = 'YES', COALESCE(COLLATION_NAME, ''),
  EXTRA LIKE '%auto_increment%', EXTRA LIKE '%VIRTUAL GENERATED%' OR EXTRA LIKE '%STORED GENERATED%', EXTRA LIKE '%on update%',
  COALESCE(COLUMN_DEFAULT, 'NULL') <> 'NULL'
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
ORDER BY ORDINAL_POSITION`
	unordered := map[string]bool{}
	err := dialect.Each(ctx, q, query, []any{t.Schema, t.Name}, func(scan func(...any) error) error {
		var c dialect.Column
		var dataType string
		var precision int
		if err := scan(&c.Name, &c.Type, &dataType, &precision, &c.Nullable, &c.Collation, &c.Auto, &c.Generated, &c.Stamped, &c.Default); err != nil {
			return err
		}
		c.Collated = c.Collation != ""
		c.TextBytes = !slices.Contains(binaryTypes, dataType)
		c.Exact = exact(dataType, Dialect{}.Quote(c.Name))
		c.Unsigned = dataType == "bigint" && strings.Contains(c.Type, "unsigned")
		c.Verbatim = c.Auto || slices.Contains(sessionTypes, dataType)
		t.Columns = append(t.Columns, c)
		unordered[c.Name] = sortsOtherwise(dataType, precision)
		return nil
	})
	if err != nil {
		return err
	}
	return readKeys(ctx, q, t, unordered)
}

// binaryTypes are the types whose values are bytes, not text.
var binaryTypes = []string{"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry"}

// sessionTypes are the types that sql_mode or time_zone decides about.
var sessionTypes = []string{"date", "datetime", "timestamp"}

// exact reads as text what the driver would round or lose: digits of a FLOAT, the sign of a zero, days that are not in the calendar. A
// TIMESTAMP is read in UTC, whatever the session's time zone is.
func exact(dataType, quoted string) string {
	switch dataType {
	case "float":
		return "CAST(" + quoted + " * 1e0 AS CHAR)" // as a DOUBLE, which is not rounded to six digits
	case "double", "date", "datetime":
		return "CAST(" + quoted + " AS CHAR)"
	case "timestamp":
		// Only the zero date is the second 0: the type begins with 1.
		return "IF(UNIX_TIMESTAMP(" + quoted + ") = 0, '0000-00-00 00:00:00', " +
			"CAST(TIMESTAMP('1970-01-01') + INTERVAL UNIX_TIMESTAMP(" + quoted + ") SECOND AS CHAR))"
	}
	return ""
}

// sortsOtherwise tells the types whose ORDER BY does not agree with a comparison with a parameter: ENUM and SET
// sort by number but compare as text, BIT compares as text with bytes, and FLOAT and long DECIMAL lose digits
// on the way to the parameter.
func sortsOtherwise(dataType string, precision int) bool {
	switch dataType {
	case "enum", "set", "bit", "float":
		return true
	case "decimal":
		return precision > 15
	}
	return false
}

func readKeys(ctx context.Context, q dialect.Queryer, t *dialect.Table, unordered map[string]bool) error {
	// A column is NULL for an expression, SUB_PART is set for a prefix.
	const query = `
SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), NULLABLE = 'YES' OR SUB_PART IS NOT NULL OR COLUMN_NAME IS NULL
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0
ORDER BY INDEX_NAME, SEQ_IN_INDEX`
	unusable := map[string]bool{}
	err := dialect.Each(ctx, q, query, []any{t.Schema, t.Name}, func(scan func(...any) error) error {
		var name, column string
		var bad bool
		if err := scan(&name, &column, &bad); err != nil {
			return err
		}
		if n := len(t.Keys); n == 0 || t.Keys[n-1].Name != name {
			t.Keys = append(t.Keys, dialect.Key{Name: name, Primary: name == "PRIMARY", Whole: true})
		}
		last := &t.Keys[len(t.Keys)-1]
		last.Columns = append(last.Columns, column)
		last.Whole = last.Whole && !bad
		if bad || unordered[column] {
			unusable[name] = true
		}
		return nil
	})
	t.Unique = slices.Clone(t.Keys)
	t.Keys = slices.DeleteFunc(t.Keys, func(k dialect.Key) bool { return unusable[k.Name] })
	slices.SortStableFunc(t.Keys, func(a, b dialect.Key) int {
		switch {
		case a.Primary:
			return -1
		case b.Primary:
			return 1
		}
		return cmp.Compare(len(a.Columns), len(b.Columns))
	})
	return err
}

func readReferences(ctx context.Context, q dialect.Queryer, t *dialect.Table) error {
	const query = `
SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, r.DELETE_RULE, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE k
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.REFERENCED_TABLE_SCHEMA = ? AND k.REFERENCED_TABLE_NAME = ?
ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`
	return dialect.Each(ctx, q, query, []any{t.Schema, t.Name}, func(scan func(...any) error) error {
		var column, refColumn string
		// InnoDB does not create a foreign key without an index on its columns.
		r := dialect.Reference{Indexed: true}
		if err := scan(&r.Name, &r.Schema, &r.Table, &r.OnDelete, &column, &refColumn); err != nil {
			return err
		}
		if r.OnDelete == "NO ACTION" {
			r.OnDelete = "RESTRICT" // the same here: no check waits for the end of the statement
		}
		n := len(t.References)
		if n == 0 || t.References[n-1].Name != r.Name || t.References[n-1].FullName() != r.FullName() {
			t.References = append(t.References, r)
			n++
		}
		ref := &t.References[n-1]
		ref.Columns = append(ref.Columns, column)
		ref.RefColumns = append(ref.RefColumns, refColumn)
		return nil
	})
}

func readTriggers(ctx context.Context, q dialect.Queryer, t *dialect.Table) error {
	const query = `
SELECT TRIGGER_NAME, EVENT_MANIPULATION
FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?
ORDER BY TRIGGER_NAME`
	return dialect.Each(ctx, q, query, []any{t.Schema, t.Name}, func(scan func(...any) error) error {
		var name, event string
		err := scan(&name, &event)
		t.Triggers = append(t.Triggers, dialect.Trigger{Name: name, Events: []string{event}})
		return err
	})
}
