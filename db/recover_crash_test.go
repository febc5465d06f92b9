package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
)

// What the child "all" is told: the second database, and the statement at which it kills itself, counted from the end of the block's function; 0
// for never. Without such a statement it works until it is killed.
const (
	childSecond = "DROVER_DB_TEST_SECOND"
	childDeath  = "DROVER_DB_TEST_DEATH"
)

// workOnBoth adds items to two databases at a time. It opens its own handle on the first one.
func workOnBoth(ctx context.Context, _ *db.DB, p partner) (err error) {
	var counting atomic.Bool
	both, death, closeBoth, err := openBoth(ctx, &counting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBoth()) }()
	for n := 1; ; n++ {
		counting.Store(false)
		err := db.AtomicAll(ctx, both, func(ctx context.Context) error {
			for _, conn := range both {
				if err := conn.Exec(ctx, "INSERT INTO item (name) VALUES (?)", fmt.Sprintf("%d of %d", n, os.Getpid())); err != nil {
					return err
				}
			}
			counting.Store(true)
			return nil
		})
		switch {
		case err != nil:
			return err
		case death > 0:
			return p.say("done")
		case n == 1:
			if err := p.say("begun"); err != nil {
				return err
			}
		}
	}
}

// openBoth opens the databases of a child, which kills itself at the statement with the number death of those that count.
func openBoth(ctx context.Context, counting *atomic.Bool) (both []*db.DB, death int, closeBoth func() error, err error) {
	if death, err = strconv.Atoi(os.Getenv(childDeath)); err != nil {
		return nil, 0, nil, err
	}
	closeBoth = func() error {
		var errs []error
		for _, conn := range both {
			errs = append(errs, conn.Close())
		}
		return errors.Join(errs...)
	}
	var sent atomic.Int64
	die := db.Intercept(func(ctx context.Context, _ db.Statement, next func(context.Context) error) error {
		if counting.Load() && sent.Add(1) == int64(death) {
			killMyself()
		}
		return next(ctx)
	})
	for i, url := range []string{os.Getenv(childURL), os.Getenv(childSecond)} {
		conn, err := db.Open(ctx, url, db.Alias([]string{"a", "b"}[i]), die)
		if err != nil {
			return nil, 0, nil, errors.Join(err, closeBoth())
		}
		both = append(both, conn)
	}
	return both, death, closeBoth, nil
}

// killMyself is kill -9.
func killMyself() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// startBoth starts the child.
func startBoth(t *testing.T, a, b *world, death int) (partner, func() error) {
	t.Helper()
	return startChild(t, a.on.URL, "all", childSecond+"="+b.on.URL, childDeath+"="+strconv.Itoa(death))
}

// mustRecover finishes everything, and checks that it could.
func mustRecover(t *testing.T, o db.RecoverOptions, databases ...*db.DB) *db.Recovery {
	t.Helper()
	done, err := db.Recover(t.Context(), databases, o)
	noError(t, err)
	for _, failed := range done.Failed {
		t.Errorf("%s: %v", failed.Alias, failed.Err)
	}
	for _, tx := range done.Transactions {
		if !tx.Finished() {
			t.Errorf("transaction %s is left: %+v", tx.ID, tx)
		}
	}
	return done
}

// committed reads the items as they are outside blocks.
func (w *world) committed(t *testing.T) []string {
	t.Helper()
	var names []string
	noError(t, scanNames(t.Context(), w.raw, &names))
	return names
}

// A process is killed before each statement of both phases, and after the last one.
func TestRecover_AfterKillAtEveryStep(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		_, err := a.MakeDecisionTable(t.Context())
		noError(t, err)
		killed, kept := 0, 0
		for death := 1; ; death++ {
			before := a.committed(t)
			p, wait := startBoth(t, a, b, death)
			finished := p.await("done") == nil
			if err := wait(); (err == nil) != finished {
				t.Fatalf("death %d: the child ended with %v", death, err)
			}
			found, err := db.InDoubt(t.Context(), a.DB, b.DB)
			noError(t, err)
			if finished {
				if len(found.Transactions) != 0 || len(a.committed(t)) != len(before)+1 {
					t.Errorf("undisturbed: %+v, items %v", found, a.committed(t))
				}
				wantBoth(t, a, b, a.committed(t)...)
				break
			}
			killed++
			decided := len(found.Transactions) == 1 && found.Transactions[0].Decision == db.DecisionCommitted
			if decided {
				kept++
			}
			recoverTwice(t, a, b)
			after := a.committed(t)
			if (len(after) > len(before)) != decided {
				t.Errorf("death %d: decided %v, items %v after %v", death, decided, after, before)
			}
			wantBoth(t, a, b, after...)
			if again := mustRecover(t, db.RecoverOptions{}, a.DB, b.DB); len(again.Transactions) != 0 {
				t.Errorf("death %d: a second recovery finds %+v", death, again.Transactions)
			}
		}
		// Before the record, two prepares and the decision; before two commits and the cleaning up.
		if killed < 7 || kept != 3 {
			t.Errorf("%d kills, of which %d after the decision", killed, kept)
		}
	})
}

// recoverTwice runs two recoveries at the same time.
func recoverTwice(t *testing.T, a, b *world) {
	t.Helper()
	failures := make(chan error)
	for range 2 {
		go func() {
			done, err := db.Recover(t.Context(), []*db.DB{a.DB, b.DB}, db.RecoverOptions{})
			if err == nil && len(done.Failed) > 0 {
				err = done.Failed[0].Err
			}
			for _, tx := range done.Transactions {
				err = errors.Join(err, expect(tx.Finished(), "left: %+v", tx))
			}
			failures <- err
		}()
	}
	for range 2 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}

// Processes are killed at random instants while they work. DROVER_TORTURE is the number of kills.
func TestRecover_AfterRandomKills(t *testing.T) {
	rounds := 5 // on each of four pairs
	if text := os.Getenv("DROVER_TORTURE"); text != "" {
		n, err := strconv.Atoi(text)
		noError(t, err)
		rounds = n
	}
	eachBoth(t, func(t *testing.T, a, b *world) {
		found := 0
		ra, rb := open(t, a.on, db.Alias("a")), open(t, b.on, db.Alias("b"))
		for done := 0; done < rounds; {
			for range min(5, rounds-done) {
				p, wait := startBoth(t, a, b, 0)
				noError(t, p.await("begun"))
				<-time.After(rand.N(15 * time.Millisecond)) // the random instant
				noError(t, p.kill())
				if err := wait(); err == nil {
					t.Fatal("the child was not killed")
				}
				done++
			}
			// What the processes had sent may still be on its way: only that is the time for.
			await(t, "all to be old enough and finished", func() bool {
				r, err := db.Recover(t.Context(), []*db.DB{ra, rb}, db.RecoverOptions{OlderThan: time.Second})
				noError(t, err)
				for _, tx := range r.Transactions {
					if tx.Finished() {
						found++
					}
				}
				return len(r.Transactions) == 0
			})
			wantBoth(t, a, b, a.committed(t)...)
		}
		t.Logf("%d kills left %d transactions in doubt; %d are committed", rounds, found, len(a.committed(t)))
	})
}

// A recovery that takes a living transaction for a dead one rolls it back, and never in part.
func TestRecover_BesideLivingTransactions(t *testing.T) {
	dawdle := func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if strings.Contains(s.SQL, "drover") { // a statement of the two phases
			<-time.After(rand.N(3 * time.Millisecond)) // so that the recovery comes between
		}
		return next(ctx)
	}
	eachBoth(t, func(t *testing.T, a, b *world) {
		ra, rb := open(t, a.on, db.Alias("a")), open(t, b.on, db.Alias("b"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		recovering := make(chan error)
		go func() {
			var failure error
			for ctx.Err() == nil && failure == nil {
				<-time.After(rand.N(40 * time.Millisecond)) // so that some are let through
				var r *db.Recovery
				if r, failure = db.Recover(t.Context(), []*db.DB{ra, rb}, db.RecoverOptions{}); failure == nil && len(r.Failed) > 0 {
					failure = r.Failed[0].Err
				}
			}
			recovering <- failure
		}()
		var want []string
		undone := 0
		for n := 0; n < 20 || (undone == 0 || len(want) == 0) && n < 500; n++ {
			ha, hb := &hooks{w: a}, &hooks{w: b}
			name := fmt.Sprintf("%03d", n)
			err := all(t.Context(), a, b, func(ctx context.Context) error {
				return must(addBoth(ctx, a, b, name), ha.on(ctx, "a"), hb.on(ctx, "b"))
			})
			switch {
			case err == nil:
				want = append(want, name)
				ha.want(t, "a")
				hb.want(t, "b")
			case strings.Contains(err.Error(), "a recovery"):
				undone++
				ha.want(t)
				hb.want(t)
			default:
				t.Fatalf("round %d: %v", n, err)
			}
		}
		cancel()
		noError(t, <-recovering)
		if t.Logf("%d rounds were kept, %d rolled back by a recovery", len(want), undone); undone == 0 || len(want) == 0 {
			t.Error("they have not met")
		}
		mustRecover(t, db.RecoverOptions{}, ra, rb)
		wantBoth(t, a, b, want...)
	}, db.Intercept(dawdle))
}
