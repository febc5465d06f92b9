package measure

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order strings.Builder
		side := func(name string, once time.Duration) Side {
			s := sleeper(name, once)
			run := s.Run
			s.Run = func(ctx context.Context, n int) error {
				order.WriteString(name)
				return run(ctx, n)
			}
			return s
		}
		other := side("d", time.Millisecond)
		other.Usage = func() Usage { return Usage{Took: 8 * time.Millisecond, Allocs: Unknown, Peak: 3, Total: 5} }
		lines, err := Race(t.Context(), Plan{Rounds: 3, Patience: 5}, 100,
			side("a", 2*time.Millisecond), side("b", 3*time.Millisecond), side("c", time.Second), other)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := order.String(), "abcdbdadab"; got != want {
			t.Errorf("order %q, want %q: turns change, and c is run once", got, want)
		}
		for i, want := range []struct {
			ratio  float64
			rounds int
		}{{1, 3}, {1.5, 3}, {500, 1}, {4, 3}} {
			if l := lines[i]; l.Ratio != want.ratio || l.Min != want.ratio || l.Max != want.ratio || l.Rounds != want.rounds {
				t.Errorf("line %d: %+v, want the ratio %v of %d rounds", i, l, want.ratio, want.rounds)
			}
		}
		if l := lines[0]; l.Speed() != 50_000 || l.Allocs < 0 {
			t.Errorf("baseline %+v", l)
		}
		if l := lines[3]; l.Allocs != Unknown || l.Peak != 3 || l.Total != 5 {
			t.Errorf("the side that tells its own usage: %+v", l)
		}
	})
}

// TestRace_Memory measures on the real machine, loosely.
func TestRace_Memory(t *testing.T) {
	var kept [][]byte
	side := Side{Name: "a", Run: func(context.Context, int) error {
		for range 1000 {
			block := make([]byte, 32<<10)
			for i := range block {
				block[i] = byte(i)
			}
			kept = append(kept, block)
		}
		return nil
	}}
	lines, err := Race(t.Context(), Plan{Rounds: 1}, 1000, side)
	if err != nil {
		t.Fatal(err)
	}
	if l := lines[0]; l.Allocs < 1000 || l.Allocs > 3000 {
		t.Errorf("%v objects for 1000 and the slice of them", l.Allocs)
	}
	if l := lines[0]; l.Peak != Unknown && (l.Peak < 25<<20 || l.Peak > l.Total) {
		t.Errorf("the process grew by %v bytes to %v, want about 32 MB", l.Peak, l.Total)
	}
	kept = nil
}

func TestRace_Error(t *testing.T) {
	broken, unchecked := errors.New("broken"), errors.New("unchecked")
	side := Side{
		Name: "drover", Run: func(context.Context, int) error { return broken },
		Check: func(context.Context) error { return unchecked },
	}
	_, err := Race(t.Context(), Plan{Rounds: 1}, 1, side)
	if !errors.Is(err, broken) || !errors.Is(err, unchecked) || !strings.Contains(err.Error(), "drover") {
		t.Errorf("error %v, want the side and both errors", err)
	}
}

func TestRaceMarkdown(t *testing.T) {
	line := func(database, workload, name string, role Role, ratio float64) Line {
		return Line{
			Database: database, Workload: workload, Name: name, Role: role, Rows: 1000, Rounds: 3,
			Usage: Usage{Took: time.Duration(ratio * float64(time.Millisecond)), CPU: 2 * time.Millisecond, Allocs: 12345, Peak: 3 << 20},
			Ratio: ratio, Min: ratio - 0.5, Max: ratio + 0.5, Goal: 1.15,
		}
	}
	django := line("sqlite", "update", "Django: bulk_update", Peer, 20)
	django.Rounds, django.Allocs, django.Total = 1, Unknown, 45<<20
	var b strings.Builder
	err := RaceMarkdown(&b, []Line{
		line("postgres", "create", "raw: COPY", Raw, 1), line("postgres", "create", "drover: BulkCreate", Drover, 1.1),
		line("postgres", "create", "bun: NewInsert", Peer, 1.099), line("postgres", "create", "GORM: Create", Peer, 1.05),
		line("postgres", "update", "raw: unnest", Raw, 1), line("postgres", "update", "raw: VALUES", Raw, 0.9),
		line("sqlite", "update", "raw: prepared", Raw, 1), line("sqlite", "update", "drover: BulkUpdate", Drover, 1.2), django,
	})
	if err != nil {
		t.Fatal(err)
	}
	const head = `
| workload | side | rows/s | x raw | min–max | allocs/row | CPU µs/row | peak MB | goal |
|---|---|---|---|---|---|---|---|---|
`
	want := `
### postgres
` + head + `| create | raw: COPY | 1 000 000 | 1.00 | 0.50–1.50 | 12.3 | 2.00 | 3.0 | – |
| create | drover: BulkCreate | 909 091 | **1.10** | 0.60–1.60 | 12.3 | 2.00 | 3.0 | ≤ 1.15 |
| create | bun: NewInsert | 909 918 | 1.10 | 0.60–1.60 | 12.3 | 2.00 | 3.0 | – |
| create | GORM: Create | 952 381 | 1.05 | 0.55–1.55 | 12.3 | 2.00 | 3.0 | **ahead of drover** |
| update | raw: unnest | 1 000 000 | 1.00 | 0.50–1.50 | 12.3 | 2.00 | 3.0 | – |
| update | raw: VALUES | 1 111 111 | 0.90 | 0.40–1.40 | 12.3 | 2.00 | 3.0 | faster than the baseline |

### sqlite
` + head + `| update | raw: prepared | 1 000 000 | 1.00 | 0.50–1.50 | 12.3 | 2.00 | 3.0 | – |
| update | drover: BulkUpdate | 833 333 | **1.20** | 0.70–1.70 | 12.3 | 2.00 | 3.0 | ≤ 1.15, **missed** |
| update | Django: bulk_update | 50 000 | 20.00 | one round | – | 2.00 | 3.0 (of 45) | – |
`
	if b.String() != want {
		t.Errorf("tables:\n%s\nwant:\n%s", b.String(), want)
	}
}
