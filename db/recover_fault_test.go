package db_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// words are what the statements of the two phases have in them on a kind of database.
var phaseWords = map[string]struct{ prepare, commit, rollback string }{
	testdb.NamePostgres: {"PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED"},
	testdb.NameMariaDB:  {"XA PREPARE", "XA COMMIT", "XA ROLLBACK"},
}

const decideWords = "UPDATE drover_decisions"

// at calls f once, before or after the first statement with words in it.
func at(words string, before bool, f func()) db.OpenOption {
	done := false
	return db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if done || !strings.Contains(s.SQL, words) {
			return next(ctx)
		}
		done = true
		if before {
			f()
		}
		err := next(ctx)
		if !before {
			f()
		}
		return err
	})
}

// The connection is cut when a statement of the two phases is sent: before it arrives, or before its answer does. The rest is done on another
// connection.
func TestAtomicAll_ConnectionLost(t *testing.T) {
	for _, names := range pairs {
		t.Run(names[0]+" and "+names[1], func(t *testing.T) {
			a := newWorld(t, testdb.Fresh(t, names[0]), db.Alias("a"))
			b := newWorld(t, testdb.Fresh(t, names[1]), db.Alias("b"))
			pa, pb := testdb.NewProxy(t, a.on.Server.Addr()), testdb.NewProxy(t, b.on.Server.Addr())
			ta := &world{DB: open(t, asText(t, pa.Database(a.on)), db.Alias("a")), on: a.on}
			tb := &world{DB: open(t, asText(t, pb.Database(b.on)), db.Alias("b")), on: b.on}
			_, err := a.MakeDecisionTable(t.Context())
			noError(t, err)
			var want []string
			for _, try := range []struct {
				name, words string
				proxy       *testdb.Proxy
				kept        bool
			}{
				{"record", "INSERT INTO drover_decisions", pa, false},
				{"first prepare", phaseWords[names[0]].prepare, pa, false},
				{"second prepare", phaseWords[names[1]].prepare, pb, false},
				{"decision", decideWords, pa, true},
				{"first commit", phaseWords[names[0]].commit, pa, true},
				{"second commit", phaseWords[names[1]].commit, pb, true},
			} {
				for when, trap := range map[string]func([]byte) <-chan struct{}{"before": try.proxy.CutBeforeForward, "after": try.proxy.CutOnClientBytes} {
					ha, hb := &hooks{w: ta}, &hooks{w: tb}
					name := try.name + " " + when
					sprung := trap([]byte(try.words))
					err := all(t.Context(), ta, tb, func(ctx context.Context) error {
						return must(addBoth(ctx, ta, tb, name), ha.on(ctx, "a"), hb.on(ctx, "b"))
					})
					await(t, "the cut at "+name, func() bool { return isClosed(sprung) })
					if try.kept {
						want = append(want, name)
						ha.want(t, "a")
						hb.want(t, "b")
						if err != nil {
							t.Errorf("%s: %v", name, err)
						}
					} else {
						ha.want(t)
						hb.want(t)
						if db.KindOf(err) != db.ErrConnectionLost || errors.Is(err, db.ErrOutcomeUnknown) {
							t.Errorf("%s: %v", name, err)
						}
						mustRecover(t, db.RecoverOptions{}, a.DB, b.DB) // the record may be there, and nobody knows
					}
				}
			}
			want = sorted(want)
			wantBoth(t, a, b, want...)
		})
	}
}

// The decision arrives when it has been made anew on another connection, and changes nothing.
func TestAtomicAll_DecisionArrivesLate(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		a := newWorld(t, testdb.Fresh(t, name), db.Alias("a"))
		b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
		proxy := testdb.NewProxy(t, a.on.Server.Addr())
		ta := &world{DB: open(t, asText(t, proxy.Database(a.on)), db.Alias("a")), on: a.on}
		sprung, late := proxy.CutAndForwardLate([]byte(decideWords))
		noError(t, all(t.Context(), ta, b, func(ctx context.Context) error { return addBoth(ctx, ta, b, "one") }))
		await(t, "the cut", func() bool { return isClosed(sprung) })
		late()
		wantBoth(t, a, b, "one")
	})
}

// The server of the first database dies around the decision, and comes back at once or later.
func TestAtomicAll_ServerDiesAroundTheDecision(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		for _, try := range []struct {
			name         string
			before, back bool
			want         error // nil: it is committed everywhere
			kept         bool  // after the recovery
		}{
			{"before it, back at once", true, true, nil, true},
			{"after it, back at once", false, true, nil, true},
			{"before it, back later", true, false, db.ErrOutcomeUnknown, false},
			{"after it, back later", false, false, db.ErrCommitted, true},
		} {
			t.Run(try.name, func(t *testing.T) {
				d := server.Database(t)
				patience := time.Minute
				if !try.back {
					patience = time.Second
				}
				a := newWorld(t, d, db.Alias("a"), db.AcquireTimeout(patience), at(decideWords, try.before, func() {
					noError(t, server.Kill())
					if try.back {
						noError(t, server.Start())
					}
				}))
				b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
				ha, hb := &hooks{w: a}, &hooks{w: b}
				err := all(t.Context(), a, b, func(ctx context.Context) error {
					return must(addBoth(ctx, a, b, "one"), ha.on(ctx, "a"), hb.on(ctx, "b"))
				}, db.Retry(3))
				wantIs(t, err, try.want)
				if try.want != nil {
					doubt, ok := errors.AsType[*db.InDoubtError](err)
					if !ok || !strings.Contains(doubt.Hint(), "drover recover") || strings.Contains(err.Error(), testdb.Password) {
						t.Fatalf("error %v (%T)", err, err)
					}
					want := []string{"a", "b"}
					if errors.Is(err, db.ErrCommitted) {
						want = []string{"a"}
						hb.want(t, "b")
						b.wantNames(t, "one")
					} else {
						hb.want(t)
						b.wantNames(t)
					}
					if !cmp.Equal(doubt.InDoubt, want) {
						t.Errorf("in doubt: %v", doubt.InDoubt)
					}
					ha.want(t)
					down, err := db.Recover(t.Context(), []*db.DB{a.DB, b.DB}, db.RecoverOptions{})
					noError(t, err)
					if len(down.Failed) != 1 || down.Failed[0].Alias != "a" {
						t.Errorf("a recovery without the server: %+v", down)
					}
					noError(t, server.Start())
				}
				a.raw = a.on.RawDB(t) // the plain driver's connections are dead
				mustRecover(t, db.RecoverOptions{}, a.DB, b.DB)
				var names []string
				if try.kept {
					names = []string{"one"}
				}
				wantBoth(t, a, b, names...)
			})
		}
	})
}

// The second server dies, and the decision is made: the first has its work, and the second has it after the recovery.
func TestAtomicAll_ServerDiesBeforeItsCommit(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
		b := newWorld(t, server.Database(t), db.Alias("b"), db.AcquireTimeout(time.Second), at(phaseWords[name].commit, true, func() { noError(t, server.Kill()) }))
		ha, hb := &hooks{w: a}, &hooks{w: b}
		err := all(t.Context(), a, b, func(ctx context.Context) error {
			return must(addBoth(ctx, a, b, "one"), ha.on(ctx, "a"), hb.on(ctx, "b"))
		})
		wantIs(t, err, db.ErrCommitted)
		if doubt, ok := errors.AsType[*db.InDoubtError](err); !ok || !cmp.Equal(doubt.Done, []string{"a"}) || !cmp.Equal(doubt.InDoubt, []string{"b"}) {
			t.Errorf("error %v (%T)", err, err)
		}
		ha.want(t, "a")
		hb.want(t)
		a.wantNames(t, "one")
		left, err := db.Recover(t.Context(), []*db.DB{a.DB, b.DB}, db.RecoverOptions{})
		noError(t, err)
		if len(left.Failed) != 1 || len(left.Transactions) != 1 || !strings.Contains(left.Transactions[0].Reason, "b (") {
			t.Errorf("while it is down: %+v", left)
		}
		noError(t, server.Start())
		b.raw = b.on.RawDB(t)
		mustRecover(t, db.RecoverOptions{}, a.DB, b.DB)
		wantBoth(t, a, b, "one")
	})
}

// The first database is a PostgreSQL server whose commits do not wait for its log, and dies before it has committed its own part: the decision, by
// which the other one has committed, is still there.
func TestAtomicAll_DecisionSurvivesACrash(t *testing.T) {
	server := testdb.NewPostgres(t, testdb.Setting("synchronous_commit", "off"))
	b := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("b"))
	a := newWorld(t, server.Database(t), db.Alias("a"), db.AcquireTimeout(time.Second), at("COMMIT PREPARED", true, func() { noError(t, server.Kill()) }))
	_, err := a.MakeDecisionTable(t.Context())
	noError(t, err)
	var writer int // of the log, which would flush it now and then
	admin := server.Admin(t, "postgres")
	noError(t, admin.QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'").Scan(&writer))
	noError(t, syscall.Kill(writer, syscall.SIGSTOP))
	err = all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "one") })
	wantIs(t, err, db.ErrCommitted)
	noError(t, server.Start())
	a.raw = a.on.RawDB(t)
	mustRecover(t, db.RecoverOptions{}, a.DB, b.DB)
	wantBoth(t, a, b, "one")
}

// A database that cannot be reached keeps what is to be rolled back, until a recovery.
func TestAtomicAll_RollbackCannotBeSent(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		a := newWorld(t, testdb.Fresh(t, name), db.Alias("a"))
		b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
		proxy := testdb.NewProxy(t, a.on.Server.Addr())
		ta := &world{DB: open(t, proxy.Database(a.on), db.Alias("a"), db.AcquireTimeout(time.Second)), on: a.on}
		tb := &world{on: b.on, DB: open(t, b.on, db.Alias("b"), at("PREPARE TRANSACTION", true, func() {
			proxy.Refuse(true)
			proxy.CutAll()
		}))}
		b.setup(t, "CREATE TABLE late (id int, CONSTRAINT late_id UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
		err := all(t.Context(), ta, tb, func(ctx context.Context) error {
			return must(addBoth(ctx, ta, tb, "one"), tb.Exec(ctx, "INSERT INTO late VALUES (1), (1)"))
		}, db.Retry(2))
		wantIs(t, err, db.ErrUnique)
		doubt, ok := errors.AsType[*db.InDoubtError](err)
		if !ok || doubt.Decision != db.DecisionAborted || !cmp.Equal(doubt.InDoubt, []string{"a"}) || errors.Is(err, db.ErrCommitted) || errors.Is(err, db.ErrOutcomeUnknown) {
			t.Errorf("error %v (%T)", err, err)
		}
		done := mustRecover(t, db.RecoverOptions{}, a.DB, b.DB)
		if len(done.Transactions) != 1 || done.Transactions[0].Action != db.ActionRolledBack {
			t.Errorf("recovered: %+v", done)
		}
		wantBoth(t, a, b)
	})
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// asText is the database with statements that travel as text every time, so that a proxy sees them.
func asText(t *testing.T, d testdb.Database) testdb.Database {
	t.Helper()
	if d.Name == testdb.NamePostgres {
		u, err := url.Parse(d.URL)
		noError(t, err)
		query := u.Query()
		query.Set("default_query_exec_mode", "exec")
		u.RawQuery = query.Encode()
		d.URL = u.String()
	}
	return d
}
