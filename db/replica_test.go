package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// pair is a primary of the test's own with the table item, and a replica of it that has caught up.
type pair struct {
	*world
	standby *testdb.Standby
	replica *db.DB
}

// eachPair runs fn on a primary and a replica of each kind.
func eachPair(t *testing.T, fn func(t *testing.T, p *pair)) {
	t.Helper()
	eachServer(t, func(t *testing.T, name string) { fn(t, newPair(t, name)) })
}

func newPair(t *testing.T, name string, opts ...testdb.Option) *pair {
	t.Helper()
	d := newServer[name](t).Database(t)
	p := &pair{world: newWorld(t, d, db.Alias("main")), standby: d.Server.NewStandby(t, opts...)}
	p.standby.CatchUp(t)
	p.replica = open(t, p.standby.Replica(d), db.Alias("copy"))
	return p
}

// commit inserts an item on the primary and returns the position behind it.
func (p *pair) commit(t *testing.T, name string) db.Position {
	t.Helper()
	noError(t, p.Atomic(t.Context(), func(ctx context.Context) error { return p.add(ctx, name) }))
	return p.position(t)
}

func (p *pair) position(t *testing.T) db.Position {
	t.Helper()
	pos, err := p.Position(t.Context())
	noError(t, err)
	again, err := db.ParsePosition(pos.String())
	if err != nil || again != pos || pos.IsZero() {
		t.Fatalf("position %q is read as %q, %v", pos, again, err)
	}
	return pos
}

// has reports whether a database has an item.
func has(t *testing.T, conn *db.DB, name string) bool {
	t.Helper()
	var n int
	noError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM item WHERE name = ?", name).Scan(&n))
	return n == 1
}

// eventually asks until there is no error.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("it does not end: %v", err)
		}
	}
}

const long = time.Minute

func TestReplica_Follows(t *testing.T) {
	eachPair(t, func(t *testing.T, p *pair) {
		ctx := t.Context()
		t.Run("roles", func(t *testing.T) {
			for conn, want := range map[*db.DB]db.Role{p.DB: db.RolePrimary, p.replica: db.RoleReplica} {
				if got, err := conn.Role(ctx); err != nil || got != want {
					t.Errorf("role of %s: %q, %v", conn.Alias(), got, err)
				}
			}
		})
		t.Run("caught up", func(t *testing.T) {
			for i := range 20 {
				name := fmt.Sprint("row ", i)
				pos := p.commit(t, name)
				noError(t, p.replica.WaitFor(ctx, pos, long))
				if !has(t, p.replica, name) {
					t.Fatalf("%s is not on the replica that has reached %s", name, pos)
				}
				noError(t, p.WaitFor(ctx, pos, 0)) // a primary has its own positions
			}
			at, err := p.replica.Position(ctx)
			noError(t, err)
			noError(t, p.WaitFor(ctx, at, long))
		})
		t.Run("paused", func(t *testing.T) { testPaused(t, p) })
		t.Run("disconnected", func(t *testing.T) {
			p.standby.Disconnect(t)
			pos := p.commit(t, "disconnected")
			err := p.replica.WaitFor(ctx, pos, 50*time.Millisecond)
			wantIs(t, err, db.ErrBehind)
			if reason := asBehind(t, err).Reason; !strings.Contains(reason, "its primary") {
				t.Errorf("reason %q does not say that replication is stopped", reason)
			}
			_, err = p.replica.Lag(ctx)
			wantIs(t, err, db.ErrReplicationStopped)
			p.standby.Connect(t)
			noError(t, p.replica.WaitFor(ctx, pos, long))
			eventually(t, func() error { _, err := p.replica.Lag(ctx); return err })
		})
		t.Run("in a block", func(t *testing.T) {
			pos := p.position(t)
			noError(t, p.Atomic(ctx, func(ctx context.Context) error {
				_, err := p.Position(ctx)
				wantIs(t, err, db.ErrInBlock)
				return nil
			}))
			noError(t, p.replica.Atomic(ctx, func(ctx context.Context) error {
				wantIs(t, p.replica.WaitFor(ctx, pos, long), db.ErrInBlock)
				_, err := p.replica.Lag(ctx)
				wantIs(t, err, db.ErrInBlock)
				return nil
			}, db.ReadOnly()))
		})
		t.Run("positions from elsewhere", func(t *testing.T) { testForeign(t, p) })
		t.Run("reader", func(t *testing.T) { testReader(t, p) })
		t.Run("promoted before it has written anything", func(t *testing.T) {
			pos := p.position(t)
			p.standby.CatchUp(t)
			p.standby.Promote(t)
			own, err := p.replica.Position(ctx)
			noError(t, err)
			noError(t, p.replica.WaitFor(ctx, own, long))
			if p.on.Name == testdb.NameMariaDB && own != pos { // PostgreSQL has written the end of its recovery
				t.Errorf("position %s, and as a replica it had applied %s", own, pos)
			}
		})
	})
}

func asBehind(t *testing.T, err error) *db.BehindError {
	t.Helper()
	behind, ok := errors.AsType[*db.BehindError](err)
	if !ok {
		t.Fatalf("error %v (%T) is no *db.BehindError", err, err)
	}
	return behind
}

func testPaused(t *testing.T, p *pair) {
	ctx := t.Context()
	before := p.position(t)
	noError(t, p.replica.WaitFor(ctx, before, long))
	p.standby.PauseReplay(t)
	pos := p.commit(t, "paused")

	err := p.replica.WaitFor(ctx, pos, 50*time.Millisecond)
	behind := asBehind(t, err)
	wantIs(t, err, db.ErrBehind)
	if behind.Want != pos || behind.At.IsZero() || behind.At == pos || behind.Waited < 50*time.Millisecond || behind.Alias != "copy" || behind.Reason == "" {
		t.Errorf("error %+v", behind)
	}
	for _, part := range []string{pos.String(), behind.At.String(), `"copy"`, behind.Reason} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
	noError(t, p.replica.WaitFor(ctx, before, long)) // an older position is there

	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.replica.WaitFor(ctx, pos, 0) }()
		wantNoSnapshot(t, p)
		cancel(errOops)
		select {
		case err := <-ended:
			wantIs(t, err, errOops)
		case <-time.After(long):
			t.Fatal("the wait goes on after its context has ended")
		}
	})
	t.Run("resumed", func(t *testing.T) {
		ended := make(chan error, 1)
		go func() { ended <- p.replica.WaitFor(t.Context(), pos, long) }()
		select {
		case err := <-ended:
			t.Fatalf("the wait for a paused replica has ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		p.standby.ResumeReplay(t)
		noError(t, <-ended)
		if !has(t, p.replica, "paused") {
			t.Error("the row is not on the replica")
		}
	})
}

// wantNoSnapshot looks at the replica while it is waited for: no transaction is open between two looks.
func wantNoSnapshot(t *testing.T, p *pair) {
	t.Helper()
	open := map[string]string{
		testdb.NamePostgres: "SELECT count(*) FROM pg_stat_activity WHERE usename = '" + testdb.User + "' AND state LIKE 'idle in transaction%'",
		testdb.NameMariaDB:  "SELECT count(*) FROM information_schema.INNODB_TRX",
	}[p.on.Name]
	admin := p.standby.Admin(t, map[string]string{testdb.NamePostgres: "postgres"}[p.on.Name])
	for range 20 {
		var n int
		noError(t, admin.QueryRowContext(t.Context(), open).Scan(&n))
		if n > 0 {
			t.Fatalf("%d transactions are open on the replica", n)
		}
	}
}

// testForeign gives the replica, and the primary, positions that they cannot judge.
func testForeign(t *testing.T, p *pair) {
	pos := p.position(t)
	mutated := func(old, new string) db.Position {
		t.Helper()
		text := strings.Replace(pos.String(), old, new, 1)
		if text == pos.String() {
			t.Fatalf("%q holds no %q", text, old)
		}
		other, err := db.ParsePosition(text)
		noError(t, err)
		return other
	}
	postgres, mariadb := "postgres:7300000000000000000:1:0/1", "mariadb:0-1-1"
	positions := map[string]db.Position{"none": {}}
	if p.on.Name == testdb.NamePostgres {
		positions["of MariaDB"], _ = db.ParsePosition(mariadb)
		positions["of another system"], _ = db.ParsePosition(postgres)
	} else {
		positions["of PostgreSQL"], _ = db.ParsePosition(postgres)
		positions["of MySQL"], _ = db.ParsePosition("mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")
		server := strings.Split(pos.String(), "-")[1]
		positions["of another server"] = mutated("-"+server+"-", "-9"+server+"-")
	}
	for name, foreign := range positions {
		for _, conn := range []*db.DB{p.DB, p.replica} {
			err := conn.WaitFor(t.Context(), foreign, long)
			wantIs(t, err, db.ErrIncomparable)
			if errors.Is(err, db.ErrBehind) || errors.Is(err, db.ErrNotReplica) != (conn == p.DB) {
				t.Errorf("a position %s on %s: %v", name, conn.Alias(), err)
			}
		}
	}
}

func testReader(t *testing.T, p *pair) {
	ctx := t.Context()
	pos := p.commit(t, "reader")
	reads := func(what string, want *db.DB, opts ...db.ReaderOption) {
		t.Helper()
		got, err := p.ReaderAfter(ctx, p.replica, pos, opts...)
		if err != nil || got != want {
			t.Errorf("%s: reader %v, want %v; error %v", what, got, want, err)
		}
	}
	reads("a replica that follows", p.replica, db.WaitAtMost(long))
	reads("one that is there", p.replica)
	p.standby.PauseReplay(t)
	pos = p.commit(t, "reader again")
	reads("one that is behind", p.DB)
	reads("one that stays behind", p.DB, db.WaitAtMost(20*time.Millisecond))
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		got, err := p.ReaderAfter(ctx, p.replica, pos, db.ReplicaOnly(), db.WaitAtMost(wait))
		if got != nil || asBehind(t, err).Want != pos {
			t.Errorf("only the replica: reader %v, error %v", got, err)
		}
	}
	p.standby.ResumeReplay(t)
	reads("one that goes on", p.replica, db.WaitAtMost(long), db.ReplicaOnly())

	ended, cancel := context.WithCancelCause(ctx)
	cancel(errOops)
	_, err := p.ReaderAfter(ended, p.replica, pos)
	wantIs(t, err, errOops)
}
