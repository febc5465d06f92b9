package measure

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sleeper is a side of which each turn takes a fixed time.
func sleeper(name string, once time.Duration) Side {
	return Side{Name: name, Run: func(_ context.Context, n int) error {
		time.Sleep(time.Duration(n) * once)
		return nil
	}}
}

func TestCompare_RatioOfTheRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := sleeper("drover", 3*time.Millisecond)
		slow.Goal = 1.1
		prepared := 0
		slow.Prepare = func(context.Context) error {
			prepared++
			time.Sleep(time.Hour)
			return nil
		}
		results, err := Compare(t.Context(), Plan{Rounds: 5, Sample: 50 * time.Millisecond}, sleeper("raw", 2*time.Millisecond), slow)
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if r.Base.Once != 2*time.Millisecond || r.Side.Once != 3*time.Millisecond || r.Ratio != 1.5 || r.Min != 1.5 || r.Max != 1.5 {
			t.Errorf("result %+v, want 2 ms, 3 ms and 1.5", r)
		}
		if r.Met() {
			t.Error("a ratio of 1.5 meets a goal of 1.1")
		}
		if prepared < 5 {
			t.Errorf("prepared %d times in 5 rounds", prepared)
		}
	})
}

func TestCompare_OrderChanges(t *testing.T) {
	var order strings.Builder
	side := func(name string) Side {
		return Side{Name: name, Run: func(context.Context, int) error {
			order.WriteString(name)
			return nil
		}}
	}
	if _, err := Compare(t.Context(), Plan{Rounds: 3, Times: 1}, side("a"), side("b"), side("c")); err != nil {
		t.Fatal(err)
	}
	if got, want := order.String(), "abcbcacab"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestCompare_Error(t *testing.T) {
	broken := errors.New("broken")
	side := Side{Name: "drover", Run: func(context.Context, int) error { return broken }}
	_, err := Compare(t.Context(), Plan{Rounds: 1, Times: 1}, sleeper("raw", 0), side)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "drover") {
		t.Errorf("error %v, want the side and its error", err)
	}
}

func TestMarkdown(t *testing.T) {
	results := []Result{
		{
			Workload: "empty block", Database: "sqlite", Base: Time{"BeginTx", 4500 * time.Nanosecond}, Side: Time{"Atomic", 5 * time.Microsecond},
			Ratio: 1.111, Min: 1, Max: 1.25, Goal: 1.1,
		},
		{
			Workload: "start", Database: "–", Base: Time{"true", time.Millisecond}, Side: Time{"drover help", 12340 * time.Microsecond},
			Ratio: 12.34, Min: 10, Max: 20, Limit: 20 * time.Millisecond,
		},
	}
	var b strings.Builder
	if err := Markdown(&b, results); err != nil {
		t.Fatal(err)
	}
	want := `| workload | database | raw | drover | ratio | min–max | goal |
|---|---|---|---|---|---|---|
| empty block | sqlite | BeginTx: 4.50 µs | Atomic: 5.00 µs | **1.11** | 1.00–1.25 | ≤ 1.10, **missed** |
| start | – | true: 1.00 ms | drover help: 12.34 ms | **12.34** | 10.00–20.00 | ≤ 20.00 ms |
`
	if b.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", b.String(), want)
	}
}
