package runstore_test

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestInit_Twice(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := open(t, d)
		wantError(t, w.Ready(t.Context()), runstore.ErrNoTables)
		for i, want := range []bool{true, false} {
			changed, err := w.Init(t.Context())
			noError(t, err)
			if changed != want {
				t.Errorf("call %d: changed = %v", i+1, changed)
			}
			noError(t, w.Ready(t.Context()))
		}
	})
}

func TestInit_Concurrently(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		stores := []*world{open(t, d), open(t, d)}
		changed := make([]bool, 6)
		for _, err := range together(len(changed), func(i int) (err error) {
			changed[i], err = stores[i%2].Init(t.Context())
			return err
		}) {
			noError(t, err)
		}
		first := slices.Index(changed, true)
		if first < 0 || slices.Contains(changed[first+1:], true) {
			t.Errorf("changed = %v, want one of them", changed)
		}
		noError(t, stores[0].Ready(t.Context()))
		wantVersions(t, d)
	})
}

func wantVersions(t *testing.T, d testdb.Database) {
	t.Helper()
	var n, least int
	noError(t, d.RawDB(t).QueryRowContext(t.Context(), "SELECT COUNT(*), MIN(version_id) FROM drover_schema").Scan(&n, &least))
	if n != 2 || least != 0 {
		t.Errorf("%d versions from %d on, want 0 and 1", n, least)
	}
}

func TestInit_AfterInterruption(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := open(t, d)
		all, err := runstore.SQL(w.conn.Dialect())
		noError(t, err)
		// MySQL commits each of these by itself; elsewhere somebody may have run a part by hand.
		parts := strings.SplitAfter(all, ";\n")
		raw := d.RawDB(t)
		for _, done := range []int{1, 3, len(parts) - 2} {
			for _, part := range parts[:done] {
				if !strings.Contains(part, "INSERT") {
					_, err := raw.ExecContext(t.Context(), part)
					noError(t, err)
				}
			}
			wantError(t, w.Ready(t.Context()), runstore.ErrNoTables)
			changed, err := w.Init(t.Context())
			noError(t, err)
			if !changed {
				t.Error("nothing has changed")
			}
			noError(t, w.Ready(t.Context()))
			wantVersions(t, d)
			w.acquire(t, w.new(t, "id", 1).ID, "a")
			for _, table := range []string{"runs", "shards", "quarantine", "undo", "events", "schema"} {
				noError(t, w.conn.Exec(t.Context(), "DROP TABLE drover_"+table))
			}
		}
	})
}

func TestInit_Newer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.conn.Exec(t.Context(), "INSERT INTO drover_schema (version_id, is_applied) VALUES (999, TRUE)"))
		wantError(t, w.Ready(t.Context()), runstore.ErrNewer)
		changed, err := w.Init(t.Context())
		wantError(t, err, runstore.ErrNewer)
		if changed {
			t.Error("changed")
		}
	})
}

func TestInit_InBlock(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := open(t, d)
		err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
			wantError(t, w.Ready(ctx), runstore.ErrNoTables)
			noError(t, w.conn.QueryRow(ctx, "SELECT 1").Scan(new(int))) // the block goes on
			_, err := w.Init(ctx)
			return err
		})
		if w.conn.Dialect().Features().ImplicitCommit {
			wantError(t, err, db.ErrImplicitCommit)
			wantError(t, w.Ready(t.Context()), runstore.ErrNoTables)
			return
		}
		noError(t, err)
		noError(t, w.Ready(t.Context()))
	})
}

// A snapshot from before the wait for the lock must not hide what was made meanwhile.
func TestInit_AtHigherIsolation(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			d := testdb.Fresh(t, name)
			level := db.DefaultIsolation(sql.LevelRepeatableRead)
			stores := []*world{open(t, d, level), open(t, d, level)}
			for _, err := range together(4, func(i int) error {
				_, err := stores[i%2].Init(t.Context())
				return err
			}) {
				noError(t, err)
			}
			noError(t, stores[0].Ready(t.Context()))
			wantVersions(t, d)
		})
	}
}

func TestSQL_ByHand(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := open(t, d)
		text, err := runstore.SQL(w.conn.Dialect())
		noError(t, err)
		if strings.Contains(text, "+goose") {
			t.Errorf("the text has annotations:\n%s", text)
		}
		raw := d.RawDB(t)
		for range 2 {
			_, err = raw.ExecContext(t.Context(), text)
			noError(t, err)
		}
		noError(t, w.Ready(t.Context()))
		changed, err := w.Init(t.Context())
		noError(t, err)
		if changed {
			t.Error("Init has changed something")
		}
		wantVersions(t, d)

		made := testdb.Fresh(t, d.Name)
		ready(t, made)
		if diff := cmp.Diff(tables(t, made), tables(t, d)); diff != "" {
			t.Errorf("what SQL makes differs from what Init makes (-Init +SQL):\n%s", diff)
		}
	})
}

// tables dumps a database without the times of the migrations.
func tables(t *testing.T, d testdb.Database) string {
	t.Helper()
	_, err := d.RawDB(t).ExecContext(t.Context(), "UPDATE drover_schema SET tstamp = '2026-01-01 00:00:00'")
	noError(t, err)
	return d.Dump(t)
}

// goose's own tools must find the migrations applied.
func TestSchema_IsGooses(t *testing.T) {
	dialects := map[string]goose.Dialect{
		testdb.NamePostgres: goose.DialectPostgres, testdb.NameMariaDB: goose.DialectMySQL, testdb.NameSQLite: goose.DialectSQLite3,
	}
	each(t, func(t *testing.T, w *world) {
		files := os.DirFS("migrations/" + w.conn.Dialect().Name())
		provider, err := goose.NewProvider(dialects[w.on.Name], w.on.RawDB(t), files, goose.WithTableName("drover_schema"))
		noError(t, err)
		pending, err := provider.HasPending(t.Context())
		noError(t, err)
		have, err := provider.GetDBVersion(t.Context())
		noError(t, err)
		if pending || have != 1 {
			t.Errorf("version %d, pending: %v", have, pending)
		}
	})
}

// Whoever waits longer than a lock's time must learn why.
func TestInit_LockIsHeld(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w, features := open(t, d), open(t, d).conn.Dialect().Features()
		if features.SchemaLock == "" {
			if !features.SingleWriter {
				t.Error("a database with several writers needs a lock")
			}
			return
		}
		holder, err := d.RawDB(t).Conn(t.Context())
		noError(t, err)
		defer func() { _ = holder.Close() }()
		tx, err := holder.BeginTx(t.Context(), nil)
		noError(t, err)
		noError(t, tx.QueryRowContext(t.Context(), features.SchemaLock).Scan(new(int64)))
		done := make(chan error, 1)
		go func() {
			_, err := w.Init(t.Context())
			done <- err
		}()
		until(t, "waiting for the lock", w.lockWaited(t))
		wantError(t, w.Ready(t.Context()), runstore.ErrNoTables)
		if features.SchemaUnlock != "" {
			noError(t, tx.QueryRowContext(t.Context(), features.SchemaUnlock).Scan(new(sql.NullInt64)))
		}
		noError(t, tx.Rollback())
		noError(t, <-done)
		noError(t, w.Ready(t.Context()))
	})
}

// lockWaited reports whether somebody waits for the schema's lock.
func (w *world) lockWaited(t *testing.T) func() bool {
	t.Helper()
	if w.on.Name != testdb.NameMariaDB {
		return w.waiting(t)
	}
	admin := w.on.Server.Admin(t, "information_schema")
	return func() bool {
		var n int
		noError(t, admin.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM PROCESSLIST WHERE STATE = 'User lock'").Scan(&n))
		return n > 0
	}
}
