package pace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// NearLimit is the pressure from which a [Throttle] slows work down, and from which batches should not grow.
	NearLimit = 0.7
	// DefaultMaxPause is the longest pause after a batch while the pressure is below 1.
	DefaultMaxPause = 5 * time.Second

	calmLimit  = 0.5 // of the limit: work goes on at half of what stopped it
	calmReads  = 2   // in a row
	underReads = 10  // below the limit, not in a row: then work goes on even though it never became calm
)

// ErrThrottleEnded is the error of [Throttle.Wait] when nobody reads the meters any more.
var ErrThrottleEnded = errors.New("the throttle has ended: nobody reads its meters")

// ThrottleOptions are the options of [NewThrottle].
type ThrottleOptions struct {
	Meters []Meter
	// Observe is told of each wait, by one goroutine at a time and in order. Workers wait for it, so it should be quick.
	Observe func(Event)
	// MaxPause bounds the pause after a batch while the pressure is below 1. Default [DefaultMaxPause].
	MaxPause time.Duration
}

// Throttle holds the workers of a run back while a meter is near or over its limit.
//
// The pressure is the largest share that a meter has of its limit. At 1 work stops; it goes on when each meter was at
// half of its limit or below in two readings in a row. From 0.7 on a worker pauses after a batch of length d for
// d(u-0.7)/(1-u), so the run slows down smoothly before it has to stop. A meter that is not optional and cannot be read,
// or whose last value is more than three polls old, counts as over its limit.
//
// A stopped run does not starve:
//
//   - Meters are read whether somebody waits or not, so a wait never depends on the work that it holds back.
//   - A value between half of the limit and the limit, or one that goes up and down, never becomes calm. After ten
//     readings below the limit since the stop, not necessarily in a row, the meter is good enough.
//   - Who waited when work went on has a batch for sure, even if the throttle has closed again before that worker ran.
//
// A meter at its fatal limit ends it for good: each Wait returns a [FatalError] from then on.
//
// Methods are safe for concurrent use.
type Throttle struct {
	observe  func(Event)
	maxPause time.Duration
	ready    chan struct{} // closed when every meter has been read once
	ended    chan struct{} // closed when Run has returned
	died     chan struct{} // closed when fatal is set

	mu       sync.Mutex
	gauges   []*gauge
	opened   bool // ready is closed
	pressure float64
	worst    *gauge // whose the pressure is
	stop     *stop  // nil while work may go on
	fatal    error
	events   []Event // to be told

	telling sync.Mutex // held while observe is called
}

// stop is one time that work stands still.
type stop struct {
	gauge   *gauge
	reason  string
	since   time.Time
	told    time.Time     // when the first worker had to wait; zero while none has
	resumed chan struct{} // closed at the end
}

// NewThrottle returns a throttle, or an error about a meter that makes no sense. Without meters nothing ever waits.
func NewThrottle(o ThrottleOptions) (*Throttle, error) {
	t := &Throttle{
		observe: o.Observe, maxPause: o.MaxPause,
		ready: make(chan struct{}), ended: make(chan struct{}), died: make(chan struct{}),
	}
	if t.maxPause <= 0 {
		t.maxPause = DefaultMaxPause
	}
	for _, m := range o.Meters {
		if err := m.validate(); err != nil {
			return nil, err
		}
		if m.Every == 0 {
			m.Every = DefaultEvery
		}
		t.gauges = append(t.gauges, &gauge{Meter: m})
	}
	if t.opened = len(t.gauges) == 0; t.opened {
		close(t.ready)
	}
	return t, nil
}

// Run reads the meters until ctx ends, and returns when the last reading has. It must be called once. Each meter has a
// goroutine of its own, so that one that hangs does not make the others stale.
func (t *Throttle) Run(ctx context.Context) {
	defer close(t.ended)
	var readers sync.WaitGroup
	defer readers.Wait()
	every := time.Hour
	for _, g := range t.gauges {
		every = min(every, g.Every)
		readers.Go(func() { t.poll(ctx, g) })
	}
	tick := time.NewTicker(every) // for values that grow stale while a reading hangs
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.update(func() {})
		}
	}
}

func (t *Throttle) poll(ctx context.Context, g *gauge) {
	tick := time.NewTicker(g.Every)
	defer tick.Stop()
	for {
		t.read(ctx, g)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *Throttle) read(ctx context.Context, g *gauge) {
	reading, cancel := context.WithTimeout(ctx, stalePolls*g.Every)
	value, err := g.Read(reading)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err == nil && math.IsNaN(value) {
		err = errors.New("its value is not a number")
	}
	t.update(func() {
		g.err = err
		g.seen = true
		if err != nil {
			return
		}
		g.took(value, time.Now())
		if g.Fatal > 0 && value >= g.Fatal && t.fatal == nil {
			text := fmt.Sprintf("%s %s reached its fatal limit of %s", g.Name, g.format(value), g.format(g.Fatal))
			t.fatal = &FatalError{Meter: g.Name, Value: value, text: text}
			close(t.died)
		}
	})
}

// took keeps a good reading.
func (g *gauge) took(value float64, at time.Time) {
	g.value, g.at = value, at
	g.calm++
	if value > calmLimit*g.Limit {
		g.calm = 0
	}
	if value < g.Limit {
		g.under++
	}
}

// update changes the readings, decides what follows and tells it. The first decision that may be acted on is the one
// that knows every meter.
func (t *Throttle) update(change func()) {
	t.mu.Lock()
	change()
	t.judge(time.Now())
	if !t.opened && !slices.ContainsFunc(t.gauges, func(g *gauge) bool { return !g.seen }) {
		t.opened = true
		close(t.ready)
	}
	t.mu.Unlock()
	t.tell()
}

// judge stops the work or lets it go on. t.mu is held.
func (t *Throttle) judge(now time.Time) {
	t.pressure, t.worst = 0, nil
	var why verdict
	recovered := true
	for _, g := range t.gauges {
		v := g.verdict(now)
		if v.none {
			continue
		}
		if t.worst == nil || v.share > t.pressure {
			t.pressure, t.worst, why = max(v.share, 0), g, v
		}
		if v.share >= 1 {
			g.calm = 0 // also what is over because it is not known has to be calm twice
		}
		if v.share >= 1 || (g.calm < calmReads && g.under < underReads) {
			recovered = false
		}
	}
	switch {
	case t.stop == nil && t.pressure >= 1:
		t.stop = &stop{gauge: t.worst, reason: t.worst.reason(why, now), since: now, resumed: make(chan struct{})}
		for _, g := range t.gauges {
			g.under = 0
		}
	case t.stop != nil && recovered && t.fatal == nil:
		s := t.stop
		t.stop = nil
		close(s.resumed)
		if !s.told.IsZero() {
			reason := s.gauge.state(s.gauge.verdict(now), now)
			t.note(Event{Resumed: true, Meter: s.gauge.Name, Value: s.gauge.value, Limit: s.gauge.Limit, After: now.Sub(s.told), Reason: reason})
		}
	}
}

// note keeps an event for tell. t.mu is held.
func (t *Throttle) note(e Event) {
	if t.observe != nil {
		t.events = append(t.events, e)
	}
}

// tell calls the observer, without t.mu so that it may ask the throttle, and one event after the other.
func (t *Throttle) tell() {
	t.telling.Lock()
	defer t.telling.Unlock()
	for {
		t.mu.Lock()
		if len(t.events) == 0 {
			t.mu.Unlock()
			return
		}
		e := t.events[0]
		t.events = t.events[1:]
		t.mu.Unlock()
		t.observe(e)
	}
}

// Pressure is the largest share that a meter has of its limit, as of the last reading; 0 before the first.
func (t *Throttle) Pressure() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pressure
}

// Wait returns when the next batch may begin: at once, after a pause in proportion to lastBatch, which is how long the
// worker's last batch took (0 for none), or when the meters let work go on. The first Wait is for the first reading of
// every meter. The error is a [*FatalError], the context's cause when ctx ends first, or [ErrThrottleEnded]; Waited is
// right also then.
func (t *Throttle) Wait(ctx context.Context, lastBatch time.Duration) (Waited, error) {
	start := time.Now()
	var reason string
	err := t.wait(ctx, lastBatch, &reason)
	waited := Waited{Total: time.Since(start), Reason: reason}
	if err != nil {
		return waited, fmt.Errorf("wait for the throttle: %w", err)
	}
	return waited, nil
}

func (t *Throttle) wait(ctx context.Context, lastBatch time.Duration, reason *string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := until(ctx, t, t.ready); err != nil {
		return err
	}
	s, pause := t.enter(lastBatch, reason)
	if s == nil && pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		if err := until(ctx, t, timer.C); err != nil {
			return err
		}
		s, _ = t.enter(0, reason)
	}
	if s != nil {
		// What the throttle says after this does not count: who has waited has a batch.
		return until(ctx, t, s.resumed)
	}
	return nil
}

// enter returns the stop that holds a worker up, or the pause that it should make, and the reason of what it returns.
func (t *Throttle) enter(lastBatch time.Duration, reason *string) (s *stop, pause time.Duration) {
	defer t.tell()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.judge(now)
	if s = t.stop; s != nil {
		*reason = s.reason
		if s.told.IsZero() {
			s.told = now
			t.note(Event{Meter: s.gauge.Name, Value: s.gauge.value, Limit: s.gauge.Limit, Reason: s.reason})
		}
		return s, 0
	}
	if u := t.pressure; u >= NearLimit && u < 1 {
		pause = time.Duration(min(float64(lastBatch)*(u-NearLimit)/(1-u), float64(t.maxPause)))
	}
	if pause > 0 {
		*reason = fmt.Sprintf("%s is at %.0f %% of its limit", t.worst.Name, 100*t.pressure)
	}
	return nil, pause
}

// until waits for c.
func until[T any](ctx context.Context, t *Throttle, c <-chan T) error {
	select {
	case <-c: // whatever else has happened
		return nil
	default:
	}
	select {
	case <-c:
		return nil
	case <-t.died:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.fatal
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.ended:
		if ctx.Err() != nil { // both ended at once, as they mostly do
			return context.Cause(ctx)
		}
		return ErrThrottleEnded
	}
}
