package pace_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need Berlin on every machine

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pace"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func window(t testing.TB, text string) pace.Window {
	t.Helper()
	w, err := pace.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestParseWindow(t *testing.T) {
	const clock = "is no time of day, want hours and minutes as in 04:30"
	tests := []struct{ text, want, err string }{
		{"01:00-05:00", "01:00-05:00", ""},
		{" 1:05 - 5:00 ", "01:05-05:00", ""},
		{"22:00-04:00", "22:00-04:00", ""},
		{"22:00-24:00", "22:00-24:00", ""},
		{"00:00-24:00", "00:00-24:00", ""},
		{"01:00-05:00 Europe/Berlin", "01:00-05:00 Europe/Berlin", ""},
		{"01:00 - 05:00\tEtc/GMT-1", "01:00-05:00 Etc/GMT-1", ""},
		{"01:00-05:00 UTC", "01:00-05:00 UTC", ""},
		{"", "", "want two times of day and perhaps a zone, as in 22:00-04:00 or 01:00-05:00 Europe/Berlin"},
		{"nights", "", "want two times of day and perhaps a zone, as in 22:00-04:00 or 01:00-05:00 Europe/Berlin"},
		{"1-5", "", `begin: "1" ` + clock},
		{"01:00-", "", `end: "" ` + clock},
		{"01:00-05:00-06:00", "", `end: "05:00-06:00" ` + clock},
		{"-1:00-05:00", "", `begin: "" ` + clock},
		{"01:00-+5:00", "", `end: "+5:00" ` + clock},
		{"01:00-5:0", "", `end: "5:0" ` + clock},
		{"25:00-05:00", "", "begin: 25:00 is not on the clock, which goes from 00:00 to 24:00"},
		{"01:00-24:01", "", "end: 24:01 is not on the clock, which goes from 00:00 to 24:00"},
		{"01:60-05:00", "", "begin: 01:60 is not on the clock, which goes from 00:00 to 24:00"},
		{"24:00-05:00", "", "a window begins at 23:59 at the latest"},
		{"05:00-05:00", "", "it has no length; 00:00-24:00 is the whole day"},
		{"01:00-05:00 Berlin", "", "unknown time zone Berlin"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			w, err := pace.ParseWindow(tt.text)
			if err != nil {
				if want := fmt.Sprintf("window %q: %s", tt.text, tt.err); err.Error() != want {
					t.Errorf("error %q\nwant  %q", err, want)
				}
				return
			}
			if tt.err != "" || w.String() != tt.want {
				t.Fatalf("window %q, want %q and error %q", w, tt.want, tt.err)
			}
			if again := window(t, w.String()); again.String() != tt.want {
				t.Errorf("read again it is %q", again)
			}
		})
	}
}

func TestWindow_Times(t *testing.T) {
	tests := []struct {
		name, window, at string // in Berlin
		open             bool
		next, closes     string // next is empty when open, closes when not
	}{
		{"before", "01:00-05:00", "2026-06-10 00:59:59", false, "2026-06-10T01:00:00+02:00", ""},
		{"at its begin", "01:00-05:00", "2026-06-10 01:00:00", true, "", "2026-06-10T05:00:00+02:00"},
		{"before its end", "01:00-05:00", "2026-06-10 04:59:59", true, "", "2026-06-10T05:00:00+02:00"},
		{"at its end", "01:00-05:00", "2026-06-10 05:00:00", false, "2026-06-11T01:00:00+02:00", ""},
		{"over midnight, evening", "22:00-04:00", "2026-06-10 23:00:00", true, "", "2026-06-11T04:00:00+02:00"},
		{"over midnight, morning", "22:00-04:00", "2026-06-10 03:00:00", true, "", "2026-06-10T04:00:00+02:00"},
		{"over midnight, day", "22:00-04:00", "2026-06-10 12:00:00", false, "2026-06-10T22:00:00+02:00", ""},
		{"until midnight", "22:00-24:00", "2026-06-10 23:59:00", true, "", "2026-06-11T00:00:00+02:00"},
		{"at midnight", "22:00-24:00", "2026-06-10 00:00:00", false, "2026-06-10T22:00:00+02:00", ""},
		{"another zone", "01:00-05:00 UTC", "2026-06-10 03:00:00", true, "", "2026-06-10T05:00:00Z"},
		{"another zone, closed", "01:00-05:00 America/New_York", "2026-06-10 03:00:00", false, "2026-06-10T01:00:00-04:00", ""},
		// On 29 March 02:00 is followed by 03:00, on 25 October 03:00 summer time by 02:00.
		{"spring, an hour less", "01:00-05:00", "2026-03-29 01:00:00", true, "", "2026-03-29T05:00:00+02:00"},
		{"spring, the begin does not exist", "02:30-05:00", "2026-03-29 01:00:00", false, "2026-03-29T03:00:00+02:00", ""},
		{"spring, the end does not exist", "01:00-02:30", "2026-03-29 01:30:00", true, "", "2026-03-29T03:00:00+02:00"},
		{"spring, nothing of it exists", "02:10-02:50", "2026-03-29 01:00:00", false, "2026-03-30T02:10:00+02:00", ""},
		{"spring, from the day before", "22:00-04:00", "2026-03-28 22:00:00", true, "", "2026-03-29T04:00:00+02:00"},
		{"autumn, an hour more", "01:00-05:00", "2026-10-25 01:00:00", true, "", "2026-10-25T05:00:00+01:00"},
		{"autumn, the end is twice", "01:00-02:30", "2026-10-25 01:00:00", true, "", "2026-10-25T02:30:00+02:00"},
		{"autumn, the begin is twice", "02:30-05:00", "2026-10-25 01:00:00", false, "2026-10-25T02:30:00+02:00", ""},
		{"autumn, the day before", "12:00-13:00", "2026-10-24 13:00:00", false, "2026-10-25T12:00:00+01:00", ""},
		{"the whole day", "00:00-24:00", "2026-10-25 01:00:00", true, "", "0001-01-01T00:00:00Z"},
	}
	berlin := location(t, "Europe/Berlin")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.ParseInLocation(time.DateTime, tt.at, berlin)
			if err != nil {
				t.Fatal(err)
			}
			w := window(t, tt.window)
			if got := w.Open(at); got != tt.open {
				t.Errorf("open %v, want %v", got, tt.open)
			}
			next, closes := w.Next(at), w.Closes(at)
			if tt.open && !next.Equal(at) {
				t.Errorf("an open window opens next at %v", next)
			}
			if !tt.open && !closes.Equal(at) {
				t.Errorf("a closed window closes at %v", closes)
			}
			if got := next.Format(time.RFC3339); !tt.open && got != tt.next {
				t.Errorf("next %s, want %s", got, tt.next)
			}
			if got := closes.Format(time.RFC3339); tt.open && got != tt.closes {
				t.Errorf("closes %s, want %s", got, tt.closes)
			}
		})
	}
}

func TestWindow_Zero(t *testing.T) {
	var w pace.Window
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	if !w.Open(now) || !w.Next(now).Equal(now) || !w.Closes(now).IsZero() || w.String() != "always" {
		t.Errorf("the zero window: open %v, next %v, closes %v, %q", w.Open(now), w.Next(now), w.Closes(now), w)
	}
}

// TestWindow_NextIsTheFirst steps minute by minute through the days around a change of the clock: what Next and Closes
// say is the first minute at which Open says so.
func TestWindow_NextIsTheFirst(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"} // Lord Howe Island changes by half an hour
	days := []time.Time{
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 2, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 2, 0, 0, 0, time.UTC),
	}
	rapid.Check(t, func(rt *rapid.T) {
		from, length := rapid.IntRange(0, 24*60-1).Draw(rt, "from"), rapid.IntRange(1, 24*60-1).Draw(rt, "length")
		to := (from + length) % (24 * 60)
		zone := rapid.SampledFrom(zones).Draw(rt, "zone")
		w := window(t, fmt.Sprintf("%02d:%02d-%02d:%02d %s", from/60, from%60, to/60, to%60, zone))
		at := rapid.SampledFrom(days).Draw(rt, "day").Add(time.Duration(rapid.IntRange(0, 24*60).Draw(rt, "minute")) * time.Minute)
		first := func(open bool) time.Time {
			t := at
			for w.Open(t) != open {
				t = t.Add(time.Minute)
			}
			return t
		}
		if got, want := w.Next(at), first(true); !got.Equal(want) {
			rt.Errorf("%s at %v opens at %v, want %v", w, at, got, want)
		}
		if got, want := w.Closes(at), first(false); !got.Equal(want) {
			rt.Errorf("%s at %v closes at %v, want %v", w, at, got, want)
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	for _, text := range []string{"01:00-05:00", "22:00-24:00 UTC", "1:00 - 2:00 Europe/Berlin", "-", " ", "x-y z"} {
		f.Add(text)
	}
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := pace.ParseWindow(text)
		if err != nil {
			return
		}
		again, err := pace.ParseWindow(w.String())
		if err != nil || again.String() != w.String() {
			t.Fatalf("%q is written as %q, which is read as %q, error %v", text, w, again, err)
		}
		if next := w.Next(now); next.Before(now) || next.Sub(now) > 49*time.Hour || !w.Open(next) {
			t.Fatalf("%q opens at %v", text, next)
		}
		if strings.HasPrefix(w.String(), "always") {
			t.Fatalf("%q is always open", text)
		}
	})
}
