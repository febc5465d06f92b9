package pace_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pace"
)

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want) }

func TestEstimate_Outlook(t *testing.T) {
	type batch struct {
		rows int
		took time.Duration
	}
	steady := func(n, rows int, took time.Duration) []batch {
		batches := make([]batch, n)
		for i := range batches {
			batches[i] = batch{rows, took}
		}
		return batches
	}
	tests := []struct {
		name      string
		before    int64
		total     int64
		workers   int
		batches   []batch
		rate      float64
		known     bool
		low, high time.Duration
	}{
		{"steady", 0, 100_000, 1, steady(10, 1000, time.Second), 1000, true, 90 * time.Second, 90 * time.Second},
		{"resumed", 50_000, 100_000, 1, steady(10, 1000, time.Second), 1000, true, 40 * time.Second, 40 * time.Second},
		{"workers", 0, 100_000, 4, steady(10, 1000, time.Second), 4000, true, 22500 * time.Millisecond, 22500 * time.Millisecond},
		{"less than a row per second", 0, 100, 1, steady(10, 1, 10*time.Second), 0.1, true, 900 * time.Second, 900 * time.Second},
		{"many rows at once", 0, math.MaxInt64, 1, steady(3, math.MaxInt32, time.Microsecond), math.MaxInt32 * 1e6, true, 4294 * time.Second, 4296 * time.Second},
		{"an age", 0, math.MaxInt64, 1, steady(3, 1, time.Hour), 1 / 3600.0, true, 100 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour},
		{"two batches tell nothing", 0, 100_000, 1, steady(2, 1000, time.Second), 1000, false, 0, 0},
		{"none", 0, 100_000, 1, nil, 0, false, 0, 0},
		{"no rows", 0, 100_000, 1, steady(5, 0, time.Second), 0, false, 0, 0},
		{"no time", 0, 100_000, 1, steady(5, 1000, 0), 1e9, true, 95 * time.Microsecond, 95 * time.Microsecond},
		{"no worker", 0, 100_000, 0, steady(5, 1000, time.Second), 0, false, 0, 0},
		{"unknown total", 0, -1, 1, steady(5, 1000, time.Second), 1000, false, 0, 0},
		{"nothing to do", 0, 0, 1, nil, 0, true, 0, 0},
		{"all done", 0, 5000, 1, steady(5, 1000, time.Second), 1000, true, 0, 0},
		{"more than thought", 0, 4999, 1, steady(5, 1000, time.Second), 1000, false, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := pace.NewEstimate(tt.before, tt.workers)
				e.SetTotal(tt.total)
				done := tt.before
				for _, b := range tt.batches {
					e.Done(b.rows, b.took)
					done += int64(b.rows)
				}
				o := e.Outlook()
				if o.Done != done || o.Total != tt.total || !near(o.Rate, tt.rate) {
					t.Errorf("done %d of %d at %v, want %d of %d at %v", o.Done, o.Total, o.Rate, done, tt.total, tt.rate)
				}
				if o.Known != tt.known || o.Low < tt.low-time.Millisecond || o.High > tt.high+time.Millisecond || o.Low > o.High {
					t.Errorf("left %v-%v, known %v; want %v-%v, %v", o.Low, o.High, o.Known, tt.low, tt.high, tt.known)
				}
			})
		})
	}
}

// TestEstimate_Spread: rates of 500 and 1500 in turn are 1000 with a deviation of about 500; 1.3 of that is 650.
func TestEstimate_Spread(t *testing.T) {
	e := pace.NewEstimate(0, 1)
	for i := range 2000 {
		e.Done([]int{500, 1500}[i%2], time.Second)
	}
	e.SetTotal(2_000_000 + 100_000)
	o := e.Outlook()
	if o.Low < 58*time.Second || o.Low > 63*time.Second || o.High < 250*time.Second || o.High > 330*time.Second {
		t.Errorf("left %v-%v, want about 1m-4m46s", o.Low, o.High)
	}

	wild := pace.NewEstimate(0, 1)
	for i := range 300 {
		wild.Done([]int{0, 0, 3000}[i%3], time.Second)
	}
	wild.SetTotal(300_000 + 100_000)
	if o := wild.Outlook(); o.High < 10*o.Low || o.High > 30*time.Minute {
		t.Errorf("left %v-%v, want an end of the interval", o.Low, o.High)
	}
}

func TestEstimate_FollowsAChange(t *testing.T) {
	e := pace.NewEstimate(0, 1)
	for range 100 {
		e.Done(1000, time.Second)
	}
	for range 60 {
		e.Done(100, time.Second)
	}
	if rate := e.Outlook().Rate; rate > 250 || rate < 100 {
		t.Errorf("rate %v a minute after it fell from 1000 to 100", rate)
	}
}

func TestEstimate_Held(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pace.NewEstimate(0, 2)
		held := func(want float64) {
			t.Helper()
			if got := e.Outlook().Held; math.Abs(got-want) > 1e-9 {
				t.Errorf("held %v of the time, want %v", got, want)
			}
		}
		held(0)
		time.Sleep(45 * time.Second)
		held(0)
		resume := e.Pause()
		time.Sleep(15 * time.Second)
		held(0.125) // one of two workers for a quarter of the minute, and it still waits
		second := e.Pause()
		time.Sleep(60 * time.Second)
		held((15 + 120) / 240.0)
		resume()
		second()
		time.Sleep(480 * time.Second)
		held(135 / 1200.0)
		time.Sleep(120 * time.Second) // the first two minutes are ten minutes ago
		held(0)

		e.SetWorkers(0) // paused by hand
		time.Sleep(time.Hour)
		held(0)
		e.SetWorkers(1)
		resume = e.Pause()
		time.Sleep(24 * time.Hour)
		held(1)
		resume()
		time.Sleep(300 * time.Second)
		held(0.5)
	})
}

func TestEstimate_RateKnowsNoPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pace.NewEstimate(0, 4)
		e.SetTotal(1_000_000)
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for range 50 {
					time.Sleep(time.Second)
					e.Done(1000, time.Second)
					resume := e.Pause()
					time.Sleep(3 * time.Second)
					resume()
				}
			})
		}
		workers.Wait()
		o := e.Outlook()
		if !near(o.Rate, 4000) || o.Low.Round(time.Second) != 200*time.Second || math.Abs(o.Held-0.75) > 1e-9 {
			t.Errorf("outlook %+v, want 4000 rows/s, 200 s and three quarters held", o)
		}
	})
}

func TestEstimate_IsAlwaysSane(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := pace.NewEstimate(rapid.Int64Range(0, 1000).Draw(rt, "before"), rapid.IntRange(0, 8).Draw(rt, "workers"))
		e.SetTotal(rapid.Int64Range(-1, math.MaxInt64).Draw(rt, "total"))
		for range rapid.IntRange(0, 100).Draw(rt, "batches") {
			e.Done(rapid.IntRange(0, 1_000_000).Draw(rt, "rows"), time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "took")))
		}
		o := e.Outlook()
		if math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) || o.Rate < 0 || o.Low < 0 || o.High < o.Low || (!o.Known && o.High != 0) || o.Held != 0 {
			rt.Fatalf("outlook %+v", o)
		}
	})
}
