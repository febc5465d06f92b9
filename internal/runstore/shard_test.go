package runstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

func testCheckpointAddsUp(t *testing.T, w *world) {
	id := w.new(t, "id", 2).ID
	_, shards := w.acquire(t, id, "a")
	wantError(t, w.Checkpoint(t.Context(), &shards[0], runstore.Progress{}), db.ErrNoBlock)
	for _, p := range []runstore.Progress{
		{Reached: keyset.Values{"ä", int64(3)}, Read: 10, Rows: 9, Quarantined: 1, Retries: 2, Busy: 1500 * time.Microsecond},
		{Read: 5, Rows: 5, Busy: 2 * time.Second},
		{Retries: 1, NoBatch: true},
		{Reached: keyset.Values{"z", nil}, Done: true},
		{},
	} {
		before := shards[0]
		noError(t, w.checkpoint(t.Context(), &shards[0], p))
		if diff := cmp.Diff(before, shards[0]); diff != "" {
			t.Errorf("the shard in hand has changed (-before +after):\n%s", diff)
		}
		shards[0].Apply(p)
		stored, err := w.Shards(t.Context(), id)
		noError(t, err)
		if diff := cmp.Diff(stored, shards); diff != "" {
			t.Errorf("after %+v (-stored +in hand):\n%s", p, diff)
		}
	}
	want := runstore.Counters{Batches: 4, Read: 15, Done: 14, Quarantined: 1, Retries: 3, Busy: 2*time.Second + 1500*time.Microsecond}
	if shards[0].Counters != want || !shards[0].Done || !shards[0].Reached.Equal(keyset.Values{"z", nil}) {
		t.Errorf("shard %+v", shards[0])
	}
}

func testCheckpointGoesWithItsBlock(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	_, shards := w.acquire(t, id, "a")
	oops := errors.New("oops")
	err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		noError(t, w.Checkpoint(ctx, &shards[0], runstore.Progress{Rows: 1}))
		return oops
	})
	wantError(t, err, oops)
	err = w.checkpoint(t.Context(), &shards[0], runstore.Progress{Reached: keyset.Values{struct{}{}}})
	if err == nil {
		t.Error("a key that cannot be stored was accepted")
	}
	now, err := w.Reload(t.Context(), &shards[0])
	noError(t, err)
	if diff := cmp.Diff(shards[0], now); diff != "" {
		t.Errorf("shard (-want +got):\n%s", diff)
	}
}

// The answer to a COMMIT gets lost, once before and once after the server has seen it.
func TestReload_FindsOutcome(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			direct := testdb.Fresh(t, name)
			w := ready(t, direct)
			id := w.new(t, "id", 1).ID
			_, shards := w.acquire(t, id, "a")
			proxy := testdb.NewProxy(t, direct.Server.Addr())
			p := open(t, proxy.Database(direct))
			for _, test := range []struct {
				trap func([]byte) <-chan struct{}
				want int64
			}{{proxy.CutBeforeForward, 0}, {proxy.CutOnClientBytes, 1}} {
				test.trap([]byte("COMMIT"))
				err := p.checkpoint(t.Context(), &shards[0], runstore.Progress{Rows: 1})
				wantError(t, err, db.ErrOutcomeUnknown)
				now, err := p.Reload(t.Context(), &shards[0])
				noError(t, err)
				if now.Batches != test.want {
					t.Errorf("%d batches are committed, want %d", now.Batches, test.want)
				}
			}
		})
	}
}

// While the server has not decided, Reload waits.
func testReloadWaitsForLostTransaction(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	_, shards := w.acquire(t, id, "a")
	b, waiting := w.again(t), w.waiting(t)
	type answer struct {
		shard runstore.Shard
		err   error
	}
	answered := make(chan answer, 1)
	noError(t, w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		noError(t, w.runCheckpoint(ctx, &shards[0], runstore.Progress{Rows: 1}))
		go func() {
			now, err := b.Reload(t.Context(), &shards[0])
			answered <- answer{now, err}
		}()
		until(t, "Reload waiting", waiting)
		select {
		case a := <-answered:
			t.Errorf("answered before the COMMIT: %+v", a)
		default:
		}
		return nil
	}))
	if a := <-answered; a.err != nil || a.shard.Batches != 1 {
		t.Errorf("answer %+v", a)
	}
}

// An attempt whose answer was lost arrives at the server after the next attempt at the same batch. Only one of the two is committed.
func testCheckpointOfALateAttempt(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	_, shards := w.acquire(t, id, "a")
	p := runstore.Progress{Rows: 1}
	if w.on.Name == testdb.NamePostgres { // the late attempt is under way the whole time: its checkpoint goes with its COMMIT
		err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
			noError(t, w.Checkpoint(ctx, &shards[0], p))
			now, err := w.again(t).Reload(t.Context(), &shards[0])
			noError(t, err)
			if now.Batches != 0 {
				t.Errorf("%d batches are committed", now.Batches)
			}
			return w.again(t).checkpoint(t.Context(), &shards[0], p)
		})
		wantError(t, err, runstore.ErrFenced)
	} else {
		noError(t, w.checkpoint(t.Context(), &shards[0], p))
		wantError(t, w.checkpoint(t.Context(), &shards[0], p), runstore.ErrFenced)
	}
	now, err := w.Reload(t.Context(), &shards[0])
	noError(t, err)
	if now.Batches != 1 || now.Counters.Done != 1 {
		t.Errorf("committed: %+v", now)
	}
	noError(t, w.checkpoint(t.Context(), &now, p))
}

func testStartPhase(t *testing.T, w *world) {
	id := w.new(t, "id", 2).ID
	run, shards := w.acquire(t, id, "a")
	noError(t, w.checkpoint(t.Context(), &shards[0], runstore.Progress{Rows: 3}))
	plan := []runstore.Shard{{Upper: keyset.Values{int64(9)}, Planned: 9}, {Lower: keyset.Values{int64(9)}, Planned: -1}}
	want := []runstore.Shard{
		{RunID: id, Phase: 1, Number: 0, Token: 1, Upper: keyset.Values{int64(9)}, Planned: 9},
		{RunID: id, Phase: 1, Number: 1, Token: 1, Lower: keyset.Values{int64(9)}, Planned: -1},
	}
	for range 2 {
		got, err := w.StartPhase(t.Context(), run, 1, 18, plan)
		noError(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("shards (-want +got):\n%s", diff)
		}
	}
	// Whoever resumes may have planned otherwise; what is stored counts.
	noError(t, w.Finish(t.Context(), run, runstore.Paused, ""))
	run, all := w.acquire(t, id, "b")
	if run.Phase != 1 || run.Planned != 18 || len(all) != 4 || all[0].Counters.Done != 3 {
		t.Errorf("run %+v, shards %+v", run, all)
	}
	want[0].Token, want[1].Token = 2, 2
	got, err := w.StartPhase(t.Context(), run, 1, 99, plan[:1])
	noError(t, err)
	if diff := cmp.Diff(want, got); diff != "" || run.Planned != 18 {
		t.Errorf("planned %d, shards (-want +got):\n%s", run.Planned, diff)
	}
	_, err = w.StartPhase(t.Context(), run, 0, 0, nil)
	wantError(t, err, runstore.ErrState)
	if now := w.find(t, id); now.Phase != 1 || now.Planned != 18 {
		t.Errorf("run %+v", now)
	}
}

// They take several statements.
func testCreateManyShards(t *testing.T, w *world) {
	const n = 1100
	id := w.new(t, "id", n).ID
	_, shards := w.acquire(t, id, "a")
	if len(shards) != n {
		t.Fatalf("%d shards, want %d", len(shards), n)
	}
	for i, sh := range shards {
		if sh.Number != i || sh.Token != 1 || !sh.Upper.Equal(keyset.Values{int64(i * 100)}) {
			t.Fatalf("shard %d: %+v", i, sh)
		}
	}
}

func BenchmarkStore_Checkpoint(b *testing.B) {
	for _, name := range testdb.Names() {
		b.Run(name, func(b *testing.B) {
			conn, err := db.Open(b.Context(), testdb.Fresh(b, name).URL)
			noError(b, err)
			defer func() { noError(b, conn.Close()) }()
			s := runstore.New(conn)
			_, err = s.Init(b.Context())
			noError(b, err)
			run, err := s.Create(b.Context(), "id", runstore.NewRun{Shards: make([]runstore.Shard, 1)})
			noError(b, err)
			_, shards, err := s.Acquire(b.Context(), run.ID, "a", lease)
			noError(b, err)
			p := runstore.Progress{Reached: keyset.Values{int64(123456)}, Read: 1000, Rows: 1000, Busy: time.Second}
			for _, how := range []struct {
				name string
				do   func(ctx context.Context) error
				then func()
			}{
				{"empty block", func(ctx context.Context) error { return conn.QueryRow(ctx, "SELECT 1").Scan(new(int)) }, func() {}},
				{"checkpoint", func(ctx context.Context) error { return s.Checkpoint(ctx, &shards[0], p) }, func() { shards[0].Apply(p) }},
			} {
				b.Run(how.name, func(b *testing.B) {
					for b.Loop() {
						noError(b, conn.Atomic(b.Context(), how.do))
						how.then()
					}
				})
			}
		})
	}
}
