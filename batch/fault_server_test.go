package batch_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// TestFault_TheServerIsKilled kills the server under a run and starts it again, twice, and 25 times where "make torture" runs it. The run waits
// for it and goes on by itself.
func TestFault_TheServerIsKilled(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres,
		testdb.NameMariaDB:  testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			for _, workers := range []int{1, 4} {
				t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
					t.Parallel()
					kills := 2
					if os.Getenv("DROVER_TORTURE") != "" {
						kills = 25
					}
					killServer(t, newFixture(t, start(t).Database(t), 600*(kills+2)), workers, kills)
				})
			}
		})
	}
}

func killServer(t *testing.T, f *fixture, workers, kills int) {
	rows := int64(600 * (kills + 2))
	crash := make(chan struct{}, kills)
	killed := make(chan error, kills)
	go func() {
		for range crash {
			err := f.Server.Kill()
			if err == nil {
				err = f.Server.Start()
			}
			killed <- err
		}
	}()
	defer close(crash)
	asked := 0
	var rec recorder
	rec.on = func(e batch.Event) { // by one goroutine at a time
		if e.Type == batch.EventBatch && asked < kills && e.Done > int64(600*(asked+1)) {
			asked++
			crash <- struct{}{}
		}
	}
	res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Workers: workers, Observe: rec.observe})
	for range asked {
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatalf("the run did not go on after the server had come back: %v", err)
	}
	if asked != kills || res.Attempt != 1 {
		t.Errorf("%d kills, attempt %d", asked, res.Attempt)
	}
	if len(rec.of(batch.EventRetry)) == 0 {
		t.Error("no batch was tried again: the kills have hit nothing")
	}
	f.raw = f.RawDB(t) // the connections of the other pool are dead
	f.wantOnce(t, rows)
	f.want(t, "SELECT SUM(rows_done) FROM drover_shards", rows)
}

// TestFault_TheStatisticsAreLost works on some rows of a table that the server takes for empty, as it does after a crash, while somebody else has
// another row locked. MariaDB would read the whole table then, and wait for that row, if it were not told to look the rows up by their key.
func TestFault_TheStatisticsAreLost(t *testing.T) {
	server := testdb.NewMariaDB(t, testdb.Setting("innodb_lock_wait_timeout", "1"))
	f := newFixture(t, server.Database(t), 0)
	f.exec(t, "ALTER TABLE item STATS_AUTO_RECALC = 0", "ANALYZE TABLE item")
	f.fill(t, 1, 5000)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	f.raw = f.RawDB(t)
	f.want(t, "SELECT n_rows FROM mysql.innodb_table_stats WHERE table_name = 'item' AND database_name = database()", 0)
	other, err := f.raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if err := other.QueryRowContext(t.Context(), "SELECT id FROM item WHERE id = 6000 FOR UPDATE").Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	job := counting()
	job.Source = func(_ context.Context, conn *db.DB) (batch.Source[Item], error) {
		return batch.Rows(table.Of[Item](conn).Where("id BETWEEN 3000 AND 3600")), nil
	}
	res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Undo: true, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{BatchSize: 10, Retries: -1}); err != nil {
		t.Fatal(err)
	}
	f.want(t, "SELECT count(*) FROM item WHERE hits > 0", 0)
}
