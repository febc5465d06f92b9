package runstore

import (
	"context"
	"fmt"
	"strings"
)

// Latest returns the last run of an identity, or [ErrNoRun].
func (s *Store) Latest(ctx context.Context, identity string) (*Run, error) {
	r, err := s.last(ctx, identity)
	if err != nil {
		return nil, fmt.Errorf("find the last run: %w", err)
	}
	return &r, nil
}

// idLength is the length of a ULID.
const idLength = 26

// Find returns the run whose id begins with prefix, in upper or lower case. The error is [ErrNoRun] where there is none and [*AmbiguousError] where there
// are several.
func (s *Store) Find(ctx context.Context, prefix string) (*Run, error) {
	id := strings.ToUpper(strings.TrimSpace(prefix))
	wrap := func(err error) error { return fmt.Errorf("find run %q: %w", prefix, err) }
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) {
		return nil, wrap(ErrNoRun)
	}
	if len(id) < idLength {
		var ids []string
		err := s.each(ctx, `SELECT "id" FROM "drover_runs" WHERE "id" LIKE ? ORDER BY "id"`, []any{id + "%"}, func(scan scan) error {
			var found string
			err := scan(&found)
			ids = append(ids, found)
			return err
		})
		switch {
		case err != nil:
			return nil, wrap(err)
		case len(ids) == 0:
			return nil, wrap(ErrNoRun)
		case len(ids) > 1:
			return nil, &AmbiguousError{Prefix: prefix, IDs: ids}
		}
		id = ids[0]
	}
	r, err := s.get(ctx, id)
	if err != nil {
		return nil, wrap(err)
	}
	return &r, nil
}

// defaultLimit is the number of runs that List returns by itself.
const defaultLimit = 20

const sums = `COALESCE(SUM("batches"), 0) AS "sum_batches", COALESCE(SUM("rows_read"), 0) AS "sum_read", COALESCE(SUM("rows_done"), 0) AS "sum_done",
	COALESCE(SUM("rows_quarantined"), 0) AS "sum_quarantined", COALESCE(SUM("retries"), 0) AS "sum_retries", COALESCE(SUM("busy_us"), 0) AS "sum_busy"`

// List returns the runs that the filter chooses, the newest first, and the counters of each.
func (s *Store) List(ctx context.Context, f Filter) ([]Run, []Counters, error) {
	where, args := "1 = 1", []any{}
	if f.Command != "" {
		where, args = where+` AND "command" = ?`, append(args, f.Command)
	}
	if f.Identity != "" {
		where, args = where+` AND "identity" = ?`, append(args, f.Identity)
	}
	if f.State != "" {
		where, args = where+` AND (`+stateSQL+`) = ?`, append(args, string(f.State))
	}
	if f.Unfinished {
		where += ` AND "state" NOT IN ('succeeded', 'cancelled', 'undone')`
	}
	limit := f.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	// The page of runs is chosen once, so that the sums are of these and no more shards are read.
	query := `SELECT ` + runColumns + `, "sum_batches", "sum_read", "sum_done", "sum_quarantined", "sum_retries", "sum_busy"
		FROM (SELECT "page"."page_id", ` + sums + `
			FROM (SELECT "id" AS "page_id" FROM "drover_runs" WHERE ` + where + ` ORDER BY "created_at" DESC, "id" DESC LIMIT ?) AS "page"
			LEFT JOIN "drover_shards" ON "run_id" = "page"."page_id" GROUP BY "page"."page_id") AS "totals"
		JOIN "drover_runs" ON "id" = "page_id" ORDER BY "created_at" DESC, "id" DESC`
	var runs []Run
	var counters []Counters
	err := s.each(ctx, query, append(args, limit), func(scan scan) error {
		var c Counters
		var busy micros
		r, err := readRun(scan, &c.Batches, &c.Read, &c.Done, &c.Quarantined, &c.Retries, &busy)
		c.Busy = busy.duration()
		runs, counters = append(runs, r), append(counters, c)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list the runs: %w", err)
	}
	return runs, counters, nil
}

// Totals returns the sums of the counters of a run's shards.
func (s *Store) Totals(ctx context.Context, runID string) (Counters, error) {
	var c Counters
	var busy micros
	err := s.each(ctx, `SELECT `+sums+` FROM "drover_shards" WHERE "run_id" = ?`, []any{runID}, func(scan scan) error {
		return scan(&c.Batches, &c.Read, &c.Done, &c.Quarantined, &c.Retries, &busy)
	})
	c.Busy = busy.duration()
	return c, op("add up the counters of", runID, err)
}
