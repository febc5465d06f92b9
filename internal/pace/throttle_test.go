package pace_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-dev/drover/internal/pace"
)

// signal is what a meter reads in a test.
type signal struct {
	mu    sync.Mutex
	value float64
	err   error
	hang  bool // until the context of the reading ends
	reads int
}

func (s *signal) set(value float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err, s.hang = value, err, false
}

func (s *signal) block() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = true
}

func (s *signal) read(ctx context.Context) (float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.hang {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return 0, ctx.Err()
	}
	return s.value, s.err
}

// lag is a meter with a limit of 2 s.
func (s *signal) lag() pace.Meter {
	return pace.Meter{Name: "replica lag", Limit: 2, Unit: "s", Read: s.read}
}

// throttled is a throttle that runs in a bubble, and the events it told.
type throttled struct {
	*pace.Throttle
	mu     sync.Mutex
	events []string
}

// run starts a throttle that ends with the test. It reads at whole seconds; the test goes on between two of them.
func run(t *testing.T, meters ...pace.Meter) *throttled {
	t.Helper()
	th := &throttled{}
	var err error
	th.Throttle, err = pace.NewThrottle(pace.ThrottleOptions{Meters: meters, Observe: func(e pace.Event) {
		th.Pressure() // an observer may ask
		th.mu.Lock()
		defer th.mu.Unlock()
		th.events = append(th.events, e.String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		th.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	time.Sleep(500 * time.Millisecond)
	return th
}

func (th *throttled) wait(t *testing.T, lastBatch time.Duration) pace.Waited {
	t.Helper()
	waited, err := th.Wait(t.Context(), lastBatch)
	if err != nil {
		t.Fatal(err)
	}
	return waited
}

func (th *throttled) told(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	th.mu.Lock()
	defer th.mu.Unlock()
	if diff := cmp.Diff(want, th.events, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// later calls fn after d, in the bubble.
func later(d time.Duration, fn func()) { time.AfterFunc(d, fn) }

func TestThrottle_StopAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 3.1}
		th := run(t, lag.lag())
		later(3*time.Second, func() { lag.set(1.9, nil) }) // below the limit, but not calm
		later(5*time.Second, func() { lag.set(0.9, nil) }) // read at 6 and 7 s
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				want := pace.Waited{Total: 6500 * time.Millisecond, Reason: "replica lag 3.1s > 2.0s"}
				if diff := cmp.Diff(want, th.wait(t, time.Second)); diff != "" {
					t.Errorf("waited (-want +got):\n%s", diff)
				}
			})
		}
		time.Sleep(time.Second)
		state := th.State()
		if !state.Stopped || state.Reason != "replica lag 3.1s > 2.0s" || time.Since(state.Since) != 1500*time.Millisecond || state.Pressure != 1.55 {
			t.Errorf("state %+v", state)
		}
		if r := state.Readings[0]; r.Meter != "replica lag" || r.Value != 3.1 || r.Limit != 2 || time.Since(r.At) != 500*time.Millisecond {
			t.Errorf("reading %+v", r)
		}
		workers.Wait()
		th.told(t, "throttled: replica lag 3.1s > 2.0s", "resumed after 6.5s, replica lag 0.9s")
		if w := th.wait(t, time.Second); w != (pace.Waited{}) {
			t.Errorf("waited %+v after the end", w)
		}
		if th.State().Stopped {
			t.Error("the state is still stopped")
		}
	})
}

func TestThrottle_CalmMustBeTwiceInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 4}
		th := run(t, lag.lag())
		values := []float64{0.5, 2.5, 0.5, 1.5, 0.5, 0.5} // read at 1, 2… s
		for i, v := range values {
			later(time.Duration(i)*time.Second, func() { lag.set(v, nil) })
		}
		if w := th.wait(t, 0); w.Total != 5500*time.Millisecond {
			t.Errorf("waited %v, want until 6 s", w.Total)
		}
	})
}

// TestThrottle_UnderTheLimitLongEnough: what was read before the stop does not shorten it.
func TestThrottle_UnderTheLimitLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{}
		th := run(t, lag.lag())
		time.Sleep(time.Minute)
		lag.set(3, nil)
		time.Sleep(time.Second)
		lag.set(1.3, nil)
		if w := th.wait(t, 0); w.Total != 9500*time.Millisecond {
			t.Errorf("waited %v, want for ten readings", w.Total)
		}
	})
}

func TestThrottle_Pause(t *testing.T) {
	tests := []struct {
		name  string
		value float64
		batch time.Duration
		want  time.Duration
	}{
		{"far away", 1.3, time.Second, 0},
		{"at 70 %", 1.4, time.Second, 0},
		{"half way", 1.7, time.Second, time.Second},
		{"near", 1.8, time.Second, 2 * time.Second},
		{"nearer", 1.99, time.Second, 5 * time.Second},
		{"the first batch", 1.8, 0, 0},
		{"a very long batch", 2 - 1e-15, 1000 * time.Hour, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lag := &signal{value: tt.value}
				th := run(t, lag.lag())
				w := th.wait(t, tt.batch)
				if diff := w.Total - tt.want; diff.Abs() > time.Microsecond {
					t.Errorf("paused %v, want %v", w.Total, tt.want)
				}
				if (w.Reason != "") != (tt.want > 0) || (tt.want > 0 && !strings.HasPrefix(w.Reason, "replica lag is at ")) {
					t.Errorf("reason %q", w.Reason)
				}
				if got := th.Pressure(); got != tt.value/2 {
					t.Errorf("pressure %v, want %v", got, tt.value/2)
				}
				th.told(t)
			})
		})
	}
}

func TestThrottle_PauseBecomesAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 1.9}
		th := run(t, lag.lag())
		later(time.Second, func() { lag.set(2, nil) })
		later(6*time.Second, func() { lag.set(0, nil) }) // read at 7 and 8 s
		if w := th.wait(t, time.Minute); w.Total != 7500*time.Millisecond || w.Reason != "replica lag is at its limit of 2.0s" {
			t.Errorf("waited %+v", w)
		}
		th.told(t, "throttled: replica lag is at its limit of 2.0s", "resumed after 2.5s, replica lag 0.0s")
	})
}

func TestThrottle_TellsOnlyOfWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 3}
		th := run(t, lag.lag())
		lag.set(0, nil)
		time.Sleep(3 * time.Second)
		if w := th.wait(t, 0); w != (pace.Waited{}) {
			t.Errorf("waited %+v", w)
		}
		th.told(t)
	})
}

func TestThrottle_Fatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 3}
		m := lag.lag()
		m.Fatal = 60
		th := run(t, m)
		later(2*time.Second, func() { lag.set(61, nil) })
		var workers sync.WaitGroup
		for range 3 {
			workers.Go(func() {
				w, err := th.Wait(t.Context(), 0)
				fatal, ok := errors.AsType[*pace.FatalError](err)
				if !ok || fatal.Meter != "replica lag" || fatal.Value != 61 || w.Total != 2500*time.Millisecond {
					t.Errorf("waited %+v, error %v", w, err)
				}
				if want := "wait for the throttle: replica lag 61.0s reached its fatal limit of 60.0s"; err != nil && err.Error() != want {
					t.Errorf("error %q, want %q", err, want)
				}
			})
		}
		workers.Wait()
		lag.set(0, nil)
		time.Sleep(time.Minute)
		if _, err := th.Wait(t.Context(), 0); err == nil {
			t.Error("work went on after a fatal value")
		}
	})
}

func TestThrottle_FatalEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 1.9}
		m := lag.lag()
		m.Fatal = 60
		th := run(t, m)
		lag.set(60, nil)
		w, err := th.Wait(t.Context(), time.Minute)
		if _, ok := errors.AsType[*pace.FatalError](err); !ok || w.Total != 500*time.Millisecond {
			t.Errorf("waited %+v, error %v", w, err)
		}
	})
}

func TestThrottle_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: 3}
		th, err := pace.NewThrottle(pace.ThrottleOptions{Meters: []pace.Meter{lag.lag()}})
		if err != nil {
			t.Fatal(err)
		}
		cause := errors.New("stopped by hand")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			th.Run(ctx)
		}()
		results := make(chan error, 2)
		go func() {
			_, err := th.Wait(ctx, 0)
			results <- err
		}()
		synctest.Wait()
		cancel(cause)
		if err := <-results; !errors.Is(err, cause) {
			t.Errorf("error %v, want the cause", err)
		}
		<-ended
		if _, err := th.Wait(t.Context(), 0); !errors.Is(err, pace.ErrThrottleEnded) {
			t.Errorf("error %v, want ErrThrottleEnded", err)
		}
		if _, err := th.Wait(ctx, 0); !errors.Is(err, cause) {
			t.Errorf("error %v, want the cause", err)
		}
	})
}

func TestThrottle_WithoutMeters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := run(t)
		time.Sleep(3 * time.Hour)
		if w := th.wait(t, time.Hour); w != (pace.Waited{}) || th.Pressure() != 0 {
			t.Errorf("waited %+v, pressure %v", w, th.Pressure())
		}
	})
}
