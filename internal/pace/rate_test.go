package pace_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-dev/drover/internal/pace"
)

func TestRate_Wait(t *testing.T) {
	tests := []struct {
		name  string
		limit float64
		rows  []int
		want  time.Duration
	}{
		{"no limit", 0, []int{1 << 40}, 0},
		{"the burst", 100, []int{60, 40}, 0},
		{"beyond it", 100, []int{100, 50}, 500 * time.Millisecond},
		{"a batch far larger than the burst", 100, []int{1050}, 9500 * time.Millisecond},
		{"less than one row per second", 0.5, []int{1, 2}, 4 * time.Second},
		{"no rows", 1, []int{0, -1, 0}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := pace.NewRate(tt.limit)
				if r.Limit() != tt.limit {
					t.Errorf("limit %v, want %v", r.Limit(), tt.limit)
				}
				start := time.Now()
				for _, rows := range tt.rows {
					if err := r.Wait(t.Context(), rows); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); (took - tt.want).Abs() > time.Millisecond {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

func TestRate_IsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pace.NewRate(1000)
		start := time.Now()
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for range 10 {
					if err := r.Wait(t.Context(), 250); err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(start); took < 5*time.Second { // four batches of the burst, then every fourth
					t.Errorf("a worker was done after %v: the others had no turn", took)
				}
			})
		}
		workers.Wait()
		if took := time.Since(start); (took - 9*time.Second).Abs() > time.Millisecond {
			t.Errorf("10,000 rows at 1000 a second took %v, want 9s and the burst", took)
		}
	})
}

func TestRate_SetLimit(t *testing.T) {
	for _, tt := range []struct {
		name        string
		before, set float64
		want        time.Duration // of four workers with 100 rows each, the limit being set after 1.5 s
	}{
		{"faster", 1, 1000, 1898 * time.Millisecond}, // 2 of 400 rows are paid
		{"off", 1, 0, 1500 * time.Millisecond},
		{"slower", 100, 10, 21500 * time.Millisecond}, // the burst and one second are paid
		{"on", 0, 100, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := pace.NewRate(tt.before)
				start := time.Now()
				time.AfterFunc(1500*time.Millisecond, func() { r.SetLimit(tt.set) })
				var workers sync.WaitGroup
				for range 4 {
					workers.Go(func() {
						if err := r.Wait(t.Context(), 100); err != nil {
							t.Error(err)
						}
					})
				}
				workers.Wait()
				if took := time.Since(start); (took - tt.want).Abs() > 5*time.Millisecond {
					t.Errorf("took %v, want %v", took, tt.want)
				}
				time.Sleep(2 * time.Second)
				if r.Limit() != tt.set {
					t.Errorf("limit %v, want %v", r.Limit(), tt.set)
				}
			})
		})
	}
}

func TestRate_ChangesAreNoBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pace.NewRate(100)
		start := time.Now()
		for range 10 {
			r.SetLimit(100)
			if err := r.Wait(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); (took - 10*time.Second).Abs() > time.Millisecond {
			t.Errorf("1000 rows at 100 a second took %v", took)
		}
	})
}

func TestRate_EndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopped by hand")
		r := pace.NewRate(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(cause) })
		start := time.Now()
		err := r.Wait(ctx, 100)
		if took := time.Since(start); !errors.Is(err, cause) || took != 3*time.Second {
			t.Errorf("error %v after %v", err, took)
		}
	})
}
