package runstore

import (
	"context"
	"fmt"
)

var imageRows = bulk{
	table:   `"drover_undo"`,
	columns: `"run_id", "table_name", "row_key", "op", "image_before", "image_after"`,
	params:  6,
	row:     `(?, ?, ?, ?, ?, ?)`,
}

// Journal stores what rows were and what became of them, in the block of their batch. ID is the database's; images are numbered in the order in which
// they come.
func (s *Store) Journal(ctx context.Context, images []Image) error {
	err := s.inserted(ctx, imageRows, len(images), func(args []any, i int) ([]any, error) {
		m := images[i]
		k, err := encodeKey(m.Key)
		return append(args, m.RunID, m.Table, k, m.Op, m.Before, m.After), err
	})
	if err != nil {
		return fmt.Errorf("journal changed rows: %w", err)
	}
	return nil
}

// Images returns at most limit of a run's images, the newest first, from the first one before the image with the ID before on; 0 stands for the end.
func (s *Store) Images(ctx context.Context, runID string, before int64, limit int) ([]Image, error) {
	where, args := `"run_id" = ?`, []any{runID}
	if before != 0 {
		where, args = where+` AND "id" < ?`, append(args, before)
	}
	var all []Image
	err := s.each(ctx, `SELECT "id", "run_id", "table_name", "row_key", "op", "image_before", "image_after" FROM "drover_undo"
		WHERE `+where+` ORDER BY "id" DESC LIMIT ?`, append(args, limit), func(scan scan) error {
		var m Image
		var k key
		err := scan(&m.ID, &m.RunID, &m.Table, &k, &m.Op, &m.Before, &m.After)
		m.Key = k.Values
		all = append(all, m)
		return err
	})
	return all, op("read the journal of", runID, err)
}

// CountImages returns how many images a run has journalled.
func (s *Store) CountImages(ctx context.Context, runID string) (n int64, err error) {
	err = s.each(ctx, `SELECT COUNT(*) FROM "drover_undo" WHERE "run_id" = ?`, []any{runID}, func(scan scan) error { return scan(&n) })
	return n, op("count the journal of", runID, err)
}

// Journalled is how many changes of one kind a run has journalled for one table.
type Journalled struct {
	Table string // as keyset.TableName quotes it
	Op    string // "update", "delete" or "create"
	Rows  int64
}

// CountJournal counts a run's images by table and kind, sorted.
func (s *Store) CountJournal(ctx context.Context, runID string) ([]Journalled, error) {
	var all []Journalled
	err := s.each(ctx, `SELECT "table_name", "op", COUNT(*) FROM "drover_undo" WHERE "run_id" = ?
		GROUP BY "table_name", "op" ORDER BY "table_name", "op"`, []any{runID}, func(scan scan) error {
		var j Journalled
		err := scan(&j.Table, &j.Op, &j.Rows)
		all = append(all, j)
		return err
	})
	return all, op("count the journal of", runID, err)
}
