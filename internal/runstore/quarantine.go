package runstore

import (
	"context"
	"fmt"
	"strings"
)

var quarantineRows = bulk{
	table:   `"drover_quarantine"`,
	columns: `"run_id", "phase", "shard", "row_key", "error", "kind", "input", "attempts", "retried_by", "created_at"`,
	params:  9,
	row:     `(?, ?, ?, ?, ?, ?, ?, ?, ?, {now})`,
}

// AddQuarantined stores rows that were set aside, in the block of their batch. ID and Created are the database's.
func (s *Store) AddQuarantined(ctx context.Context, rows []Quarantined) error {
	err := s.inserted(ctx, quarantineRows, len(rows), func(args []any, i int) ([]any, error) {
		q := rows[i]
		k, err := encodeKey(q.Key)
		return append(args, q.RunID, q.Phase, q.Shard, k, Storable(q.Error), cut(q.Kind), Storable(q.Input), q.Attempts, q.Retried), err
	})
	if err != nil {
		return fmt.Errorf("store rows that were set aside: %w", err)
	}
	return nil
}

// Quarantine returns at most limit of the rows that a run has set aside, sorted by ID, from the first one behind after on.
func (s *Store) Quarantine(ctx context.Context, runID string, after int64, limit int) ([]Quarantined, error) {
	var all []Quarantined
	err := s.each(ctx, `SELECT "id", "run_id", "phase", "shard", "row_key", "error", "kind", "input", "attempts", "retried_by", "created_at"
		FROM "drover_quarantine" WHERE "run_id" = ? AND "id" > ? ORDER BY "id" LIMIT ?`, []any{runID, after, limit}, func(scan scan) error {
		var q Quarantined
		var k key
		var created moment
		err := scan(&q.ID, &q.RunID, &q.Phase, &q.Shard, &k, &q.Error, &q.Kind, &q.Input, &q.Attempts, &q.Retried, &created)
		q.Key, q.Created = k.Values, created.Time
		all = append(all, q)
		return err
	})
	return all, op("read the rows set aside by", runID, err)
}

// MarkRetried notes that the run byRun has replayed rows that were set aside.
func (s *Store) MarkRetried(ctx context.Context, ids []int64, byRun string) error {
	err := s.atomic(ctx, func(ctx context.Context) error {
		for len(ids) > 0 {
			part := ids[:min(len(ids), maxRows)]
			args := []any{byRun}
			for _, id := range part {
				args = append(args, id)
			}
			query := `UPDATE "drover_quarantine" SET "retried_by" = ? WHERE "id" IN (?` + strings.Repeat(", ?", len(part)-1) + `)`
			if _, err := s.exec(ctx, query, args...); err != nil {
				return err
			}
			ids = ids[len(part):]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note which rows were replayed: %w", err)
	}
	return nil
}
