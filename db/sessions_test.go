package db_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// The queries about server sessions.
var (
	sessionQuery = map[string]string{
		testdb.NamePostgres: "SELECT pg_backend_pid()",
		testdb.NameMariaDB:  "SELECT CONNECTION_ID()",
	}
	killQuery = map[string]string{
		testdb.NamePostgres: "SELECT pg_terminate_backend(%)",
		testdb.NameMariaDB:  "KILL %",
	}
	aliveQuery = map[string]string{
		testdb.NamePostgres: "SELECT count(*) FROM pg_stat_activity WHERE pid = %",
		testdb.NameMariaDB:  "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = %",
	}
)

// session returns the server's number of the session that ctx's block runs in.
func (w *world) session(t *testing.T, ctx context.Context) int64 {
	t.Helper()
	var id int64
	noError(t, w.QueryRow(ctx, sessionQuery[w.on.Name]).Scan(&id))
	return id
}

// idleSessions fills the pool with n idle connections and returns their sessions.
func (w *world) idleSessions(t *testing.T, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	ends := make([]*db.Tx, n)
	for i := range n {
		ctx, tx, err := w.Begin(t.Context())
		noError(t, err)
		ids[i], ends[i] = w.session(t, ctx), tx
	}
	for _, tx := range ends {
		noError(t, tx.Rollback(t.Context()))
	}
	return ids
}

// killSessions ends sessions on the server and returns when it has forgotten them.
func (w *world) killSessions(t *testing.T, ids ...int64) {
	t.Helper()
	admin := w.on.Server.Admin(t, map[string]string{testdb.NamePostgres: "postgres"}[w.on.Name])
	fill := func(query string, id int64) string {
		before, after, _ := strings.Cut(query, "%")
		return before + strconv.FormatInt(id, 10) + after
	}
	for _, id := range ids {
		if _, err := admin.ExecContext(t.Context(), fill(killQuery[w.on.Name], id)); err != nil {
			t.Fatalf("kill session %d: %v", id, err)
		}
	}
	for _, id := range ids {
		await(t, "the end of a session", func() bool {
			var n int
			noError(t, admin.QueryRowContext(t.Context(), fill(aliveQuery[w.on.Name], id)).Scan(&n))
			return n == 0
		})
	}
}

// await polls for something that another process does, of which it sends no sign.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited too long for %s", what)
		}
	}
}
