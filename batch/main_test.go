package batch_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestMain(m *testing.M) {
	if runChild() { // a process that a test has started, to kill it
		return
	}
	testdb.Main(m)
}

// Item is a row of the tests: hits counts how often it was worked on.
type Item struct {
	ID     int64  `db:"id,pk"`
	Status string `db:"status"`
	Hits   int64  `db:"hits"`
}

func (Item) TableName() string { return "item" }

// fixture is a database with the table item.
type fixture struct {
	testdb.Database
	raw  *sql.DB
	conn *db.DB
}

// each runs fn on every database, with n rows in item.
func each(t *testing.T, n int, fn func(t *testing.T, f *fixture)) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) { fn(t, newFixture(t, d, n)) })
}

func newFixture(t *testing.T, d testdb.Database, n int, opts ...db.OpenOption) *fixture {
	t.Helper()
	f := &fixture{Database: d, raw: d.RawDB(t), conn: open(t, d.URL, opts...)}
	f.exec(t, `CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL, hits bigint NOT NULL)`)
	f.fill(t, 1, n)
	return f
}

func open(t *testing.T, url string, opts ...db.OpenOption) *db.DB {
	t.Helper()
	conn, err := db.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return conn
}

// fill adds the rows from..to, with gaps between the keys.
func (f *fixture) fill(t *testing.T, from, to int) {
	t.Helper()
	if to < from {
		return
	}
	rows := make([]Item, 0, to-from+1)
	for i := from; i <= to; i++ {
		rows = append(rows, Item{ID: int64(i) * 3, Status: "new"})
	}
	if _, err := table.Of[Item](f.conn).BulkCreate(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := f.raw.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func (f *fixture) count(t *testing.T, query string) int64 {
	t.Helper()
	var n int64
	if err := f.raw.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (f *fixture) want(t *testing.T, query string, want int64) {
	t.Helper()
	if got := f.count(t, query); got != want {
		t.Errorf("%s: %d, want %d", query, got, want)
	}
}

// wantOnce fails the test unless each of n rows was worked on exactly once.
func (f *fixture) wantOnce(t *testing.T, n int64) {
	t.Helper()
	f.want(t, "SELECT count(*) FROM item WHERE hits = 1", n)
	f.want(t, "SELECT count(*) FROM item WHERE hits > 1", 0)
	f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 0)
}

// counting is a job that counts up hits of every row.
func counting(process ...func(ctx context.Context, b *batch.Batch[Item]) error) *batch.Job[Item] {
	return &batch.Job[Item]{
		Name:   "count",
		Source: allItems,
		Process: func(ctx context.Context, b *batch.Batch[Item]) error {
			for _, p := range process {
				if err := p(ctx, b); err != nil {
					return err
				}
			}
			return countUp(ctx, b)
		},
	}
}

func allItems(_ context.Context, conn *db.DB) (batch.Source[Item], error) {
	return batch.Rows(table.Of[Item](conn)), nil
}

func countUp(ctx context.Context, b *batch.Batch[Item]) error {
	for i := range b.Rows {
		b.Rows[i].Hits++
		b.Rows[i].Status = "done"
	}
	n, err := table.Of[Item](b.DB()).BulkUpdate(ctx, b.Rows, "hits", "status")
	if err == nil && n != int64(len(b.Rows)) {
		err = fmt.Errorf("%d of %d rows updated", n, len(b.Rows))
	}
	return err
}

// recorder keeps the events of a run.
type recorder struct {
	mu     sync.Mutex
	events []batch.Event
	on     func(batch.Event)
}

func (r *recorder) observe(e batch.Event) {
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	if r.on != nil {
		r.on(e)
	}
}

func (r *recorder) of(kind batch.EventType) []batch.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var some []batch.Event
	for _, e := range r.events {
		if e.Type == kind {
			some = append(some, e)
		}
	}
	return some
}

// workers are the numbers of workers that a database is tested with.
func (f *fixture) workers() []int {
	if f.conn.Dialect().Features().SingleWriter {
		return []int{1}
	}
	return []int{1, 4}
}
