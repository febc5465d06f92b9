package drover

import (
	"fmt"
	"sync"
	"time"

	"github.com/drover-dev/drover/internal/term"
)

// ProgressOptions describes a piece of work for [Call.Progress].
type ProgressOptions struct {
	Label     string // what is done; empty: the command's name
	Unit      string // what is counted; empty: "rows"
	Total     int64  // how many; 0: not known
	Estimated bool   // Total is an estimate
	Done      int64  // already done by earlier attempts: counts for the share, not for the speed
	Batches   int64  // how many batches; 0: not known
}

// Progress is the display of one piece of work: a live block on a terminal, plain lines elsewhere, JSON lines, or nothing,
// as --progress says. Its methods are safe for concurrent use, cost little, and may be called for every row.
type Progress struct {
	inv  *invocation
	kind progressKind

	drawing sync.Mutex // held while a state is rendered, so that nothing is drawn after the last one

	mu    sync.Mutex
	meter *term.Meter
	pace  *term.Pace
	ended bool
	batch int64
	total int64

	quit chan struct{}
	idle sync.WaitGroup
}

type progressKind int

const (
	progressNone progressKind = iota
	progressLive
	progressPlain
	progressJSON
)

const (
	liveEvery  = 100 * time.Millisecond
	plainEvery = 250 * time.Millisecond
	jsonEvery  = time.Second
)

// Progress starts showing a piece of work. The one before, if it still runs, is finished; the framework finishes the last
// one when the command ends.
func (c *Call) Progress(o ProgressOptions) *Progress {
	inv := c.inv
	if o.Label == "" {
		o.Label = inv.command.Name
	}
	inv.finishProgress()
	now := inv.now()
	p := &Progress{
		inv:  inv,
		kind: inv.progressKind(),
		meter: term.NewMeter(term.Snapshot{
			Label: o.Label, Unit: o.Unit, Total: o.Total, Exact: !o.Estimated, Done: o.Done, Batches: o.Batches,
		}, now),
		pace:  term.NewPace(now),
		total: o.Batches,
		quit:  make(chan struct{}),
	}
	inv.setProgress(p)
	if p.kind != progressNone {
		p.idle.Go(p.tick)
		p.show()
	}
	return p
}

// progressKind decides how progress is shown: --progress first, then --json, then whether stderr is a terminal.
func (inv *invocation) progressKind() progressKind {
	if inv.std.verbosity == 0 {
		return progressNone
	}
	switch inv.std.progress {
	case "none":
		return progressNone
	case "json":
		return progressJSON
	case "plain":
		return progressPlain
	case "tty":
		if inv.env.StderrTTY {
			return progressLive
		}
		return progressPlain
	}
	switch {
	case inv.std.json:
		return progressJSON
	case inv.env.StderrTTY && term.Getenv(inv.env.Environ, "TERM") != "dumb":
		return progressLive
	}
	return progressPlain
}

// tick shows the passing of time while the work itself reports nothing. finish waits for it.
func (p *Progress) tick() {
	every := map[progressKind]time.Duration{progressLive: liveEvery, progressPlain: plainEvery, progressJSON: jsonEvery}[p.kind]
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ticker.C:
			// After a while without a tick the process may have been stopped: its SIGCONT is answered before the block is drawn over what
			// another program has written.
			gap := time.Since(last)
			last = last.Add(gap)
			if p.kind != progressLive || gap < 5*every {
				p.show()
			}
		case <-p.quit:
			return
		}
	}
}

// Add counts n more as done.
func (p *Progress) Add(n int64) {
	p.update(func(now time.Time) { p.meter.Set(p.meter.Done()+n, now) })
}

// Set says how much is done.
func (p *Progress) Set(done int64) {
	p.update(func(now time.Time) { p.meter.Set(done, now) })
}

// SetTotal says how much there is to do; exact, that it was counted.
func (p *Progress) SetTotal(total int64, exact bool) {
	p.update(func(time.Time) { p.meter.SetTotal(total, exact) })
}

// Batch says that batch n, counted from 1, is under way: a stop signal's message names it.
func (p *Progress) Batch(n int64) {
	p.update(func(time.Time) {
		p.batch = n
		p.meter.SetBatch(n, p.total)
	})
}

// Fact shows a named number: Fact("lag", "0.2s"). It keeps the place of its first use.
func (p *Progress) Fact(name, value string) {
	p.update(func(time.Time) { p.meter.SetFact(name, value) })
}

// Note shows one line about the latest step, on a terminal only.
func (p *Progress) Note(format string, args ...any) {
	note := fmt.Sprintf(format, grouped(args)...)
	p.update(func(time.Time) { p.meter.SetNote(note) })
}

// Pause says that the work waits, and for what. The time until [Progress.Resume] counts neither for the speed nor for the
// estimate. Off a terminal both print a line at once.
func (p *Progress) Pause(reason string) {
	label := ""
	p.update(func(now time.Time) {
		p.meter.Pause(reason, now)
		p.pace.Printed(now)
		label = p.meter.Snapshot(now).Label
	})
	if p.kind == progressPlain {
		p.plain(label + ": waiting: " + reason)
		return
	}
	p.show()
}

// Resume ends a pause.
func (p *Progress) Resume() {
	label := ""
	var paused time.Duration
	p.update(func(now time.Time) {
		if paused = p.meter.Resume(now); paused > 0 {
			p.pace.Printed(now)
		}
		label = p.meter.Snapshot(now).Label
	})
	if p.kind == progressPlain && paused > 0 {
		p.plain(label + ": resumed after " + term.Duration(paused))
	}
}

// Finish ends the display. On a terminal its last state stays on the screen. Further calls do nothing.
func (p *Progress) Finish() {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended = true
	p.meter.Finish(p.inv.now())
	p.mu.Unlock()
	close(p.quit)
	p.idle.Wait()
	p.drawing.Lock()
	defer p.drawing.Unlock()
	p.render(true)
}

func (p *Progress) update(change func(now time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		change(p.inv.now())
	}
}

// show renders the state as it is.
func (p *Progress) show() {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if !ended {
		p.render(false)
	}
}

func (p *Progress) render(last bool) {
	now := p.inv.now()
	p.mu.Lock()
	s := p.meter.Snapshot(now)
	due := p.kind == progressPlain && p.pace.Due(s, now)
	p.mu.Unlock()
	switch p.kind {
	case progressLive:
		lines := term.Block(s, p.inv.screen.Columns(), p.inv.colourErr)
		if last {
			p.inv.screen.KeepBlock(lines)
		} else {
			p.inv.screen.SetBlock(lines)
		}
	case progressPlain:
		if due {
			p.plain(term.Line(s))
		}
	case progressJSON:
		p.inv.printErr(p.inv.tagged(term.JSONLine(s, now)))
	case progressNone:
	}
}

func (p *Progress) plain(line string) {
	p.inv.errLine(term.Plain, p.inv.now().Local().Format(time.TimeOnly)+" "+line)
}

// status is the line that SIGUSR1 prints, in every mode.
func (p *Progress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return term.Line(p.meter.Snapshot(p.inv.now()))
}

// doing names what a soft stop waits for.
func (p *Progress) doing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batch == 0 {
		return "the current step"
	}
	return "batch " + term.Count(p.batch)
}
