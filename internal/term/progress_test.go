package term

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 21, 12, 4, 11, 0, time.UTC)

// deleting is 40 seconds into the deletion of 318,240 rows, at a steady 2,000 rows a second.
func deleting() (*Meter, time.Time) {
	m := NewMeter(Snapshot{Label: "purge events", Total: 318240, Exact: true}, noon)
	now := noon
	for i := range 40 {
		now = noon.Add(time.Duration(i+1) * time.Second)
		m.SetBatch(int64(2*(i+1)), 319)
		m.Set(int64(2000*(i+1)), now)
	}
	m.SetFact("lag", "0.0s")
	m.SetFact("retries", "1")
	m.SetFact("lag", "0.2s")
	m.SetNote("batch 80: 1,000 rows in 0.44s")
	return m, now
}

func TestBlock(t *testing.T) {
	m, now := deleting()
	want := []string{
		"purge events  [########.........................]  25.1 %   80,000 / 318,240 rows   batch 80/319",
		"  2,000 rows/s   elapsed 0:40   ETA 1:59   lag 0.2s   retries 1",
		"  batch 80: 1,000 rows in 0.44s",
	}
	if diff := cmp.Diff(want, Block(m.Snapshot(now), 100, false)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := Block(m.Snapshot(now), 80, false)[0], "purge events  [###..........]  25.1 %   80,000 / 318,240 rows   batch 80/319"; got != want {
		t.Errorf("80 columns:\ngot  %q\nwant %q", got, want)
	}
	narrow := []string{
		"purge events  [#######.......................]  25.1 %",
		"  80,000 / 318,240 rows   batch 80/319   2,000 rows/s",
		"  elapsed 0:40   ETA 1:59   lag 0.2s   retries 1",
		"  batch 80: 1,000 rows in 0.44s",
	}
	if diff := cmp.Diff(narrow, Block(m.Snapshot(now), 56, false)); diff != "" {
		t.Errorf("56 columns: -want +got:\n%s", diff)
	}
	m.Pause("replica db2 lag 3.1s > 2.0s", now)
	if got := Block(m.Snapshot(now), 30, false); !slices.Contains(got, "  waiting: replica db2 lag") || got[len(got)-1] != "  3.1s > 2.0s" {
		t.Errorf("waiting at 30 columns: %q", got)
	}
	if got := Block(m.Snapshot(now), 100, false); got[2] != "  waiting: replica db2 lag 3.1s > 2.0s" {
		t.Errorf("waiting: %q", got)
	}
	m.Set(318240, now)
	m.Finish(now)
	got := Block(m.Snapshot(now), 100, false)
	if len(got) != 2 || !strings.Contains(got[0], "["+strings.Repeat("#", 33)+"]  100.0 %") || strings.Contains(got[1], "ETA") {
		t.Errorf("finished: %q", got)
	}
	unknown := NewMeter(Snapshot{Label: "import", Unit: "lines", Done: 0}, noon)
	unknown.Set(1234, noon.Add(2*time.Second))
	if got := Block(unknown.Snapshot(noon.Add(2*time.Second)), 100, false); got[0] != "import   1,234 lines" || got[1] != "  617 lines/s   elapsed 0:02" {
		t.Errorf("no total: %q", got)
	}
}

func TestLineAndJSONLine(t *testing.T) {
	m, now := deleting()
	s := m.Snapshot(now)
	if got, want := Line(s), "purge events: 25.1 %  80,000/318,240  2,000 rows/s  ETA 1m59s  lag 0.2s  retries 1"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	s.Exact = false
	if got := Line(s); !strings.Contains(got, "80,000/318,240 (estimate)") {
		t.Errorf("an estimated total must say so: %q", got)
	}
	s.Exact = true
	want := `{"type":"progress","time":"2026-11-21T12:04:51.000Z","label":"purge events","unit":"rows","done":80000,"total":318240,` +
		`"total_exact":true,"batch":80,"batches":319,"rate":2000,"elapsed_seconds":40,"eta_seconds":119,"facts":{"lag":"0.2s","retries":"1"}}`
	if got := JSONLine(s, now); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMeter_PausesDoNotCount(t *testing.T) {
	m, now := deleting()
	before := m.Snapshot(now)
	m.Pause("lag", now)
	now = now.Add(time.Hour)
	paused := m.Snapshot(now)
	if paused.Rate != before.Rate || paused.ETA != before.ETA || paused.Elapsed != before.Elapsed+time.Hour {
		t.Errorf("while paused: %+v", paused)
	}
	if d := m.Resume(now); d != time.Hour {
		t.Errorf("the pause was %v", d)
	}
	m.Set(82000, now.Add(time.Second))
	if got := m.Snapshot(now.Add(time.Second)); got.Rate != 2000 {
		t.Errorf("after the pause: %v rows/s", got.Rate)
	}
}

func TestMeter_ETAWaitsAndFollowsTheSpeed(t *testing.T) {
	m := NewMeter(Snapshot{Label: "x", Total: 1_000_000, Done: 500_000}, noon)
	m.Set(500_100, noon.Add(time.Second))
	if s := m.Snapshot(noon.Add(time.Second)); s.HasETA || s.Rate != 100 {
		t.Errorf("too early for an ETA, and what an earlier attempt did is not speed: %+v", s)
	}
	m.Set(511_000, noon.Add(2*time.Second))
	if s := m.Snapshot(noon.Add(2 * time.Second)); !s.HasETA {
		t.Errorf("after one per cent there is an ETA: %+v", s)
	}
	slow := NewMeter(Snapshot{Label: "x", Total: 1_000_000}, noon)
	slow.Set(10, noon.Add(10*time.Second))
	if s := slow.Snapshot(noon.Add(10 * time.Second)); !s.HasETA || s.ETA != 999_990*time.Second {
		t.Errorf("after ten seconds there is an ETA: %+v", s)
	}
	slowest := NewMeter(Snapshot{Label: "x", Total: 1000}, noon)
	slowest.Set(5, noon.Add(10*time.Second))
	if s := slowest.Snapshot(noon.Add(10 * time.Second)); !s.HasETA || s.ETA != 1990*time.Second {
		t.Errorf("half a row a second is no division by integers: %+v", s)
	}
	m, now := deleting()
	done := int64(80000)
	for range 20 { // ten times slower
		now = now.Add(time.Second)
		done += 200
		m.Set(done, now)
	}
	if s := m.Snapshot(now); s.Rate > 210 {
		t.Errorf("the speed must follow within its window: %v rows/s", s.Rate)
	}
}

func TestPace(t *testing.T) {
	p := NewPace(noon)
	var printed []string
	done := int64(0)
	for second := 0; second <= 180; second++ {
		now := noon.Add(time.Duration(second) * time.Second)
		if p.Due(Snapshot{Done: done, Total: 1_000_000}, now) {
			printed = append(printed, Clock(now.Sub(noon)))
		}
		done += 10 // never 5 %
	}
	want := []string{
		"0:05", "0:10", "0:15", "0:20", "0:25", "0:30", "0:35", "0:40", "0:45", "0:50", "0:55", "1:25", "1:55", "2:25", "2:55",
	}
	if diff := cmp.Diff(want, printed); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !p.Due(Snapshot{Done: 60_000, Total: 1_000_000}, noon.Add(182*time.Second)) {
		t.Error("5 % more deserve a line")
	}
	if p.Due(Snapshot{Done: 120_000, Total: 1_000_000}, noon.Add(182*time.Second+time.Millisecond)) {
		t.Error("fast work must not fill the log")
	}
	if NewPace(noon).Due(Snapshot{Finished: true}, noon) {
		t.Error("work that ends at once leaves no line")
	}
	if !p.Due(Snapshot{Finished: true}, noon.Add(182*time.Second+time.Millisecond)) {
		t.Error("the end deserves a line when there were others")
	}
}
