package batch_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

// arena is a table that a run works on while others write it.
//
// The rows of the job have the keys 3, 6, … 3n. Other writers change the column note of rows in the job's range, insert rows between those
// of the job, and insert and delete rows behind the run's last key. What the table must hold at the end is known all the same: a run that
// loses an update of theirs, or works a row twice or not at all, does not get there.
type arena struct {
	testdb.Database
	raw *sql.DB
	job string
	n   int64

	stop    context.CancelFunc
	writers sync.WaitGroup
	begun   chan struct{} // closed when the run's last key is fixed
	once    sync.Once

	notes   atomic.Int64 // that were added
	between atomic.Int64 // rows inserted in the job's range
	behind  atomic.Int64 // rows behind it that are still there
	failed  atomic.Int64 // statements of the writers that failed: deadlocks and the like
}

func newArena(t *testing.T, d testdb.Database, job string, n int64) *arena {
	t.Helper()
	a := &arena{Database: d, raw: d.RawDB(t), job: job, n: n, begun: make(chan struct{})}
	a.raw.SetMaxIdleConns(8)         // a connection for each of the writers
	if d.Name == testdb.NameSQLite { // as drover leaves a file; the journal cannot be changed while others write
		a.exec(t, "PRAGMA journal_mode = WAL")
	}
	a.exec(t, `CREATE TABLE entry (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL, hits bigint NOT NULL, note bigint NOT NULL)`)
	a.exec(t, `CREATE TABLE gone (id bigint NOT NULL)`)
	status := "new"
	if job == purgeJob {
		status = "old"
	}
	var values []string
	for i := int64(1); i <= n; i++ {
		values = append(values, fmt.Sprintf("(%d, '%s', 0, 0)", 3*i, status))
		if job == purgeJob && i%keepEvery == 0 {
			values = append(values, fmt.Sprintf("(%d, 'keep', 0, 0)", 3*i+1))
		}
		if len(values) >= 2000 || i == n {
			a.exec(t, "INSERT INTO entry VALUES "+strings.Join(values, ", "))
			values = nil
		}
	}
	return a
}

// keepEvery says after how many of the rows to purge there is one that stays.
const keepEvery = 10

func (a *arena) exec(t *testing.T, query string) {
	t.Helper()
	if _, err := a.raw.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
}

func (a *arena) count(t *testing.T, query string) int64 {
	t.Helper()
	var n int64
	if err := a.raw.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// write starts the other writers.
func (a *arena) write(t *testing.T, writers int, every time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	a.stop = cancel
	t.Cleanup(a.endWriters)
	for w := range writers {
		a.writers.Go(func() { a.writer(ctx, int64(w), int64(writers), every) })
	}
}

// endWriters waits until the other writers have ended.
func (a *arena) endWriters() {
	if a.stop != nil {
		a.stop()
	}
	a.writers.Wait()
}

// started tells the writers that the run's last key is fixed.
func (a *arena) started() { a.once.Do(func() { close(a.begun) }) }

func (a *arena) writer(ctx context.Context, w, writers int64, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	free := rand.Perm(int(a.n / writers)) // keys of the writer's own between the job's
	next := 3*a.n + 100 + w               // and behind them
	var mine []int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch rand.IntN(4) {
		case 0, 1:
			key := 3 * (1 + rand.Int64N(a.n))
			if a.job == purgeJob {
				key = 3*keepEvery*(1+rand.Int64N(a.n/keepEvery)) + 1
			}
			a.notes.Add(a.do(ctx, sqlNote(key)))
		case 2:
			if len(free) == 0 {
				continue
			}
			status := "new"
			if a.job == purgeJob {
				status = "keep"
			}
			key := 3*(int64(free[0])*writers+w) + 2
			free = free[1:]
			a.between.Add(a.do(ctx, fmt.Sprintf("INSERT INTO entry VALUES (%d, '%s', 0, 0)", key, status)))
		case 3:
			select {
			case <-a.begun:
			default:
				continue
			}
			if len(mine) > 5 {
				a.behind.Add(-a.do(ctx, fmt.Sprintf("DELETE FROM entry WHERE id = %d", mine[0])))
				mine = mine[1:]
				continue
			}
			if next += writers; a.do(ctx, fmt.Sprintf("INSERT INTO entry VALUES (%d, 'old', 0, 0)", next)) == 1 {
				a.behind.Add(1)
				mine = append(mine, next)
			}
		}
	}
}

// sqlNote is what another writer does to a row of the job.
func sqlNote(key int64) string {
	return fmt.Sprintf("UPDATE entry SET note = note + 1 WHERE id = %d", key)
}

// do sends a statement and returns how many rows it changed; a deadlock changes none. A statement under way is waited for, so that what it
// did is known.
func (a *arena) do(ctx context.Context, query string) int64 {
	res, err := a.raw.ExecContext(context.WithoutCancel(ctx), query)
	if err != nil {
		a.failed.Add(1)
		return 0
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0
	}
	return n
}

// wrongRows compares the table with what a clean run leaves, and returns how many rows are wrong.
func (a *arena) wrongRows(t *testing.T) int64 {
	t.Helper()
	a.endWriters()
	var wrong int64
	check := func(what, query string, want int64) {
		t.Helper()
		if got := a.count(t, query); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
			wrong += max(got-want, want-got)
		}
	}
	last := 3 * a.n
	jobRows := fmt.Sprintf("FROM entry WHERE id <= %d AND id %% 3 = 0", last)
	others := fmt.Sprintf("FROM entry WHERE id <= %d AND id %% 3 = 2", last)
	check("notes", "SELECT COALESCE(SUM(note), 0) FROM entry", a.notes.Load())
	check("rows that others have inserted", "SELECT count(*) "+others, a.between.Load())
	check("rows behind the range", fmt.Sprintf("SELECT count(*) FROM entry WHERE id > %d", last+2), a.behind.Load())
	check("rows behind the range that were worked on", fmt.Sprintf("SELECT count(*) FROM entry WHERE id > %d AND (hits <> 0 OR status <> 'old')", last+2), 0)
	done := "SELECT COALESCE(SUM(rows_done), 0) FROM drover_shards"
	if a.job == purgeJob {
		check("rows of the job that are left", "SELECT count(*) "+jobRows, 0)
		check("rows that were deleted", "SELECT count(*) FROM gone", a.n)
		check("different rows that were deleted", "SELECT count(DISTINCT id) FROM gone", a.n)
		check("rows to keep", "SELECT count(*) FROM entry WHERE status = 'keep' AND hits = 0", a.n/keepEvery+a.between.Load())
		check("rows that the run counted", done, a.n)
	} else {
		check("rows that were worked on once", "SELECT count(*) "+jobRows+" AND hits = 1 AND status = 'done'", a.n)
		check("rows that were not", "SELECT count(*) "+jobRows+" AND (hits <> 1 OR status <> 'done')", 0)
		check("inserted rows that were worked on twice", "SELECT count(*) "+others+" AND hits > 1", 0)
		check("rows that the run counted", done, a.count(t, "SELECT SUM(hits) FROM entry"))
	}
	check("runs", "SELECT count(*) FROM drover_runs", 1)
	check("runs that have succeeded and are nobody's", "SELECT count(*) FROM drover_runs WHERE state = 'succeeded' AND owner = '' AND lease_until IS NULL", 1)
	check("shards that are not done", "SELECT count(*) FROM drover_shards WHERE NOT done", 0)
	return wrong
}
