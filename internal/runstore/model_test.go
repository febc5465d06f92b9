package runstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestStore_Model does the same to the store and to a model of it that holds everything in a few Go values, with three owners that take runs from
// each other, and compares all that can be read.
func TestStore_Model(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := ready(t, d)
		checks := 4
		if d.Name == testdb.NameSQLite {
			checks = 12
		}
		bound(t, checks)
		rapid.Check(t, func(rt *rapid.T) {
			m := &machine{T: rt, w: w, ctx: t.Context(), hands: map[hand]*held{}}
			for _, table := range []string{"runs", "shards", "events"} {
				m.must(w.conn.Exec(m.ctx, "DELETE FROM drover_"+table))
			}
			steps := map[string]func(){
				"create": m.create, "acquire": m.acquire, "acquire again": m.acquire, "renew": m.renew, "expire": m.expire, "checkpoint": m.checkpoint,
				"checkpoint again": m.checkpoint, "finish": m.finish, "ask": m.ask, "resume": m.resume, "set": m.set, "wait": m.wait, "phase": m.phase,
				"undone": m.undone, "poll": m.poll, "reload": m.reload,
			}
			names := slices.Sorted(maps.Keys(steps))
			for range rapid.IntRange(20, 50).Draw(rt, "steps") {
				steps[rapid.SampledFrom(names).Draw(rt, "step")]()
				m.compare()
			}
		})
	})
}

// bound bounds the number of sequences, unless it was asked for on the command line.
func bound(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if before != checks.DefValue {
		return
	}
	noError(t, checks.Value.Set(strconv.Itoa(n)))
	t.Cleanup(func() { noError(t, checks.Value.Set(before)) })
}

// modelRun is what a run should be: State is the stored one.
type modelRun struct {
	runstore.Run
	expired bool
	shards  []runstore.Shard
	events  []string
}

// hand is what one owner knows of one run, by its number in the model, since it last acquired it; the run may have been taken since.
type hand struct {
	owner string
	run   int
}

type held struct {
	run    runstore.Run
	shards []runstore.Shard
}

type machine struct {
	*rapid.T
	w     *world
	ctx   context.Context
	runs  []*modelRun
	hands map[hand]*held
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// want checks an error: want nil, an error of the store, or a *HeldError for errHeld.
func (m *machine) want(what string, err, want error) {
	m.Helper()
	_, isHeld := errors.AsType[*runstore.HeldError](err)
	switch {
	case errors.Is(want, errHeld) && isHeld, errors.Is(err, want):
	default:
		m.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

var errHeld = errors.New("held")

// reads is the state that the run reads as.
func (r *modelRun) reads() runstore.State {
	switch {
	case r.State == runstore.Running && r.expired:
		return runstore.Interrupted
	case r.State == runstore.Running && r.Waiting != "":
		return runstore.Throttled
	}
	return r.State
}

func (r *modelRun) live() bool { return r.State == runstore.Running && !r.expired }

func (r *modelRun) event(typ string) { r.events = append(r.events, typ) }

func (r *modelRun) fence() {
	r.Token++
	for i := range r.shards {
		r.shards[i].Token = r.Token
	}
}

// pick draws a run; ok is false where there is none.
func (m *machine) pick() (n int, r *modelRun, ok bool) {
	if len(m.runs) == 0 {
		return 0, nil, false
	}
	n = rapid.IntRange(0, len(m.runs)-1).Draw(m.T, "run")
	return n, m.runs[n], true
}

func (m *machine) owner() string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.T, "owner")
}

// pickHeld draws what an owner holds or believes to hold, and what its calls must return.
func (m *machine) pickHeld() (h *held, r *modelRun, want error, ok bool) {
	hands := slices.SortedFunc(maps.Keys(m.hands), func(a, b hand) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if len(hands) == 0 {
		return nil, nil, nil, false
	}
	in := rapid.SampledFrom(hands).Draw(m.T, "hand")
	h, r = m.hands[in], m.runs[in.run]
	if r.State != runstore.Running || r.Token != h.run.Token {
		want = runstore.ErrFenced
	}
	return h, r, want, true
}

// compare reads everything and compares it with the model.
func (m *machine) compare() {
	runs, counters, err := m.w.List(m.ctx, runstore.Filter{Limit: 1000})
	m.must(err)
	if len(runs) != len(m.runs) {
		m.Fatalf("%d runs, the model has %d", len(runs), len(m.runs))
	}
	byID := map[string]int{}
	for i, run := range runs {
		byID[run.ID] = i
	}
	for _, r := range m.runs {
		i, found := byID[r.ID]
		if !found {
			m.Fatalf("run %s is not listed", r.ID)
		}
		want := r.Run
		want.State = r.reads()
		times := cmpopts.IgnoreFields(runstore.Run{}, "LeaseUntil", "CreatedAt", "StartedAt", "FinishedAt")
		if diff := cmp.Diff(want, runs[i], times, cmpopts.EquateEmpty()); diff != "" {
			m.Fatalf("run (-model +store):\n%s", diff)
		}
		if runs[i].LeaseUntil.IsZero() == (r.State == runstore.Running) || runs[i].StartedAt.IsZero() == (r.Attempt > 0) ||
			runs[i].FinishedAt.IsZero() != (r.State == runstore.Planned || r.State == runstore.Running) {
			m.Fatalf("times of the %s run: %+v", r.State, runs[i])
		}
		shards, err := m.w.Shards(m.ctx, r.ID)
		m.must(err)
		if diff := cmp.Diff(r.shards, shards, cmpopts.EquateEmpty()); diff != "" {
			m.Fatalf("shards (-model +store):\n%s", diff)
		}
		var total runstore.Counters
		for _, sh := range r.shards {
			total.Batches += sh.Batches
			total.Read += sh.Read
			total.Done += sh.Counters.Done
			total.Quarantined += sh.Quarantined
			total.Retries += sh.Retries
			total.Busy += sh.Busy
		}
		if total != counters[i] {
			m.Fatalf("counters %+v, model %+v", counters[i], total)
		}
		if diff := cmp.Diff(r.events, m.w.types(m, r.ID)); diff != "" {
			m.Fatalf("events (-model +store):\n%s", diff)
		}
	}
}
