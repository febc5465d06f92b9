package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drover-dev/drover/internal/runstore"
)

const (
	pollEvery  = time.Second
	leaseParts = 3 // the lease is renewed when a third of it is over
)

// heart renews the lease and looks for requests, beside the workers.
type heart struct {
	mu      sync.Mutex
	renewed time.Time
	waiting string // why the workers wait
	told    string // what the store knows of it
	options map[string]string
	lose    context.CancelCauseFunc
	events  []runstore.Event // to be stored
	kept    int
}

// beat runs until ctx ends. It sends its statements in blocks of their own, so it needs a connection beside the workers'.
func (r *runner) beat(ctx context.Context) {
	ticker := time.NewTicker(min(pollEvery, r.settings.Lease/leaseParts)) // a short lease must not run out between two beats
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r.pulse(ctx)
	}
}

// pulse is one beat. What fails because the database is away is tried again with the next: what guards the data is the token, not the lease.
func (r *runner) pulse(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, r.settings.Lease)
	defer cancel()
	steps := []func(context.Context) error{r.poll, r.tellWaiting}
	if r.leaseDue() && !r.conn.Dialect().Features().SingleWriter || r.leaseOverdue() {
		steps = append([]func(context.Context) error{r.renew}, steps...) // before what can wait
	}
	for _, step := range steps {
		if err := step(limited); errors.Is(err, runstore.ErrFenced) {
			r.loseRun()
			return
		}
	}
	r.look()
	r.flushEvents(limited)
}

// loseRun cancels the statements under way: the run is another runner's.
func (r *runner) loseRun() { r.heart.lose(ErrTakenOver) }

// leaseDue reports whether a third of the lease is over.
func (r *runner) leaseDue() bool { return r.sinceRenewed() >= r.settings.Lease/leaseParts }

// leaseOverdue reports whether half of it is: on a database with one writer the batches renew it, unless the run waits or a batch is long.
func (r *runner) leaseOverdue() bool { return r.sinceRenewed() >= r.settings.Lease/2 }

// sinceRenewed is measured by the process's own monotonic clock.
func (r *runner) sinceRenewed() time.Duration {
	r.heart.mu.Lock()
	defer r.heart.mu.Unlock()
	return time.Since(r.heart.renewed)
}

func (r *runner) noteRenewed() {
	r.heart.mu.Lock()
	defer r.heart.mu.Unlock()
	r.heart.renewed = time.Now()
}

func (r *runner) renew(ctx context.Context) error {
	if err := r.store.Renew(ctx, r.current, r.settings.Lease); err != nil {
		return err
	}
	r.noteRenewed()
	return nil
}

// poll looks for requests and for options that were changed.
func (r *runner) poll(ctx context.Context) error {
	request, options, err := r.store.Poll(ctx, r.current)
	if err != nil {
		return err
	}
	switch request {
	case runstore.RequestPause:
		r.askStop("a request to pause", false)
	case runstore.RequestCancel:
		r.askStop("a request to cancel", true)
	}
	r.heart.mu.Lock()
	before := r.heart.options
	r.heart.options = options
	r.heart.mu.Unlock()
	for name, value := range options {
		if old, ok := before[name]; before != nil && (!ok || old != value) {
			r.change(name, value)
		}
	}
	return nil
}

// Options of a run that can be changed while it lasts.
const (
	optionBatchSize = "batch-size"
	optionWorkers   = "workers"
	optionRate      = "rows-per-second"
	optionMaxErrors = "max-errors"
)

// CheckOption refuses an option that cannot be changed while a run lasts, and values that make no sense.
func CheckOption(name, value string) error {
	var err error
	switch name {
	case optionBatchSize:
		err = within(value, 1, maxBatch)
	case optionWorkers:
		err = within(value, 1, maxWorkers)
	case optionMaxErrors:
		err = within(value, 0, math.MaxInt64)
	case optionRate:
		var f float64
		if f, err = strconv.ParseFloat(value, 64); err == nil && !(f >= 0 && f <= math.MaxInt32) {
			err = errors.New("must be a number that is not negative")
		}
	default:
		return fmt.Errorf("%q cannot be changed while a run lasts; %s, %s, %s and %s can", name, optionBatchSize, optionMaxErrors, optionRate, optionWorkers)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", name, value, err)
	}
	return nil
}

func within(value string, least, most int64) error {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return errors.New("not a whole number")
	case n < least || n > most:
		return fmt.Errorf("must be between %d and %d", least, most)
	}
	return nil
}

// keepSet takes over the options that were changed from outside since the run began. One for which this runner was given another value than the runner
// that began the run counts as it is given.
func (r *runner) keepSet(ctx context.Context) error {
	events, err := r.store.Events(ctx, r.current.ID, 0)
	if err != nil {
		return err
	}
	r.kept = nil
	given := r.storedOptions()
	began := map[string]string{}
	for _, e := range events {
		name, change, _ := strings.Cut(e.Text, ": ")
		if _, seen := began[name]; e.Type == "set" && !seen {
			began[name], _, _ = strings.Cut(change, " → ")
		}
	}
	s := r.settings
	for _, name := range slices.Sorted(maps.Keys(began)) {
		value := r.current.Options[name]
		if given[name] != began[name] || value == given[name] || CheckOption(name, value) != nil {
			continue
		}
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case optionBatchSize:
			s.BatchSize = int(number)
			r.sizer.SetSize(s.BatchSize)
		case optionWorkers:
			if r.conn.Dialect().Features().SingleWriter {
				continue
			}
			s.Workers = int(number)
		case optionRate:
			s.RowsPerSecond = number
			r.rate.SetLimit(number)
		case optionMaxErrors:
			s.MaxErrors = int64(number)
		}
		r.kept = append(r.kept, name+" is "+value)
	}
	return nil
}

// change applies an option that was changed from outside.
func (r *runner) change(name, value string) {
	if CheckOption(name, value) != nil {
		return // written by something else than Set
	}
	number, _ := strconv.ParseFloat(value, 64)
	switch name {
	case optionBatchSize:
		r.noteSize(r.sizer.SetSize(int(number)))
	case optionWorkers:
		r.wanted.Store(int64(min(number, maxWorkers)))
		if r.canary.size() == 0 {
			r.withCrew(func(c *crew) { c.setTarget(r.workers()) })
		}
	case optionRate:
		r.rate.SetLimit(number)
	case optionMaxErrors:
		r.failures.setLimit(int64(number))
	}
	r.emit(Event{Type: EventSet, Text: name + " is now " + value})
}

// look stops the run when its time is over.
func (r *runner) look() {
	now := r.now()
	s := r.settings
	switch {
	case s.TimeLimit > 0 && now.Sub(r.began) >= s.TimeLimit:
		r.askStop("the time limit of "+s.TimeLimit.String(), false)
	case s.window != nil && !s.window.Open(now):
		r.askStop(r.outsideWindow(now), false)
	}
}

func (r *runner) outsideWindow(now time.Time) string {
	return fmt.Sprintf("the window %s, which opens at %s", r.settings.window, r.settings.window.Next(now).Format("2006-01-02 15:04 MST"))
}

// askStop makes the run end between two batches.
func (r *runner) askStop(reason string, cancelled bool) {
	if r.stop.ask(reason, cancelled) {
		r.emit(Event{Type: EventStopping, Text: reason})
	}
}

// setWaiting notes why the workers wait, for the store's next pulse.
func (r *runner) setWaiting(reason string) {
	r.heart.mu.Lock()
	defer r.heart.mu.Unlock()
	r.heart.waiting = reason
}

// tellWaiting writes it.
func (r *runner) tellWaiting(ctx context.Context) error {
	r.heart.mu.Lock()
	reason, told := r.heart.waiting, r.heart.told
	r.heart.mu.Unlock()
	if reason == told {
		return nil
	}
	if err := r.store.Waiting(ctx, r.current, reason); err != nil {
		return err
	}
	r.heart.mu.Lock()
	defer r.heart.mu.Unlock()
	r.heart.told = reason
	return nil
}

// keptEvents is how many events of one attempt are stored: enough to see what happened, and no flood.
const keptEvents = 1000

// keepEvent stores an event with the next pulse.
func (r *runner) keepEvent(kind, text string) {
	r.heart.mu.Lock()
	defer r.heart.mu.Unlock()
	if r.heart.kept++; r.heart.kept <= keptEvents {
		r.heart.events = append(r.heart.events, runstore.Event{Type: kind, Text: text})
	}
}

// flushEvents stores what keepEvent was told. A failure takes nothing from the run: the events are for people.
func (r *runner) flushEvents(ctx context.Context) {
	r.heart.mu.Lock()
	events := r.heart.events
	r.heart.events = nil
	r.heart.mu.Unlock()
	for _, e := range events {
		if err := r.store.AddEvent(ctx, r.id(), e.Type, r.settings.Owner, e.Text); err != nil {
			return
		}
	}
}
