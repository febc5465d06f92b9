package term

import (
	"math"
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 318240: "318,240", 1234567890: "1,234,567,890", -1: "-1", -1000: "-1,000",
		-999: "-999", math.MinInt64: "-9,223,372,036,854,775,808", math.MaxInt64: "9,223,372,036,854,775,807",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for want, got := range map[string]string{
		"0 rows": Counted(0, "row"), "1 row": Counted(1, "row"), "318,240 rows": Counted(318240, "row"),
		"1 batch": Counted(1, "batch"), "2 batches": Counted(2, "batch"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{"Käse 7": "Käse 7", "a\x1b[2J": `a\x1b[2J`, "two\nlines": `two\nlines`, "": ""} {
		if got := Printable(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestClockAndDuration(t *testing.T) {
	for _, tt := range []struct {
		d               time.Duration
		clock, duration string
	}{
		{0, "0:00", "0.0s"},
		{-time.Second, "0:00", "0.0s"},
		{440 * time.Millisecond, "0:00", "0.4s"},
		{9949 * time.Millisecond, "0:09", "9.9s"},
		{9950 * time.Millisecond, "0:09", "10s"},
		{40 * time.Second, "0:40", "40s"},
		{59400 * time.Millisecond, "0:59", "59s"},
		{59500 * time.Millisecond, "0:59", "1m00s"},
		{151 * time.Second, "2:31", "2m31s"},
		{time.Hour - time.Millisecond, "59:59", "1h00m"},
		{3723 * time.Second, "1:02:03", "1h02m"},
		{30 * time.Hour, "30:00:00", "30h00m"},
	} {
		if got := Clock(tt.d); got != tt.clock {
			t.Errorf("Clock(%v) = %q, want %q", tt.d, got, tt.clock)
		}
		if got := Duration(tt.d); got != tt.duration {
			t.Errorf("Duration(%v) = %q, want %q", tt.d, got, tt.duration)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		want        string
	}{
		{0, 100, "0.0 %"},
		{86240, 318240, "27.0 %"},
		{9999, 10000, "99.9 %"},
		{999999, 1000000, "99.9 %"},
		{100, 100, "100.0 %"},
		{101, 100, "100.0 %"},
		{-5, 100, "0.0 %"},
		{0, 0, "100.0 %"},
	} {
		if got := Percent(tt.done, tt.total); got != tt.want {
			t.Errorf("Percent(%d, %d) = %q, want %q", tt.done, tt.total, got, tt.want)
		}
	}
}

func TestRate(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 0.04: "0.0", 0.25: "0.2", 9.94: "9.9", 9.96: "10", 2139.6: "2,140"} {
		if got := Rate(rate); got != want {
			t.Errorf("Rate(%v) = %q, want %q", rate, got, want)
		}
	}
}

func TestUseColour(t *testing.T) {
	for _, tt := range []struct {
		name     string
		choice   ColourChoice
		environ  []string
		terminal bool
		want     bool
	}{
		{"a terminal", ColourAuto, nil, true, true},
		{"no terminal", ColourAuto, nil, false, false},
		{"off by option", ColourNever, []string{"FORCE_COLOR=1"}, true, false},
		{"forced by option over NO_COLOR", ColourForce, []string{"NO_COLOR=1"}, false, true},
		{"NO_COLOR over FORCE_COLOR", ColourAuto, []string{"FORCE_COLOR=1", "NO_COLOR=1"}, true, false},
		{"an empty NO_COLOR says nothing", ColourAuto, []string{"NO_COLOR="}, true, true},
		{"FORCE_COLOR off a terminal", ColourAuto, []string{"FORCE_COLOR=1"}, false, true},
		{"FORCE_COLOR over TERM=dumb", ColourAuto, []string{"FORCE_COLOR=1", "TERM=dumb"}, true, true},
		{"CLICOLOR_FORCE", ColourAuto, []string{"CLICOLOR_FORCE=1"}, false, true},
		{"CLICOLOR_FORCE=0 says nothing", ColourAuto, []string{"CLICOLOR_FORCE=0"}, false, false},
		{"TERM=dumb", ColourAuto, []string{"TERM=dumb"}, true, false},
		{"the last setting wins", ColourAuto, []string{"TERM=dumb", "TERM=xterm"}, true, true},
	} {
		if got := UseColour(tt.choice, tt.environ, tt.terminal); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestStyle_PaintsLineByLine(t *testing.T) {
	if got, want := Success.Paint("a\n\nb", true), "\x1b[32ma\x1b[m\n\n\x1b[32mb\x1b[m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Failure.Paint("a\nb", false); got != "a\nb" {
		t.Errorf("without colour: %q", got)
	}
}
