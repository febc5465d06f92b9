package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/dialect"
)

// CommitWith sends an UPDATE and COMMIT in one round trip. Where the UPDATE affects no row it fails on purpose, so that the server skips the
// COMMIT: found is false then, and the transaction must be rolled back, as after every error. The UPDATE divides nothing itself.
//
// COMMIT is sent as text every time, for whoever reads along: proxies, the server's log, tests.
func CommitWith(ctx context.Context, conn *pgx.Conn, update string, args []any) (found bool, err error) {
	update = "WITH affected AS (" + update + " RETURNING 1) SELECT 1 / count(*) FROM affected"
	params := make([][]byte, len(args)) // as text, of whatever types the server finds them to be
	for i, a := range args {
		if a != nil {
			params[i] = fmt.Append(nil, a)
		}
	}
	var batch pgconn.Batch
	prepared := conn.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
	if prepared {
		description, err := conn.Prepare(ctx, update, update)
		if err != nil {
			return true, err
		}
		batch.ExecPrepared(description.Name, params, nil, nil)
	} else {
		batch.ExecParams(update, params, nil, nil, nil)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	results, err := conn.PgConn().ExecBatch(ctx, &batch).ReadAll()
	pe, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && pe.Code == "22012": // division by zero
		return false, nil
	case answered && prepared && dialect.Stale(err):
		_ = conn.Deallocate(ctx, update) // so that the next try prepares it anew
	case err == nil && results[len(results)-1].CommandTag.String() == "ROLLBACK":
		err = pgx.ErrTxCommitRollback
	}
	return true, err
}
