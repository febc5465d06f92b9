package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/drover-dev/drover/internal/dialect"
)

// Tables implements [dialect.Catalog].
func (Dialect) Tables(ctx context.Context, q dialect.Queryer) ([]string, error) {
	const query = `
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname || '.' END ||
  CASE WHEN c.relname LIKE '%.%' THEN quote_ident(c.relname) ELSE c.relname END AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND NOT pg_is_other_temp_schema(n.oid)
ORDER BY name`
	names, err := dialect.Names(ctx, q, query)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return names, nil
}

// Table implements [dialect.Catalog]. A partitioned table is one table: its estimates, foreign keys and
// triggers are those of the whole tree.
func (Dialect) Table(ctx context.Context, q dialect.Queryer, name string) (*dialect.Table, error) {
	schema, table, err := dialect.SplitName(name, `"`)
	if err != nil {
		return nil, err
	}
	t, oid, err := relation(ctx, q, fold(schema), fold(table))
	if err == nil && t == nil {
		t, oid, err = relation(ctx, q, schema.Text, table.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	if t == nil {
		return nil, fmt.Errorf("table %s: %w", name, dialect.ErrNoTable)
	}
	for _, part := range []struct {
		what string
		read func(context.Context, dialect.Queryer, int64, *dialect.Table) error
	}{
		{"columns", readColumns},
		{"keys", readKeys},
		{"foreign keys", readReferences},
		{"triggers", readTriggers},
	} {
		if err := part.read(ctx, q, oid, t); err != nil {
			return nil, fmt.Errorf("read the %s of table %s: %w", part.what, t.FullName(), err)
		}
	}
	return t, nil
}

// fold is what a statement makes of an identifier: lower case unless quoted.
func fold(id dialect.Ident) string {
	if id.Quoted {
		return id.Text
	}
	return strings.ToLower(id.Text)
}

// relation finds a table, view or foreign table; without a schema it is the first one on the search path.
// It returns nil when there is none.
func relation(ctx context.Context, q dialect.Queryer, schema, name string) (t *dialect.Table, oid int64, err error) {
	// A partitioned table holds nothing itself, and pg_partition_tree knows no other tables. reltuples is -1 for a
	// table that was never analysed, and then the sum over a tree says nothing.
	const query = `
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind NOT IN ('r', 'p'), leaf.rows, leaf.bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT COALESCE(CASE WHEN min(p.reltuples) < 0 THEN -1 ELSE sum(p.reltuples) END, -1)::int8 AS rows,
    COALESCE(sum(pg_total_relation_size(p.oid)), -1)::int8 AS bytes
  FROM pg_class p
  WHERE p.oid = c.oid AND c.relkind <> 'p' OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)
) leaf
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relname = ?::text
  AND CASE WHEN ?::text = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = ?::text END`
	err = dialect.Each(ctx, q, query, []any{name, schema, schema}, func(scan func(...any) error) error {
		t = &dialect.Table{}
		err := scan(&oid, &t.Schema, &t.Name, &t.View, &t.Rows, &t.Bytes)
		t.Reclaim = "VACUUM (ANALYZE) " + Dialect{}.Quote(t.Schema) + "." + Dialect{}.Quote(t.Name)
		return err
	})
	return t, oid, err
}

func readColumns(ctx context.Context, q dialect.Queryer, oid int64, t *dialect.Table) error {
	const query = `
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attcollation <> 0, a.attgenerated <> '',
  a.attidentity <> '' OR COALESCE(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false),
  a.attgenerated = '' AND (a.atthasdef OR t.typdefault IS NOT NULL), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END::int8
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ?::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`
	return dialect.Each(ctx, q, query, []any{oid}, func(scan func(...any) error) error {
		var c dialect.Column
		var base uint32
		err := scan(&c.Name, &c.Type, &c.Nullable, &c.Collated, &c.Generated, &c.Sequence, &c.Default, &base)
		c.Exact = exact(base, Dialect{}.Quote(c.Name))
		t.Columns = append(t.Columns, c)
		return err
	})
}

// exact reads dates and times as text, since Go has no infinite ones, in ISO 8601 and UTC, so that the text is the same and means the same in every
// session. That of JSON is not subject to DateStyle.
func exact(base uint32, quoted string) string {
	switch base {
	case pgtype.DateOID, pgtype.TimestampOID:
		return "(to_json(" + quoted + ") #>> '{}')"
	case pgtype.TimestamptzOID:
		return "CASE WHEN isfinite(" + quoted + ") THEN (to_json(" + quoted + " AT TIME ZONE 'UTC') #>> '{}') || ' +00' ELSE " + quoted + "::text END"
	}
	return ""
}

func readKeys(ctx context.Context, q dialect.Queryer, oid int64, t *dialect.Table) error {
	// A primary key of a table that others inherit from (relkind r, not p) is not unique over the rows that
	// a statement on the parent sees.
	const query = `
SELECT ic.relname::text, i.indisprimary, a.attname::text
FROM pg_index i
JOIN pg_class ic ON ic.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = ?::int8::oid
  AND i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate AND NOT i.indisexclusion
  AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.n <= i.indnkeyatts
  AND NOT EXISTS (
    SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS l(attnum, n)
    JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = l.attnum
    WHERE l.n <= i.indnkeyatts AND NOT b.attnotnull)
  AND NOT EXISTS (
    SELECT FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent
    WHERE h.inhparent = i.indrelid AND p.relkind = 'r')
ORDER BY i.indisprimary DESC, i.indnkeyatts, ic.relname, k.n`
	return dialect.Each(ctx, q, query, []any{oid}, func(scan func(...any) error) error {
		var name, column string
		var primary bool
		err := scan(&name, &primary, &column)
		if n := len(t.Keys); n == 0 || t.Keys[n-1].Name != name {
			t.Keys = append(t.Keys, dialect.Key{Name: name, Primary: primary})
		}
		last := &t.Keys[len(t.Keys)-1]
		last.Columns = append(last.Columns, column)
		return err
	})
}

// tree selects a table and its partitions; it takes the table's oid twice.
const tree = `(SELECT relid FROM pg_partition_tree(?::int8::oid) UNION SELECT ?::int8::oid)`

var onDelete = map[string]string{
	"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT",
}

func readReferences(ctx context.Context, q dialect.Queryer, oid int64, t *dialect.Table) error {
	// A foreign key to or from a partitioned table has a copy for each partition: only the topmost counts.
	const query = `
WITH tree AS ` + tree + `
SELECT f.oid::int8, f.conname::text, n.nspname::text, c.relname::text, f.confdeltype::text,
  a.attname::text, r.attname::text,
  EXISTS (SELECT FROM pg_index x WHERE x.indrelid = f.conrelid AND x.indisvalid AND x.indpred IS NULL
          AND (x.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey)
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(col, ref, n)
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.col
JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = k.ref
WHERE f.contype = 'f' AND f.confrelid IN (SELECT relid FROM tree)
  AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = f.conparentid AND p.confrelid IN (SELECT relid FROM tree))
ORDER BY n.nspname, c.relname, f.conname, f.oid, k.n`
	last := int64(0)
	return dialect.Each(ctx, q, query, []any{oid, oid}, func(scan func(...any) error) error {
		var id int64
		var action, column, refColumn string
		var r dialect.Reference
		if err := scan(&id, &r.Name, &r.Schema, &r.Table, &action, &column, &refColumn, &r.Indexed); err != nil {
			return err
		}
		if id != last {
			r.OnDelete = onDelete[action]
			t.References = append(t.References, r)
			last = id
		}
		ref := &t.References[len(t.References)-1]
		ref.Columns = append(ref.Columns, column)
		ref.RefColumns = append(ref.RefColumns, refColumn)
		return nil
	})
}

func readTriggers(ctx context.Context, q dialect.Queryer, oid int64, t *dialect.Table) error {
	// The bits are those of TRIGGER_TYPE_* in catalog/pg_trigger.h.
	const query = `
SELECT g.tgname::text, bool_or(g.tgtype & 4 <> 0), bool_or(g.tgtype & 16 <> 0), bool_or(g.tgtype & 8 <> 0), bool_or(g.tgtype & 32 <> 0)
FROM pg_trigger g
WHERE g.tgrelid IN ` + tree + ` AND NOT g.tgisinternal AND g.tgenabled <> 'D'
GROUP BY g.tgname
ORDER BY g.tgname`
	return dialect.Each(ctx, q, query, []any{oid, oid}, func(scan func(...any) error) error {
		var g dialect.Trigger
		var fires [4]bool
		err := scan(&g.Name, &fires[0], &fires[1], &fires[2], &fires[3])
		for i, event := range []string{"INSERT", "UPDATE", "DELETE", "TRUNCATE"} {
			if fires[i] {
				g.Events = append(g.Events, event)
			}
		}
		t.Triggers = append(t.Triggers, g)
		return err
	})
}
