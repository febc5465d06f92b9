package term

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// The bar is as wide as the rest of its line allows, within these bounds.
const (
	minBar = 8
	maxBar = 36
)

// Block renders a snapshot as the lines of a live block, for a screen of width columns: the bar, the numbers, the latest step. On a narrow screen
// the numbers go on in further lines; only the latest step is cut.
func Block(s Snapshot, width int, colour bool) []string {
	head, rest := s.Label, numbers(s)
	if s.Total > 0 {
		last := s // its numbers are the widest: the bar keeps its width while they grow
		last.Done, last.Batch = s.Total, max(s.Batch, s.Batches)
		beside := len(rest)
		room := func() int {
			return width - 1 - ansi.StringWidth(s.Label+"  []  "+strings.Join(numbers(last)[:beside], gap))
		}
		if room() < minBar { // only the share is beside the bar, the numbers go below it
			beside = 1
		}
		if cells := room(); cells >= minBar {
			head = fmt.Sprintf("%s  [%s]  %s", s.Label, bar(s, min(cells, maxBar), colour), strings.Join(rest[:beside], gap))
			rest = rest[beside:]
		}
	} else if whole := strings.Join(append([]string{head}, rest...), gap); ansi.StringWidth(whole) < width {
		head, rest = whole, nil
	}
	rest = append(rest, fmt.Sprintf("%s %s/s", Rate(s.Rate), s.Unit), "elapsed "+Clock(s.Elapsed))
	if s.HasETA {
		rest = append(rest, "ETA "+Clock(s.ETA))
	}
	for _, f := range s.Facts {
		rest = append(rest, f.Name+" "+f.Value)
	}
	lines := append([]string{head}, fill(rest, width-1)...)
	switch {
	case s.Waiting != "":
		for line := range strings.SplitSeq(Wrap("  waiting: "+oneRow(s.Waiting), width-1, ""), "\n") {
			lines = append(lines, Warning.Paint(line, colour))
		}
	case s.Note != "" && !s.Finished:
		lines = append(lines, Faint.Paint("  "+s.Note, colour))
	}
	return lines
}

const gap = "   " // between the numbers of a line

// fill lays parts out in indented lines of at most width columns, none of them broken.
func fill(parts []string, width int) []string {
	var lines []string
	for _, part := range parts {
		last := len(lines) - 1
		if last < 0 || ansi.StringWidth(lines[last]+gap+part) > width {
			lines = append(lines, "  "+part)
			continue
		}
		lines[last] += gap + part
	}
	return lines
}

// numbers is what stands behind the bar.
func numbers(s Snapshot) []string {
	parts := []string{fmt.Sprintf("%s %s", Count(s.Done), s.Unit)}
	if s.Total > 0 {
		parts = []string{Percent(s.Done, s.Total), fmt.Sprintf("%s / %s %s", Count(s.Done), total(s), s.Unit)}
	}
	if s.Batch > 0 {
		batch := "batch " + Count(s.Batch)
		if s.Batch <= s.Batches { // there are more than planned when one was cut
			batch += "/" + Count(s.Batches)
		}
		parts = append(parts, batch)
	}
	return parts
}

func bar(s Snapshot, cells int, colour bool) string {
	full := cells
	if s.Done < s.Total {
		full = int(float64(max(s.Done, 0)) / float64(s.Total) * float64(cells))
	}
	return Success.Paint(strings.Repeat("#", full), colour) + strings.Repeat(".", cells-full)
}

func total(s Snapshot) string {
	if s.Exact {
		return Count(s.Total)
	}
	return "about " + Count(s.Total)
}

// Line renders a snapshot as one plain line without a time of day.
func Line(s Snapshot) string {
	parts := make([]string, 0, 8)
	if s.Total > 0 {
		of := Count(s.Done) + "/" + Count(s.Total)
		if !s.Exact {
			of += " (estimate)"
		}
		parts = append(parts, Percent(s.Done, s.Total), of)
	} else {
		parts = append(parts, Count(s.Done)+" "+s.Unit)
	}
	parts = append(parts, fmt.Sprintf("%s %s/s", Rate(s.Rate), s.Unit))
	if s.HasETA {
		parts = append(parts, "ETA "+Duration(s.ETA))
	}
	for _, f := range s.Facts {
		parts = append(parts, f.Name+" "+f.Value)
	}
	if s.Waiting != "" {
		parts = append(parts, "waiting: "+s.Waiting)
	}
	return s.Label + ": " + strings.Join(parts, "  ")
}

// event is a snapshot's JSON form. Its fields are a contract: they are added to, never renamed.
type event struct {
	Type    string            `json:"type"`
	Time    string            `json:"time"`
	Label   string            `json:"label"`
	Unit    string            `json:"unit"`
	Done    int64             `json:"done"`
	Total   *int64            `json:"total,omitempty"`
	Exact   bool              `json:"total_exact,omitempty"`
	Batch   int64             `json:"batch,omitempty"`
	Batches int64             `json:"batches,omitempty"`
	Rate    int64             `json:"rate"`
	Elapsed float64           `json:"elapsed_seconds"`
	ETA     *int64            `json:"eta_seconds,omitempty"`
	Waiting string            `json:"waiting,omitempty"`
	Facts   map[string]string `json:"facts,omitempty"`
	Ended   bool              `json:"finished,omitempty"`
}

// JSONLine renders a snapshot as one JSON object: {"type":"progress",…}, times in RFC 3339 UTC, no separators in numbers.
func JSONLine(s Snapshot, now time.Time) string {
	e := event{
		Type: "progress", Time: Timestamp(now), Label: s.Label, Unit: s.Unit, Done: s.Done, Exact: s.Exact && s.Total > 0,
		Batch: s.Batch, Batches: s.Batches, Rate: int64(s.Rate + 0.5), Elapsed: float64(s.Elapsed.Milliseconds()) / 1000,
		Waiting: s.Waiting, Ended: s.Finished,
	}
	if s.Total > 0 {
		e.Total = &s.Total
	}
	if s.HasETA {
		seconds := int64(s.ETA.Seconds() + 0.5)
		e.ETA = &seconds
	}
	for _, f := range s.Facts {
		if e.Facts == nil {
			e.Facts = make(map[string]string, len(s.Facts))
		}
		e.Facts[f.Name] = f.Value
	}
	return MarshalLine(e)
}

// MarshalLine gives v as compact JSON without HTML escapes and without a newline. What cannot be marshalled is a
// programming error and is said in the line itself.
func MarshalLine(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf(`{"type":"encoding_error","message":%q}`, err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Timestamp is the time of JSON output: RFC 3339, UTC, milliseconds.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
