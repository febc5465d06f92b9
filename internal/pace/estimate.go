package pace

import (
	"math"
	"sync"
	"time"
)

const (
	rateMemory   = 30 * time.Second // of running time: what is older has less than a third of the weight in the rate
	rateBatches  = 30               // whose spread makes the interval
	rateFewest   = 3                // batches below which there is no estimate
	rateSpread   = 1.3              // standard deviations on each side: four of five
	rateSlowest  = 0.1              // of the rate, at the slow end: a wider interval says nothing
	shareSlots   = 61               // ten minutes, and what has passed of the present slot
	shareSlot    = 10 * time.Second
	longDuration = 100 * 365 * 24 * time.Hour
)

// Estimate tells the rate of a run, the time it has left, and how much of the last ten minutes it was held back.
//
// The rate is in rows per second in which workers ran, so it does not sink in a pause, and the time left is what is left
// if nothing holds the run back. It is the average of the last 30 seconds or so of running time, newer batches weighing
// more, times the number of workers. Methods are safe for concurrent use.
type Estimate struct {
	mu          sync.Mutex
	done, total int64
	known       bool // the total
	workers     int

	rows, seconds float64   // weighted sums, of one worker's time
	rates         []float64 // of the last batches, a ring
	batches       int

	waiting int
	last    time.Time // until when the slots are kept
	slots   [shareSlots]struct {
		number       int64 // since start; the place of a slot is used again when it is too old
		held, worked float64
	}
	start time.Time
}

// NewEstimate begins an estimate for a run with so many workers, of which done rows were done before it.
func NewEstimate(done int64, workers int) *Estimate {
	now := time.Now()
	return &Estimate{done: done, workers: max(workers, 0), start: now, last: now}
}

// SetTotal tells the number of rows of the whole run, which may be an estimate; a negative number is unknown, as it is
// at first.
func (e *Estimate) SetTotal(total int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.known = total, total >= 0
}

// SetWorkers tells that so many workers are at work or held back from now on; 0 while a run is paused by hand.
func (e *Estimate) SetWorkers(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.account(time.Now())
	e.workers = max(n, 0)
}

// Pause tells that a worker is held back until it calls resume, which it must once.
func (e *Estimate) Pause() (resume func()) {
	e.hold(1)
	return func() { e.hold(-1) }
}

func (e *Estimate) hold(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.account(time.Now())
	e.waiting += n
}

// Done takes in a batch of so many rows. took is all of the worker's time for it but what it was held back, also what
// passed between batches.
func (e *Estimate) Done(rows int, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	took = max(took, time.Microsecond)
	e.done += int64(rows)
	keep := math.Exp(-took.Seconds() / rateMemory.Seconds())
	e.rows = keep*e.rows + float64(rows)
	e.seconds = keep*e.seconds + took.Seconds()
	rate := float64(rows) / took.Seconds()
	if len(e.rates) < rateBatches {
		e.rates = append(e.rates, rate)
	} else {
		e.rates[e.batches%rateBatches] = rate
	}
	e.batches++
}

// Outlook is what an [Estimate] tells.
type Outlook struct {
	Done  int64
	Total int64   // -1 when unknown
	Rate  float64 // rows per second while running; 0 before the first batch
	// Low and High are the time left while nothing holds the run back, four times of five. They mean something only
	// when Known: the total is known and not exceeded, and there were three batches that had rows, or nothing is left.
	Low, High time.Duration
	Known     bool
	// Held is the share of the last ten minutes, from 0 to 1, that workers were held back.
	Held float64
}

// Outlook returns the estimate as it is now.
func (e *Estimate) Outlook() Outlook {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.account(now)
	o := Outlook{Done: e.done, Total: -1, Held: e.held(now)}
	perWorker := 0.0
	if e.seconds > 0 {
		perWorker = e.rows / e.seconds
	}
	o.Rate = perWorker * float64(e.workers)
	if !e.known {
		return o
	}
	o.Total = e.total
	left := float64(e.total) - float64(e.done)
	switch {
	case left == 0:
		o.Known = true
	case left > 0 && e.batches >= rateFewest && o.Rate > 0:
		spread := rateSpread * deviation(e.rates)
		workers := float64(e.workers)
		o.Known = true
		o.Low = seconds(left / (workers * (perWorker + spread)))
		o.High = seconds(left / (workers * max(perWorker-spread, rateSlowest*perWorker)))
	}
	return o
}

// deviation is the standard deviation of a sample.
func deviation(values []float64) float64 {
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(values)-1))
}

// seconds makes a duration of a number that may be too large for one.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, longDuration.Seconds()) * float64(time.Second))
}

// account adds the time of the workers since the last call to the slots it was in.
func (e *Estimate) account(now time.Time) {
	held := float64(min(e.waiting, e.workers))
	worked := float64(e.workers) - held
	// What is older than the ring is not looked at any more.
	if oldest := now.Add(-shareSlots * shareSlot); e.last.Before(oldest) {
		e.last = oldest
	}
	for e.last.Before(now) {
		number := int64(e.last.Sub(e.start) / shareSlot)
		until := e.start.Add(time.Duration(number+1) * shareSlot)
		if until.After(now) {
			until = now
		}
		slot := &e.slots[number%shareSlots]
		if slot.number != number {
			slot.number, slot.held, slot.worked = number, 0, 0
		}
		passed := until.Sub(e.last).Seconds()
		slot.held += held * passed
		slot.worked += worked * passed
		e.last = until
	}
}

// held is the share of the workers' time in the slots that they were held back.
func (e *Estimate) held(now time.Time) float64 {
	oldest := int64(now.Sub(e.start)/shareSlot) - shareSlots
	held, worked := 0.0, 0.0
	for _, slot := range e.slots {
		if slot.number > oldest {
			held += slot.held
			worked += slot.worked
		}
	}
	if held == 0 {
		return 0
	}
	return held / (held + worked)
}
