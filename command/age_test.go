package command

import (
	"testing"
	"time"
)

func TestAgeFlag(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"30d": 30 * day, "2w": 14 * day, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "0s": 0, "1ms": time.Millisecond, "73000d": 73000 * day} {
		var got ageFlag
		if err := got.Set(text); err != nil || time.Duration(got) != want {
			t.Errorf("%s: %v, %v; want %v", text, time.Duration(got), err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-1s", "3mo", "1.5d", "73001d", "30", "30 d", "1y"} {
		if err := new(ageFlag).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
