package pace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// DefaultEvery is how often a meter is read when it does not say.
const DefaultEvery = time.Second

// stalePolls is how many polls old a value may be.
const stalePolls = 3

// Meter is one thing that a run must not drive too high.
type Meter struct {
	// Name is what it measures, as the reason of a wait says it: "replica lag".
	Name string
	// Limit is the value at which work stops; it must be positive.
	Limit float64
	// Fatal is the value at which the run is given up; 0 is never.
	Fatal float64
	// Unit is written behind values: "s" and "B" are written as seconds with one decimal and as KiB, MiB…
	Unit string
	// Every is the time between two readings. Default [DefaultEvery].
	Every time.Duration
	// Optional is a meter that is left out while it cannot be read. Any other stops the run then: what nobody sees may
	// be over its limit.
	Optional bool
	// Read returns the value. It must return when its context ends, which is after three times Every: the value would
	// be stale by then.
	Read func(ctx context.Context) (float64, error)
}

func (m *Meter) validate() error {
	switch {
	case m.Name == "":
		return errors.New("a meter has no name")
	case m.Read == nil:
		return fmt.Errorf("meter %q: it has no function to read it", m.Name)
	case math.IsNaN(m.Limit) || m.Limit <= 0:
		return fmt.Errorf("meter %q: the limit %v is not positive", m.Name, m.Limit)
	case math.IsNaN(m.Fatal) || (m.Fatal != 0 && m.Fatal < m.Limit):
		return fmt.Errorf("meter %q: the fatal limit %v is below the limit %v", m.Name, m.Fatal, m.Limit)
	case m.Every < 0:
		return fmt.Errorf("meter %q: it cannot be read every %v", m.Name, m.Every)
	}
	return nil
}

// format writes a value of the meter.
func (m *Meter) format(value float64) string {
	switch m.Unit {
	case "s":
		return strconv.FormatFloat(value, 'f', 1, 64) + "s"
	case "B":
		unit := 0
		for ; math.Abs(value) >= 1024 && unit < 4; unit++ {
			value /= 1024
		}
		return short(value) + " " + []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
	case "":
		return short(value)
	}
	return short(value) + " " + m.Unit
}

// short writes a number with one decimal, or none when that is 0.
func short(value float64) string {
	return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
}

// FatalError is the error of a run whose meter reached its fatal limit.
type FatalError struct {
	Meter string
	Value float64
	text  string
}

func (e *FatalError) Error() string { return e.text }

// gauge is a meter and what was read from it.
type gauge struct {
	Meter
	seen  bool      // a reading has ended, well or not
	value float64   // the last good one
	at    time.Time // when that was; its age counts from here even when the reads since have failed
	err   error     // of the last reading
	calm  int       // good readings in a row at half of the limit or below
	under int       // good readings below the limit since the stop
}

// verdict is what a gauge says about the run: its share of the limit, or that it says nothing.
type verdict struct {
	share float64
	blind bool // counts as over the limit because it is not known
	none  bool
}

func (g *gauge) verdict(now time.Time) verdict {
	share := g.value / g.Limit
	unread := g.at.IsZero()
	stale := !unread && now.Sub(g.at) > stalePolls*g.Every
	switch {
	case !g.seen, g.Optional && (unread || stale):
		return verdict{none: true}
	case !g.Optional && (stale || g.err != nil):
		return verdict{share: max(share, 1), blind: true}
	}
	return verdict{share: share}
}

// reason says why work stands still by what the gauge says.
func (g *gauge) reason(v verdict, now time.Time) string {
	switch {
	case v.blind && g.err != nil:
		return fmt.Sprintf("%s cannot be read: %v", g.Name, g.err)
	case v.blind:
		return fmt.Sprintf("%s was last read %v ago", g.Name, roughly(now.Sub(g.at)))
	}
	value, limit := g.format(g.value), g.format(g.Limit)
	if value == limit {
		return fmt.Sprintf("%s is at its limit of %s", g.Name, limit)
	}
	return fmt.Sprintf("%s %s > %s", g.Name, value, limit)
}

// state says where the gauge is now.
func (g *gauge) state(v verdict, now time.Time) string {
	switch {
	case v.blind:
		return g.reason(v, now)
	case v.none:
		return g.Name + " is not known"
	}
	return g.Name + " " + g.format(g.value)
}

// roughly rounds a duration for people: to the second, and below ten to the tenth.
func roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
