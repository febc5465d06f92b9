package db_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// leave leaves a transaction that adds an item prepared on both: the statements with one of the words get no answer. It returns its id.
func leave(t *testing.T, a, b *world, item string, words ...string) string {
	t.Helper()
	silence := db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		for _, w := range words {
			if strings.Contains(s.SQL, w) {
				return &db.Error{Op: "test", Kind: db.ErrPermission, Err: errOops} // which is not tried again
			}
		}
		return next(ctx)
	})
	ca, err := db.Open(t.Context(), a.on.URL, db.Alias("a"), silence)
	noError(t, err)
	cb, err := db.Open(t.Context(), b.on.URL, db.Alias("b"), silence)
	noError(t, err)
	sa, sb := &world{DB: ca, on: a.on}, &world{DB: cb, on: b.on}
	err = all(t.Context(), sa, sb, func(ctx context.Context) error { return addBoth(ctx, sa, sb, item) })
	doubt, ok := errors.AsType[*db.InDoubtError](err)
	if !ok {
		t.Fatalf("error %v (%T)", err, err)
	}
	noError(t, must(ca.Close(), cb.Close())) // on MariaDB their sessions hold it
	return doubt.ID
}

// The statements that are kept back: those that commit, and the decision.
var (
	commitWords = []string{phaseWords[testdb.NamePostgres].commit, phaseWords[testdb.NameMariaDB].commit}
	decideWord  = []string{decideWords}
)

// recoverBoth is the child "recover": a recovery that kills itself at a statement.
func recoverBoth(ctx context.Context, _ *db.DB, p partner) (err error) {
	var counting atomic.Bool
	both, _, closeBoth, err := openBoth(ctx, &counting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBoth()) }()
	counting.Store(true)
	if _, err := db.Recover(ctx, both, db.RecoverOptions{}); err != nil {
		return err
	}
	return p.say("done")
}

// A recovery is killed before each of its statements; the next one does the rest.
func TestRecover_Killed(t *testing.T) {
	for name, try := range map[string]struct {
		words []string
		kept  bool
	}{"decided": {commitWords, true}, "not decided": {decideWord, false}} {
		t.Run(name, func(t *testing.T) {
			a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
			b := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("b"))
			var want []string
			for death := 1; ; death++ {
				item := strconv.Itoa(100 + death)
				leave(t, a, b, item, try.words...)
				if try.kept {
					want = append(want, item)
				}
				p, wait := startChild(t, a.on.URL, "recover", childSecond+"="+b.on.URL, childDeath+"="+strconv.Itoa(death))
				finished := p.await("done") == nil
				if err := wait(); (err == nil) != finished {
					t.Fatalf("death %d: the child ended with %v", death, err)
				}
				if finished {
					if death < 8 {
						t.Errorf("only %d statements", death-1)
					}
					wantBoth(t, a, b, want...)
					break
				}
				mustRecover(t, db.RecoverOptions{}, a.DB, b.DB)
				a.wantNames(t, want...)
				b.wantNames(t, want...)
				wantNothingLeft(t, a, b)
			}
		})
	}
}
