package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// readReferences lists the foreign keys that point to t. Where the connection does not enforce foreign keys
// there are none to reckon with.
func (d Dialect) readReferences(ctx context.Context, q dialect.Queryer, t *table) error {
	enforced := false
	err := dialect.Each(ctx, q, `SELECT foreign_keys FROM pragma_foreign_keys`, nil, func(scan func(...any) error) error {
		return scan(&enforced)
	})
	if err != nil || !enforced {
		return err
	}
	// A foreign key never leaves its schema. "to" is NULL where it points to the primary key.
	query := `
SELECT s.name, f.id, f.on_delete, f."from", COALESCE(f."to", '')
FROM ` + d.Quote(t.schema) + `.sqlite_schema s, pragma_foreign_key_list(s.name, ?) f
WHERE s.type = 'table' AND f."table" = ? COLLATE NOCASE
ORDER BY s.name, f.id, f.seq`
	last := -1
	err = dialect.Each(ctx, q, query, []any{t.schema, t.Name}, func(scan func(...any) error) error {
		r := dialect.Reference{Schema: t.Schema}
		var id int
		var column, refColumn string
		if err := scan(&r.Table, &id, &r.OnDelete, &column, &refColumn); err != nil {
			return err
		}
		n := len(t.References)
		if n == 0 || t.References[n-1].Table != r.Table || last != id {
			t.References = append(t.References, r)
			last, n = id, n+1
		}
		ref := &t.References[n-1]
		if at := len(ref.Columns); refColumn == "" && at < len(t.primary) {
			refColumn = t.primary[at]
		}
		ref.Columns = append(ref.Columns, column)
		ref.RefColumns = append(ref.RefColumns, refColumn)
		return nil
	})
	for i := range t.References {
		if err == nil {
			err = findIndex(ctx, q, t.schema, &t.References[i])
		}
	}
	return err
}

// findIndex sets r.Indexed. A primary key counts: an INTEGER PRIMARY KEY has no index of its own.
func findIndex(ctx context.Context, q dialect.Queryer, schema string, r *dialect.Reference) error {
	const query = `
SELECT i.name, COALESCE(x.name, '')
FROM pragma_index_list(?, ?) i, pragma_index_info(i.name, ?) x
WHERE NOT i.partial
UNION ALL
SELECT '', name FROM pragma_table_info(?, ?) WHERE pk = 1`
	indexes := map[string][]string{}
	err := dialect.Each(ctx, q, query, []any{r.Table, schema, schema, r.Table, schema}, func(scan func(...any) error) error {
		var index, column string
		err := scan(&index, &column)
		indexes[index] = append(indexes[index], strings.ToLower(column))
		return err
	})
	for _, columns := range indexes {
		n := len(r.Columns)
		covered := len(columns) >= n && !slices.ContainsFunc(r.Columns, func(c string) bool {
			return !slices.Contains(columns[:n], strings.ToLower(c))
		})
		r.Indexed = r.Indexed || covered
	}
	return err
}

func (d Dialect) readTriggers(ctx context.Context, q dialect.Queryer, t *table) error {
	// A trigger of the temp schema can watch a table of another one.
	const columns = `SELECT name, sql FROM `
	const where = ` WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE`
	query := columns + d.Quote(t.schema) + `.sqlite_schema` + where
	args := []any{t.Name}
	if t.schema != "temp" {
		query += ` UNION ALL ` + columns + `temp.sqlite_schema` + where
		args = append(args, t.Name)
	}
	return dialect.Each(ctx, q, query+` ORDER BY name`, args, func(scan func(...any) error) error {
		var name, text string
		if err := scan(&name, &text); err != nil {
			return err
		}
		if event := triggerEvent(text); event != "" {
			t.Triggers = append(t.Triggers, dialect.Trigger{Name: name, Events: []string{event}})
		}
		return nil
	})
}

// triggerEvent reads the event from the text of a trigger, which SQLite keeps as
// CREATE TRIGGER name [BEFORE|AFTER|INSTEAD OF] event …
func triggerEvent(text string) string {
	text = strings.TrimSpace(strings.TrimPrefix(text, "CREATE TRIGGER"))
	if text == "" {
		return ""
	}
	if end := strings.IndexByte("\"`'[", text[0]); end >= 0 {
		if _, after, ok := strings.Cut(text[1:], string("\"`']"[end])); ok {
			text = after
		}
	} else if _, after, ok := strings.Cut(text, " "); ok {
		text = after
	}
	for word := range strings.FieldsSeq(strings.ToUpper(text)) {
		switch word {
		case "INSERT", "UPDATE", "DELETE":
			return word
		}
	}
	return ""
}
