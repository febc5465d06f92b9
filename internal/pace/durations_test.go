package pace_test

import (
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover/internal/pace"
)

func TestDurations(t *testing.T) {
	var d pace.Durations
	if d.Percentile(50) != 0 || d.Max() != 0 {
		t.Errorf("without steps: %v, %v", d.Percentile(50), d.Max())
	}
	for i := range 100 {
		d.Add(time.Duration(100-i) * time.Millisecond)
	}
	for p, want := range map[int]time.Duration{-5: 1, 0: 1, 50: 50, 95: 95, 100: 100, 200: 100} {
		if got := d.Percentile(p); got != want*time.Millisecond {
			t.Errorf("percentile %d: %v, want %d ms", p, got, want)
		}
	}
	if d.Max() != 100*time.Millisecond {
		t.Errorf("max %v", d.Max())
	}
}

// TestDurations_Few proves that of a few steps the longest is not left out of the higher percentiles.
func TestDurations_Few(t *testing.T) {
	var d pace.Durations
	for i := range 5 {
		d.Add(time.Duration(i+1) * time.Second)
	}
	for p, want := range map[int]time.Duration{0: 1, 20: 1, 21: 2, 50: 3, 80: 4, 95: 5} {
		if got := d.Percentile(p); got != want*time.Second {
			t.Errorf("percentile %d: %v, want %d s", p, got, want)
		}
	}
}

func TestDurations_MoreThanAreKept(t *testing.T) {
	var d pace.Durations
	const n = 1_000_000
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := w; i < n; i += 4 {
				d.Add(time.Duration(i + 1))
			}
		})
	}
	workers.Wait()
	if d.Max() != n {
		t.Errorf("max %d, want %d", d.Max(), n)
	}
	for _, p := range []int{1, 50, 90, 99} {
		if got, want := float64(d.Percentile(p)), float64(p)*n/100; got < want-n/50 || got > want+n/50 {
			t.Errorf("percentile %d: %v, want about %v", p, got, want)
		}
	}
}
