package measure

import (
	"fmt"
	"io"
	"strings"
)

// RaceMarkdown writes the lines as one table for each database.
func RaceMarkdown(w io.Writer, lines []Line) error {
	var b strings.Builder
	var database, workload string
	drover := 0.0
	for i, l := range lines {
		baseline := l.Database != database || l.Workload != workload
		if l.Database != database {
			database = l.Database
			fmt.Fprintf(&b, "\n### %s\n\n", database)
			b.WriteString("| workload | side | rows/s | x raw | min–max | allocs/row | CPU µs/row | peak MB | goal |\n")
			b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
		}
		if baseline {
			workload, drover = l.Workload, ratioOfDrover(lines[i:])
		}
		ratio, spread := fmt.Sprintf("%.2f", l.Ratio), fmt.Sprintf("%.2f–%.2f", l.Min, l.Max)
		if l.Rounds == 1 {
			spread = "one round"
		}
		if l.Role == Drover {
			ratio = "**" + ratio + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", l.Workload, l.Name, thousands(l.Speed()), ratio, spread,
			figure(l.Allocs/float64(l.Rows)), figure(float64(l.CPU.Nanoseconds())/1000/float64(l.Rows)), l.memory(), l.mark(baseline, drover))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ratioOfDrover finds drover's best line of the workload that the lines begin with; 0 for none.
func ratioOfDrover(lines []Line) (best float64) {
	for _, l := range lines {
		if l.Workload != lines[0].Workload || l.Database != lines[0].Database {
			break
		}
		if l.Role == Drover && (best == 0 || l.Ratio < best) {
			best = l.Ratio
		}
	}
	return best
}

// mark says how a line stands to what is wanted: drover's ratio within its goal, no peer before drover, and no other raw line
// before the one that everything is compared with. What would not show in two digits does not count.
func (l Line) mark(baseline bool, drover float64) string {
	switch {
	case l.Role == Drover && l.Goal > 0 && l.Ratio > l.Goal:
		return fmt.Sprintf("≤ %.2f, **missed**", l.Goal)
	case l.Role == Drover && l.Most > 0 && l.Peak > l.Most:
		return fmt.Sprintf("≤ %.0f MB, **missed**", l.Most/mega)
	case l.Role == Drover && l.Most > 0:
		return fmt.Sprintf("≤ %.0f MB", l.Most/mega)
	case l.Role == Drover && l.Goal > 0:
		return fmt.Sprintf("≤ %.2f", l.Goal)
	case l.Role == Peer && drover > 0 && l.Ratio < drover-0.005:
		return "**ahead of drover**"
	case l.Role == Raw && !baseline && l.Ratio < 1-0.005:
		return "faster than the baseline"
	}
	return "–"
}

const mega = 1 << 20

func (l Line) memory() string {
	switch {
	case l.Peak < 0:
		return "–"
	case l.Allocs < 0: // another process
		return fmt.Sprintf("%.1f (of %.0f)", l.Peak/mega, l.Total/mega)
	}
	return fmt.Sprintf("%.1f", l.Peak/mega)
}

// figure writes a number with about two significant digits; "–" for one that is not known.
func figure(v float64) string {
	switch {
	case v < 0:
		return "–"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// thousands writes a whole number with spaces between the groups of three digits.
func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}
