package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Count counts by statement: neither MySQL nor MariaDB keeps row counts per transaction and table.
func (Dialect) Count(_ context.Context, _ driver.Conn, q dialect.Queryer) (dialect.Tally, error) {
	return &tally{StatementTally: dialect.StatementTally{Syntax: sqltext.MySQL}, q: q}, nil
}

type tally struct {
	dialect.StatementTally
	q dialect.Queryer
}

// Notes names the changed tables whose triggers or cascading foreign keys change more rows than the statements report.
func (t *tally) Notes(ctx context.Context, changed dialect.Changes) ([]string, error) {
	notes, err := t.StatementTally.Notes(ctx, changed)
	if err != nil {
		return nil, err
	}
	for _, table := range changed.Tables() {
		schema, name, found := strings.Cut(table, ".")
		if !found {
			schema, name = "", table
		}
		others, err := dialect.Names(ctx, t.q, `
			SELECT CONCAT('trigger ', TRIGGER_NAME) FROM information_schema.TRIGGERS
			WHERE EVENT_OBJECT_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND EVENT_OBJECT_TABLE = ?
			UNION ALL
			SELECT CONCAT('foreign key ', CONSTRAINT_NAME, ' of ', TABLE_NAME, ' (ON DELETE ', DELETE_RULE, ')')
			FROM information_schema.REFERENTIAL_CONSTRAINTS
			WHERE UNIQUE_CONSTRAINT_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND REFERENCED_TABLE_NAME = ?
			  AND DELETE_RULE IN ('CASCADE', 'SET NULL')`, schema, name, schema, name)
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			notes = append(notes, fmt.Sprintf("%s may change more rows: %s", table, other))
		}
	}
	return notes, nil
}
