package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// rename is a last UPDATE of a row that is there, or not.
func rename(from, to string) db.LastUpdate {
	return db.LastUpdate{Query: "UPDATE item SET name = ? WHERE name = ?", Args: []any{to, from}, NoRow: errOops}
}

func TestSendLast(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		wantIs(t, w.SendLast(t.Context(), rename("a", "b")), db.ErrNoBlock)
		w.log.Reset()
		for range 3 { // prepared from the second time on, where statements are
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				return must(w.SendLast(ctx, rename("a", "b")), w.SendLast(ctx, rename("b", "a")))
			}))
		}
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { return w.SendLast(ctx, rename("a", "b")) }))
		block := []string{"BEGIN", "UPDATE", "UPDATE", "COMMIT"}
		w.wantSent(t, append(append(append(block, block...), block...), "BEGIN", "UPDATE", "COMMIT")...)
		w.wantNames(t, "b")
	})
}

// Without its row nothing of the block is kept, and the error says what that means.
func TestSendLast_NoRow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := &hooks{w: w}
		for range 2 {
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				return must(w.add(ctx, "a"), h.on(ctx, "hook"), w.SendLast(ctx, rename("missing", "b")))
			}, db.Retry(3))
			wantIs(t, err, errOops)
			if errors.Is(err, db.ErrOutcomeUnknown) {
				t.Errorf("%v claims not to know", err)
			}
		}
		h.want(t)
		w.wantNames(t)
		w.wantUsable(t)
	})
}

// An UPDATE that fails is the block's error, with its kind, and so is a COMMIT that fails after it.
func TestSendLast_Fails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a'), ('b')")
		err := w.Atomic(t.Context(), func(ctx context.Context) error { return must(w.add(ctx, "c"), w.SendLast(ctx, rename("a", "b"))) })
		wantIs(t, err, db.ErrUnique)
		w.wantNames(t, "a", "b")
		if w.on.Name == testdb.NamePostgres {
			w.setup(t, "CREATE TABLE late (id int, CONSTRAINT late_id UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				return must(w.Exec(ctx, "INSERT INTO late VALUES (1), (1)"), w.SendLast(ctx, rename("a", "c")))
			})
			wantIs(t, err, db.ErrUnique)
			w.wantNames(t, "a", "b")
		}
		w.wantUsable(t)
	})
}

// Where the block does not end with COMMIT the UPDATE is sent at once, and seen by what follows.
func TestSendLast_AtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		sees := func(ctx context.Context) error {
			names, err := w.names(ctx)
			return must(err, expect(len(names) == 1 && names[0] == "b", "items %v", names))
		}
		missing := func(ctx context.Context) error {
			return expect(errors.Is(w.SendLast(ctx, rename("missing", "b")), errOops), "a missing row was found")
		}
		last := func(ctx context.Context) error {
			return must(w.SendLast(ctx, rename("a", "b")), sees(ctx), missing(ctx))
		}
		undone := errors.New("undone")
		inner := w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(w.Atomic(ctx, last), sees(ctx), undone)
		})
		wantIs(t, inner, undone)
		w.wantNames(t, "a")
		_, err := w.DryRun(t.Context(), last)
		noError(t, err)
		w.wantNames(t, "a")
		ctx, tx, err := w.Begin(t.Context())
		noError(t, must(err, last(ctx), tx.Rollback(ctx)))
		w.wantNames(t, "a")
		raw, err := w.raw.BeginTx(t.Context(), nil)
		noError(t, err)
		ctx, leave, err := w.JoinSQL(t.Context(), raw)
		noError(t, must(err, last(ctx), leave(), raw.Rollback()))
		w.wantNames(t, "a")
	})
}

// A block that gives its UPDATE up keeps nothing of it.
func TestSendLast_RolledBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		wantIs(t, w.Atomic(t.Context(), func(ctx context.Context) error { return must(w.SendLast(ctx, rename("a", "b")), errOops) }), errOops)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(w.SendLast(ctx, rename("a", "b")), w.SetRollback(ctx, true))
		}))
		w.wantNames(t, "a")
		w.wantUsable(t)
	})
}

// pgx must see the COMMIT of a block with large objects, and hands none out after a block that it has not seen the end of.
func TestSendLast_LargeObjects(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		var oid uint32
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			objects := tx.LargeObjects()
			if oid, err = objects.Create(ctx, 0); err != nil {
				return err
			}
			return w.SendLast(ctx, rename("a", "b"))
		}))
		w.wantNames(t, "b")
		var after pgx.Tx
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) (err error) {
			if after, err = w.PGX(ctx); err != nil {
				return err
			}
			return w.SendLast(ctx, rename("b", "a"))
		}))
		if after.LargeObjects() != (pgx.LargeObjects{}) {
			t.Error("large objects were handed out after the end")
		}
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) (err error) {
			after, err = w.PGX(ctx)
			return err
		}))
		objects := after.LargeObjects()
		_, err := objects.Create(t.Context(), 0)
		wantIs(t, err, pgx.ErrTxClosed)
		var n int
		noError(t, w.raw.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = $1", oid).Scan(&n))
		if n != 1 {
			t.Error("the large object is not there")
		}
	}, testdb.NamePostgres)
}

// The connection is cut when the UPDATE and COMMIT are sent: before they arrive, or before the answer does.
func TestSendLast_ConnectionLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		for _, try := range []struct {
			trap func([]byte) <-chan struct{}
			want string
		}{{proxy.CutBeforeForward, "a"}, {proxy.CutOnClientBytes, "b"}} {
			var sprung <-chan struct{}
			err := through.Atomic(t.Context(), func(ctx context.Context) error {
				err := through.SendLast(ctx, rename("a", "b"))
				sprung = try.trap([]byte("COMMIT"))
				return err
			}, db.Retry(3))
			<-sprung
			wantIs(t, err, db.ErrOutcomeUnknown, db.ErrConnectionLost)
			w.wantNames(t, try.want)
		}
	})
}

// A pooler that knows no prepared statements takes the UPDATE as text.
func TestSendLast_Unprepared(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a')")
		conn := open(t, asText(t, w.on))
		noError(t, conn.Atomic(t.Context(), func(ctx context.Context) error { return conn.SendLast(ctx, rename("a", "b")) }))
		wantIs(t, conn.Atomic(t.Context(), func(ctx context.Context) error { return conn.SendLast(ctx, rename("a", "b")) }), errOops)
		w.wantNames(t, "b")
	}, testdb.NamePostgres)
}
