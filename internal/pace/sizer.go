package pace

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Defaults of [SizerOptions].
const (
	DefaultSize    = 1000
	DefaultMinSize = 10
	DefaultMaxSize = 100_000
	DefaultTarget  = 500 * time.Millisecond
)

const (
	decay     = 0.75 // of the sums with each batch: the last four batches make 70 % of them
	maxShrink = 0.5  // of the size, in one step
	maxGrowth = 1.5
	deadBand  = 0.1 // a change by less of the size is noise
	slowAfter = 3   // times the target: too slow to wait for an average
	firstNeed = 2   // successes after a failure: the two halves of the batch that failed
	maxNeed   = 64
)

// SizerOptions are the options of [NewSizer].
type SizerOptions struct {
	// Size is the size of a batch, or the first one with Auto. Default [DefaultSize], or Max if that is less.
	Size int
	// Min and Max bound what Auto chooses for speed; defaults [DefaultMinSize] and [DefaultMaxSize]. Max bounds every
	// size, also a fixed one. A failure may cut below Min, down to 1.
	Min, Max int
	// Auto lets the size follow the time that batches take.
	Auto bool
	// Target is the time that a batch should take with Auto. Default [DefaultTarget].
	Target time.Duration
}

// Change is a change of the batch size and why it was made.
type Change struct {
	From, To int
	Reason   string
}

// Sizer chooses the size of batches. It is safe for concurrent use by the workers of a run, which share one size.
//
// With Auto the law is: of all batches, weighted by 0.75 per batch since, take the rows and the time; so many rows fit
// into the target time; go there, by at most half down and half up in one step. A batch that took more than three times
// the target halves the size at once; a second one in a row quarters it and forgets what was measured before. A batch
// that matched less than half of its rows and was fast tells nothing about a full one and is left out.
//
// A batch that failed on a deadlock or a timeout halves the size, fixed or auto: the range is tried again as two halves.
// A fixed size doubles again, up to what was set, after two batches without a failure: the range that failed is behind
// by then. When the larger size fails again, twice as many successes are asked for as before, at most 64, so that a size
// which times out each time is not tried at each step. With Auto the size grows by its law, and past the size that
// failed only after as many successes. One success at that size ends the memory of the failure.
//
// A batch counts only for the size that it ran with: workers that began before a change do not repeat it.
type Sizer struct {
	mu       sync.Mutex
	min, max int
	target   time.Duration
	auto     bool
	held     bool

	size  int
	fixed int // the size to go back to when not auto

	rows, seconds float64 // the weighted sums
	slow          int     // batches in a row that were far too slow

	failed int    // the size of the last failure; 0 when it was overcome
	kind   string // of that failure
	need   int    // successes before the failed size is tried again
	good   int    // successes since the failure or the last step back
}

// NewSizer returns a sizer, or an error about options that contradict each other.
func NewSizer(o SizerOptions) (*Sizer, error) {
	if o.Size < 0 || o.Min < 0 || o.Max < 0 || o.Target < 0 {
		return nil, errors.New("batch size: sizes and the target time must not be negative")
	}
	if o.Max == 0 {
		o.Max = max(DefaultMaxSize, o.Min)
	}
	if o.Min == 0 {
		o.Min = min(DefaultMinSize, o.Max)
	}
	if o.Size == 0 {
		o.Size = min(max(DefaultSize, o.Min), o.Max)
	}
	if o.Target == 0 {
		o.Target = DefaultTarget
	}
	switch {
	case o.Min > o.Max:
		return nil, fmt.Errorf("batch size: the minimum %d is above the maximum %d", o.Min, o.Max)
	case o.Size > o.Max:
		return nil, fmt.Errorf("batch size: %d is above the maximum %d", o.Size, o.Max)
	case o.Auto && o.Size < o.Min:
		return nil, fmt.Errorf("batch size: %d is below the minimum %d", o.Size, o.Min)
	}
	return &Sizer{min: o.Min, max: o.Max, target: o.Target, auto: o.Auto, size: o.Size, fixed: o.Size}, nil
}

// Size returns the size of the next batch, at least 1.
func (s *Sizer) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Hold stops the size from growing while on: a run that is held back by its throttle must not answer with larger
// batches. It shrinks as before.
func (s *Sizer) Hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = on
}

// SetSize makes n the fixed size from the next batch on, at most the maximum; 0 or less lets the size follow the time
// of the batches from where it is, as with Auto.
func (s *Sizer) SetSize(n int) (Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows, s.seconds, s.slow = 0, 0, 0
	s.failed, s.need, s.good = 0, 0, 0
	if s.auto = n <= 0; s.auto {
		return s.to(max(s.size, s.min), "set to auto")
	}
	reason := fmt.Sprintf("set to %d", n)
	if n > s.max {
		reason += fmt.Sprintf(", the maximum is %d", s.max)
	}
	s.fixed = min(n, s.max)
	return s.to(s.fixed, reason)
}

// Failed halves the size after a batch of the given size failed on what a smaller batch may escape: kind is the reason
// to tell, such as "deadlock", "lock timeout" or "statement timeout". It changes nothing at size 1, nor when another
// worker's failure has cut the size already.
func (s *Sizer) Failed(size int, kind string) (Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.size {
		return Change{}, false
	}
	switch {
	case s.failed == 0:
		s.need = firstNeed
	case size >= s.failed: // it was tried again, and too early
		s.need = min(2*s.need, maxNeed)
	}
	s.failed, s.kind, s.good = size, kind, 0
	return s.to(max(s.size/2, 1), kind)
}

// Done takes in a batch that was asked for with the given size, had so many rows and took so long, and reports whether
// the size changed.
func (s *Sizer) Done(size, rows int, took time.Duration) (Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tooSlow := s.auto && took > slowAfter*s.target
	// A batch of an older size is no measure of this one, but where a smaller one was too slow this one is as well.
	if size > s.size || (size < s.size && !tooSlow) {
		return Change{}, false
	}
	if size == s.size {
		s.good++
		if s.failed > 0 && size >= s.failed {
			s.failed, s.need = 0, 0
		}
		if !s.auto {
			return s.back()
		}
		if !tooSlow {
			s.slow = 0
		}
		if 2*rows < size && took < s.target {
			return Change{}, false
		}
		s.rows = decay*s.rows + float64(rows)
		s.seconds = decay*s.seconds + max(took, time.Microsecond).Seconds()
	}
	if tooSlow {
		return s.cut(took)
	}
	return s.follow()
}

// cut answers a batch that was far too slow.
func (s *Sizer) cut(took time.Duration) (Change, bool) {
	s.slow++
	to, which := s.size/2, "a batch"
	if s.slow > 1 {
		to, which = s.size/4, "one more batch"
		s.rows, s.seconds = 0, 0
	}
	reason := fmt.Sprintf("%s took %v, more than %d times the target of %v", which, took.Round(10*time.Millisecond), slowAfter, s.target)
	return s.to(max(to, s.floor()), reason)
}

// floor is the least size that speed alone may choose: a failure may have cut below the minimum.
func (s *Sizer) floor() int { return min(s.size, s.min) }

// follow goes towards the size that takes the target time.
func (s *Sizer) follow() (Change, bool) {
	n, perRow := float64(s.size), s.seconds/max(s.rows, 1)
	want := min(max(s.target.Seconds()/perRow, maxShrink*n), maxGrowth*n)
	if math.Abs(want-n) < deadBand*n {
		return Change{}, false
	}
	to := max(int(want), s.floor())
	if want > n {
		to = min(max(to, s.size+1), s.max)
		if s.failed > 0 && s.good < s.need {
			to = min(to, max(s.failed-1, s.size))
		}
		if s.held {
			to = s.size
		}
	}
	takes := time.Duration(perRow * n * float64(time.Second))
	return s.to(to, fmt.Sprintf("a batch of %d takes %v, the target is %v", s.size, takes.Round(10*time.Millisecond), s.target))
}

// back goes from the size after a failure towards the fixed one.
func (s *Sizer) back() (Change, bool) {
	if s.size >= s.fixed || s.held || s.good < max(s.need, firstNeed) {
		return Change{}, false
	}
	good := s.good
	s.good = 0
	return s.to(min(2*s.size, s.fixed), fmt.Sprintf("%d batches without a failure after a %s", good, s.kind))
}

func (s *Sizer) to(n int, reason string) (Change, bool) {
	c := Change{From: s.size, To: n, Reason: reason}
	s.size = n
	return c, c.From != c.To
}
