package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Count counts by statement: neither MySQL nor MariaDB keeps row counts per transaction and table. Tables of engines without
// transactions (MyISAM, Aria, MEMORY) are looked up at once: what is written to them stays after a rollback.
func (Dialect) Count(ctx context.Context, _ driver.Conn, q dialect.Queryer) (dialect.Tally, error) {
	lasting, err := dialect.Names(ctx, q, `
		SELECT LOWER(CONCAT(t.TABLE_SCHEMA, '.', t.TABLE_NAME))
		FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
		WHERE t.TABLE_TYPE = 'BASE TABLE' AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'
		  AND t.TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')`)
	if err != nil {
		return nil, err
	}
	schema, err := dialect.Names(ctx, q, `SELECT COALESCE(LOWER(DATABASE()), '')`)
	if err != nil {
		return nil, err
	}
	return &tally{StatementTally: dialect.StatementTally{Syntax: sqltext.MySQL}, q: q, lasting: lasting, schema: schema[0]}, nil
}

type tally struct {
	dialect.StatementTally
	q       dialect.Queryer
	lasting []string // schema.table, in lower case, of the tables without transactions
	schema  string   // of names without one
}

// Allow refuses to write to a table without transactions, and, where there are such tables, to write to one that the statement's
// text does not tell.
func (t *tally) Allow(query string) error {
	if len(t.lasting) == 0 || !sqltext.Classify(sqltext.MySQL, query).Has(sqltext.Writes) {
		return nil
	}
	_, tables, ok := sqltext.Target(sqltext.MySQL, query)
	if !ok {
		return fmt.Errorf("dry run: the statement may write to a table without transactions (%s), which a rollback leaves changed", strings.Join(t.lasting, ", "))
	}
	for table := range strings.SplitSeq(strings.ToLower(tables), ", ") {
		if !strings.Contains(table, ".") {
			table = t.schema + "." + table
		}
		if slices.Contains(t.lasting, table) {
			return fmt.Errorf("dry run: the table %s has no transactions, so a rollback would leave it changed", table)
		}
	}
	return nil
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
