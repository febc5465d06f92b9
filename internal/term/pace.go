package term

import "time"

const (
	paceFirst   = 5 * time.Second
	paceLater   = 30 * time.Second
	paceSlowAt  = time.Minute
	paceMinimum = time.Second
	paceShare   = 20 // a line for every twentieth: 5 %
)

// Pace decides when a plain line is due: every 5 s or 5 %, and after the first minute every 30 s or 5 %. A step of 5 %
// within a second of the last line is not worth one: fast work would fill the log.
type Pace struct {
	start, last time.Time
	lastShare   int64
	printed     bool
}

// NewPace starts at now.
func NewPace(now time.Time) *Pace { return &Pace{start: now, last: now} }

// Due reports whether s deserves a line at now, and notes that it was printed if so. The last line of a piece of work is
// due when an earlier one was, so that work that ends at once leaves no line.
func (p *Pace) Due(s Snapshot, now time.Time) bool {
	since := now.Sub(p.last)
	every := paceFirst
	if now.Sub(p.start) >= paceSlowAt {
		every = paceLater
	}
	share := p.lastShare
	if s.Total > 0 {
		share = s.Done * paceShare / s.Total
	}
	due := since >= every || (share > p.lastShare && since >= paceMinimum)
	if s.Finished {
		due = p.printed
	}
	if due {
		p.last, p.lastShare, p.printed = now, share, true
	}
	return due
}

// Printed notes that a line was printed at now that was not asked for here.
func (p *Pace) Printed(now time.Time) { p.last, p.printed = now, true }
