package batch_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestMeters_Options gives each option of a meter to a command: it is read where the database knows the number, and refused elsewhere.
func TestMeters_Options(t *testing.T) {
	known := map[string]string{
		testdb.NamePostgres: "--max-lag --max-lock-waits --max-dead-rows --max-held-log --max-batch-time --throttle",
		testdb.NameMariaDB:  "--max-lock-waits --max-dead-rows --max-batch-time --throttle",
		testdb.NameSQLite:   "--max-batch-time --throttle",
	}
	values := map[string]string{
		"--max-lag": "1h", "--max-lock-waits": "1000", "--max-dead-rows": "1000000", "--max-held-log": "1000000", "--max-batch-time": "1h",
		"--throttle": "rows 1000 SELECT count(*) FROM {table}",
	}
	each(t, 30, func(t *testing.T, f *fixture) {
		app := drover.New("tool")
		app.Add(counting().Command())
		for option, value := range values {
			_, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{f.conn}}, "count", option, value, "--no-input", "--again")
			if strings.Contains(known[f.Name], option) {
				if err != nil {
					t.Errorf("%s: %v", option, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), option+": this database cannot tell") || drover.ExitCode(err) != drover.ExitUsage {
				t.Errorf("%s: error %v", option, err)
			}
		}
	})
}

// TestMeters_OfATable wants a table for a meter that names it.
func TestMeters_OfATable(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		job := &batch.Job[int]{
			Name: "numbers",
			Source: func(context.Context, *db.DB) (batch.Source[int], error) {
				one := func(context.Context, int64, bool) iter.Seq2[int, error] {
					return func(yield func(int, error) bool) { yield(1, nil) }
				}
				return batch.Seq(one, func(n int) int64 { return int64(n) }), nil
			},
			Process: func(context.Context, *batch.Batch[int]) error { return nil },
		}
		_, err := job.Run(t.Context(), f.conn, batch.Options{Meters: []batch.Meter{{Name: "size", Limit: 1, SQL: "SELECT count(*) FROM {table}"}}})
		if err == nil || !strings.Contains(err.Error(), `the meter "size" is of a table`) {
			t.Errorf("error %v", err)
		}
	})
}

// stopsAndGoesOn runs a job whose meter is over its limit at first, calls relieve when the run waits because of it, and wants the run to end.
func stopsAndGoesOn(t *testing.T, f *fixture, m batch.Meter, relieve func() error) {
	t.Helper()
	m.Every = 100 * time.Millisecond
	relieved := make(chan error, 1)
	var once sync.Once
	var rec recorder
	rec.on = func(e batch.Event) {
		if e.Type == batch.EventThrottled {
			once.Do(func() { go func() { relieved <- relieve() }() })
		}
	}
	res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Again: true, Observe: rec.observe, Meters: []batch.Meter{m}})
	if err != nil || res.Done != 30 {
		t.Fatalf("result %+v, error %v", res, err)
	}
	waits := rec.of(batch.EventThrottled)
	if len(waits) == 0 || !strings.Contains(waits[0].Text, m.Name) {
		t.Fatalf("waits %+v, want one for %q", waits, m.Name)
	}
	if err := <-relieved; err != nil {
		t.Fatal(err)
	}
	if len(rec.of(batch.EventContinued)) == 0 {
		t.Error("nobody said that the run goes on")
	}
}

// TestMeters_DeadRows waits for the rows of a table that VACUUM has to clear away, in its partitions too.
func TestMeters_DeadRows(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	f := newFixture(t, d, 0)
	f.exec(t, "DROP TABLE item", "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL, hits bigint NOT NULL) PARTITION BY RANGE (id)",
		"CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (50)", "CREATE TABLE item_high PARTITION OF item FOR VALUES FROM (50) TO (1000)")
	f.fill(t, 1, 30)
	query := f.conn.Dialect().Features().Meters.DeadRows
	dead := func() int64 { return f.count(t, strings.ReplaceAll(query, "{table}", `"public"."item"`)) }
	for range 5 {
		f.exec(t, "UPDATE item SET hits = 0")
	}
	poll(t, func() error {
		f.exec(t, "SELECT pg_stat_force_next_flush()")
		if n := dead(); n < 100 {
			return errors.New("the statistics do not tell of the dead rows yet")
		}
		return nil
	})
	stopsAndGoesOn(t, f, batch.Meter{Name: "dead row versions", Limit: 100, SQL: query}, func() error {
		_, err := f.raw.ExecContext(t.Context(), "VACUUM item")
		return err
	})
	f.wantOnce(t, 30)
}

// TestMeters_HeldLog waits for a replica that does not take its log; here it is a slot that nobody reads.
func TestMeters_HeldLog(t *testing.T) {
	server := testdb.NewPostgres(t)
	f := newFixture(t, server.Database(t), 30)
	admin := server.Admin(t, "postgres")
	if _, err := admin.ExecContext(t.Context(), "SELECT pg_create_physical_replication_slot('gone', true)"); err != nil {
		t.Fatal(err)
	}
	f.exec(t, "CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
	m := batch.Meter{Name: "write-ahead log kept for a replica", Unit: "B", Limit: 1 << 20, SQL: f.conn.Dialect().Features().Meters.HeldLog}
	stopsAndGoesOn(t, f, m, func() error {
		_, err := admin.ExecContext(t.Context(), "SELECT pg_drop_replication_slot('gone')")
		return err
	})
	f.wantOnce(t, 30)
}

// TestMeters_DeadRowsOfInnoDB sees the old row versions that a snapshot keeps alive, and is stopped while it waits for their end.
func TestMeters_DeadRowsOfInnoDB(t *testing.T) {
	f := newFixture(t, testdb.NewMariaDB(t).Database(t), 30)
	snapshot, err := f.RawDB(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snapshot.Close() }()
	if _, err := snapshot.ExecContext(t.Context(), "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		f.exec(t, "UPDATE item SET hits = hits + 1", "UPDATE item SET hits = hits - 1")
	}
	m := batch.Meter{Name: "dead row versions", Limit: 10, SQL: f.conn.Dialect().Features().Meters.DeadRows}
	stopsAndGoesOn(t, f, m, func() error {
		if _, err := snapshot.ExecContext(t.Context(), "COMMIT"); err != nil {
			return err
		}
		_, err := f.Server.Admin(t, "mysql").ExecContext(t.Context(), "SET GLOBAL innodb_max_purge_lag_wait = 0") // returns when all is cleared away
		return err
	})
	f.wantOnce(t, 30)
}

// TestMeters_BatchTime waits after a batch that took too long, by the run's own clock, and goes on by itself.
func TestMeters_BatchTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testdb.Fresh(t, testdb.NameSQLite), 40)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	var once sync.Once
	slow := func(context.Context, *batch.Batch[Item]) error {
		once.Do(func() { ahead.Store(int64(3 * time.Second)) })
		return nil
	}
	var rec recorder
	_, err := counting(slow).Run(t.Context(), f.conn, batch.Options{
		BatchSize: 10, RowsPerSecond: 10, MaxBatchTime: 2 * time.Second, Now: now, Observe: rec.observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wantOnce(t, 40)
	waits := rec.of(batch.EventThrottled)
	if len(waits) != 1 || !strings.Contains(waits[0].Text, "time of a batch 3.0s") || len(rec.of(batch.EventContinued)) != 1 {
		t.Errorf("waits %+v, %+v", waits, rec.of(batch.EventContinued))
	}
}
