package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// blockCase is one of the conformance cases 1 to 11. They hold in any surroundings; cases 13 and 14 run them again inside
// an open block and inside a transaction begun by hand.
type blockCase struct {
	name string
	run  func(ctx context.Context, w *world) error
	err  error    // what run returns
	kept []string // the items afterwards
	sent []string // by run outside any block
}

func blockCases() map[int]blockCase {
	return map[int]blockCase{
		1: {
			name: "commit",
			run: func(ctx context.Context, w *world) error {
				return w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "a") })
			},
			kept: []string{"a"},
			sent: []string{"BEGIN", "INSERT", "COMMIT"},
		},
		2: {
			name: "rollback on error",
			run: func(ctx context.Context, w *world) error {
				return w.Atomic(ctx, func(ctx context.Context) error { return must(w.add(ctx, "a"), errOops) })
			},
			err:  errOops,
			sent: []string{"BEGIN", "INSERT", "ROLLBACK"},
		},
		3: {
			name: "rollback on panic",
			run: func(ctx context.Context, w *world) error {
				var inner error
				value := recovered(func() {
					_ = w.Atomic(ctx, func(ctx context.Context) error {
						inner = w.add(ctx, "a")
						panic("boom")
					})
				})
				return must(inner, expect(value == "boom", "the panic did not go on: %v", value))
			},
			sent: []string{"BEGIN", "INSERT", "ROLLBACK"},
		},
		4: {
			name: "nested commit commit",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, nil, nil)
			},
			kept: []string{"inner", "outer"},
			sent: []string{"BEGIN", "INSERT", "SAVEPOINT", "INSERT", "RELEASE", "COMMIT"},
		},
		5: {
			name: "nested commit rollback",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, errOops, nil)
			},
			kept: []string{"outer"},
			sent: []string{"BEGIN", "INSERT", "SAVEPOINT", "INSERT", "ROLLBACK TO", "RELEASE", "COMMIT"},
		},
		6: {
			name: "nested rollback commit",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, nil, errOops)
			},
			err:  errOops,
			sent: []string{"BEGIN", "INSERT", "SAVEPOINT", "INSERT", "RELEASE", "ROLLBACK"},
		},
		7: {
			name: "nested rollback rollback",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, errors.New("the inner one"), errOops)
			},
			err:  errOops,
			sent: []string{"BEGIN", "INSERT", "SAVEPOINT", "INSERT", "ROLLBACK TO", "RELEASE", "ROLLBACK"},
		},
		8: {
			name: "merged commit commit",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, nil, nil, db.NoSavepoint())
			},
			kept: []string{"inner", "outer"},
			sent: []string{"BEGIN", "INSERT", "INSERT", "COMMIT"},
		},
		9: {
			name: "merged commit rollback",
			run: func(ctx context.Context, w *world) error {
				return nested(ctx, w, errOops, nil, db.NoSavepoint())
			},
			err:  db.ErrBroken, // Django ends silently
			sent: []string{"BEGIN", "INSERT", "INSERT", "ROLLBACK"},
		},
		11: {
			name: "merged outer rollback",
			run: func(ctx context.Context, w *world) error {
				return w.Atomic(ctx, func(ctx context.Context) error {
					return must(w.add(ctx, "first"), w.Atomic(ctx, func(ctx context.Context) error {
						return must(w.add(ctx, "second"), swallow(w.Atomic(ctx, func(ctx context.Context) error {
							return must(w.add(ctx, "third"), errOops)
						}, db.NoSavepoint())))
					}, db.NoSavepoint()))
				})
			},
			err:  errOops, // it is the cause that the outer block reports
			sent: []string{"BEGIN", "INSERT", "INSERT", "INSERT", "ROLLBACK"},
		},
	}
}

// nested adds "outer", and "inner" in a block inside; each block ends with its error. The outer block handles the inner's.
func nested(ctx context.Context, w *world, innerErr, outerErr error, opts ...db.BlockOption) error {
	return w.Atomic(ctx, func(ctx context.Context) error {
		if err := w.add(ctx, "outer"); err != nil {
			return err
		}
		err := w.Atomic(ctx, func(ctx context.Context) error { return must(w.add(ctx, "inner"), innerErr) }, opts...)
		if !errors.Is(err, innerErr) || (innerErr == nil && err != nil) {
			return fmt.Errorf("the inner block returned %w, not %w", err, innerErr)
		}
		return outerErr
	})
}

// swallow is what a program does that hides an error.
func swallow(error) error { return nil }

func runBlockCase(t *testing.T, number int) {
	c := blockCases()[number]
	each(t, func(t *testing.T, w *world) {
		c.checkError(t, c.run(t.Context(), w))
		w.wantSent(t, c.sent...)
		w.wantNames(t, c.kept...)
		w.wantUsable(t) // autocommit is back on
	})
}

func (c blockCase) checkError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, c.err) {
		t.Errorf("%s: returned %v, want %v", c.name, err, c.err)
	}
}

func TestConformance_001_Commit(t *testing.T)                 { runBlockCase(t, 1) }
func TestConformance_002_RollbackOnError(t *testing.T)        { runBlockCase(t, 2) }
func TestConformance_003_RollbackOnPanic(t *testing.T)        { runBlockCase(t, 3) }
func TestConformance_004_NestedCommitCommit(t *testing.T)     { runBlockCase(t, 4) }
func TestConformance_005_NestedCommitRollback(t *testing.T)   { runBlockCase(t, 5) }
func TestConformance_006_NestedRollbackCommit(t *testing.T)   { runBlockCase(t, 6) }
func TestConformance_007_NestedRollbackRollback(t *testing.T) { runBlockCase(t, 7) }
func TestConformance_008_MergedCommitCommit(t *testing.T)     { runBlockCase(t, 8) }
func TestConformance_009_MergedCommitRollback(t *testing.T)   { runBlockCase(t, 9) }
func TestConformance_011_MergedOuterRollback(t *testing.T)    { runBlockCase(t, 11) }

// Case 2 asks for the same error, not one that wraps it.
func TestConformance_002_TheSameError(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(context.Context) error { return errOops })
		if err != errOops { //nolint:errorlint // the very same value is asked for
			t.Errorf("got %#v", err)
		}
	})
}

// Case 9: the end of the outer block says why nothing was kept.
func TestConformance_009_SaysWhy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		err := nested(t.Context(), w, errOops, nil, db.NoSavepoint())
		var broken *db.BrokenError
		if !errors.As(err, &broken) || broken.Refused {
			t.Fatalf("got %v (%T), want a *BrokenError of the block's end", err, err)
		}
		wantIs(t, err, errOops, db.ErrBroken)
	})
}

// Django's case 12 enters one atomic object again inside itself. In Go a block is a call; what can be used again is its
// function and its options.
func TestConformance_012_TheSameBlockAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		opts := []db.BlockOption{db.Retry(1)}
		depth := 0
		var block func(ctx context.Context) error
		block = func(ctx context.Context) error {
			depth++
			if depth == 2 {
				return must(w.add(ctx, "inner"), errOops)
			}
			if err := w.add(ctx, "outer"); err != nil {
				return err
			}
			if err := w.Atomic(ctx, block, opts...); !errors.Is(err, errOops) {
				return fmt.Errorf("the inner block returned %w", err)
			}
			return nil
		}
		noError(t, w.Atomic(t.Context(), block, opts...))
		w.wantNames(t, "outer")
	})
}

// Case 13 runs the cases 1 to 11 inside a block that is open already.
func TestConformance_013_InsideABlock(t *testing.T) {
	for number, c := range blockCases() {
		t.Run(fmt.Sprintf("%03d", number), func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				err := w.Atomic(t.Context(), func(ctx context.Context) error {
					c.checkError(t, c.run(ctx, w))
					return c.checkInside(ctx, w)
				})
				noError(t, err)
				w.wantNames(t, c.kept...)
			})
		})
	}
}

// Case 14, "autocommit is off", is a transaction that was begun by hand: nothing is committed until the caller does it.
func TestConformance_014_InsideBegin(t *testing.T) {
	for number, c := range blockCases() {
		t.Run(fmt.Sprintf("%03d", number), func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				ctx, tx, err := w.Begin(t.Context())
				noError(t, err)
				defer func() { noError(t, tx.Rollback(ctx)) }()
				c.checkError(t, c.run(ctx, w))
				noError(t, c.checkInside(ctx, w))
				w.wantNames(t) // nobody else sees anything yet
				noError(t, tx.Commit(ctx))
				w.wantNames(t, c.kept...)
			})
		})
	}
}

// checkInside checks the items that a surrounding transaction sees after the case.
func (c blockCase) checkInside(ctx context.Context, w *world) error {
	got, err := w.names(ctx)
	diff := cmp.Diff(c.kept, got)
	return must(err, expect(diff == "", "items inside (-want +got):\n%s", diff))
}

// Case 15: in Go the savepoint of a block has no name to roll back to by hand, so the test sends the text, and does the
// same with a savepoint made by hand.
func TestConformance_015_SavepointIsReleased(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, tx, err := w.Begin(t.Context())
		noError(t, err)
		wantIs(t, w.Atomic(ctx, func(ctx context.Context) error { return must(w.add(ctx, "a"), errOops) }), errOops)
		var name string
		for _, s := range w.log.Statements() {
			if verb(s.SQL) == "SAVEPOINT" {
				name = s.SQL[len("SAVEPOINT "):]
			}
		}
		w.log.Reset()
		wantIs(t, w.Exec(ctx, "ROLLBACK TO SAVEPOINT "+name), db.ErrManaged)
		w.wantSent(t) // refused here, not by the server

		point, err := tx.Savepoint(ctx)
		noError(t, err)
		noError(t, must(w.add(ctx, "b"), point.Rollback(ctx)))
		wantIs(t, point.Rollback(ctx), sql.ErrTxDone)
		wantIs(t, point.Release(ctx), sql.ErrTxDone)
		noError(t, must(w.add(ctx, "c"), tx.Commit(ctx)))
		w.wantNames(t, "c")
	})
}

func TestConformance_016_ReleaseFails(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWorld(t, d, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if verb(s.SQL) == "RELEASE" {
				return errOops
			}
			return next(ctx)
		}))
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			err := w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "inner") })
			wantIs(t, err, errOops)
			if broken, err := w.WillRollback(ctx); err != nil || !broken {
				t.Errorf("the outer block will roll back: %v, %v", broken, err)
			}
			w.log.Reset()
			wantIs(t, w.add(ctx, "outer"), db.ErrBroken, errOops)
			w.wantSent(t)
			return nil
		})
		wantIs(t, err, db.ErrBroken, errOops)
		w.wantNames(t)
		w.wantSent(t, "ROLLBACK")
	})
}
