package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// followed is a primary of the test's own with the table item, and its replica.
type followed struct {
	*fixture
	standby *testdb.Standby
	replica *db.DB
}

// eachFollowed runs fn on a primary and a replica of each kind, with n rows in item.
func eachFollowed(t *testing.T, n int, fn func(t *testing.T, f *followed)) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres,
		testdb.NameMariaDB:  testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			f := &followed{fixture: newFixture(t, server.Database(t), n), standby: server.NewStandby(t)}
			f.standby.CatchUp(t)
			f.replica = open(t, f.standby.Replica(f.Database).URL, db.Alias("copy"))
			fn(t, f)
		})
	}
}

// delay lets the replica fall behind by at least the limit, and returns what lets it go on.
func (f *followed) delay(t *testing.T, limit time.Duration) (relieve func() error) {
	t.Helper()
	f.exec(t, "UPDATE item SET status = 'new again'")
	f.standby.CatchUp(t) // PostgreSQL tells no lag before the first commit
	if f.Name == testdb.NamePostgres {
		f.standby.PauseReplay(t)
		relieve = func() error { f.standby.ResumeReplay(t); return nil }
	} else {
		lock, err := f.standby.Admin(t, "").Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK"); err != nil {
			t.Fatal(err)
		}
		relieve = func() error {
			_, err := lock.ExecContext(t.Context(), "UNLOCK TABLES")
			return errors.Join(err, lock.Close())
		}
	}
	f.exec(t, "UPDATE item SET status = 'newer'")
	poll(t, func() error {
		lag, err := f.replica.Lag(t.Context())
		if err == nil && lag.Time < limit {
			err = fmt.Errorf("the lag is only %v", lag.Time)
		}
		return err
	})
	return relieve
}

// TestMeters_ReplicaLag waits for a replica that is behind, and one that is away. It writes nothing until it has seen that the replica follows.
func TestMeters_ReplicaLag(t *testing.T) {
	eachFollowed(t, 30, func(t *testing.T, f *followed) {
		limit := map[string]time.Duration{testdb.NamePostgres: 300 * time.Millisecond, testdb.NameMariaDB: time.Second}[f.Name]
		t.Run("behind", func(t *testing.T) {
			relieve := f.delay(t, limit)
			stopsAndGoesOn(t, f.fixture, batch.ReplicaLag(f.replica, limit), func() error {
				f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
				return relieve()
			})
			f.wantOnce(t, 30)
		})
		t.Run("away", func(t *testing.T) {
			kill := func() {
				t.Helper()
				f.exec(t, "UPDATE item SET hits = 0")
				if err := f.standby.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			meter := batch.ReplicaLag(f.replica, limit)
			kill()
			stopsAndGoesOn(t, f.fixture, meter, func() error {
				f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
				return f.standby.Start()
			})
			f.wantOnce(t, 30)

			kill()
			stopping := make(chan struct{})
			var once sync.Once
			var rec recorder
			rec.on = func(e batch.Event) {
				if e.Type == batch.EventThrottled {
					once.Do(func() { close(stopping) })
				}
			}
			o := batch.Options{BatchSize: 10, Again: true, Stopping: stopping, Observe: rec.observe, Meters: []batch.Meter{meter}}
			res, err := counting().Run(t.Context(), f.conn, o)
			if stopped, ok := errors.AsType[*batch.StoppedError](err); !ok || stopped.Err != nil || res.Done != 0 {
				t.Errorf("result %+v, error %v", res, err)
			}
			waits := rec.of(batch.EventThrottled)
			if len(waits) == 0 || !strings.Contains(waits[0].Text, "replica copy lag cannot be read") || strings.Contains(waits[0].Text, testdb.Password) {
				t.Errorf("waits %+v", waits)
			}
			f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
			if err := f.standby.Start(); err != nil {
				t.Fatal(err)
			}
			o.Again, o.Stopping = false, nil
			if _, err := counting().Run(t.Context(), f.conn, o); err != nil {
				t.Error(err)
			}
			f.wantOnce(t, 30)
		})
		t.Run("options", func(t *testing.T) { testReplicaOption(t, f) })
		t.Run("promoted", func(t *testing.T) {
			f.standby.Promote(t)
			if _, err := batch.ReplicaLag(f.replica, limit).Read(t.Context()); !errors.Is(err, db.ErrNotReplica) {
				t.Errorf("error %v", err)
			}
		})
	})
}

func testReplicaOption(t *testing.T, f *followed) {
	app := drover.New("tool")
	app.Add(counting().Command())
	call := func(args ...string) error {
		args = append([]string{"--again", "--no-input"}, args...)
		_, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{f.conn, f.replica}}, "count", args...)
		return err
	}
	f.exec(t, "UPDATE item SET hits = 0")
	for _, test := range []struct{ name, args, want string }{
		{"no limit", "--replica copy", "--replica needs --max-lag"},
		{"unknown", "--max-lag 1h --replica copy2", `--replica: no database "copy2"`},
		{"the primary", "--max-lag 1h --replica default", "is no replica"},
		{"one of two", "--max-lag 1h --replica copy --replica default", "is no replica"},
		{"a URL", "--max-lag 1h --replica " + f.standby.Replica(f.Database).URL, "not a URL"},
		{"a dry run", "--max-lag 1h --replica default --dry-run", "is no replica"},
	} {
		err := call(strings.Fields(test.args)...)
		if err == nil || drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), testdb.Password) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
	if err := call("--max-lag", "1h", "--replica", "copy", "--dry-run"); err != nil {
		t.Error(err)
	}
	f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
	if err := call("--max-lag", "1h", "--replica", "copy"); err != nil {
		t.Error(err)
	}
	f.wantOnce(t, 30)

	// The replica is asked, and not the primary.
	if f.Name == testdb.NamePostgres {
		f.standby.Disconnect(t)
		poll(t, func() error {
			if n := f.count(t, "SELECT count(*) FROM pg_stat_replication"); n > 0 {
				return errors.New("the primary still has a replica")
			}
			return nil
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		f.exec(t, "UPDATE item SET hits = 0")
		_, err := app.CallWith(ctx, drover.CallOptions{Databases: []*db.DB{f.conn, f.replica}}, "count", "--again", "--no-input", "--max-lag", "1h", "--replica", "copy")
		if err == nil {
			t.Error("the run has not waited for a replica that is cut off")
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 0", 30)
		f.standby.Connect(t)
	}
}
