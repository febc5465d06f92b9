package runstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// world is one database with the tables of the store.
type world struct {
	*runstore.Store
	conn *db.DB
	on   testdb.Database
}

// each runs fn on every database, with the tables in it.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d testdb.Database) { fn(t, ready(t, d)) })
}

func open(t *testing.T, d testdb.Database, opts ...db.OpenOption) *world {
	t.Helper()
	conn, err := db.Open(t.Context(), d.URL, opts...)
	noError(t, err)
	t.Cleanup(func() { noError(t, conn.Close()) })
	return &world{runstore.New(conn), conn, d}
}

func ready(t *testing.T, d testdb.Database, opts ...db.OpenOption) *world {
	t.Helper()
	w := open(t, d, opts...)
	// Not with Init, which takes ten times as long; TestSQL_ByHand sees to it that this is the same.
	all, err := runstore.SQL(w.conn.Dialect())
	noError(t, err)
	for _, statement := range strings.SplitAfter(all, ";\n") {
		if strings.TrimSpace(statement) != "" {
			noError(t, w.conn.Exec(t.Context(), statement))
		}
	}
	return w
}

// again opens the database a second time, as another process would.
func (w *world) again(t *testing.T) *world {
	t.Helper()
	return open(t, w.on)
}

// failer is a test, or one sequence of a property's.
type failer interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
}

const lease = time.Hour

// new creates a run with so many shards.
func (w *world) new(t *testing.T, identity string, shards int) *runstore.Run {
	t.Helper()
	n := runstore.NewRun{Command: "purge", CreatedBy: "ann@desk", Planned: -1}
	for i := range shards {
		n.Shards = append(n.Shards, runstore.Shard{Upper: keyset.Values{int64(i * 100)}, Planned: 100})
	}
	run, err := w.Create(t.Context(), identity, n)
	noError(t, err)
	return run
}

func (w *world) acquire(t *testing.T, id, owner string) (*runstore.Run, []runstore.Shard) {
	t.Helper()
	run, shards, err := w.Acquire(t.Context(), id, owner, lease)
	noError(t, err)
	return run, shards
}

// expire ends the lease of a run as if its time had come.
func (w *world) expire(t failer, id string) {
	t.Helper()
	past := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := w.conn.Exec(t.Context(), "UPDATE drover_runs SET lease_until = ? WHERE id = ? AND lease_until IS NOT NULL", past, id); err != nil {
		t.Fatal(err)
	}
}

func (w *world) find(t *testing.T, id string) *runstore.Run {
	t.Helper()
	run, err := w.Find(t.Context(), id)
	noError(t, err)
	return run
}

// checkpoint commits a batch of nothing but the checkpoint.
func (w *world) checkpoint(ctx context.Context, sh *runstore.Shard, p runstore.Progress) error {
	return w.conn.Atomic(ctx, func(ctx context.Context) error { return w.Checkpoint(ctx, sh, p) })
}

// runCheckpoint makes the server run the UPDATE at once: in an inner block nothing waits for COMMIT.
func (w *world) runCheckpoint(ctx context.Context, sh *runstore.Shard, p runstore.Progress) error {
	return w.conn.Atomic(ctx, func(ctx context.Context) error { return w.Checkpoint(ctx, sh, p) }, db.NoSavepoint())
}

// types returns the types of a run's events.
func (w *world) types(t failer, id string) []string {
	t.Helper()
	events, err := w.Events(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

// wantEvent checks the last event of a run.
func (w *world) wantEvent(t *testing.T, id, typ, actor, text string) {
	t.Helper()
	events, err := w.Events(t.Context(), id, 1)
	noError(t, err)
	if len(events) != 1 || events[0].Type != typ || events[0].Actor != actor || events[0].Text != text || events[0].RunID != id {
		t.Errorf("last event %+v, want %q by %q: %q", events, typ, actor, text)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// count returns how many of the errors are nil, and fails for one that is none of the others.
func count(t *testing.T, errs []error, others func(error) bool) int {
	t.Helper()
	nils := 0
	for _, err := range errs {
		if err == nil {
			nils++
		} else if !others(err) {
			t.Errorf("error %v", err)
		}
	}
	return nils
}

// together runs n functions at once and returns their errors.
func together(n int, run func(i int) error) []error {
	errs, done := make([]error, n), make(chan struct{})
	start := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			errs[i] = run(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return errs
}

// until polls for something that another goroutine or process is about to do.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); !reached(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s has not happened in 10 s", what)
		}
	}
}

// waiting reports whether a transaction waits for a lock of another. SQLite does not tell.
func (w *world) waiting(t *testing.T) func() bool {
	t.Helper()
	var admin *sql.DB
	query := map[string]string{
		testdb.NamePostgres: "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
		testdb.NameMariaDB:  "SELECT VARIABLE_VALUE FROM GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
	}[w.on.Name]
	if w.on.Name == testdb.NameMariaDB {
		admin = w.on.Server.Admin(t, "information_schema")
	} else {
		admin = w.on.RawDB(t)
	}
	return func() bool {
		if query == "" {
			return true
		}
		var n int
		noError(t, admin.QueryRowContext(t.Context(), query).Scan(&n))
		return n > 0
	}
}

func sum(shards []runstore.Shard) (batches int64) {
	for _, sh := range shards {
		batches += sh.Batches
	}
	return batches
}
