package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// Role says what a side of a race is.
type Role int

// The roles. The first side of a race is the baseline and has the role Raw.
const (
	Raw Role = iota
	Drover
	Peer
)

// Unknown stands for what a side cannot tell.
const Unknown = -1

// Usage is what one run used.
type Usage struct {
	Took time.Duration
	CPU  time.Duration // of the client's process
	// Allocs is the number of objects put on the heap.
	Allocs float64
	// Peak is the growth of the process in memory during the run, in bytes; Total is its size then.
	Peak, Total float64
}

// Line is one side of a race: the medians of its rounds.
type Line struct {
	Workload, Database string
	Name               string
	Role               Role
	Rows               int // handled in one run
	Rounds             int
	Usage
	// Ratio is the median of the ratios to the baseline's time in the same round; Min and Max are the smallest and the largest.
	Ratio, Min, Max float64
	Goal            float64
	Most            float64 // the largest growth in memory that is wanted, in bytes; 0 for any
}

// Speed is the rows of a second.
func (l Line) Speed() float64 { return float64(l.Rows) / l.Took.Seconds() }

// Race runs the sides in turns, each once a round, as Compare does, and tells of each what it used for its rows. The first side is the
// baseline.
func Race(ctx context.Context, p Plan, rows int, sides ...Side) ([]Line, error) {
	used := make([][]Usage, len(sides))
	ratios := make([][]float64, len(sides))
	for round := range p.Rounds {
		took := make([]time.Duration, len(sides))
		for i := range sides {
			i = (i + round) % len(sides)
			if round > 0 && p.Patience > 0 && ratios[i][0] > p.Patience {
				continue
			}
			u, err := use(ctx, p, sides[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].Name, err)
			}
			used[i], took[i] = append(used[i], u), u.Took
		}
		for i := range sides {
			if took[i] > 0 {
				ratios[i] = append(ratios[i], float64(took[i])/float64(took[0]))
			}
		}
	}
	var lines []Line
	for i, s := range sides {
		if len(ratios[i]) == 0 {
			return nil, fmt.Errorf("%s: took no time", s.Name)
		}
		lines = append(lines, Line{
			Name: s.Name, Role: s.Role, Goal: s.Goal, Most: s.Most, Rows: rows, Rounds: len(used[i]), Usage: medians(used[i]),
			Ratio: median(ratios[i]), Min: slices.Min(ratios[i]), Max: slices.Max(ratios[i]),
		})
	}
	return lines, nil
}

// use measures one run. The heap is handed back to the system before it, so that every side grows from the same size.
func use(ctx context.Context, p Plan, s Side) (u Usage, err error) {
	if s.Prepare != nil {
		if err := s.Prepare(ctx); err != nil {
			return u, fmt.Errorf("prepare: %w", err)
		}
	}
	clock := p.Clock
	if clock == nil {
		began := time.Now()
		clock = func() time.Duration { return time.Since(began) }
	}
	debug.FreeOSMemory()
	memory := watchMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := clock(), CPUTime()
	err = s.Run(ctx, 1)
	u.Took, u.CPU = clock()-start, CPUTime()-cpu
	runtime.ReadMemStats(&after)
	u.Allocs = float64(after.Mallocs - before.Mallocs)
	u.Peak, u.Total = memory.peak()
	if s.Usage != nil {
		u = s.Usage()
		if p.Clock != nil {
			u.Took = u.CPU
		}
	}
	if s.Check != nil {
		// A failed run is checked too: the check also ends what was prepared.
		err = errors.Join(err, s.Check(ctx))
	}
	return u, err
}

func medians(used []Usage) Usage {
	of := func(get func(Usage) float64) float64 {
		values := make([]float64, len(used))
		for i, u := range used {
			values[i] = get(u)
		}
		return median(values)
	}
	return Usage{
		Took:   time.Duration(of(func(u Usage) float64 { return float64(u.Took) })),
		CPU:    time.Duration(of(func(u Usage) float64 { return float64(u.CPU) })),
		Allocs: of(func(u Usage) float64 { return u.Allocs }),
		Peak:   of(func(u Usage) float64 { return u.Peak }),
		Total:  of(func(u Usage) float64 { return u.Total }),
	}
}
