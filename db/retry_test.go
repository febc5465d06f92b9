package db_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// conflict is an error that another attempt may not meet.
func conflict() error {
	return &db.Error{Op: "test", Kind: db.ErrDeadlock, Err: errors.New("conflict")}
}

func TestRetry_CountsAttemptsAndDropsHooks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		var out bytes.Buffer
		w := newWorld(t, d, db.Logger(slog.New(slog.NewTextHandler(&out, nil))))
		h := &hooks{w: w}
		var attempts []db.Attempt
		n := 0
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			n++
			if err := must(h.on(ctx, "hook"), w.add(ctx, "a")); err != nil || n == 3 {
				return err
			}
			return conflict()
		}, db.Retry(5), db.OnRetry(func(a db.Attempt) { attempts = append(attempts, a) }))
		noError(t, err)
		h.want(t, "hook") // once: those of the failed attempts are gone
		w.wantNames(t, "a")
		var numbers []int
		for _, a := range attempts {
			numbers = append(numbers, a.Number)
			if a.Of != 6 || a.Wait <= 0 || a.Wait > 3*time.Second || db.KindOf(a.Err) != db.ErrDeadlock {
				t.Errorf("attempt %+v", a)
			}
		}
		if diff := cmp.Diff([]int{1, 2}, numbers); diff != "" {
			t.Errorf("attempts retried (-want +got):\n%s", diff)
		}
		if n := strings.Count(out.String(), "block failed, will retry"); n != 2 {
			t.Errorf("%d warnings:\n%s", n, out.String())
		}
		w.wantSent(t, "BEGIN", "INSERT", "ROLLBACK", "BEGIN", "INSERT", "ROLLBACK", "BEGIN", "INSERT", "COMMIT")
	})
}

func TestRetry_What(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		kind := func(k db.Kind) error { return &db.Error{Op: "test", Kind: k, Err: errors.New("test")} }
		tests := []struct {
			name string
			err  error
			want int // attempts
		}{
			{"deadlock", kind(db.ErrDeadlock), 2},
			{"serialization", kind(db.ErrSerialization), 2},
			{"lock timeout", kind(db.ErrLockTimeout), 2},
			{"busy", kind(db.ErrDatabaseBusy), 2},
			{"broken by a deadlock", &db.BrokenError{Cause: kind(db.ErrDeadlock)}, 2},
			{"joined", errors.Join(errOops, kind(db.ErrDeadlock)), 2},
			{"unique", kind(db.ErrUnique), 1},
			{"connection lost", kind(db.ErrConnectionLost), 1},
			{"statement timeout", kind(db.ErrStatementTimeout), 1},
			{"the program's own", errOops, 1},
			{"outcome unknown", errors.Join(db.ErrOutcomeUnknown, kind(db.ErrDeadlock)), 1},
			{"committed", errors.Join(db.ErrCommitted, kind(db.ErrDeadlock)), 1},
		}
		for _, test := range tests {
			n := 0
			err := w.Atomic(t.Context(), func(context.Context) error {
				n++
				return test.err
			}, db.Retry(1))
			if n != test.want {
				t.Errorf("%s: %d attempts, want %d", test.name, n, test.want)
			}
			if err != test.err { //nolint:errorlint // the very same error is asked for, not backoff's
				t.Errorf("%s: returned %v (%T)", test.name, err, err)
			}
		}
	})
}

// Only the outermost block can be run again.
func TestRetry_InnerBlockDoesNot(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		outer, inner := 0, 0
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			outer++
			return w.Atomic(ctx, func(context.Context) error {
				inner++
				return conflict()
			}, db.Retry(5))
		}, db.Retry(1))
		wantIs(t, err, db.ErrDeadlock)
		if outer != 2 || inner != 2 {
			t.Errorf("the outer block ran %d times, the inner %d", outer, inner)
		}
		_, _, err = w.Begin(t.Context(), db.Retry(1))
		if err == nil {
			t.Error("a transaction begun by hand with Retry")
		}
	})
}

// A pause ends with the context.
func TestRetry_ContextEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		err := w.Atomic(ctx, func(context.Context) error {
			n++
			return conflict()
		}, db.Retry(100), db.OnRetry(func(db.Attempt) { cancel(errOops) }))
		if n != 1 || !errors.Is(err, errOops) {
			t.Errorf("%d attempts, error %v", n, err)
		}
		w.wantUsable(t)
	})
}
