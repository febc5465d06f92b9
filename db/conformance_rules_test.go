package db_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestConformance_018_DurableNested(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			w.log.Reset()
			called := false
			err := w.Atomic(ctx, func(context.Context) error {
				called = true
				return nil
			}, db.Durable())
			wantIs(t, err, db.ErrDurableNested)
			if called {
				t.Error("the durable block has run")
			}
			w.wantSent(t)
			return w.add(ctx, "outer")
		})
		noError(t, err)
		w.wantNames(t, "outer")
	})
}

func TestConformance_019_DurableOutermost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			return w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "inner") })
		}, db.Durable()))
		w.wantNames(t, "inner")
	})
}

func TestConformance_020_DurableInARow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, name := range []string{"a", "b"} {
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { return w.add(ctx, name) }, db.Durable()))
		}
		w.wantNames(t, "a", "b")
	})
}

// Case 22: what a program can do by hand in Go is to send the text, to end a native transaction, and to end a transaction
// begun by hand while a block is open in it.
func TestConformance_022_NoTransactionControlInABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		texts := []string{"COMMIT", "ROLLBACK", "BEGIN", " commit ;", "/* x */ COMMIT", "INSERT INTO item (name) VALUES ('b'); COMMIT"}
		if w.on.Name == testdb.NameMariaDB {
			texts = append(texts, "SET autocommit = 1", "SET @@autocommit = 1", "START TRANSACTION", "XA START 'x'")
		}
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "a"); err != nil {
				return err
			}
			w.log.Reset()
			for _, text := range texts {
				wantIs(t, w.Exec(ctx, text), db.ErrManaged)
				_, err := w.SQL(ctx).ExecContext(ctx, text)
				wantIs(t, err, db.ErrManaged)
				_, err = w.DBTX().QueryContext(ctx, text)
				wantIs(t, err, db.ErrManaged)
				_, err = w.DBTX().PrepareContext(ctx, text)
				wantIs(t, err, db.ErrManaged)
			}
			_, _, err := w.Begin(ctx)
			wantIs(t, err, db.ErrNested)
			w.wantSent(t)
			return nil
		})
		noError(t, err)
		w.wantNames(t, "a")
	})
}

func TestConformance_022_NoEndOfBeginInsideABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, tx, err := w.Begin(t.Context())
		noError(t, err)
		point, err := tx.Savepoint(ctx)
		noError(t, err)
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			w.log.Reset()
			wantIs(t, tx.Commit(ctx), db.ErrManaged)
			wantIs(t, tx.Rollback(ctx), db.ErrManaged)
			wantIs(t, point.Release(ctx), db.ErrManaged)
			wantIs(t, point.Rollback(ctx), db.ErrManaged)
			w.wantSent(t)
			return w.add(ctx, "a")
		}))
		noError(t, tx.Commit(ctx))
		w.wantNames(t, "a")
	})
}

// brokenWays are the ways to send the statement that fails in the cases 23, 25 and 26.
var brokenWays = map[string]func(ctx context.Context, w *world) error{
	"Exec": func(ctx context.Context, w *world) error { return w.add(ctx, "taken") },
	"SQL": func(ctx context.Context, w *world) error {
		_, err := w.SQL(ctx).ExecContext(ctx, "INSERT INTO item (name) VALUES ('taken')")
		return err
	},
	"DBTX": func(ctx context.Context, w *world) error {
		_, err := w.DBTX().ExecContext(ctx, "INSERT INTO item (name) VALUES ('taken')")
		return err
	},
	"QueryRow": func(ctx context.Context, w *world) error {
		return w.QueryRow(ctx, "INSERT INTO item (name) VALUES (?) RETURNING id", "taken").Scan(new(int64))
	},
	"prepared": func(ctx context.Context, w *world) error {
		stmt, err := w.SQL(ctx).PrepareContext(ctx, "INSERT INTO item (name) VALUES ('taken')")
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		_, err = stmt.ExecContext(ctx)
		return err
	},
	"bulk": func(ctx context.Context, w *world) error {
		return w.Exec(ctx, "INSERT INTO item (name) VALUES (?), (?), (?)", "x", "taken", "y")
	},
	"pgx": func(ctx context.Context, w *world) error {
		tx, err := w.PGX(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO item (name) VALUES ($1)", "taken")
		return err
	},
}

func testBroken(t *testing.T, w *world, way string) {
	w.setup(t, "INSERT INTO item (name) VALUES ('taken')")
	err := w.Atomic(t.Context(), func(ctx context.Context) error {
		if err := w.add(ctx, "good"); err != nil {
			return err
		}
		failure := brokenWays[way](ctx, w)
		if db.KindOf(failure) != db.ErrUnique {
			t.Errorf("the kind of %v is %v", failure, db.KindOf(failure))
		}
		w.log.Reset()
		_, err := w.names(ctx)
		wantIs(t, err, db.ErrBroken, db.ErrUnique)
		wantIs(t, w.add(ctx, "more"), db.ErrBroken, db.ErrUnique)
		wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), db.ErrBroken, db.ErrUnique)
		wantIs(t, w.OnCommit(ctx, func(context.Context) error { return nil }), db.ErrBroken, db.ErrUnique)
		var broken *db.BrokenError
		if !errors.As(err, &broken) || !broken.Refused {
			t.Errorf("%v is no *BrokenError of a refused statement", err)
		}
		w.wantSent(t)
		return nil
	})
	wantIs(t, err, db.ErrBroken, db.ErrUnique)
	var broken *db.BrokenError
	if !errors.As(err, &broken) || broken.Refused {
		t.Errorf("%v is no *BrokenError of the block's end", err)
	}
	w.wantNames(t, "taken")
	w.wantUsable(t)
}

func TestConformance_023_BrokenBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) { testBroken(t, w, "Exec") })
}

func TestConformance_025_BrokenBehindOurBack(t *testing.T) {
	for _, way := range []string{"SQL", "DBTX", "QueryRow", "prepared"} {
		t.Run(way, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) { testBroken(t, w, way) })
		})
	}
	t.Run("pgx", func(t *testing.T) {
		on(t, func(t *testing.T, w *world) { testBroken(t, w, "pgx") }, testdb.NamePostgres)
	})
}

func TestConformance_026_BrokenByABulkInsert(t *testing.T) {
	each(t, func(t *testing.T, w *world) { testBroken(t, w, "bulk") })
}

// The other side of case 23: in an inner block the failure is the inner block's, and the outer goes on.
func TestConformance_023_InnerBlockCatches(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('taken')")
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			err := w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "taken") })
			wantIs(t, err, db.ErrUnique)
			return w.add(ctx, "good")
		}))
		w.wantNames(t, "good", "taken")
	})
}

func TestConformance_027_FailureInAutocommit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		wantIs(t, w.add(t.Context(), "a"), db.ErrUnique)
		noError(t, w.add(t.Context(), "b"))
		w.wantNames(t, "a", "b")
	})
}

func TestConformance_028_CleanAfterABrokenBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		wantIs(t, w.Atomic(t.Context(), func(ctx context.Context) error { return swallow(w.add(ctx, "a")) }), db.ErrBroken)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			broken, err := w.WillRollback(ctx)
			return must(err, expect(!broken, "the new block is marked"), w.add(ctx, "b"))
		}))
		w.wantNames(t, "a", "b")
	})
}

func TestConformance_029_ForceRollback(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ran := false
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				w.OnCommit(ctx, func(context.Context) error {
					ran = true
					return nil
				}),
				w.add(ctx, "a"),
				w.SetRollback(ctx, true),
			)
		}))
		w.wantNames(t)
		if ran {
			t.Error("the hook has run")
		}
		// Taken back, and in an inner block of its own.
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				w.SetRollback(ctx, true),
				w.Atomic(ctx, func(ctx context.Context) error {
					return must(w.add(ctx, "inner"), w.SetRollback(ctx, true))
				}),
				w.add(ctx, "outer"),
				w.SetRollback(ctx, false),
			)
		}))
		w.wantNames(t, "outer")
	})
}

func TestConformance_031_MarkNeedsABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, err := w.WillRollback(t.Context())
		wantIs(t, err, db.ErrNoBlock)
		wantIs(t, w.SetRollback(t.Context(), true), db.ErrNoBlock)
		// A block that has ended is none either.
		var ended context.Context
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			ended = ctx
			return nil
		}))
		_, err = w.WillRollback(ended)
		wantIs(t, err, db.ErrEnded)
		wantIs(t, w.SetRollback(ended, true), db.ErrEnded)
	})
}

// Case 32: a connection cannot be closed from inside in Go, since a block hands none out, so the server closes it. SQLite
// has no server.
func TestConformance_032_ConnectionLostInABlock(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "a"); err != nil {
				return err
			}
			w.killSessions(t, w.session(t, ctx))
			wantIs(t, w.add(ctx, "b"), db.ErrConnectionLost)
			w.log.Reset()
			wantIs(t, w.add(ctx, "c"), db.ErrBroken, db.ErrConnectionLost)
			wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), db.ErrBroken, db.ErrConnectionLost)
			w.wantSent(t) // no reconnect inside
			return nil
		})
		wantIs(t, err, db.ErrBroken, db.ErrConnectionLost)
		w.wantNames(t)
		w.wantUsable(t)
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

// Case 34, beyond Django. Idle connections are killed, several at a time, and each way of using the next one must work.
func TestConformance_034_IdleConnectionsKilled(t *testing.T) {
	ways := map[string]func(ctx context.Context, w *world) error{
		"Exec":   func(ctx context.Context, w *world) error { return w.add(ctx, "a") },
		"Atomic": func(ctx context.Context, w *world) error { return blockCases()[1].run(ctx, w) },
		"Begin": func(ctx context.Context, w *world) error {
			ctx, tx, err := w.Begin(ctx)
			if err != nil {
				return err
			}
			return must(w.add(ctx, "a"), tx.Commit(ctx))
		},
		"Query": func(ctx context.Context, w *world) error {
			_, err := w.names(ctx)
			return must(err, w.add(ctx, "a"))
		},
		"DryRun": func(ctx context.Context, w *world) error {
			_, err := w.DryRun(ctx, func(ctx context.Context) error { return w.add(ctx, "x") })
			return must(err, w.add(ctx, "a"))
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, w *world) {
				w.killSessions(t, w.idleSessions(t, 2)...)
				noError(t, way(t.Context(), w))
				w.wantNames(t, "a")
			}, testdb.NamePostgres, testdb.NameMariaDB)
		})
	}
}

// deferredFK makes tables whose foreign key is checked at COMMIT. MariaDB has no such constraints, so the cases about
// them have no meaning there.
func (w *world) deferredFK(t *testing.T) {
	t.Helper()
	w.setup(t, `CREATE TABLE parent (id integer PRIMARY KEY)`,
		`CREATE TABLE child (id integer PRIMARY KEY, parent_id integer NOT NULL
			CONSTRAINT child_parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`)
}

func TestConformance_035_DeferredForeignKey(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.deferredFK(t)
		ran := false
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				w.OnCommit(ctx, func(context.Context) error {
					ran = true
					return nil
				}),
				w.add(ctx, "a"),
				w.Exec(ctx, "INSERT INTO child (id, parent_id) VALUES (1, 7)"),
			)
		})
		wantIs(t, err, db.ErrForeignKey)
		var own *db.Error
		if !errors.As(err, &own) || own.Op != "commit" {
			t.Errorf("%v (%T) is no *Error of COMMIT", err, err)
		}
		if errors.Is(err, db.ErrOutcomeUnknown) || errors.Is(err, db.ErrBroken) {
			t.Errorf("%v claims more than it knows", err)
		}
		if ran {
			t.Error("the hook has run")
		}
		w.wantNames(t)
		w.wantUsable(t)
	}, testdb.NamePostgres, testdb.NameSQLite)
}

func TestConformance_036_DeadlockInANestedBlock(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (id, name) VALUES (1, 'one'), (2, 'two')", "CREATE TABLE weight (n int)")
		// InnoDB rolls back the transaction that has changed fewer rows, so the other session changes many.
		other, err := w.raw.BeginTx(t.Context(), nil)
		noError(t, err)
		for _, query := range []string{"INSERT INTO weight SELECT seq FROM seq_1_to_100", "UPDATE item SET name = 'other' WHERE id = 1"} {
			_, err := other.ExecContext(t.Context(), query)
			noError(t, err)
		}
		second := make(chan error, 1)
		err = w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.Exec(ctx, "UPDATE item SET name = 'mine' WHERE id = 2"); err != nil {
				return err
			}
			go func() {
				_, err := other.ExecContext(context.WithoutCancel(ctx), "UPDATE item SET name = 'others' WHERE id = 2")
				second <- err
			}()
			err := w.Atomic(ctx, func(ctx context.Context) error {
				return w.Exec(ctx, "UPDATE item SET name = 'mine too' WHERE id = 1")
			})
			wantIs(t, err, db.ErrDeadlock)
			if db.KindOf(err) != db.ErrDeadlock {
				t.Errorf("the kind of %v is %v", err, db.KindOf(err))
			}
			wantIs(t, w.add(ctx, "more"), db.ErrBroken, db.ErrDeadlock)
			return nil
		})
		wantIs(t, err, db.ErrBroken, db.ErrDeadlock)
		noError(t, must(<-second, other.Rollback()))
		w.wantNames(t, "one", "two")
		w.wantUsable(t)
	}, testdb.NameMariaDB)
}

// Case 37, "autocommit is off", is a transaction that was begun by hand.
func TestConformance_037_FailureInBeginThenRollback(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		ctx, tx, err := w.Begin(t.Context())
		noError(t, err)
		wantIs(t, w.add(ctx, "a"), db.ErrUnique)
		noError(t, tx.Rollback(ctx))
		noError(t, tx.Rollback(ctx)) // twice is fine
		wantIs(t, tx.Commit(ctx), sql.ErrTxDone)
		noError(t, w.add(t.Context(), "b"))
		w.wantNames(t, "a", "b")
		w.wantUsable(t)
	})
}

// Case 37 with a savepoint: rolling back to it mends the transaction.
func TestConformance_037_SavepointMends(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, tx, err := w.Begin(t.Context())
		noError(t, err)
		noError(t, w.add(ctx, "a"))
		point, err := tx.Savepoint(ctx)
		noError(t, err)
		wantIs(t, w.add(ctx, "a"), db.ErrUnique)
		wantIs(t, w.add(ctx, "b"), db.ErrBroken)
		noError(t, must(point.Rollback(ctx), w.add(ctx, "c"), tx.Commit(ctx)))
		w.wantNames(t, "a", "c")
	})
}

// Case 41: what Django binds to a thread is bound to the context here.
func TestConformance_041_OnlyTheContextIsInside(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "a"); err != nil {
				return err
			}
			type seen struct {
				Names   []string
				InBlock bool
			}
			result := make(chan seen)
			go func() {
				outside := t.Context()
				names, err := w.names(outside)
				if err != nil {
					t.Error(err)
				}
				result <- seen{names, w.InBlock(outside)}
			}()
			if diff := cmp.Diff(seen{}, <-result); diff != "" {
				t.Errorf("a goroutine without the context (-want +got):\n%s", diff)
			}
			names, err := w.names(ctx)
			return must(err, expect(cmp.Equal(names, []string{"a"}), "the block sees %v", names), expect(w.InBlock(ctx), "not in a block"))
		}))
	})
}
