package command

import (
	"slices"
	"time"
)

// maxDurations bounds the memory of durations.
const maxDurations = 1 << 14

// durations collects how long many steps took. Beyond a number it keeps every second one, then every fourth, and so on:
// enough for percentiles.
type durations struct {
	kept   []time.Duration
	stride int
	skip   int
	max    time.Duration
}

func (d *durations) add(took time.Duration) {
	d.max = max(d.max, took)
	if d.skip > 0 {
		d.skip--
		return
	}
	if len(d.kept) == maxDurations {
		for i := range maxDurations / 2 {
			d.kept[i] = d.kept[2*i]
		}
		d.kept = d.kept[:maxDurations/2]
		d.stride = 2 * max(d.stride, 1)
	}
	d.kept = append(d.kept, took)
	d.skip = max(d.stride, 1) - 1
}

// percentile returns the time that p of a hundred steps did not exceed.
func (d *durations) percentile(p int) time.Duration {
	if len(d.kept) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d.kept))
	return sorted[(len(sorted)-1)*p/100]
}
