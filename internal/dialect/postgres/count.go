package postgres

import (
	"context"
	"database/sql/driver"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Count reads the server's own counters of the current transaction (PostgreSQL manual, pg_stat_xact_user_tables),
// which see COPY, triggers and cascades. They go on from earlier transactions of the session that the server has
// not yet reported, so the counts start from what they show now.
//
// A server that does not count (track_counts = off) leaves it to the statements.
func (Dialect) Count(ctx context.Context, _ driver.Conn, q dialect.Queryer) (dialect.Tally, error) {
	counting, err := dialect.Names(ctx, q, `SHOW track_counts`)
	if err != nil {
		return nil, err
	}
	if counting[0] != "on" {
		return &dialect.StatementTally{Syntax: sqltext.Postgres}, nil
	}
	t := &tally{q: q}
	t.start, err = t.read(ctx)
	return t, err
}

type tally struct {
	q     dialect.Queryer
	start dialect.Changes
}

func (t *tally) Allow(string) error { return nil }

func (t *tally) Statement(string, int64) {}

func (t *tally) Changes(ctx context.Context) (dialect.Changes, error) {
	now, err := t.read(ctx)
	return now.Less(t.start), err
}

func (t *tally) Notes(context.Context, dialect.Changes) ([]string, error) { return nil, nil }

func (t *tally) Stop() {}

func (t *tally) read(ctx context.Context) (dialect.Changes, error) {
	counts := dialect.Changes{}
	err := dialect.Each(ctx, t.q, `
		SELECT CASE WHEN pg_catalog.pg_table_is_visible(relid) THEN relname::text ELSE schemaname || '.' || relname END,
		       n_tup_ins, n_tup_upd, n_tup_del
		FROM pg_catalog.pg_stat_xact_user_tables
		WHERE n_tup_ins + n_tup_upd + n_tup_del > 0`, nil,
		func(scan func(...any) error) error {
			var table string
			var n dialect.Change
			err := scan(&table, &n.Inserted, &n.Updated, &n.Deleted)
			counts[table] = n
			return err
		})
	return counts, err
}
