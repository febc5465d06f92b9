package term

import (
	"slices"
	"time"
)

// Snapshot is the state of one piece of work at one instant: what all renderers show.
type Snapshot struct {
	Label    string        // what is done: "purge events"
	Unit     string        // what is counted: "rows"
	Done     int64         // counted from the very beginning, earlier attempts included
	Total    int64         // 0 when not known
	Exact    bool          // Total was counted, not estimated
	Batch    int64         // the batch under way, from 1; 0 when there are none
	Batches  int64         // how many there will be; 0 when not known
	Rate     float64       // units a second, lately; paused time left out; 0 when not known
	Elapsed  time.Duration // since the start, pauses included
	ETA      time.Duration // meaningful when HasETA
	HasETA   bool          // there is a total and enough was done to say
	Waiting  string        // why the work stands still; "" when it does not
	Facts    []Fact        // further numbers: lag, retries, checkpoint
	Note     string        // one line about the latest step
	Finished bool          // the work has ended; no further snapshot follows
}

// Fact is one named value of a snapshot.
type Fact struct{ Name, Value string }

const (
	etaAfterTime  = 10 * time.Second // an earlier guess jumps around too much to be of use
	etaAfterShare = 0.01
	rateWindow    = 15 * time.Second
)

// Meter measures a piece of work. It keeps no clock: every method is told the time. It is not safe for concurrent use.
type Meter struct {
	s        Snapshot
	start    time.Time
	initial  int64 // done before this attempt: counts for the share, not for the rate
	pausedAt time.Time
	paused   time.Duration
	samples  []sample
}

type sample struct {
	active time.Duration // running time without pauses
	done   int64
}

// NewMeter starts measuring at now; s gives the label, the totals and what earlier attempts have done.
func NewMeter(s Snapshot, now time.Time) *Meter {
	if s.Unit == "" {
		s.Unit = "rows"
	}
	return &Meter{s: s, start: now, initial: s.Done}
}

// Set records that done units are done.
func (m *Meter) Set(done int64, now time.Time) {
	m.s.Done = done
	active := m.active(now)
	// One sample for each tenth of a second is enough, and bounds the memory of a loop that reports every row.
	if n := len(m.samples); n > 0 && active-m.samples[n-1].active < 100*time.Millisecond {
		m.samples[n-1].done = done
		return
	}
	m.samples = append(m.samples, sample{active, done})
	drop := 0
	for drop < len(m.samples)-1 && active-m.samples[drop+1].active >= rateWindow {
		drop++
	}
	m.samples = slices.Delete(m.samples, 0, drop)
}

// Done is what was last set.
func (m *Meter) Done() int64 { return m.s.Done }

// SetTotal records how much there is; exact says that it was counted.
func (m *Meter) SetTotal(total int64, exact bool) { m.s.Total, m.s.Exact = total, exact }

// SetBatch records the batch under way and how many there will be (0: not known).
func (m *Meter) SetBatch(batch, batches int64) { m.s.Batch, m.s.Batches = batch, batches }

// SetFact records a named value; a name keeps the place of its first use.
func (m *Meter) SetFact(name, value string) {
	for i := range m.s.Facts {
		if m.s.Facts[i].Name == name {
			m.s.Facts[i].Value = value
			return
		}
	}
	m.s.Facts = append(m.s.Facts, Fact{name, value})
}

// SetNote records one line about the latest step.
func (m *Meter) SetNote(note string) { m.s.Note = note }

// Pause says that the work stands still and why. Paused time does not count for the rate and the ETA.
func (m *Meter) Pause(reason string, now time.Time) {
	if m.s.Waiting == "" {
		m.pausedAt = now
	}
	m.s.Waiting = reason
}

// Resume ends a pause and returns how long it was.
func (m *Meter) Resume(now time.Time) time.Duration {
	if m.s.Waiting == "" {
		return 0
	}
	d := now.Sub(m.pausedAt)
	m.paused += d
	m.s.Waiting = ""
	return d
}

// Finish marks the work as ended.
func (m *Meter) Finish(now time.Time) {
	m.Resume(now)
	m.s.Finished = true
}

func (m *Meter) active(now time.Time) time.Duration {
	d := now.Sub(m.start) - m.paused
	if m.s.Waiting != "" {
		d -= now.Sub(m.pausedAt)
	}
	return max(d, 0)
}

// Snapshot gives the state at now. The result shares nothing with the meter.
func (m *Meter) Snapshot(now time.Time) Snapshot {
	s := m.s
	s.Facts = slices.Clone(m.s.Facts)
	s.Elapsed = max(now.Sub(m.start), 0)
	active := m.active(now)
	s.Rate = m.rate(active)
	if s.Total <= 0 || s.Done >= s.Total || s.Rate <= 0 || s.Finished {
		return s
	}
	share := float64(s.Done-m.initial) / float64(s.Total)
	if active >= etaAfterTime || share >= etaAfterShare {
		s.ETA = time.Duration(float64(s.Total-s.Done) / s.Rate * float64(time.Second))
		s.HasETA = true
	}
	return s
}

// rate is measured over the last quarter of a minute, so that it follows a throttle within a few batches; a finished
// piece of work reports the average of the whole.
func (m *Meter) rate(active time.Duration) float64 {
	from := sample{0, m.initial}
	if len(m.samples) > 0 && active-m.samples[0].active >= rateWindow/2 && !m.s.Finished && active > rateWindow {
		from = m.samples[0]
	}
	span := (active - from.active).Seconds()
	if span < 0.05 {
		return 0
	}
	return float64(m.s.Done-from.done) / span
}
