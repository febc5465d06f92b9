package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// sqlcDBTX is what sqlc generates for database/sql, and sqlcPGX what it generates for pgx/v5 with :copyfrom and :batch.
type sqlcDBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

type sqlcPGX interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

var (
	_ sqlcDBTX = db.DBTX{}
	_ sqlcPGX  = db.PGXDBTX{}
	_ sqlcPGX  = pgx.Tx(nil)
)

// Where a statement runs: the session, and its transaction as far as the server tells one from the next. On SQLite it is the
// visibility of uncommitted rows that tells.
var placeQuery = map[string]string{
	testdb.NamePostgres: "SELECT pg_backend_pid() || '/' || txid_current()",
	testdb.NameMariaDB:  "SELECT CONCAT(CONNECTION_ID(), '/', @@in_transaction)",
	testdb.NameSQLite:   "SELECT 'the rows tell'",
}

// insertText inserts an item without parameters, which the databases spell in different ways.
func insertText(name string) string {
	return fmt.Sprintf("INSERT INTO item (name) VALUES ('%s')", name)
}

// joiner is a library's way into a block: it inserts an item and says where that ran.
type joiner func(ctx context.Context, w *world, name, place string) (string, error)

// rowQueryer is a *sql.DB, *sql.Tx, *sql.Conn or DBTX.
type rowQueryer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func insertAt(ctx context.Context, q rowQueryer, name, place string) (string, error) {
	if _, err := q.ExecContext(ctx, insertText(name)); err != nil {
		return "", err
	}
	var at string
	err := q.QueryRowContext(ctx, place).Scan(&at)
	return at, err
}

// insertAtPGX is insertAt for what sqlc generates for pgx.
func insertAtPGX(ctx context.Context, q sqlcPGX, name, place string) (string, error) {
	if _, err := q.Exec(ctx, "INSERT INTO item (name) VALUES ($1)", name); err != nil {
		return "", err
	}
	var at string
	err := q.QueryRow(ctx, place).Scan(&at)
	return at, err
}

var joiners = map[string]joiner{
	"drover": func(ctx context.Context, w *world, name, place string) (string, error) {
		if err := w.add(ctx, name); err != nil {
			return "", err
		}
		var at string
		err := w.QueryRow(ctx, place).Scan(&at)
		return at, err
	},
	"SQL": func(ctx context.Context, w *world, name, place string) (string, error) {
		return insertAt(ctx, w.SQL(ctx), name, place)
	},
	"DBTX": func(ctx context.Context, w *world, name, place string) (string, error) {
		return insertAt(ctx, w.DBTX(), name, place)
	},
	"sql.Conn": func(ctx context.Context, w *world, name, place string) (string, error) {
		conn, err := w.SQL(ctx).Conn(ctx)
		if err != nil {
			return "", err
		}
		at, err := insertAt(ctx, conn, name, place)
		return at, must(err, conn.Close())
	},
	"sql.Tx": func(ctx context.Context, w *world, name, place string) (string, error) {
		tx, err := w.SQL(ctx).BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		at, err := insertAt(ctx, tx, name, place)
		return at, must(err, tx.Commit())
	},
	"sql.Stmt": func(ctx context.Context, w *world, name, place string) (string, error) {
		insert, err := w.SQL(ctx).PrepareContext(ctx, insertText(name))
		if err != nil {
			return "", err
		}
		read, err := w.DBTX().PrepareContext(ctx, place)
		if err != nil {
			return "", err
		}
		_, err = insert.ExecContext(ctx)
		var at string
		return at, must(err, read.QueryRowContext(ctx).Scan(&at), insert.Close(), read.Close())
	},
	"inner block": func(ctx context.Context, w *world, name, place string) (at string, err error) {
		err = w.Atomic(ctx, func(ctx context.Context) error {
			at, err = insertAt(ctx, w.SQL(ctx), name, place)
			return err
		})
		return at, err
	},
}

// pgxJoiners join through native pgx.
var pgxJoiners = map[string]joiner{
	"PGX": func(ctx context.Context, w *world, name, place string) (string, error) {
		tx, err := w.PGX(ctx)
		if err != nil {
			return "", err
		}
		return insertAtPGX(ctx, tx, name, place)
	},
	"PGXDBTX": func(ctx context.Context, w *world, name, place string) (string, error) {
		return insertAtPGX(ctx, w.PGXDBTX(), name, place)
	},
	"pgx Begin": func(ctx context.Context, w *world, name, place string) (at string, err error) {
		tx, err := w.PGX(ctx)
		if err != nil {
			return "", err
		}
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			at, err = insertAtPGX(ctx, tx, name, place)
			return err
		})
		return at, err
	},
	"CopyFrom": func(ctx context.Context, w *world, name, place string) (string, error) {
		n, err := w.PGXDBTX().CopyFrom(ctx, pgx.Identifier{"item"}, []string{"name"}, pgx.CopyFromRows([][]any{{name}}))
		if err := must(err, expect(n == 1, "copied %d rows", n)); err != nil {
			return "", err
		}
		var at string
		err = w.PGXDBTX().QueryRow(ctx, place).Scan(&at)
		return at, err
	},
	"SendBatch": func(ctx context.Context, w *world, name, place string) (at string, err error) {
		batch := &pgx.Batch{}
		batch.Queue("INSERT INTO item (name) VALUES ($1)", name)
		batch.Queue(place).QueryRow(func(row pgx.Row) error { return row.Scan(&at) })
		return at, w.PGXDBTX().SendBatch(ctx, batch).Close()
	},
	"Prepare": func(ctx context.Context, w *world, name, place string) (string, error) {
		tx, err := w.PGX(ctx)
		if err != nil {
			return "", err
		}
		if _, err := tx.Prepare(ctx, "insert_item", "INSERT INTO item (name) VALUES ($1)"); err != nil {
			return "", err
		}
		if _, err := tx.Exec(ctx, "insert_item", name); err != nil {
			return "", err
		}
		var at string
		err = tx.QueryRow(ctx, place).Scan(&at)
		return at, err
	},
}

// joinAll uses every way into ctx's transaction, checks that all run at one place, and returns the names they inserted.
func joinAll(t *testing.T, ctx context.Context, w *world, ways ...map[string]joiner) []string {
	t.Helper()
	places := map[string]bool{}
	var names []string
	for _, some := range ways {
		for name, join := range some {
			at, err := join(ctx, w, name, placeQuery[w.on.Name])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if at == "" {
				t.Errorf("%s does not say where it ran", name)
			}
			places[at] = true
			names = append(names, name)
			// Every way sees what the others have inserted.
			got, err := w.names(ctx)
			noError(t, err)
			if len(got) != len(names) {
				t.Errorf("after %s the transaction sees %q", name, got)
			}
		}
	}
	if len(places) != 1 {
		t.Errorf("the statements ran at %d places: %v", len(places), places)
	}
	return names
}

// waysInto returns the ways into a transaction on the database; native is whether it runs on pgx.
func waysInto(w *world, native bool) []map[string]joiner {
	if native && w.on.Name == testdb.NamePostgres {
		return []map[string]joiner{joiners, pgxJoiners}
	}
	return []map[string]joiner{joiners}
}

func TestJoin_OneTransaction(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ways := waysInto(w, true)
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			joinAll(t, ctx, w, ways...)
			return errOops
		})
		wantIs(t, err, errOops)
		w.wantNames(t) // the rollback has removed the rows of all
		var names []string
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			names = joinAll(t, ctx, w, ways...)
			return nil
		}))
		var n int
		noError(t, w.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM item").Scan(&n))
		if n != len(names) {
			t.Errorf("%d rows are committed of %d", n, len(names))
		}
		w.wantUsable(t)
	})
}

// The same queries object, made once, outside blocks and inside.
func TestJoin_SqlcRoutesByContext(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var queries sqlcDBTX = w.DBTX()
		insert := func(ctx context.Context, name string) error {
			_, err := queries.ExecContext(ctx, insertText(name))
			return err
		}
		noError(t, insert(t.Context(), "outside"))
		wantIs(t, w.Atomic(t.Context(), func(ctx context.Context) error { return must(insert(ctx, "inside"), errOops) }), errOops)
		w.wantNames(t, "outside")
	})
}

func TestJoin_SQLTxIsASavepoint(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "block"); err != nil {
				return err
			}
			kept, err := w.SQL(ctx).BeginTx(ctx, nil)
			noError(t, err)
			_, err = kept.ExecContext(ctx, insertText("kept"))
			noError(t, must(err, kept.Commit()))

			undone, err := w.SQL(ctx).BeginTx(ctx, nil)
			noError(t, err)
			_, err = undone.ExecContext(ctx, insertText("undone"))
			noError(t, must(err, undone.Rollback()))
			wantIs(t, undone.Commit(), sql.ErrTxDone)

			// A failure inside is undone with it.
			failed, err := w.SQL(ctx).BeginTx(ctx, nil)
			noError(t, err)
			_, err = failed.ExecContext(ctx, insertText("kept"))
			if db.KindOf(err) != db.ErrUnique {
				t.Errorf("got %v", err)
			}
			noError(t, failed.Rollback())

			_, err = w.SQL(ctx).BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			if err == nil {
				t.Error("a savepoint with an isolation level of its own")
			}
			return nil
		}))
		w.wantNames(t, "block", "kept")
	})
}

func TestJoin_NativePGX(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			w.log.Reset()
			wantIs(t, tx.Commit(ctx), db.ErrManaged)
			wantIs(t, tx.Rollback(ctx), db.ErrManaged)
			w.wantSent(t)
			if tx.Conn() != nil {
				t.Error("the transaction hands out its connection")
			}

			// Query, and rows that do not hand out the connection either.
			rows, err := tx.Query(ctx, "SELECT generate_series(1, 3)")
			noError(t, err)
			if rows.Conn() != nil {
				t.Error("rows hand out their connection")
			}
			numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
			noError(t, err)
			if diff := cmp.Diff([]int{1, 2, 3}, numbers); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			wantIs(t, tx.QueryRow(ctx, "SELECT 1 WHERE false").Scan(new(int)), pgx.ErrNoRows)

			// A native transaction inside is a savepoint; one in it as well.
			noError(t, pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insertText("kept"))
				undone := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, insertText("undone"))
					return must(err, errOops)
				})
				wantIs(t, undone, errOops)
				return err
			}))
			inner, err := tx.Begin(ctx)
			noError(t, err)
			noError(t, inner.Rollback(ctx))
			wantIs(t, inner.Rollback(ctx), pgx.ErrTxClosed)
			wantIs(t, inner.Commit(ctx), pgx.ErrTxClosed)
			_, err = inner.Exec(ctx, "SELECT 1")
			wantIs(t, err, pgx.ErrTxClosed)

			// The end of an outer native transaction is the inner's too.
			outer, err := tx.Begin(ctx)
			noError(t, err)
			inner, err = outer.Begin(ctx)
			noError(t, err)
			noError(t, outer.Rollback(ctx))
			_, err = inner.Exec(ctx, insertText("stray"))
			wantIs(t, err, pgx.ErrTxClosed)
			return nil
		}))
		w.wantNames(t, "kept")
		if _, err := w.PGX(t.Context()); !errors.Is(err, db.ErrNoBlock) {
			t.Errorf("outside a block: %v", err)
		}
	}, testdb.NamePostgres)
}

func TestJoin_PGXBatchIsGuarded(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			for _, text := range []string{"COMMIT", "SAVEPOINT mine"} {
				batch := &pgx.Batch{}
				batch.Queue(insertText("a"))
				batch.Queue(text)
				wantIs(t, tx.SendBatch(ctx, batch).Close(), db.ErrManaged)
			}
			open := &pgx.Batch{}
			open.Queue("SELECT 1")
			results := tx.SendBatch(ctx, open)
			wantIs(t, w.add(ctx, "b"), db.ErrBusy)
			noError(t, results.Close())
			return w.add(ctx, "c")
		}))
		w.wantNames(t, "c")

		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			batch := &pgx.Batch{}
			batch.Queue(insertText("d"))
			batch.Queue(insertText("c"))
			return swallow(tx.SendBatch(ctx, batch).Close())
		})
		wantIs(t, err, db.ErrBroken, db.ErrUnique)
		w.wantNames(t, "c")
	}, testdb.NamePostgres)
}

func TestJoin_PGXLargeObjects(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		var oid uint32
		var late pgx.LargeObjects
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			late = tx.LargeObjects()
			oid, err = late.Create(ctx, 0)
			noError(t, err)
			object, err := late.Open(ctx, oid, pgx.LargeObjectModeWrite)
			noError(t, err)
			_, err = object.Write([]byte("text"))
			return must(err, object.Close(), errOops)
		})
		wantIs(t, err, errOops)
		var n int
		noError(t, w.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_largeobject_metadata WHERE oid = $1", oid).Scan(&n))
		if n != 0 {
			t.Error("the rollback has not removed the large object")
		}
		// After the block the connection is somebody else's.
		_, err = late.Create(t.Context(), 0)
		wantIs(t, err, pgx.ErrTxClosed)

		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			late = tx.LargeObjects()
			return err
		}))
		_, err = late.Create(t.Context(), 0)
		wantIs(t, err, pgx.ErrTxClosed)

		// What fails there does not come by the block's rules, and breaks it all the same.
		err = w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			objects := tx.LargeObjects()
			if _, err := objects.Open(ctx, 1, pgx.LargeObjectModeRead); err == nil {
				t.Error("opened a large object that is not there")
			}
			wantIs(t, w.add(ctx, "a"), db.ErrBroken)
			return nil
		})
		wantIs(t, err, db.ErrBroken)
		w.wantNames(t)
	}, testdb.NamePostgres)
}

func TestJoin_CallersSQLTx(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tx, err := w.SQL(t.Context()).BeginTx(t.Context(), nil)
		noError(t, err)
		defer func() { _ = tx.Rollback() }()
		var place string
		noError(t, tx.QueryRowContext(t.Context(), placeQuery[w.on.Name]).Scan(&place))
		ctx, leave, err := w.JoinSQL(t.Context(), tx)
		noError(t, err)
		joinAll(t, ctx, w, waysInto(w, false)...)
		var joined string
		noError(t, w.QueryRow(ctx, placeQuery[w.on.Name]).Scan(&joined))
		if joined != place {
			t.Errorf("joined %s, the transaction is %s", joined, place)
		}
		_, _, err = w.JoinSQL(ctx, tx)
		wantIs(t, err, db.ErrNested)
		_, err = w.PGX(ctx)
		wantIs(t, err, db.ErrNotPGX)
		wantIs(t, w.SetRollback(ctx, true), db.ErrManaged)
		wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }, db.Durable()), db.ErrDurableNested)
		noError(t, leave())
		wantIs(t, w.add(ctx, "late"), db.ErrEnded)
		noError(t, leave()) // again does nothing
		var n int
		noError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM item").Scan(&n)) // the caller's transaction goes on
		if n != len(joiners) {
			t.Errorf("the transaction sees %d rows", n)
		}
		noError(t, tx.Rollback())
		w.wantNames(t)
	})
}

func TestJoin_CallersSQLTxBroken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "taken"))
		tx, err := w.SQL(t.Context()).BeginTx(t.Context(), nil)
		noError(t, err)
		defer func() { _ = tx.Rollback() }()
		ctx, leave, err := w.JoinSQL(t.Context(), tx)
		noError(t, err)
		// In a block a failure is undone, and nothing is broken.
		wantIs(t, w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "taken") }), db.ErrUnique)
		noError(t, w.add(ctx, "good"))
		wantIs(t, w.add(ctx, "taken"), db.ErrUnique)
		wantIs(t, leave(), db.ErrBroken, db.ErrUnique)
	})
}

func TestJoin_CallersPGXTx(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		for _, end := range []string{"commit", "rollback"} {
			tx, err := w.Native().Begin(t.Context())
			noError(t, err)
			var place string
			noError(t, tx.QueryRow(t.Context(), placeQuery[w.on.Name]).Scan(&place))
			ctx, leave, err := w.JoinPGX(t.Context(), tx)
			noError(t, err)
			names := joinAll(t, ctx, w, waysInto(w, true)...)
			var joined string
			noError(t, w.QueryRow(ctx, placeQuery[w.on.Name]).Scan(&joined))
			if joined != place {
				t.Errorf("joined %s, the transaction is %s", joined, place)
			}
			inner, err := w.PGX(ctx)
			noError(t, err)
			wantIs(t, inner.Commit(ctx), db.ErrManaged)
			noError(t, leave())
			wantIs(t, w.add(ctx, "late"), db.ErrEnded)
			if end == "rollback" {
				noError(t, tx.Rollback(t.Context()))
				w.wantNames(t)
				continue
			}
			noError(t, tx.Commit(t.Context()))
			var n int
			noError(t, w.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM item").Scan(&n))
			if n != len(names) {
				t.Errorf("%d rows are committed of %d", n, len(names))
			}
			w.setup(t, "DELETE FROM item")
		}
	}, testdb.NamePostgres)
}

// What a large object meets does not come by the block's rules; the connection tells.
func TestJoin_PGXLargeObjectsLoseTheConnection(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			objects := tx.LargeObjects()
			w.killSessions(t, w.session(t, ctx))
			if _, err := objects.Create(ctx, 0); err == nil {
				t.Error("created a large object without a connection")
			}
			wantIs(t, w.add(ctx, "a"), db.ErrBroken, db.ErrConnectionLost)
			return nil
		})
		wantIs(t, err, db.ErrBroken, db.ErrConnectionLost)
		w.wantUsable(t)
	}, testdb.NamePostgres)
}

// A block's own pgx transaction is in the context already.
func TestJoin_BlocksPGXTxIsRefused(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			tx, err := w.PGX(ctx)
			noError(t, err)
			if _, _, err := w.JoinPGX(t.Context(), tx); err == nil {
				t.Error("the block was joined twice")
			}
			return nil
		}))
	}, testdb.NamePostgres)
}

// The other databases have no pgx.
func TestJoin_NotPGX(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			_, err := w.PGX(ctx)
			wantIs(t, err, db.ErrNotPGX)
			return nil
		}))
		_, err := w.PGXDBTX().Exec(t.Context(), "SELECT 1")
		wantIs(t, err, db.ErrNotPGX)
		wantIs(t, w.PGXDBTX().QueryRow(t.Context(), "SELECT 1").Scan(new(int)), db.ErrNotPGX)
		wantIs(t, w.PGXDBTX().SendBatch(t.Context(), &pgx.Batch{}).Close(), db.ErrNotPGX)
	}, testdb.NameMariaDB, testdb.NameSQLite)
}
