package pace

import (
	"slices"
	"sync"
	"time"
)

// maxDurations bounds the memory of Durations.
const maxDurations = 1 << 14

// Durations collects how long many steps took. Beyond 16,384 it keeps every second one, then every fourth, and so on:
// enough for percentiles, and memory stays at 128 KiB. The zero value is empty and ready; it is safe for concurrent use and
// must not be copied.
type Durations struct {
	mu     sync.Mutex
	kept   []time.Duration
	stride int
	skip   int
	max    time.Duration
}

// Add takes in one duration.
func (d *Durations) Add(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
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

// Percentile returns the duration that p of a hundred steps did not exceed, 0 when there was none. A p outside 0 to 100
// is the nearest of the two.
func (d *Durations) Percentile(p int) time.Duration {
	d.mu.Lock()
	sorted := slices.Clone(d.kept)
	d.mu.Unlock()
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	rank := (len(sorted)*min(max(p, 0), 100) + 99) / 100 // the first one that so many percent do not exceed
	return sorted[max(rank, 1)-1]
}

// Max returns the longest duration of all, also of those that were not kept.
func (d *Durations) Max() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.max
}
