// Package measure compares ways of doing the same work, fairly: in one process, in turns, many times.
//
// A speed by itself says more about the machine than about the code, so what is reported is a ratio: each round runs every
// side once, the order changes from round to round, and the ratio is taken inside the round. Whatever disturbs the machine
// for longer than a round disturbs both sides.
package measure

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Side is one way of doing the work.
type Side struct {
	Name string
	// Prepare, when set, is called before every run, outside the clock.
	Prepare func(ctx context.Context) error
	// Check, when set, is called after every run, outside the clock.
	Check func(ctx context.Context) error
	// Run does the work n times.
	Run func(ctx context.Context, n int) error
	// Self, when set, tells how long the last run took instead of the clock: for a part of a run.
	Self func() time.Duration
	// Usage, when set, tells what the last run of another process used instead of what is measured in this one. For Race.
	Usage func() Usage
	// Role says in a table of Race what the side is.
	Role Role
	// Goal is the highest ratio to the baseline that is wanted; 0 for none.
	Goal float64
	// Most is the largest growth in memory that is wanted, in bytes; 0 for any. For Race.
	Most float64
	// Limit is the longest time for doing the work once that is wanted; 0 for none.
	Limit time.Duration
	// Extra is the longest time beyond the baseline's that is wanted; 0 for none.
	Extra time.Duration
}

// Plan says how much is measured. The zero value is no plan: set Rounds and one of Sample and Times.
type Plan struct {
	Rounds int
	// Sample is about how long one run takes; the number of times that fit is found by trying.
	Sample time.Duration
	// Times is the number of times the work is done in one run; 0 to find it from Sample.
	Times int
	// Clock reads the time; nil is the wall clock. Another clock is one of CPU time: in a Race the CPU time of a side that runs in a
	// process of its own takes the place of its time.
	Clock func() time.Duration
	// Patience is how many times slower than the baseline a side of a Race may be in the first round to be run in the others
	// too; 0 runs every side in every round.
	Patience float64
}

// Result is one side compared with the baseline.
type Result struct {
	Workload string
	Database string
	Base     Time
	Side     Time
	// Ratio is the median of the ratios of all rounds; Min and Max are the smallest and the largest.
	Ratio, Min, Max float64
	Goal            float64
	Limit           time.Duration
	Extra           time.Duration
}

// Time is the median time of doing the work once.
type Time struct {
	Name string
	Once time.Duration
}

// Met reports whether the goals that there are were met.
func (r Result) Met() bool {
	return (r.Goal == 0 || r.Ratio <= r.Goal) && (r.Limit == 0 || r.Side.Once <= r.Limit) &&
		(r.Extra == 0 || time.Duration((r.Ratio-1)*float64(r.Base.Once)) <= r.Extra)
}

// Compare runs base and the others in turns.
func Compare(ctx context.Context, p Plan, base Side, others ...Side) ([]Result, error) {
	sides := append([]Side{base}, others...)
	times := make([]int, len(sides))
	for i, s := range sides { // also warms up connections and caches
		var err error
		if times[i], err = calibrate(ctx, p, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	once := make([][]float64, len(sides)) // nanoseconds
	for round := range p.Rounds {
		for i := range sides {
			i = (i + round) % len(sides)
			d, err := run(ctx, p, sides[i], times[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].Name, err)
			}
			once[i] = append(once[i], float64(d)/float64(times[i]))
		}
	}
	var results []Result
	for i, s := range sides[1:] {
		r := Result{
			Base: Time{base.Name, time.Duration(median(once[0]))},
			Side: Time{s.Name, time.Duration(median(once[i+1]))},
			Goal: s.Goal, Limit: s.Limit, Extra: s.Extra,
		}
		ratios := make([]float64, p.Rounds)
		for round := range ratios {
			ratios[round] = once[i+1][round] / once[0][round]
		}
		r.Ratio, r.Min, r.Max = median(ratios), slices.Min(ratios), slices.Max(ratios)
		results = append(results, r)
	}
	return results, nil
}

// calibrate returns how many times the work fits into a sample.
func calibrate(ctx context.Context, p Plan, s Side) (int, error) {
	if p.Times > 0 {
		return p.Times, nil
	}
	for n := 1; ; n *= 2 {
		d, err := run(ctx, p, s, n)
		if err != nil {
			return 0, err
		}
		if d >= p.Sample/4 {
			return max(1, int(float64(n)*float64(p.Sample)/float64(d))), nil
		}
	}
}

func run(ctx context.Context, p Plan, s Side, n int) (time.Duration, error) {
	if s.Prepare != nil {
		if err := s.Prepare(ctx); err != nil {
			return 0, fmt.Errorf("prepare: %w", err)
		}
	}
	clock := p.Clock
	if clock == nil {
		began := time.Now()
		clock = func() time.Duration { return time.Since(began) }
	}
	runtime.GC()
	start := clock()
	err := s.Run(ctx, n)
	took := clock() - start
	if s.Self != nil {
		took = s.Self()
	}
	if err == nil && s.Check != nil {
		err = s.Check(ctx)
	}
	return took, err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
