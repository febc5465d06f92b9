package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// hooks notes which on-commit hooks have run.
type hooks struct {
	w   *world
	ran []string
}

// on registers a hook with a name.
func (h *hooks) on(ctx context.Context, name string, opts ...db.HookOption) error {
	return h.w.OnCommit(ctx, func(ctx context.Context) error {
		h.ran = append(h.ran, name)
		return expect(!h.w.InBlock(ctx), "hook %s runs inside a block", name)
	}, append(opts, db.Named(name))...)
}

func (h *hooks) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.ran); diff != "" {
		t.Errorf("hooks that have run (-want +got):\n%s", diff)
	}
}

// eachHooks runs fn on every database with a fresh list of hooks.
func eachHooks(t *testing.T, fn func(t *testing.T, ctx context.Context, w *world, h *hooks)) {
	t.Helper()
	each(t, func(t *testing.T, w *world) { fn(t, t.Context(), w, &hooks{w: w}) })
}

func TestConformance_047_HookWithoutABlock(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, h.on(ctx, "now"))
		h.want(t, "now")
		wantIs(t, w.OnCommit(ctx, func(context.Context) error { return errOops }), errOops)
		noError(t, w.OnCommit(ctx, func(context.Context) error { return errOops }, db.Robust()))
	})
}

func TestConformance_048_HookAfterTheOutermost(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			err := w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "inner") })
			h.want(t)
			return err
		}))
		h.want(t, "inner")
	})
}

func TestConformance_048_HookAfterCommitByHand(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		inside, tx, err := w.Begin(ctx)
		noError(t, err)
		point, err := tx.Savepoint(inside)
		noError(t, must(err, h.on(inside, "dropped"), point.Rollback(inside), h.on(inside, "kept")))
		h.want(t)
		noError(t, tx.Commit(inside))
		h.want(t, "kept")
	})
}

func TestConformance_049_HookOrder(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			return must(
				h.on(ctx, "1"),
				w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "2") }),
				h.on(ctx, "3"),
			)
		}))
		h.want(t, "1", "2", "3")
	})
}

func TestConformance_050_HookOfARolledBackSavepoint(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			for i, end := range []error{nil, errOops, nil} {
				err := w.Atomic(ctx, func(ctx context.Context) error { return must(h.on(ctx, fmt.Sprint(i+1)), end) })
				if !errors.Is(err, end) {
					return err
				}
			}
			return nil
		}))
		h.want(t, "1", "3")
	})
}

// Case 50 with the savepoints of other libraries, which database/sql and plain statements make.
func TestConformance_050_HookOfAForeignSavepoint(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			tx, err := w.SQL(ctx).BeginTx(ctx, nil)
			if err := must(err, h.on(ctx, "sql.Tx"), tx.Rollback()); err != nil {
				return err
			}
			return must(
				h.on(ctx, "before"),
				w.Exec(ctx, "SAVEPOINT mine"), h.on(ctx, "text"), w.Exec(ctx, "ROLLBACK TO SAVEPOINT mine"),
				h.on(ctx, "after"), w.Exec(ctx, "RELEASE SAVEPOINT mine"),
			)
		}))
		h.want(t, "before", "after")
	})
}

func TestConformance_051_HookOfARolledBackParent(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			err := w.Atomic(ctx, func(ctx context.Context) error {
				return must(w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "innermost") }), errOops)
			})
			wantIs(t, err, errOops)
			return h.on(ctx, "outer")
		}))
		h.want(t, "outer")
	})
}

func TestConformance_052_HookAndAnEmptyFailedBlock(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			return w.Atomic(ctx, func(ctx context.Context) error {
				err := h.on(ctx, "level 2")
				wantIs(t, w.Atomic(ctx, func(context.Context) error { return errOops }), errOops)
				return err
			})
		}))
		h.want(t, "level 2")
	})
}

func TestConformance_054_HookOfARolledBackTransaction(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		wantIs(t, w.Atomic(ctx, func(ctx context.Context) error { return must(h.on(ctx, "1"), errOops) }), errOops)
		noError(t, w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "2") }))
		h.want(t, "2")
	})
}

func TestConformance_055_HookRunsOnce(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "1") }))
		noError(t, w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "a") }))
		h.want(t, "1")
	})
}

// SQLite has no connection to lose.
func TestConformance_056_HookOfALostConnection(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		h := &hooks{w: w}
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := h.on(ctx, "lost"); err != nil {
				return err
			}
			w.killSessions(t, w.session(t, ctx))
			return nil
		})
		if err == nil || errors.Is(err, db.ErrCommitted) {
			t.Errorf("the block returned %v", err)
		}
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { return h.on(ctx, "next") }))
		h.want(t, "next")
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

// Case 62, "autocommit off by hand": drover sees the COMMIT of its own Begin, so hooks are fine there (case 48); what it
// does not see is the COMMIT of a transaction that was joined.
func TestConformance_062_HookInAForeignTransaction(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		tx, err := w.SQL(ctx).BeginTx(ctx, nil)
		noError(t, err)
		defer func() { _ = tx.Rollback() }()
		joined, leave, err := w.JoinSQL(ctx, tx)
		noError(t, err)
		wantIs(t, h.on(joined, "refused"), db.ErrForeignCommit)
		wantIs(t, w.Atomic(joined, func(ctx context.Context) error { return h.on(ctx, "refused") }), db.ErrForeignCommit)
		noError(t, must(leave(), tx.Commit()))
		h.want(t)
	})
}

func TestConformance_065_HooksInADryRun(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		preview, err := w.DryRun(ctx, func(ctx context.Context) error {
			return must(
				h.on(ctx, "outer"),
				w.Atomic(ctx, func(ctx context.Context) error { return h.on(ctx, "durable") }, db.Durable()),
				swallow(w.Atomic(ctx, func(ctx context.Context) error { return must(h.on(ctx, "dropped"), errOops) })),
			)
		})
		noError(t, err)
		if diff := cmp.Diff([]string{"outer", "durable"}, preview.Hooks); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
		h.want(t)
	})
}

// Cases 66 and 67 are about Django's captureOnCommitCallbacks, a tool for tests. In package db it is the dry run that
// captures: for its own database only, and without what was rolled back. A capture from a certain moment on has no
// meaning, for every dry run begins with none.
func TestConformance_066_HooksOfOneDatabase(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		other := &hooks{w: newWorld(t, testdb.Fresh(t, w.on.Name), db.Alias("other"))}
		preview, err := w.DryRun(ctx, func(ctx context.Context) error {
			return must(
				h.on(ctx, "mine"),
				other.on(ctx, "at once"), // the dry run is none of its business
				other.w.Atomic(ctx, func(ctx context.Context) error { return must(other.on(ctx, "other"), h.on(ctx, "mine too")) }),
			)
		})
		noError(t, err)
		if diff := cmp.Diff([]string{"mine", "mine too"}, preview.Hooks); diff != "" {
			t.Errorf("captured (-want +got):\n%s", diff)
		}
		h.want(t)
		other.want(t, "at once", "other")
	})
}

// Django runs hooks that hooks register in rounds. Here a hook is outside the block, so what it registers runs at once, and
// what it registers in a block of its own after that; each once.
func TestConformance_067_HooksThatRegisterHooks(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			return must(
				w.OnCommit(ctx, func(ctx context.Context) error {
					h.ran = append(h.ran, "1")
					return must(
						h.on(ctx, "1.1"),
						w.Atomic(ctx, func(ctx context.Context) error { return must(h.on(ctx, "1.2"), w.add(ctx, "by a hook")) }),
					)
				}),
				h.on(ctx, "2"),
			)
		}))
		h.want(t, "1", "1.1", "1.2", "2")
		w.wantNames(t, "by a hook")
	})
}

func TestOnCommit_FailingHook(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		var out bytes.Buffer
		w := newWorld(t, d, db.Logger(slog.New(slog.NewTextHandler(&out, nil))))
		h := &hooks{w: w}
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				w.add(ctx, "a"),
				w.OnCommit(ctx, func(context.Context) error { return errors.New("robust failure") }, db.Robust()),
				h.on(ctx, "first"),
				w.OnCommit(ctx, func(context.Context) error { return errOops }, db.Named("failing")),
				h.on(ctx, "second"), h.on(ctx, "third"),
			)
		}, db.Retry(3))
		wantIs(t, err, db.ErrCommitted, errOops)
		var failed *db.HookError
		if !errors.As(err, &failed) {
			t.Fatalf("%v (%T) is no *HookError", err, err)
		}
		if diff := cmp.Diff(db.HookError{Hook: "failing", NotRun: []string{"second", "third"}, Err: errOops}, *failed,
			cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
			t.Errorf("the error (-want +got):\n%s", diff)
		}
		h.want(t, "first")
		w.wantNames(t, "a")
		if !strings.Contains(out.String(), "robust failure") {
			t.Errorf("the robust hook's error is not in the log:\n%s", out.String())
		}
		w.wantUsable(t)
	})
}

// A hook without a name is called after the place that registered it.
func TestOnCommit_NameOfAHook(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			return w.OnCommit(ctx, func(context.Context) error { return nil })
		})
		noError(t, err)
		if len(preview.Hooks) != 1 || !strings.HasPrefix(preview.Hooks[0], "db/conformance_hooks_test.go:") {
			t.Errorf("got %q", preview.Hooks)
		}
	})
}

func TestOnCommit_AfterTheEnd(t *testing.T) {
	eachHooks(t, func(t *testing.T, ctx context.Context, w *world, h *hooks) {
		var ended context.Context
		noError(t, w.Atomic(ctx, func(ctx context.Context) error {
			ended = ctx
			return nil
		}))
		wantIs(t, h.on(ended, "late"), db.ErrEnded)
		h.want(t)
	})
}
