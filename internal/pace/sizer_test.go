package pace_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pace"
)

func newSizer(t *testing.T, o pace.SizerOptions) *pace.Sizer {
	t.Helper()
	s, err := pace.NewSizer(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewSizer_Options(t *testing.T) {
	tests := []struct {
		name string
		o    pace.SizerOptions
		size int
		err  string
	}{
		{"defaults", pace.SizerOptions{}, 1000, ""},
		{"defaults of auto", pace.SizerOptions{Auto: true}, 1000, ""},
		{"a small maximum", pace.SizerOptions{Max: 4, Auto: true}, 4, ""},
		{"a large minimum", pace.SizerOptions{Min: 200_000, Auto: true}, 200_000, ""},
		{"fixed below the minimum", pace.SizerOptions{Size: 1}, 1, ""},
		{"auto below the minimum", pace.SizerOptions{Size: 1, Auto: true}, 0, "batch size: 1 is below the minimum 10"},
		{"above the maximum", pace.SizerOptions{Size: 11, Max: 10}, 0, "batch size: 11 is above the maximum 10"},
		{"bounds crossed", pace.SizerOptions{Min: 9, Max: 8}, 0, "batch size: the minimum 9 is above the maximum 8"},
		{"negative", pace.SizerOptions{Size: -1}, 0, "batch size: sizes and the target time must not be negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := pace.NewSizer(tt.o)
			if err != nil {
				if err.Error() != tt.err {
					t.Errorf("error %q, want %q", err, tt.err)
				}
				return
			}
			if tt.err != "" || s.Size() != tt.size {
				t.Errorf("size %d, want %d and the error %q", s.Size(), tt.size, tt.err)
			}
		})
	}
}

// step is a batch of a scenario: its rows and time, or its failure, and the size after it.
type step struct {
	size, rows int // size 0 is the size that the sizer says, rows 0 a full batch
	took       time.Duration
	failed     string
	want       int
	reason     string // part of it; "" is no change
}

func TestSizer_Law(t *testing.T) {
	const ms = time.Millisecond
	auto := pace.SizerOptions{Size: 1000, Auto: true}
	fixed := pace.SizerOptions{Size: 1000}
	tests := []struct {
		name  string
		o     pace.SizerOptions
		steps []step
	}{
		{"grows by half at most", auto, []step{
			{took: 10 * ms, want: 1500, reason: "a batch of 1000 takes 10ms, the target is 500ms"},
			{took: 15 * ms, want: 2250, reason: "a batch of 1500 takes 20ms"},
		}},
		{"shrinks by half at most", auto, []step{{took: 1400 * ms, want: 500, reason: "a batch of 1000 takes 1.4s"}}},
		{"goes to the target", auto, []step{{took: 625 * ms, want: 800, reason: "takes 630ms"}, {took: 500 * ms, want: 800}}},
		{"small changes are noise", auto, []step{{took: 530 * ms, want: 1000}, {took: 470 * ms, want: 1000}}},
		{"far too slow", auto, []step{
			{took: 1600 * ms, want: 500, reason: "a batch took 1.6s, more than 3 times the target of 500ms"},
			{took: 1600 * ms, want: 125, reason: "one more batch took 1.6s"},
			{took: 60 * ms, want: 187, reason: "a batch of 125 takes 60ms"}, // what was before is forgotten
		}},
		{"slow, good, slow", auto, []step{
			{took: 1600 * ms, want: 500, reason: "a batch took"},
			{took: 500 * ms, want: 367, reason: "a batch of 500 takes"},
			{took: 1600 * ms, want: 183, reason: "a batch took"},
		}},
		{"speed stops at the minimum", pace.SizerOptions{Size: 12, Auto: true}, []step{{took: 9 * time.Second, want: 10, reason: "a batch took"}, {took: 9 * time.Second, want: 10}}},
		{"and at the maximum", pace.SizerOptions{Size: 1000, Max: 1200, Auto: true}, []step{{took: ms, want: 1200, reason: "takes"}, {took: ms, want: 1200}}},
		{"sparse and fast tells nothing", auto, []step{{rows: 3, took: 4 * ms, want: 1000}, {rows: 499, took: 499 * ms, want: 1000}}},
		{"sparse and slow tells enough", auto, []step{{rows: 3, took: 600 * ms, want: 500, reason: "takes"}}},
		{"a failure goes below the minimum, speed grows from there", pace.SizerOptions{Size: 10, Auto: true}, []step{
			{failed: "deadlock", want: 5, reason: "deadlock"},
			{failed: "deadlock", want: 2, reason: "deadlock"},
			{failed: "deadlock", want: 1, reason: "deadlock"},
			{failed: "deadlock", want: 1},
			{took: ms, want: 2, reason: "takes"},
			{took: ms, want: 3, reason: "takes"},
			{took: 2 * time.Second, want: 3},
		}},
		{"auto comes back below the failed size, then past it", auto, []step{
			{failed: "lock timeout", want: 500, reason: "lock timeout"},
			{took: ms, want: 750, reason: "takes"},
			{took: ms, want: 1125, reason: "takes"},
			{failed: "lock timeout", want: 562, reason: "lock timeout"}, // now four successes are needed
			{took: ms, want: 843, reason: "takes"},
			{took: ms, want: 1124, reason: "takes"},
			{took: ms, want: 1124},
			{took: ms, want: 1686, reason: "takes"},
			{took: ms, want: 2529, reason: "takes"},
		}},
		{"a fixed size does not follow the time", fixed, []step{{took: 9 * time.Second, want: 1000}, {took: ms, want: 1000}}},
		{"a fixed size is halved and goes back", fixed, []step{
			{failed: "deadlock", want: 500, reason: "deadlock"},
			{failed: "deadlock", want: 250, reason: "deadlock"},
			{took: ms, want: 250},
			{took: ms, want: 500, reason: "2 batches without a failure after a deadlock"},
			{took: ms, want: 500},
			{took: ms, want: 1000, reason: "2 batches without a failure after a deadlock"},
			{took: ms, want: 1000},
		}},
		{"a fixed size that fails each time is tried less often", fixed, []step{
			{failed: "statement timeout", want: 500, reason: "statement timeout"},
			{took: ms, want: 500},
			{took: ms, want: 1000, reason: "2 batches"},
			{failed: "statement timeout", want: 500, reason: "statement timeout"},
			{took: ms, want: 500},
			{took: ms, want: 500},
			{took: ms, want: 500},
			{took: ms, want: 1000, reason: "4 batches"},
			{took: ms, want: 1000}, // overcome
			{failed: "statement timeout", want: 500, reason: "statement timeout"},
			{took: ms, want: 500},
			{took: ms, want: 1000, reason: "2 batches"},
		}},
		{"what began before a change", auto, []step{
			{size: 1000, took: 1600 * ms, want: 500, reason: "a batch took"},
			{size: 1000, took: 1600 * ms, want: 500},
			{size: 1000, failed: "deadlock", want: 500},
			{size: 1000, took: ms, want: 500},
			{size: 100, took: ms, want: 500},
			{size: 100, took: 1600 * ms, want: 125, reason: "one more batch"}, // smaller, and still too slow
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSizer(t, tt.o)
			for i, b := range tt.steps {
				before := s.Size()
				if b.size == 0 {
					b.size = before
				}
				if b.rows == 0 {
					b.rows = b.size
				}
				c, changed := pace.Change{}, false
				if b.failed != "" {
					c, changed = s.Failed(b.size, b.failed)
				} else {
					c, changed = s.Done(b.size, b.rows, b.took)
				}
				if s.Size() != b.want || changed != (b.reason != "") || !strings.Contains(c.Reason, b.reason) {
					t.Fatalf("step %d: size %d, change %v %+v, want %d %q", i, s.Size(), changed, c, b.want, b.reason)
				}
				if changed && (c.From != before || c.To != b.want) {
					t.Errorf("step %d: change %+v, want from %d to %d", i, c, before, b.want)
				}
			}
		})
	}
}

func TestSizer_Hold(t *testing.T) {
	s := newSizer(t, pace.SizerOptions{Auto: true})
	s.Hold(true)
	if c, changed := s.Done(1000, 1000, time.Millisecond); changed {
		t.Errorf("grew while held: %+v", c)
	}
	if _, changed := s.Done(1000, 1000, 2*time.Second); !changed || s.Size() != 500 {
		t.Errorf("size %d after a slow batch while held, want 500", s.Size())
	}
	s.Hold(false)
	s.Done(500, 500, time.Millisecond)
	s.Done(s.Size(), s.Size(), time.Millisecond)
	s.Done(s.Size(), s.Size(), time.Millisecond)
	if s.Size() <= 500 {
		t.Errorf("size %d after the hold, want growth", s.Size())
	}

	fixed := newSizer(t, pace.SizerOptions{Size: 8})
	fixed.Failed(8, "deadlock")
	fixed.Hold(true)
	for range 5 {
		fixed.Done(4, 4, time.Millisecond)
	}
	if fixed.Size() != 4 {
		t.Errorf("a fixed size went back to %d while held", fixed.Size())
	}
}

func TestSizer_SetSize(t *testing.T) {
	s := newSizer(t, pace.SizerOptions{Auto: true, Max: 2000})
	for _, tt := range []struct {
		n    int
		want pace.Change
	}{
		{300, pace.Change{From: 1000, To: 300, Reason: "set to 300"}},
		{5000, pace.Change{From: 300, To: 2000, Reason: "set to 5000, the maximum is 2000"}},
		{2, pace.Change{From: 2000, To: 2, Reason: "set to 2"}},
		{0, pace.Change{From: 2, To: 10, Reason: "set to auto"}},
	} {
		got, changed := s.SetSize(tt.n)
		if diff := cmp.Diff(tt.want, got); diff != "" || !changed {
			t.Errorf("SetSize(%d) (-want +got):\n%s", tt.n, diff)
		}
		size := s.Size()
		if _, moved := s.Done(size, size, time.Millisecond); moved != (tt.n == 0) {
			t.Errorf("after SetSize(%d) a fast batch changed the size: %v", tt.n, moved)
		}
	}
}

// TestSizer_WorkersTogether lets many batches of one size end at once: the size may make one step only.
func TestSizer_WorkersTogether(t *testing.T) {
	for _, tt := range []struct {
		name string
		want int
		end  func(s *pace.Sizer) (pace.Change, bool)
	}{
		{"fast", 1500, func(s *pace.Sizer) (pace.Change, bool) { return s.Done(1000, 1000, time.Millisecond) }},
		{"slow", 500, func(s *pace.Sizer) (pace.Change, bool) { return s.Done(1000, 1000, 10*time.Second) }},
		{"failed", 500, func(s *pace.Sizer) (pace.Change, bool) { return s.Failed(1000, "deadlock") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSizer(t, pace.SizerOptions{Auto: true})
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					tt.end(s)
					s.Hold(false)
				})
			}
			workers.Wait()
			if s.Size() != tt.want {
				t.Errorf("size %d, want %d", s.Size(), tt.want)
			}
		})
	}
}

func TestSizer_AlwaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := pace.SizerOptions{
			Min: rapid.IntRange(1, 50).Draw(rt, "min"), Max: rapid.IntRange(50, 5000).Draw(rt, "max"),
			Auto: rapid.Bool().Draw(rt, "auto"),
		}
		s, err := pace.NewSizer(o)
		if err != nil {
			rt.Fatal(err)
		}
		failures, sized := false, !o.Auto
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			before := s.Size()
			var c pace.Change
			var changed bool
			took := time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(rt, "took"))
			switch rapid.SampledFrom([]string{"full", "full", "some", "old", "failed", "set", "hold"}).Draw(rt, "what") {
			case "full":
				c, changed = s.Done(before, before, took)
			case "some":
				c, changed = s.Done(before, rapid.IntRange(0, before).Draw(rt, "rows"), took)
			case "old":
				size := rapid.IntRange(1, o.Max).Draw(rt, "size")
				c, changed = s.Done(size, size, took)
			case "failed":
				failures = true
				c, changed = s.Failed(before, "deadlock")
				if s.Size() != max(before/2, 1) {
					rt.Fatalf("size %d after a failure at %d", s.Size(), before)
				}
			case "set":
				sized = true
				c, changed = s.SetSize(rapid.IntRange(0, 2*o.Max).Draw(rt, "n"))
			case "hold":
				s.Hold(rapid.Bool().Draw(rt, "on"))
			}
			size := s.Size()
			if size < 1 || size > o.Max || (size < o.Min && !failures && !sized) {
				rt.Fatalf("size %d is out of bounds", size)
			}
			if changed != (size != before) || (changed && (c.From != before || c.To != size || c.Reason == "")) {
				rt.Fatalf("size %d to %d, told as %v %+v", before, size, changed, c)
			}
		}
	})
}

// TestSizer_Simulation runs the sizer against a database that takes 4 ms a batch and 20 µs a row, and ten times as long
// in the middle third, with log-normal noise and one spike in a hundred.
//
// The random numbers are fixed; the bounds leave room for other ones.
func TestSizer_Simulation(t *testing.T) {
	const (
		seeds, batches = 200, 900
		target         = 0.5
	)
	var reached, cut, settled, quick int
	var rows, seconds, over float64
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newSizer(t, pace.SizerOptions{Auto: true})
		firstReached, firstCut := -1, -1
		for i := range batches {
			factor := 1.0
			if i >= batches/3 && i < 2*batches/3 {
				factor = 10
			}
			n := s.Size()
			ideal := (target - 0.004*factor) / (20e-6 * factor)
			if firstReached < 0 && float64(n) >= 0.8*ideal {
				firstReached = i
			}
			mean := factor * (0.004 + 20e-6*float64(n))
			if factor > 1 && firstCut < 0 && mean <= 2*target {
				firstCut = i - batches/3
			}
			took := mean * math.Exp(0.25*random.NormFloat64())
			if random.Float64() < 0.01 {
				took += 1.5
			}
			if took > 2*target {
				over++
			}
			rows += float64(n)
			seconds += took
			s.Done(n, n, time.Duration(took*float64(time.Second)))
		}
		if firstReached >= 0 && firstReached <= 12 {
			settled++
		}
		if firstReached < 0 {
			firstReached = batches
		}
		reached += firstReached
		if firstCut >= 0 && firstCut <= 3 {
			quick++
		} else if firstCut < 0 || firstCut > 8 {
			t.Errorf("seed %d: cut %d batches after the slow-down", seed, firstCut)
		}
		cut += firstCut
	}
	t.Logf("%.0f rows/s, %.2f %% of batches beyond twice the target, 80 %% of the ideal after %.1f batches (within 12 in %d of %d), cut after %.1f (within 3 in %d)",
		rows/seconds, 100*over/(seeds*batches), float64(reached)/seeds, settled, seeds, float64(cut)/seeds, quick)
	if mean := float64(reached) / seeds; mean > 12 || settled < seeds*9/10 {
		t.Errorf("80 %% of the ideal after %.1f batches, within 12 in %d of %d seeds", mean, settled, seeds)
	}
	if mean := float64(cut) / seeds; mean > 3 || quick < seeds*9/10 {
		t.Errorf("cut %.1f batches after the slow-down, within 3 in %d of %d seeds", mean, quick, seeds)
	}
	if share := over / (seeds * batches); share > 0.025 {
		t.Errorf("%.2f %% of the batches took more than twice the target", 100*share)
	}
}
