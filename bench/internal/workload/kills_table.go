package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

// fresh makes the tables as they were before any run, and returns what the server has counted so far.
func (k *killer) fresh(ctx context.Context) (changed int64, err error) {
	if k.Name != testdb.NameSQLite { // there the file is another one
		err := k.exec(ctx, `DROP TABLE IF EXISTS drover_runs, drover_shards, drover_quarantine, drover_undo, drover_events, drover_schema`)
		if err != nil {
			return 0, err
		}
	}
	if err := k.restore(ctx); err != nil {
		return 0, fmt.Errorf("make the table anew: %w", err)
	}
	err = k.exec(ctx, `DROP TABLE IF EXISTS item_place`, `CREATE TABLE item_place (id integer NOT NULL PRIMARY KEY, last bigint NOT NULL)`,
		`INSERT INTO item_place VALUES (1, 0)`)
	if err != nil {
		return 0, err
	}
	return k.changed(ctx)
}

// count has the server count the changes of rows, and notes which sessions are not of the processes. It is off before only on MariaDB.
func (k *killer) count(ctx context.Context) error {
	k.raw.SetMaxOpenConns(1) // so that no session of ours is added later
	if k.Server != nil {
		k.admin = k.harness.Admin(k.Database)
	}
	if k.Name == testdb.NameMariaDB {
		if _, err := k.admin.ExecContext(ctx, `SET GLOBAL userstat = 1`); err != nil {
			return fmt.Errorf("have the server count changes: %w", err)
		}
	}
	var err error
	k.own, err = k.sessions(ctx)
	return err
}

// countNoMore ends it also when the work was cancelled.
func (k *killer) countNoMore() error {
	if k.Name != testdb.NameMariaDB {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionsEnd)
	defer cancel()
	_, err := k.admin.ExecContext(ctx, `SET GLOBAL userstat = 0`)
	return err
}

// changed is how many rows of the table were changed since the server counts, rolled back or not: both servers count with the statement. A
// session of PostgreSQL tells its counts when it ends. SQLite does not count.
func (k *killer) changed(ctx context.Context) (n int64, err error) {
	switch k.Name {
	case testdb.NamePostgres:
		err = k.raw.QueryRowContext(ctx, `SELECT n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relid = 'item'::regclass`).Scan(&n)
	case testdb.NameMariaDB:
		var database string
		if err := k.raw.QueryRowContext(ctx, `SELECT database()`).Scan(&database); err != nil {
			return 0, err
		}
		err = k.admin.QueryRowContext(ctx, `SELECT rows_changed FROM information_schema.table_statistics `+
			`WHERE table_schema = ? AND table_name = 'item'`, database).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("read how many rows were changed: %w", err)
	}
	return n, nil
}

// sessions are those in the database.
func (k *killer) sessions(ctx context.Context) (ids []int64, err error) {
	query := map[string]string{
		testdb.NamePostgres: `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`,
		testdb.NameMariaDB:  `SELECT id FROM information_schema.processlist WHERE db = database()`,
	}[k.Name]
	if query == "" {
		return nil, nil
	}
	rows, err := k.raw.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list the sessions: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// sessionsEnd is how long the session of a process that is dead may take to end: its last statement does not notice.
const sessionsEnd = 30 * time.Second

// awaitSessions waits until only our own are left, so that nothing changes any more.
func (k *killer) awaitSessions(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, sessionsEnd, errors.New("sessions of processes that have ended are still there"))
	defer cancel()
	for {
		ids, err := k.sessions(limited)
		if err == nil && !slices.ContainsFunc(ids, func(id int64) bool { return !slices.Contains(k.own, id) }) {
			return nil
		}
		if err == nil {
			err = wait(limited, 10*time.Millisecond)
		}
		if limited.Err() != nil {
			return context.Cause(limited)
		}
		if err != nil {
			return err
		}
	}
}
