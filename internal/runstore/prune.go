package runstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pruned is how many rows one transaction of Prune deletes at most.
const pruned = 1000

// Prune deletes the runs that have been finished for longer than age, by the database's clock, with everything of theirs, in small
// transactions, and returns how many. A run that an unfinished one undoes or replays stays. Where Prune is interrupted, the next one goes on.
func (s *Store) Prune(ctx context.Context, age time.Duration) (runs int64, err error) {
	for {
		ids, err := s.expired(ctx, age)
		if err != nil {
			return runs, fmt.Errorf("find old runs: %w", err)
		}
		if len(ids) == 0 {
			return runs, nil
		}
		for _, id := range ids {
			if err := s.remove(ctx, id); err != nil {
				return runs, op("delete", id, err)
			}
			runs++
		}
	}
}

// prunable holds for the runs that may be deleted; its parameter is their age in milliseconds, negative.
const prunable = `"old"."state" IN ('succeeded', 'cancelled', 'undone') AND "old"."finished_at" < {after} AND NOT EXISTS (
	SELECT 1 FROM "drover_runs" AS "later" WHERE ("later"."undo_of" = "old"."id" OR "later"."retry_of" = "old"."id")
	AND "later"."state" NOT IN ('succeeded', 'cancelled', 'undone'))`

// CountPrunable returns how many runs [Store.Prune] would delete, and how many of them could still be undone.
func (s *Store) CountPrunable(ctx context.Context, age time.Duration) (runs, undoable int64, err error) {
	err = s.each(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN "old"."undoable" AND "old"."state" <> 'undone' THEN 1 ELSE 0 END), 0)
		FROM "drover_runs" AS "old" WHERE `+prunable, []any{-milliseconds(age)}, func(scan scan) error { return scan(&runs, &undoable) })
	if err != nil {
		err = fmt.Errorf("count old runs: %w", err)
	}
	return runs, undoable, err
}

// expired returns some of the runs that may be deleted.
func (s *Store) expired(ctx context.Context, age time.Duration) ([]string, error) {
	var ids []string
	err := s.each(ctx, `SELECT "old"."id" FROM "drover_runs" AS "old" WHERE `+prunable+`
		ORDER BY "old"."created_at", "old"."id" LIMIT 100`, []any{-milliseconds(age)}, func(scan scan) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// remove deletes one finished run.
func (s *Store) remove(ctx context.Context, id string) error {
	// First of all it cannot be undone any more: half a journal would restore half.
	if _, err := s.exec(ctx, `UPDATE "drover_runs" SET "undoable" = FALSE WHERE "id" = ?`, id); err != nil {
		return err
	}
	for _, table := range []string{`"drover_undo"`, `"drover_quarantine"`, `"drover_events"`} {
		for {
			n, err := s.removePart(ctx, table, id)
			if err != nil {
				return err
			}
			if n < pruned {
				break
			}
		}
	}
	return s.atomic(ctx, func(ctx context.Context) error {
		// The run's row first, as everywhere.
		if _, err := s.exec(ctx, `DELETE FROM "drover_runs" WHERE "id" = ?`, id); err != nil {
			return err
		}
		_, err := s.exec(ctx, `DELETE FROM "drover_shards" WHERE "run_id" = ?`, id)
		return err
	})
}

// removePart deletes the first rows that a table has of a run.
func (s *Store) removePart(ctx context.Context, table, id string) (n int64, err error) {
	err = s.atomic(ctx, func(ctx context.Context) error {
		var last sql.NullInt64
		err := s.each(ctx, `SELECT MAX("id") FROM (SELECT "id" FROM `+table+` WHERE "run_id" = ? ORDER BY "id" LIMIT ?) AS "part"`, []any{id, pruned},
			func(scan scan) error { return scan(&last) })
		if err != nil || !last.Valid {
			return err
		}
		n, err = s.exec(ctx, `DELETE FROM `+table+` WHERE "run_id" = ? AND "id" <= ?`, id, last.Int64)
		return err
	})
	return n, err
}
