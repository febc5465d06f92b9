package pace

import (
	"fmt"
	"time"
)

// Event is the begin or the end of a wait of the workers.
type Event struct {
	Resumed bool          // the end
	Meter   string        // that stopped the work
	Value   float64       // its last good value
	Limit   float64       // its limit
	After   time.Duration // how long the wait was, at its end
	Reason  string        // the meter, its value and its limit in words: "replica lag 3.1s > 2.0s"
}

// String is the event in words: "throttled: replica lag 3.1s > 2.0s", "resumed after 7s, replica lag 0.9s".
func (e Event) String() string {
	if e.Resumed {
		return fmt.Sprintf("resumed after %v, %s", roughly(e.After), e.Reason)
	}
	return "throttled: " + e.Reason
}

// Waited is how long [Throttle.Wait] waited and why.
type Waited struct {
	Total  time.Duration
	Reason string // of a stop, else of a pause; empty when there was neither
}

// ThrottleState is a picture of a [Throttle].
type ThrottleState struct {
	Stopped  bool
	Since    time.Time // of the stop
	Reason   string    // of the stop
	Pressure float64
	Readings []Reading
}

// Reading is the last known value of a meter.
type Reading struct {
	Meter        string
	Value, Limit float64
	Unit         string
	At           time.Time // when the value was read, zero for never
	Err          error     // of the last attempt
}

// State is what the throttle knows at the moment, for displays.
func (t *Throttle) State() ThrottleState {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := ThrottleState{Pressure: t.pressure}
	if t.stop != nil {
		state.Stopped, state.Since, state.Reason = true, t.stop.since, t.stop.reason
	}
	for _, g := range t.gauges {
		state.Readings = append(state.Readings, Reading{Meter: g.Name, Value: g.value, Limit: g.Limit, Unit: g.Unit, At: g.at, Err: g.err})
	}
	return state
}
