package sqlite

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
	const query = `
SELECT CASE WHEN schema IN ('main', 'temp') THEN '' ELSE schema || '.' END ||
  CASE WHEN name LIKE '%.%' THEN '"' || replace(name, '"', '""') || '"' ELSE name END AS n
FROM pragma_table_list
WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
ORDER BY n`
	names, err := dialect.Names(ctx, q, query)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return names, nil
}

// table is a table while it is read, with what only SQLite has.
type table struct {
	*dialect.Table
	schema       string // main, temp or an attached database
	withoutRowid bool
	primary      []string // the declared primary key, in key order
	notNull      map[string]bool
	integerKey   bool // the primary key is another name of the rowid
}

// Table implements [dialect.Catalog]. Rows and Bytes are -1: SQLite keeps no estimate that is near the truth,
// and counting is the caller's choice.
func (d Dialect) Table(ctx context.Context, q dialect.Queryer, name string) (*dialect.Table, error) {
	schemaName, tableName, err := dialect.SplitName(name, "\"`[")
	if err != nil {
		return nil, err
	}
	t, err := relation(ctx, q, schemaName.Text, tableName.Text)
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	if t == nil {
		return nil, fmt.Errorf("table %s: %w", name, dialect.ErrNoTable)
	}
	for _, part := range []struct {
		what string
		read func(context.Context, dialect.Queryer, *table) error
	}{
		{"columns", d.readColumns},
		{"keys", readKeys},
		{"foreign keys", d.readReferences},
		{"triggers", d.readTriggers},
	} {
		if err := part.read(ctx, q, t); err != nil {
			return nil, fmt.Errorf("read the %s of table %s: %w", part.what, t.FullName(), err)
		}
	}
	return t.Table, nil
}

// relation finds a table or view in the order in which SQLite resolves a name: temp, main, attached databases.
// It returns nil when there is none.
func relation(ctx context.Context, q dialect.Queryer, schema, name string) (*table, error) {
	const query = `
SELECT schema, name, type <> 'table', wr
FROM pragma_table_list
WHERE name = ? COLLATE NOCASE AND (? = '' OR schema = ? COLLATE NOCASE)
ORDER BY schema = 'temp' DESC, schema = 'main' DESC, schema
LIMIT 1`
	var t *table
	err := dialect.Each(ctx, q, query, []any{name, schema, schema}, func(scan func(...any) error) error {
		t = &table{Table: &dialect.Table{Rows: -1, Bytes: -1}, notNull: map[string]bool{}}
		if err := scan(&t.schema, &t.Name, &t.View, &t.withoutRowid); err != nil {
			return err
		}
		if t.schema != "main" {
			t.Schema = t.schema
		}
		return nil
	})
	return t, err
}

func (d Dialect) readColumns(ctx context.Context, q dialect.Queryer, t *table) error {
	// A column is hidden where it is 2, generated when it is read, or 3, generated when it is written; 1 is a virtual table's own.
	const query = `SELECT name, type, "notnull", pk, hidden IN (2, 3), COALESCE(upper(dflt_value), 'NULL') <> 'NULL' FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY cid`
	type keyPart struct {
		column string
		place  int
	}
	var key []keyPart
	err := dialect.Each(ctx, q, query, []any{t.Name, t.schema}, func(scan func(...any) error) error {
		var c dialect.Column
		var notNull bool
		var place int
		if err := scan(&c.Name, &c.Type, &notNull, &place, &c.Generated, &c.Default); err != nil {
			return err
		}
		if place > 0 {
			key = append(key, keyPart{c.Name, place})
			notNull = notNull || t.withoutRowid
		}
		c.Nullable = !notNull
		c.Collated, c.Raw = d.affinity(c)
		c.Exact = "+" + d.Quote(c.Name)
		t.notNull[c.Name] = notNull
		t.Columns = append(t.Columns, c)
		return nil
	})
	slices.SortFunc(key, func(a, b keyPart) int { return cmp.Compare(a.place, b.place) })
	for _, part := range key {
		t.primary = append(t.primary, part.column)
	}
	return err
}

// affinity tells from the declared type whether the column holds text, and how to read it unchanged: drivers
// turn what is declared as a date, a time or a boolean into Go values whose parameter form differs from what is
// stored.
func (d Dialect) affinity(c dialect.Column) (text bool, raw string) {
	declared := strings.ToUpper(c.Type)
	for _, word := range []string{"DATE", "TIME", "BOOL"} {
		if strings.Contains(declared, word) {
			return false, "+" + d.Quote(c.Name)
		}
	}
	for _, word := range []string{"CHAR", "CLOB", "TEXT"} {
		if strings.Contains(declared, word) && !strings.Contains(declared, "INT") {
			return true, ""
		}
	}
	return false, ""
}

func readKeys(ctx context.Context, q dialect.Queryer, t *table) error {
	const query = `
SELECT i.name, i.origin = 'pk', COALESCE(x.name, '')
FROM pragma_index_list(?, ?) i, pragma_index_xinfo(i.name, ?) x
WHERE i."unique" AND NOT i.partial AND x.key
ORDER BY i.origin = 'pk' DESC, i.name, x.seqno`
	err := dialect.Each(ctx, q, query, []any{t.Name, t.schema, t.schema}, func(scan func(...any) error) error {
		var name, column string
		var primary bool
		if err := scan(&name, &primary, &column); err != nil {
			return err
		}
		if n := len(t.Keys); n == 0 || t.Keys[n-1].Name != name {
			t.Keys = append(t.Keys, dialect.Key{Name: name, Primary: primary})
		}
		last := &t.Keys[len(t.Keys)-1]
		last.Columns = append(last.Columns, column)
		return nil
	})
	if err != nil {
		return err
	}
	indexed := len(t.Keys) > 0 && t.Keys[0].Primary
	if t.integerKey = len(t.primary) == 1 && !indexed && !t.withoutRowid; t.integerKey {
		t.notNull[t.primary[0]] = true // a NULL becomes the next rowid
		for i := range t.Columns {
			t.Columns[i].Auto = t.Columns[i].Name == t.primary[0]
			t.Columns[i].Nullable = t.Columns[i].Nullable && !t.Columns[i].Auto
		}
		t.Keys = slices.Insert(t.Keys, 0, dialect.Key{Name: "rowid", Columns: t.primary, Primary: true})
	}
	// A primary key other than INTEGER PRIMARY KEY may hold NULLs unless it says NOT NULL, and an expression
	// has no name.
	t.Keys = slices.DeleteFunc(t.Keys, func(k dialect.Key) bool {
		return slices.ContainsFunc(k.Columns, func(c string) bool { return !t.notNull[c] })
	})
	slices.SortStableFunc(t.Keys, func(a, b dialect.Key) int {
		switch {
		case a.Primary:
			return -1
		case b.Primary:
			return 1
		}
		return cmp.Compare(len(a.Columns), len(b.Columns))
	})
	return nil
}
