package pace

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// day is a day of the clock on the wall, whatever time passes in it.
const day = 24 * time.Hour

// Window is a time of day in which a run may work, such as 22:00-04:00. It is open when the clock on the wall of its
// zone reads a time from its begin to before its end. So where clocks are put forward over its begin it opens at the
// change, and an hour that is shown twice counts twice. The zero Window is always open.
type Window struct {
	from, to time.Duration // since midnight, on the clock
	zone     *time.Location
}

// ParseWindow reads "01:00-05:00", over midnight "22:00-04:00", and with a zone of the IANA database
// "01:00-05:00 Europe/Berlin". Without a zone the window is in the zone of each time that it is asked about. The end may
// be 24:00.
func ParseWindow(text string) (Window, error) {
	clocks, zone := strings.TrimSpace(text), ""
	if i := strings.LastIndexAny(clocks, " \t"); i >= 0 && !strings.Contains(clocks[i:], ":") {
		clocks, zone = clocks[:i], clocks[i+1:]
	}
	fail := func(format string, args ...any) (Window, error) {
		return Window{}, fmt.Errorf("window %q: "+format, append([]any{text}, args...)...)
	}
	begin, end, ok := strings.Cut(clocks, "-")
	if !ok {
		return fail("want two times of day and perhaps a zone, as in 22:00-04:00 or 01:00-05:00 Europe/Berlin")
	}
	var w Window
	var err error
	if w.from, err = clock(begin); err != nil {
		return fail("begin: %w", err)
	}
	if w.to, err = clock(end); err != nil {
		return fail("end: %w", err)
	}
	if w.from == day {
		return fail("a window begins at 23:59 at the latest")
	}
	if w.from == w.to {
		return fail("it has no length; 00:00-24:00 is the whole day")
	}
	if zone != "" {
		if w.zone, err = time.LoadLocation(zone); err != nil {
			return fail("%w", err)
		}
	}
	return w, nil
}

// clock reads a time of day.
func clock(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	h, m, ok := strings.Cut(text, ":")
	hour, hourErr := strconv.ParseUint(h, 10, 8)
	minute, minuteErr := strconv.ParseUint(m, 10, 8)
	if !ok || hourErr != nil || minuteErr != nil || len(h) > 2 || len(m) != 2 {
		return 0, fmt.Errorf("%q is no time of day, want hours and minutes as in 04:30", text)
	}
	if minute > 59 || hour > 24 || (hour == 24 && minute > 0) {
		return 0, fmt.Errorf("%s is not on the clock, which goes from 00:00 to 24:00", text)
	}
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute, nil
}

// String is the window as [ParseWindow] reads it, or "always" for the zero Window.
func (w Window) String() string {
	if w.from == w.to {
		return "always"
	}
	text := fmt.Sprintf("%02d:%02d-%02d:%02d", w.from/time.Hour, w.from%time.Hour/time.Minute, w.to/time.Hour, w.to%time.Hour/time.Minute)
	if w.zone != nil {
		text += " " + w.zone.String()
	}
	return text
}

// Open reports whether the window is open at t.
func (w Window) Open(t time.Time) bool {
	at := sinceMidnight(w.local(t))
	if w.from < w.to {
		return w.from <= at && at < w.to
	}
	return w.from == w.to || at >= w.from || at < w.to
}

// Next returns when the window opens next, in its zone; that is t when it is open.
func (w Window) Next(t time.Time) time.Time { return w.find(t, true, w.from) }

// Closes returns when the window, open at t, closes, in its zone; that is t when it is closed. It returns the zero time
// for a window that never does.
func (w Window) Closes(t time.Time) time.Time {
	if w.from == w.to || w.to-w.from == day {
		return time.Time{}
	}
	return w.find(t, false, w.to)
}

// find returns the first time from t on at which the window is open or closed as asked for, which begins where the
// clock reads edge. Between two changes of the zone's clock that can be computed; each change is looked at by itself,
// since it may jump over the edge.
func (w Window) find(t time.Time, open bool, edge time.Duration) time.Time {
	for t = w.local(t); w.Open(t) != open; {
		next := t.Add((edge - sinceMidnight(t) + day) % day)
		if _, change := t.ZoneBounds(); !change.IsZero() && change.Before(next) {
			next = change
		}
		t = w.local(next)
	}
	return t
}

func (w Window) local(t time.Time) time.Time {
	if w.zone == nil {
		return t
	}
	return t.In(w.zone)
}

// sinceMidnight is what the clock reads at t.
func sinceMidnight(t time.Time) time.Duration {
	hour, minute, second := t.Clock()
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(t.Nanosecond())
}
