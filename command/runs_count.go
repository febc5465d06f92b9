package command

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
)

// Two counts of the control tables that nothing but a confirmation and a plan need.

var quotedName = regexp.MustCompile(`"[a-z_]+"`)

// controlSQL makes a statement on the control tables the dialect's.
func controlSQL(d dialect.Dialect, query string) string {
	query = quotedName.ReplaceAllStringFunc(query, func(name string) string { return d.Quote(strings.Trim(name, `"`)) })
	return strings.ReplaceAll(query, "{after}", d.Features().ClockAfter)
}

// oldRuns are runs that "runs prune" deletes.
type oldRuns struct {
	runs     int64
	undoable int64 // of them can still be undone
}

// countOld counts the runs that [runstore.Store.Prune] would delete.
func countOld(ctx context.Context, conn *db.DB, age time.Duration) (oldRuns, error) {
	var n oldRuns
	query := controlSQL(conn.Dialect(), `SELECT COUNT(*), COALESCE(SUM(CASE WHEN "old"."undoable" AND "old"."state" <> 'undone' THEN 1 ELSE 0 END), 0)
		FROM "drover_runs" AS "old" WHERE "old"."state" IN ('succeeded', 'cancelled', 'undone') AND "old"."finished_at" < {after} AND NOT EXISTS (
			SELECT 1 FROM "drover_runs" AS "later" WHERE ("later"."undo_of" = "old"."id" OR "later"."retry_of" = "old"."id")
			AND "later"."state" NOT IN ('succeeded', 'cancelled', 'undone'))`)
	err := conn.QueryRow(ctx, query, -age.Milliseconds()).Scan(&n.runs, &n.undoable)
	if err != nil {
		return n, fmt.Errorf("count old runs: %w", err)
	}
	return n, nil
}

// journalled is how many changes of one kind a run has journalled for one table.
type journalled struct {
	table string // quoted
	op    string
	rows  int64
}

// countJournal counts what an undo of a run would restore, by table and kind.
func countJournal(ctx context.Context, conn *db.DB, runID string) ([]journalled, error) {
	query := controlSQL(conn.Dialect(), `SELECT "table_name", "op", COUNT(*) FROM "drover_undo" WHERE "run_id" = ?
		GROUP BY "table_name", "op" ORDER BY "table_name", "op"`)
	var all []journalled
	err := dialect.Each(ctx, conn, query, []any{runID}, func(scan func(...any) error) error {
		var j journalled
		err := scan(&j.table, &j.op, &j.rows)
		all = append(all, j)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the journal of the run: %w", err)
	}
	return all, nil
}
