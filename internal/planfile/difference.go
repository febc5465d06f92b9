package planfile

import (
	"fmt"

	"github.com/drover-dev/drover/internal/term"
)

// Difference is something that is not as it was planned. Planned or Now is "" where there is none.
type Difference struct{ What, Planned, Now string }

// Share is the largest part of the planned rows, one in so many, by which their number may move before a plan does not fit any more.
const Share = 5

// Differences compares what decides the work with what is found now: the database, what the plan is bound to, and the number of rows where both are
// known.
func (p *Plan) Differences(now *Plan) []Difference {
	var all []Difference
	if p.Database.Identity != now.Database.Identity {
		all = append(all, Difference{"database", p.Database.Identity, now.Database.Identity})
	}
	for _, f := range p.Bound {
		if is := Value(now.Bound, f.Name); is != f.Value {
			all = append(all, Difference{f.Name, f.Value, is})
		}
	}
	for _, f := range now.Bound {
		if Value(p.Bound, f.Name) == "" {
			all = append(all, Difference{f.Name, "", f.Value})
		}
	}
	if p.Rows != nil && now.Rows != nil && !near(*p.Rows, *now.Rows) {
		all = append(all, Difference{"rows", term.Count(*p.Rows), term.Count(*now.Rows) + " (" + Moved(*p.Rows, *now.Rows) + "; 20 % either way is let pass)"})
	}
	return all
}

// near reports whether the number of rows has moved by at most the share that may be; from none, any row is too many.
func near(planned, now int64) bool { return max(now-planned, planned-now)*Share <= planned }

// Moved says how the number of rows has moved: "12.5 % more".
func Moved(planned, now int64) string {
	switch {
	case now == planned:
		return "as many"
	case planned == 0:
		return "there were none"
	case now > planned:
		return percent(now-planned, planned) + " more"
	}
	return percent(planned-now, planned) + " fewer"
}

// percent rounds away from zero, so that what is more than a limit does not read as the limit.
func percent(part, whole int64) string {
	const most = 1_000_000
	share := float64(part) / float64(whole) * 100
	if share > most {
		return "many times"
	}
	tenths := int64(share * 10)
	if float64(tenths) < share*10 {
		tenths++
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}
