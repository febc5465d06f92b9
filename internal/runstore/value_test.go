package runstore

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIdentity(t *testing.T) {
	arg := func(pairs ...string) (args []Argument) {
		for i := 0; i < len(pairs); i += 2 {
			args = append(args, Argument{pairs[i], pairs[i+1]})
		}
		return args
	}
	base := Identity("purge", arg("status", "old", "before", "2026"), "app@db1/app")
	if len(base) != 64 || strings.Trim(base, "0123456789abcdef") != "" {
		t.Errorf("identity %q is no sha256 in hex", base)
	}
	if got := Identity("purge", arg("before", "2026", "status", "old"), "app@db1/app"); got != base {
		t.Error("the order of different arguments matters")
	}
	seen := map[string]string{"base": base}
	for name, other := range map[string]string{
		"command":          Identity("purge2", arg("status", "old", "before", "2026"), "app@db1/app"),
		"database":         Identity("purge", arg("status", "old", "before", "2026"), "app@db2/app"),
		"value":            Identity("purge", arg("status", "new", "before", "2026"), "app@db1/app"),
		"missing":          Identity("purge", arg("status", "old"), "app@db1/app"),
		"none":             Identity("purge", nil, "app@db1/app"),
		"shifted":          Identity("purge", arg("status", "ol", "dbefore", "2026"), "app@db1/app"),
		"shifted command":  Identity("purgeapp", nil, "@db1/app"),
		"repeated":         Identity("purge", arg("x", "1", "x", "2"), "app@db1/app"),
		"repeated, turned": Identity("purge", arg("x", "2", "x", "1"), "app@db1/app"),
		"invalid UTF-8":    Identity("purge", arg("x", "\xff"), "app@db1/app"),
		"invalid UTF-8, 2": Identity("purge", arg("x", "\xfe"), "app@db1/app"),
	} {
		for before, id := range seen {
			if id == other {
				t.Errorf("%s and %s have one identity", name, before)
			}
		}
		seen[name] = other
	}
}

func TestNewID_SortsByTime(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 100 {
		ids = append(ids, NewID(at.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by their times")
	}
	if len(ids[0]) != idLength || ids[0][:10] != NewID(at)[:10] || ids[0] == NewID(at) {
		t.Errorf("ids of one time: %s, %s", ids[0], NewID(at))
	}
}

func TestMoment(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 30, 0, 250e6, time.UTC)
	for _, value := range []any{
		at, at.In(time.FixedZone("x", 7200)), "2026-05-01 12:30:00.25", []byte("2026-05-01 12:30:00.250000"), "2026-05-01 12:30:00.250+00:00",
		"2026-05-01 14:30:00.25+02:00",
	} {
		var m moment
		if err := m.Scan(value); err != nil || !m.Equal(at) || m.Location() != time.UTC {
			t.Errorf("%v: %v, %v", value, m, err)
		}
	}
	m := moment{at}
	if err := m.Scan(nil); err != nil || !m.IsZero() {
		t.Errorf("NULL: %v, %v", m, err)
	}
	for _, value := range []any{"yesterday", 17} {
		if err := m.Scan(value); err == nil {
			t.Errorf("%v was taken for a time", value)
		}
	}
}

func TestMilliseconds_RoundUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Hour: 3600000, math.MaxInt64: math.MaxInt64/1000000 + 1} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v: %d, want %d", d, got, want)
		}
	}
}
