package db_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestReplica_Promoted asks a replica that was promoted without the last transaction of its primary.
func TestReplica_Promoted(t *testing.T) {
	logsAll := map[string][]testdb.Option{testdb.NameMariaDB: {testdb.Setting("log_slave_updates", "ON")}} // so that it can have a replica too
	eachServer(t, func(t *testing.T, name string) {
		p := newPair(t, name, logsAll[name]...)
		ctx := t.Context()
		kept := p.commit(t, "kept")
		p.standby.CatchUp(t)
		p.standby.Disconnect(t)
		lost := p.commit(t, "lost")
		waiting := make(chan error, 1)
		go func() { waiting <- p.replica.WaitFor(ctx, lost, 0) }()
		p.standby.Promote(t)

		wantIs(t, <-waiting, db.ErrIncomparable, db.ErrNotReplica)
		noError(t, p.replica.Exec(ctx, "INSERT INTO item (name) VALUES (?), (?)", "new 1", "new 2"))
		err := p.replica.WaitFor(ctx, lost, long)
		wantIs(t, err, db.ErrIncomparable, db.ErrNotReplica)
		if !strings.Contains(err.Error(), lost.String()) {
			t.Errorf("error %q does not name the position", err)
		}
		_, err = p.replica.Lag(ctx)
		wantIs(t, err, db.ErrNotReplica)
		if role, err := p.replica.Role(ctx); err != nil || role != db.RolePrimary {
			t.Errorf("role %q, %v", role, err)
		}
		reader, err := p.ReaderAfter(ctx, p.replica, lost, db.WaitAtMost(long))
		if reader != p.DB || err != nil {
			t.Errorf("reader %v, %v", reader, err)
		}
		_, err = p.ReaderAfter(ctx, p.replica, lost, db.ReplicaOnly())
		wantIs(t, err, db.ErrIncomparable)

		own, err := p.replica.Position(ctx) // of the new primary's own log
		noError(t, err)
		noError(t, p.replica.WaitFor(ctx, own, long))
		wantIs(t, p.WaitFor(ctx, own, long), db.ErrIncomparable)

		// A replica of the new primary is past the lost position by the numbers, and does not have it.
		after := p.standby.NewStandby(t)
		after.CatchUp(t)
		second := open(t, after.Replica(p.on), db.Alias("second"))
		noError(t, second.WaitFor(ctx, own, long))
		wantIs(t, second.WaitFor(ctx, lost, long), db.ErrIncomparable)

		// What was there before the promotion is known by the ids of MariaDB, but not by a number on a timeline that has ended.
		for _, conn := range []*db.DB{p.replica, second} {
			if name == testdb.NameMariaDB {
				noError(t, conn.WaitFor(ctx, kept, long))
			} else {
				wantIs(t, conn.WaitFor(ctx, kept, long), db.ErrIncomparable)
			}
		}
	})
}

// TestReplica_Stopped kills the replica's server, and starts it again.
func TestReplica_Stopped(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		p := newPair(t, name)
		ctx := t.Context()
		pos := p.commit(t, "first")
		noError(t, p.replica.WaitFor(ctx, pos, long))
		noError(t, p.standby.Kill())

		for range 2 { // the second finds no connection left over
			wantIs(t, p.replica.WaitFor(ctx, pos, long), db.ErrConnectionLost)
			_, err := p.replica.Lag(ctx)
			wantIs(t, err, db.ErrConnectionLost)
			_, err = p.replica.Role(ctx)
			wantIs(t, err, db.ErrConnectionLost)
		}
		var log bytes.Buffer
		logged := open(t, p.on, db.Logger(slog.New(slog.NewTextHandler(&log, nil))))
		reader, err := logged.ReaderAfter(ctx, p.replica, pos)
		if reader != logged || err != nil || !strings.Contains(log.String(), "replica=copy") || strings.Contains(log.String(), testdb.Password) {
			t.Errorf("reader %v, error %v, log %q", reader, err, log.String())
		}
		_, err = logged.ReaderAfter(ctx, p.replica, pos, db.ReplicaOnly())
		wantIs(t, err, db.ErrConnectionLost)

		pos = p.commit(t, "second")
		noError(t, p.standby.Start())
		noError(t, p.replica.WaitFor(ctx, pos, long))
		if !has(t, p.replica, "second") {
			t.Error("the row is not on the replica")
		}

		// With the primary away PostgreSQL does not tell which timeline it is on.
		noError(t, p.on.Server.Kill())
		eventually(t, func() error {
			_, err := p.replica.Lag(ctx)
			return expect(errors.Is(err, db.ErrReplicationStopped), "the replica has not noticed: %v", err)
		})
		err = p.replica.WaitFor(ctx, pos, 20*time.Millisecond)
		if name == testdb.NameMariaDB {
			noError(t, err)
		} else {
			wantIs(t, err, db.ErrBehind)
		}
	})
}

// TestReplica_SilentNetwork has a replica that takes connections and does not answer any more.
func TestReplica_SilentNetwork(t *testing.T) {
	p := newPair(t, testdb.NameMariaDB)
	ctx := t.Context()
	proxy := testdb.NewProxy(t, p.standby.Addr())
	replica := open(t, proxy.Database(p.standby.Replica(p.on)), db.Alias("copy"))
	pos := p.commit(t, "first")
	noError(t, replica.WaitFor(ctx, pos, long))
	proxy.BlackholeResponses(true)
	behind := asBehind(t, replica.WaitFor(ctx, pos, 50*time.Millisecond))
	if !behind.At.IsZero() || !strings.Contains(behind.Error(), "not answered") {
		t.Errorf("error %v", behind)
	}
	reader, err := p.ReaderAfter(ctx, replica, pos)
	if reader != p.DB || err != nil {
		t.Errorf("reader %v, %v", reader, err)
	}
}

// TestReplica_None asks where there is nothing to ask about.
func TestReplica_None(t *testing.T) {
	w := newWorld(t, testdb.Fresh(t, testdb.NameSQLite))
	ctx := t.Context()
	_, err := w.Position(ctx)
	wantIs(t, err, db.ErrNoReplication)
	other, err := db.ParsePosition("mariadb:0-1-1")
	noError(t, err)
	wantIs(t, w.WaitFor(ctx, other, long), db.ErrNoReplication)
	_, err = w.Lag(ctx)
	wantIs(t, err, db.ErrNotReplica)
	if role, err := w.Role(ctx); err != nil || role != db.RolePrimary {
		t.Errorf("role %q, %v", role, err)
	}
	reader, err := w.ReaderAfter(ctx, w.DB, other)
	if reader != w.DB || err != nil {
		t.Errorf("reader %v, %v", reader, err)
	}

	mute := newWorld(t, testdb.NewMariaDB(t, testdb.Setting("skip_log_bin", "ON")).Database(t))
	_, err = mute.Position(ctx)
	wantIs(t, err, db.ErrNoReplication)
}

// TestReplica_Privileges takes the privilege to look at replication away.
func TestReplica_Privileges(t *testing.T) {
	revoke := map[string]string{
		testdb.NamePostgres: "REVOKE pg_read_all_stats FROM " + testdb.User,
		testdb.NameMariaDB:  "REVOKE SLAVE MONITOR ON *.* FROM " + testdb.User,
	}
	eachServer(t, func(t *testing.T, name string) {
		p := newPair(t, name)
		ctx := t.Context()
		pos := p.position(t)
		admin := p.on.Server.Admin(t, map[string]string{testdb.NamePostgres: "postgres"}[name])
		_, err := admin.ExecContext(ctx, revoke[name])
		noError(t, err)
		p.standby.CatchUp(t)
		p.replica = open(t, p.standby.Replica(p.on)) // MariaDB notes privileges when a session begins

		for name, ask := range map[string]func() error{
			"wait":     func() error { return p.replica.WaitFor(ctx, pos, long) },
			"lag":      func() error { _, err := p.replica.Lag(ctx); return err },
			"position": func() error { _, err := p.replica.Position(ctx); return err },
		} {
			err := ask()
			wantIs(t, err, db.ErrPermission)
			if db.KindOf(err) != db.ErrPermission {
				t.Errorf("%s: kind of %v is %v", name, err, db.KindOf(err))
			}
		}
		if name == testdb.NamePostgres { // where it is only the replica's timeline that is hidden
			p.position(t)
			if role, err := p.replica.Role(ctx); err != nil || role != db.RoleReplica {
				t.Errorf("role %q, %v", role, err)
			}
		}
	})
}

// TestReplica_PostgresPositions has positions that PostgreSQL's functions give in traps.
func TestReplica_PostgresPositions(t *testing.T) {
	p := newPair(t, testdb.NamePostgres)
	ctx := t.Context()
	admin := p.on.Server.Admin(t, "postgres")

	t.Run("behind a commit that is not written yet", func(t *testing.T) {
		noError(t, p.Atomic(ctx, func(ctx context.Context) error {
			return must(p.Exec(ctx, "SET LOCAL synchronous_commit = off"), p.add(ctx, "asynchronous"))
		}))
		noError(t, p.replica.WaitFor(ctx, p.position(t), long))
		if !has(t, p.replica, "asynchronous") {
			t.Error("the row is not on the replica")
		}
	})
	t.Run("at the beginning of a segment", func(t *testing.T) {
		_, err := admin.ExecContext(ctx, "SELECT pg_switch_wal()")
		noError(t, err)
		// Nothing is written behind it, so the replica would never get there by itself.
		pos := p.position(t)
		var block string
		noError(t, p.QueryRow(ctx, "SELECT (($1::pg_lsn - '0/0') % 8192)::text", strings.Split(pos.String(), ":")[3]).Scan(&block))
		if block != "0" {
			t.Errorf("position %s is %s bytes behind the beginning of a page", pos, block)
		}
		noError(t, p.replica.WaitFor(ctx, pos, 5*time.Second))
	})
}

// TestReplica_Lag compares the lag with what happens on the servers.
func TestReplica_Lag(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		p := newPair(t, name)
		ctx := t.Context()
		noError(t, p.replica.WaitFor(ctx, p.commit(t, "last"), long))

		t.Run("of a primary that writes nothing", func(t *testing.T) {
			// The database's clock goes on while the last commit gets older: by more than the lag's unit.
			older := map[string]float64{testdb.NamePostgres: 0.2, testdb.NameMariaDB: 1.1}[name]
			age := map[string]string{
				testdb.NamePostgres: "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8",
				testdb.NameMariaDB:  "SELECT unix_timestamp(now(6)) - " + clock(t, p.replica),
			}[name]
			eventually(t, func() error {
				var old float64
				noError(t, p.replica.QueryRow(ctx, age).Scan(&old))
				return expect(old > older, "the last commit is only %v s old", old)
			})
			for range 10 {
				if lag, err := p.replica.Lag(ctx); err != nil || lag.Time != 0 {
					t.Fatalf("lag %+v, error %v", lag, err)
				}
			}
		})
		t.Run("of one that applies nothing", func(t *testing.T) {
			p.standby.PauseReplay(t)
			p.commit(t, "paused")
			var first db.Lag
			eventually(t, func() (err error) {
				first, err = p.replica.Lag(ctx)
				if name == testdb.NameMariaDB {
					return expect(errors.Is(err, db.ErrReplicationStopped) && strings.Contains(err.Error(), "SQL thread"), "error %v", err)
				}
				return expect(err == nil && first.Time > 0 && first.Bytes > 0, "lag %+v, error %v", first, err)
			})
			if name == testdb.NamePostgres {
				eventually(t, func() error {
					lag, err := p.replica.Lag(ctx)
					return expect(err == nil && lag.Time >= first.Time+50*time.Millisecond, "lag %+v, error %v", lag, err)
				})
				testSettles(t, p)
			}
			p.standby.ResumeReplay(t)
			eventually(t, func() error {
				lag, err := p.replica.Lag(ctx)
				return expect(err == nil && lag.Time == 0, "lag %+v, error %v", lag, err)
			})
		})
	})
}

// testSettles lets a paused replica go on when it was looked at once. The commit that it lacked seemed as late as the one before is old.
func testSettles(t *testing.T, p *pair) {
	looks := 0
	replica := open(t, p.standby.Replica(p.on), db.Intercept(func(ctx context.Context, _ db.Statement, next func(context.Context) error) error {
		if looks++; looks == 2 {
			p.standby.ResumeReplay(t)
			p.standby.CatchUp(t)
		}
		return next(ctx)
	}))
	lag, err := replica.Lag(t.Context())
	if err != nil || lag.Time != 0 || looks != 2 {
		t.Errorf("lag %+v, error %v after %d looks", lag, err, looks)
	}
}

// clock reads the database's clock, in seconds.
func clock(t *testing.T, conn *db.DB) string {
	t.Helper()
	if conn.Dialect().Name() != "mysql" {
		return ""
	}
	var now string
	noError(t, conn.QueryRow(t.Context(), "SELECT unix_timestamp(now(6))").Scan(&now))
	return now
}

func TestParsePosition_RefusesOtherText(t *testing.T) {
	for _, text := range []string{
		"", "postgres:", "postgres:1:0:0/1", "postgres:1:1:0/1 ", "postgres:1:1:0/1\n", "postgres:x:1:0/1", "postgres:1:1:0/123456789", "postgres:1:99999999999:0/1",
		"mariadb:", "mariadb:0-1", "mariadb:0-1-1,", "mariadb:0-1-99999999999999999999", "mariadb:0-1-1;DROP TABLE item",
		"mysql:", "mysql:1:1", "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562", "sqlite:1", "0/1",
	} {
		if pos, err := db.ParsePosition(text); err == nil || !pos.IsZero() {
			t.Errorf("%q is read as %q", text, pos)
		}
	}
	for _, text := range []string{
		"postgres:7300000000000000000:1:16/B374D848", "mariadb:0-1-100", "mariadb:0-1-100,4294967295-2-7",
		"mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11-18,2c256447-3f0d-431b-9a12-575bb20c1507:1",
	} {
		var pos db.Position
		if err := pos.UnmarshalText([]byte(text)); err != nil || pos.String() != text {
			t.Errorf("%q is read as %q, %v", text, pos, err)
		}
		back, err := pos.MarshalText()
		if err != nil || string(back) != text {
			t.Errorf("%q is written as %q, %v", text, back, err)
		}
	}
	var none db.Position
	if err := none.UnmarshalText(nil); err != nil || !none.IsZero() {
		t.Errorf("no text is read as %q, %v", none, err)
	}
}
