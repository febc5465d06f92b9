package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// onServers runs fn on the databases that a network leads to.
func onServers(t *testing.T, n int, fn func(t *testing.T, f *fixture)) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, newFixture(t, testdb.Fresh(t, name), n))
		})
	}
}

// losing is the two ways to lose the answer of a COMMIT: it has happened, or it has not.
func losing(t *testing.T, fn func(t *testing.T, trap func(p *testdb.Proxy) <-chan struct{}, happened bool)) {
	t.Run("committed", func(t *testing.T) {
		fn(t, func(p *testdb.Proxy) <-chan struct{} { return p.CutOnClientBytes([]byte("COMMIT")) }, true)
	})
	t.Run("rolled back", func(t *testing.T) {
		fn(t, func(p *testdb.Proxy) <-chan struct{} { return p.CutBeforeForward([]byte("COMMIT")) }, false)
	})
}

func TestFault_TheAnswerOfABatchsCommitIsLost(t *testing.T) {
	onServers(t, 1000, func(t *testing.T, f *fixture) {
		losing(t, func(t *testing.T, trap func(p *testdb.Proxy) <-chan struct{}, happened bool) {
			for _, workers := range f.workers() {
				t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
					f.exec(t, "UPDATE item SET hits = 0")
					proxy := testdb.NewProxy(t, f.Server.Addr())
					conn := open(t, proxy.URL(f.URL))
					var rec recorder
					var sprung []<-chan struct{}
					rec.on = func(e batch.Event) { // by one goroutine at a time
						if e.Type == batch.EventBatch && e.Text == "" && len(sprung) < 3 && e.Done >= int64(100+200*len(sprung)) {
							sprung = append(sprung, trap(proxy))
						}
					}
					res, err := counting().Run(t.Context(), conn, batch.Options{BatchSize: 20, Workers: workers, Observe: rec.observe})
					if err != nil {
						t.Fatal(err)
					}
					f.wantOnce(t, 1000)
					if res.Done != 1000 {
						t.Errorf("result %+v, want 1000 rows", res)
					}
					f.want(t, "SELECT SUM(batches) FROM drover_shards WHERE run_id = '"+res.RunID+"'", res.Batches)
					if len(sprung) != 3 {
						t.Fatalf("%d traps were set, want 3", len(sprung))
					}
					for i, c := range sprung {
						select {
						case <-c:
						default:
							t.Errorf("answer %d was not lost", i+1)
						}
					}
					found := 0
					for _, e := range rec.of(batch.EventBatch) {
						if e.Text == "found committed" {
							found++
						}
					}
					// With several workers a trap may get the COMMIT of looking for the outcome of the one before.
					least := 3
					if workers > 1 {
						least = 1
					}
					if happened && found < least || !happened && res.Retried["lost answer"] < int64(least) {
						t.Errorf("%d batches were found committed, and tried again: %v", found, res.Retried)
					}
				})
			}
		})
	})
}

// TestFault_ACommitComesLate cuts the connection at the COMMIT of a batch, which the server gets only when the next attempt at the batch is
// under way and waits for its rows. On PostgreSQL the checkpoint comes with it: so far nobody could know of this attempt. With the rows
// changed, the next attempt works on them a second time, and must not be committed.
func TestFault_ACommitComesLate(t *testing.T) {
	onServers(t, 100, func(t *testing.T, f *fixture) {
		admin, query := f.RawDB(t), "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
		if f.Name == testdb.NameMariaDB { // other tests may make it say so, and then the COMMIT is less late
			admin, query = f.Server.Admin(t, "information_schema"), "SELECT VARIABLE_VALUE FROM GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'"
		}
		proxy := testdb.NewProxy(t, f.Server.Addr())
		conn := open(t, proxy.URL(f.URL))
		var rec recorder
		var sprung <-chan struct{}
		var late func()
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventBatch && sprung == nil {
				sprung, late = proxy.CutAndForwardLate([]byte("COMMIT"))
			}
		}
		ended := make(chan error, 1)
		var res *batch.Result
		go func() {
			var err error
			res, err = counting().Run(t.Context(), conn, batch.Options{BatchSize: 20, Observe: rec.observe})
			ended <- err
		}()
		poll(t, func() error {
			var waiting int
			if err := admin.QueryRowContext(t.Context(), query).Scan(&waiting); err != nil {
				return err
			}
			if waiting == 0 {
				return errors.New("nobody waits for the lost transaction")
			}
			return nil
		})
		late()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 100)
		f.want(t, "SELECT SUM(batches) FROM drover_shards", 5)
		if res.Done != 100 || res.Batches != 5 {
			t.Errorf("result %+v", res)
		}
		found := 0
		for _, e := range rec.of(batch.EventBatch) {
			if e.Text == "found committed" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d batches were found committed, want 1: %v", found, res.Retried)
		}
	})
}

// TestFault_TheAnswerOfEachCommitIsLost loses that of the first COMMIT of a run, of the second, and so on: those that make the tables, store the
// run and take its lease, those of the batches and the last.
func TestFault_TheAnswerOfEachCommitIsLost(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			losing(t, func(t *testing.T, trap func(p *testdb.Proxy) <-chan struct{}, _ bool) {
				t.Parallel()
				f := newFixture(t, testdb.Fresh(t, name), 30)
				proxy := testdb.NewProxy(t, f.Server.Addr())
				for number := int64(1); ; number++ {
					if f.loseCommit(t, proxy, trap, number) {
						continue
					}
					if number < 6 {
						t.Fatalf("a run has only %d COMMITs", number-1)
					}
					return
				}
			})
		})
	}
}

// loseCommit loses the answer of one COMMIT and runs the job until it is done. It reports whether there were so many.
func (f *fixture) loseCommit(t *testing.T, proxy *testdb.Proxy, trap func(p *testdb.Proxy) <-chan struct{}, number int64) bool {
	t.Helper()
	f.exec(t, "UPDATE item SET hits = 0")
	var commits atomic.Int64
	var lost atomic.Bool
	conn := open(t, proxy.URL(f.URL), db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if s.SQL == "COMMIT" && commits.Add(1) == number {
			trap(proxy)
			lost.Store(true)
		}
		return next(ctx)
	}))
	o := batch.Options{BatchSize: 10, Lease: time.Second, Arguments: []batch.Argument{{Name: "commit", Value: fmt.Sprint(number)}}}
	finish(t, conn, o)
	f.wantOnce(t, 30)
	f.want(t, "SELECT count(*) FROM drover_runs WHERE state <> 'succeeded' OR owner <> '' OR lease_until IS NOT NULL", 0)
	return lost.Load()
}

// finish runs the job again and again until it is done, as a person or a scheduler would after a failure.
func finish(t *testing.T, conn *db.DB, o batch.Options) {
	t.Helper()
	poll(t, func() error {
		_, err := counting().Run(t.Context(), conn, o)
		if errors.As(err, new(*batch.DoneError)) {
			return nil
		}
		return err
	})
}

// poll waits until what it asks for is no error any more.
func poll(t *testing.T, ask func() error) {
	t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
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

// toxic is a network that breaks as it is told.
type toxic struct {
	*toxiproxy.Proxy
	mu    sync.Mutex
	count int
}

func newToxic(t *testing.T, target string) *toxic {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &toxic{Proxy: toxiproxy.NewProxy(server, "database", "127.0.0.1:0", target)}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// breakAt makes every connection end after so many bytes in one direction.
func (p *toxic) breakAt(t *testing.T, stream string, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Toxics.ResetToxics(t.Context())
	p.count++
	text := fmt.Sprintf(`{"name": "t%d", "type": "limit_data", "stream": %q, "attributes": {"bytes": %d}}`, p.count, stream, bytes)
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		t.Errorf("set a toxic: %v", err)
	}
}

// heal ends the breaking.
func (p *toxic) heal(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Toxics.ResetToxics(t.Context())
}

func TestFault_ConnectionsBreakAtAnyByte(t *testing.T) {
	onServers(t, 2000, func(t *testing.T, f *fixture) {
		for _, workers := range f.workers() {
			t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
				f.exec(t, "UPDATE item SET hits = 0")
				network := newToxic(t, f.Server.Addr())
				conn := open(t, strings.Replace(f.URL, f.Server.Addr(), network.Listen, 1))
				const breaks = 5
				broken := 0
				shake := func() {
					stream := "upstream"
					if rand.IntN(2) == 0 {
						stream = "downstream"
					}
					network.breakAt(t, stream, 1+rand.IntN(20_000))
				}
				var rec recorder
				rec.on = func(e batch.Event) {
					switch e.Type {
					case batch.EventStarted:
						shake()
					case batch.EventRetry:
						if broken++; broken < breaks {
							shake()
						} else {
							network.heal(t)
						}
					}
				}
				res, err := counting().Run(t.Context(), conn, batch.Options{BatchSize: 20, Workers: workers, Observe: rec.observe})
				if err != nil {
					network.heal(t)
					t.Logf("it ended with %v", err)
					finish(t, conn, batch.Options{BatchSize: 20, Lease: time.Second})
				}
				f.wantOnce(t, 2000)
				f.want(t, "SELECT SUM(rows_done) FROM drover_shards WHERE run_id = '"+res.RunID+"'", 2000)
				if broken == 0 {
					t.Error("no connection broke")
				}
			})
		}
	})
}
