package batch

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drover-dev/drover/internal/pace"
	"github.com/drover-dev/drover/internal/runstore"
)

// Result is what a run has done.
type Result struct {
	RunID   string
	Attempt int // how often a runner has begun or resumed the run
	// Planned is how many rows there were at the start; -1 where they could not be counted.
	Planned int64
	// Done is how many rows were processed and Quarantined how many were set aside, by all attempts together; Batches counts their transactions.
	Done, Quarantined, Batches int64
	// Phases tells the same of each phase that was begun, of a job that has several; else nil.
	Phases []PhaseResult
	// The rest is of this attempt alone. Processed and Committed are its rows and its batches.
	Processed, Committed int64
	// Retried counts the attempts that were rolled back and tried again, by their reason.
	Retried map[string]int64
	// Elapsed is the time from the start, and Waited how much of it the run waited for a meter, the rate limit or the database.
	Elapsed, Waited time.Duration
	// P50, P95 and Max are times of batches.
	P50, P95, Max time.Duration
	// Size is the batch size at the end.
	Size int
}

// PhaseResult is what a run has done in one phase. Planned is -1 where the rows could not be counted.
type PhaseResult struct {
	Name                                string
	Planned, Done, Quarantined, Batches int64
}

// tally adds up what an attempt does.
type tally struct {
	mu        sync.Mutex
	phases    []PhaseResult // of all attempts; the last one is the present one
	done      int64         // of all attempts
	aside     int64
	batches   int64
	processed int64 // of this attempt
	committed int64
	retried   map[string]int64
	waited    time.Duration
	durations pace.Durations
}

// begin takes over what earlier attempts have done.
func (t *tally) begin(phases []phase, present int, stored []runstore.Shard) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range phases[:min(present+1, len(phases))] { // also those that had no rows
		t.phases = append(t.phases, PhaseResult{Name: p.name})
	}
	for _, sh := range stored {
		t.done += sh.Counters.Done
		t.aside += sh.Quarantined
		t.batches += sh.Batches
		if sh.Phase >= len(t.phases) {
			continue
		}
		p := &t.phases[sh.Phase]
		p.Done += sh.Counters.Done
		p.Quarantined += sh.Quarantined
		p.Batches += sh.Batches
		if p.Planned += sh.Planned; sh.Planned < 0 {
			p.Planned = -1
		}
	}
}

// enter makes a phase the present one.
func (t *tally) enter(name string, planned int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phases = append(t.phases, PhaseResult{Name: name, Planned: planned})
}

func (t *tally) batch(rows, aside int64, took time.Duration) {
	t.add(rows, aside)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durations.Add(took)
}

// add counts a batch that is committed.
func (t *tally) add(rows, aside int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += rows
	t.processed += rows
	t.batches++
	t.committed++
	t.aside += aside
	if n := len(t.phases); n > 0 {
		t.phases[n-1].Done += rows
		t.phases[n-1].Quarantined += aside
		t.phases[n-1].Batches++
	}
}

func (t *tally) retry(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.retried == nil {
		t.retried = map[string]int64{}
	}
	t.retried[reason]++
}

func (t *tally) wait(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waited += d
}

// earlier is how many rows the phases before the present one have processed.
func (t *tally) earlier() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.phases); n > 0 {
		return t.done - t.phases[n-1].Done
	}
	return 0
}

func (t *tally) total() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// result is what was done by now.
func (r *runner) result() *Result {
	t := &r.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	res := &Result{
		RunID: r.id(), Done: t.done, Quarantined: t.aside, Batches: t.batches, Processed: t.processed, Committed: t.committed,
		Retried: maps.Clone(t.retried), Waited: t.waited, Size: r.sizer.Size(), Planned: -1,
		P50: t.durations.Percentile(50), P95: t.durations.Percentile(95), Max: t.durations.Max(),
	}
	if !r.began.IsZero() {
		res.Elapsed = r.now().Sub(r.began)
	}
	if r.plan != nil {
		res.Planned = r.plan.Rows
	}
	if r.current != nil {
		res.Attempt = r.current.Attempt
	}
	if len(r.phases) > 1 {
		res.Phases = slices.Clone(t.phases)
	}
	return res
}
