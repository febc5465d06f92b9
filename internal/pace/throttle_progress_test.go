package pace_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pace"
)

// TestThrottle_FlappingDoesNotStarve: a signal that is never calm twice, or that stays above half of its limit, lets
// every worker go on again and again (Vitess #13175).
func TestThrottle_FlappingDoesNotStarve(t *testing.T) {
	tests := []struct {
		name  string
		value func(read int) float64
		least int // batches of each worker in ten minutes
	}{
		{"over and calm in turn", func(i int) float64 { return []float64{0.5, 3}[i%2] }, 10},
		{"over once, then under the limit", func(i int) float64 {
			if i == 0 {
				return 3
			}
			return 1.3
		}, 500},
		{"one in ten is under", func(i int) float64 {
			if i%10 == 9 {
				return 1
			}
			return 3
		}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				read := -1
				th := run(t, pace.Meter{Name: "replica lag", Limit: 2, Unit: "s", Read: func(context.Context) (float64, error) {
					read++
					return tt.value(read), nil
				}})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				var workers sync.WaitGroup
				for range 4 {
					workers.Go(func() {
						batches := 0
						for {
							if _, err := th.Wait(ctx, time.Second); err != nil {
								break
							}
							time.Sleep(time.Second)
							batches++
						}
						if batches < tt.least {
							t.Errorf("%d batches in ten minutes, want %d at least", batches, tt.least)
						}
					})
				}
				workers.Wait()
			})
		})
	}
}

// TestThrottle_WhoWaitedHasABatch closes the throttle again in the instant it opens, mostly before the workers that
// waited have run.
func TestThrottle_WhoWaitedHasABatch(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			resumed := make(chan struct{})
			var first, second int
			th, err := pace.NewThrottle(pace.ThrottleOptions{
				Meters: []pace.Meter{
					{Name: "opens at 2 s", Limit: 2, Read: func(context.Context) (float64, error) {
						first++
						return []float64{3, 0, 0}[min(first-1, 2)], nil
					}},
					{Name: "closes at 2 s", Limit: 2, Read: func(ctx context.Context) (float64, error) {
						second++
						if second < 3 {
							return 0, nil
						}
						select {
						case <-resumed:
						case <-ctx.Done():
						}
						return 3, nil
					}},
				},
				Observe: func(e pace.Event) {
					if e.Resumed {
						close(resumed)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var all sync.WaitGroup
			all.Go(func() { th.Run(ctx) })
			for range 8 {
				all.Go(func() {
					if w, err := th.Wait(ctx, 0); err != nil || w.Total != 2*time.Second {
						t.Errorf("waited %+v, error %v", w, err)
					}
				})
			}
			all.Wait()
		})
	}
}

// TestThrottle_EndsWhenTheSignalIsCalm: whatever two meters did before, two calm readings of each let work go on.
func TestThrottle_EndsWhenTheSignalIsCalm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type reading struct {
			value float64
			fails bool
		}
		draw := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) reading {
			return reading{rapid.Float64Range(0, 5).Draw(rt, "value"), rapid.IntRange(0, 4).Draw(rt, "fails") == 0}
		}), 1, 30)
		histories := [][]reading{draw.Draw(rt, "first"), draw.Draw(rt, "second")}
		optional := rapid.Bool().Draw(rt, "optional")
		workers := rapid.IntRange(1, 4).Draw(rt, "workers")
		synctest.Test(t, func(t *testing.T) {
			var meters []pace.Meter
			for i, history := range histories {
				at := -1
				meters = append(meters, pace.Meter{
					Name: "m", Limit: 2, Optional: optional && i == 1,
					Read: func(context.Context) (float64, error) {
						at++
						switch {
						case at >= len(history):
							return 1, nil
						case history[at].fails:
							return 0, errors.New("it fails")
						}
						return history[at].value, nil
					},
				})
			}
			th := run(t, meters...)
			calm := time.Now().Add(time.Duration(max(len(histories[0]), len(histories[1])))*time.Second - 500*time.Millisecond)
			var wait sync.WaitGroup
			for range workers {
				wait.Go(func() {
					for time.Now().Before(calm.Add(2 * time.Second)) {
						w := th.wait(t, 10*time.Millisecond)
						if end := calm.Add(time.Second); time.Now().After(end) && w.Reason != "" && strings.Contains(w.Reason, ">") {
							t.Errorf("a wait ended %v after the signal was calm twice", time.Since(end))
						}
						time.Sleep(10 * time.Millisecond)
					}
				})
			}
			wait.Wait()
			if th.State().Stopped {
				t.Error("still stopped")
			}
			throttled := 0
			synctest.Wait()
			for _, e := range th.events {
				if strings.HasPrefix(e, "throttled: ") {
					throttled++
				} else {
					throttled--
				}
				if throttled != 0 && throttled != 1 {
					t.Errorf("the events do not take turns: %q", th.events)
				}
			}
			if throttled != 0 {
				t.Errorf("the last wait has no end: %q", th.events)
			}
		})
	})
}
