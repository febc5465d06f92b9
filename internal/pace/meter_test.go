package pace_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-dev/drover/internal/pace"
)

func TestThrottle_FirstDecisionWaitsForTheFirstReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		slow := pace.Meter{Name: "wal", Limit: 1 << 30, Unit: "B", Read: func(ctx context.Context) (float64, error) {
			if calls.Add(1) == 1 {
				time.Sleep(2 * time.Second)
			}
			return 3 << 29, nil
		}}
		lag := &signal{}
		th := run(t, lag.lag(), slow)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w, err := th.Wait(ctx, 0)
		if !errors.Is(err, context.DeadlineExceeded) || w.Total != 5*time.Second || w.Reason != "wal 1.5 GiB > 1 GiB" {
			t.Errorf("waited %+v, error %v; want the limit to hold", w, err)
		}
		th.told(t, "throttled: wal 1.5 GiB > 1 GiB")
	})
}

func TestThrottle_FailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag, other := &signal{value: 0.2}, &signal{}
		optional := other.lag()
		optional.Name, optional.Optional = "dead rows", true
		th := run(t, lag.lag(), optional)

		lag.set(0, errors.New("connection refused"))
		time.Sleep(time.Second)
		later(3*time.Second, func() { lag.set(0.2, nil) }) // read at 5 and 6 s
		w := th.wait(t, 0)
		if w.Total != 4500*time.Millisecond || w.Reason != "replica lag cannot be read: connection refused" {
			t.Errorf("waited %+v", w)
		}
		if p := th.State().Readings; p[0].Value != 0.2 {
			t.Errorf("readings %+v", p)
		}
		th.told(t, "throttled: replica lag cannot be read: connection refused", "resumed after 4.5s, replica lag 0.2s")
	})
}

func TestThrottle_FrozenValueIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag, other := &signal{value: 0.2}, &signal{}
		th := run(t, lag.lag(), other.lag())
		lag.block() // the value of 0 s is the last; readings hang and do not fail until 4 s
		time.Sleep(2400 * time.Millisecond)
		if w := th.wait(t, 0); w != (pace.Waited{}) {
			t.Errorf("waited %+v while the value was not stale", w)
		}
		time.Sleep(200 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if w, err := th.Wait(ctx, 0); err == nil || w.Reason != "replica lag was last read 3.1s ago" {
			t.Errorf("waited %+v, error %v", w, err)
		}
		if p := th.Pressure(); p != 1 {
			t.Errorf("pressure %v, want 1", p)
		}
		lag.set(0.2, nil)
		if w := th.wait(t, 0); w.Total != 1600*time.Millisecond {
			t.Errorf("waited %v after the meter came back, want until 5 s", w.Total)
		}
	})
}

func TestThrottle_OptionalIsLeftOutWhenStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag, dead := &signal{}, &signal{value: 7}
		optional := pace.Meter{Name: "dead rows", Limit: 5, Optional: true, Read: dead.read}
		th := run(t, lag.lag(), optional)
		dead.set(0, errors.New("no such view")) // the value of 0 s is good until 3 s
		if w := th.wait(t, 0); w.Total.Round(time.Second) != 3*time.Second && w.Total.Round(time.Second) != 4*time.Second || w.Reason != "dead rows 7 > 5" {
			t.Errorf("waited %+v", w)
		}
		if p := th.Pressure(); p != 0 {
			t.Errorf("pressure %v, want that of the other meter", p)
		}
		synctest.Wait()
		if got := th.events[len(th.events)-1]; !strings.HasSuffix(got, ", dead rows is not known") {
			t.Errorf("the last event is %q", got)
		}
	})
}

// TestThrottle_OptionalThatHangs: a meter that never answers holds nothing up but the first decision, for three polls.
func TestThrottle_OptionalThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag, hung := &signal{}, &signal{}
		hung.block()
		th := run(t, lag.lag(), pace.Meter{Name: "dead rows", Limit: 5, Optional: true, Read: hung.read})
		if w := th.wait(t, 0); w.Total != 2500*time.Millisecond {
			t.Errorf("waited %v, want until 3 s", w.Total)
		}
		time.Sleep(time.Minute)
		if w := th.wait(t, 0); w.Total != 0 {
			t.Errorf("waited %v", w.Total)
		}
		lag.mu.Lock()
		defer lag.mu.Unlock()
		if lag.reads < 60 {
			t.Errorf("the other meter was read %d times in a minute", lag.reads)
		}
	})
}

// TestThrottle_OptionalThatHangsForGood: also a reading that does not heed its context holds work up for three polls only.
func TestThrottle_OptionalThatHangsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		reads := 0
		th := run(t, pace.Meter{Name: "dead rows", Limit: 5, Optional: true, Read: func(context.Context) (float64, error) {
			if reads++; reads > 1 {
				<-end
			}
			return 7, nil
		}})
		t.Cleanup(func() { close(end) }) // before the throttle's own
		if w := th.wait(t, 0); w.Total != 3500*time.Millisecond || w.Reason != "dead rows 7 > 5" {
			t.Errorf("waited %+v, want until 4 s", w)
		}
	})
}

func TestNewThrottle_RefusesMeters(t *testing.T) {
	read := (&signal{}).read
	for _, tt := range []struct {
		m    pace.Meter
		want string
	}{
		{pace.Meter{Limit: 1, Read: read}, "a meter has no name"},
		{pace.Meter{Name: "x", Limit: 1}, `meter "x": it has no function to read it`},
		{pace.Meter{Name: "x", Read: read}, `meter "x": the limit 0 is not positive`},
		{pace.Meter{Name: "x", Limit: math.NaN(), Read: read}, `meter "x": the limit NaN is not positive`},
		{pace.Meter{Name: "x", Limit: 2, Fatal: 1, Read: read}, `meter "x": the fatal limit 1 is below the limit 2`},
		{pace.Meter{Name: "x", Limit: 2, Every: -1, Read: read}, `meter "x": it cannot be read every -1ns`},
	} {
		if _, err := pace.NewThrottle(pace.ThrottleOptions{Meters: []pace.Meter{tt.m}}); err == nil || err.Error() != tt.want {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}

func TestThrottle_NotANumberIsNoReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lag := &signal{value: math.NaN()}
		th := run(t, lag.lag())
		later(time.Second, func() { lag.set(0, nil) })
		if w := th.wait(t, 0); w.Reason != "replica lag cannot be read: its value is not a number" || w.Total != 2500*time.Millisecond {
			t.Errorf("waited %+v", w)
		}
	})
}
