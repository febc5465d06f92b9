package drovertest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// ownTables is what the names of drover's tables begin with.
const ownTables = "drover_"

// State is the rows of all tables but drover's own, as text: a line for each row, sorted within a table. Two states are equal when the tables hold
// the same. The tables are those that need no schema or database before their names.
func State(ctx context.Context, conn *db.DB) (string, error) {
	names, err := conn.Dialect().Tables(ctx, conn)
	if err != nil {
		return "", fmt.Errorf("list the tables: %w", err)
	}
	var b strings.Builder
	for _, name := range names {
		if strings.HasPrefix(name, ownTables) || strings.Contains(name, ".") {
			continue
		}
		lines, err := tableState(ctx, conn, name)
		if err != nil {
			return "", fmt.Errorf("read table %s: %w", name, err)
		}
		b.WriteString(name + "\n")
		for _, line := range lines {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String(), nil
}

func tableState(ctx context.Context, conn *db.DB, name string) ([]string, error) {
	d := conn.Dialect()
	t, err := d.Table(ctx, conn, name)
	if err != nil {
		return nil, err
	}
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.Select(d.Quote(c.Name))
	}
	var lines []string
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + keyset.TableName(d, t.Schema, t.Name)
	err = dialect.Each(ctx, conn, query, nil, func(scan func(dest ...any) error) error {
		values := make(keyset.Values, len(columns))
		dest := make([]any, len(values))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		line, err := keyset.Encode(values)
		lines = append(lines, line)
		return err
	})
	slices.Sort(lines)
	return lines, err
}
