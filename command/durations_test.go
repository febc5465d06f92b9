package command

import (
	"testing"
	"time"
)

func TestDurations_PercentilesOfManySteps(t *testing.T) {
	for _, steps := range []int{1, 100, 10 * maxDurations} {
		var d durations
		for i := 1; i <= steps; i++ {
			d.add(time.Duration(i))
		}
		if len(d.kept) > maxDurations {
			t.Errorf("%d steps: %d kept", steps, len(d.kept))
		}
		if d.max != time.Duration(steps) {
			t.Errorf("%d steps: max %d", steps, d.max)
		}
		middle := float64(d.percentile(50)) / float64(steps)
		if steps > 1 && (middle < 0.49 || middle > 0.51) {
			t.Errorf("%d steps: p50 at %.3f of the range", steps, middle)
		}
	}
	if got := (&durations{}).percentile(95); got != 0 {
		t.Errorf("no steps: p95 %v", got)
	}
}
