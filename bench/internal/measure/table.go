package measure

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Markdown writes the results as a table.
func Markdown(w io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString("| workload | database | raw | drover | ratio | min–max | goal |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %s: %s | %s: %s | **%.2f** | %.2f–%.2f | %s |\n", r.Workload, r.Database,
			r.Base.Name, short(r.Base.Once), r.Side.Name, short(r.Side.Once), r.Ratio, r.Min, r.Max, r.goal())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Result) goal() string {
	var goal string
	switch {
	case r.Limit > 0:
		goal = "≤ " + short(r.Limit)
	case r.Extra > 0:
		goal = "≤ raw + " + short(r.Extra)
	case r.Goal > 0:
		goal = fmt.Sprintf("≤ %.2f", r.Goal)
	default:
		return "–"
	}
	if !r.Met() {
		goal += ", **missed**"
	}
	return goal
}

// short writes a duration with three significant digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/float64(time.Microsecond))
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
