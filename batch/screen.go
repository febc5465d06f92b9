package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// Screen shows a run to the user of a command: its events while it lasts, its summary, and why it ended early and how to go on. Make one for each
// run, and give its Observe to Options.Observe.
type Screen struct {
	call     *drover.Call
	verb     drover.Verb
	sameLine bool
	noReplay bool
	planned  *Plan
	progress *drover.Progress
	earlier  int64 // rows that events count and that belong to phases before the one that is shown
	aside    int64
	retries  int64
	// committed is the number of the last batch.
	committed int64
}

// NewScreen makes the screen of a run; verb is what becomes of the rows.
func NewScreen(c *drover.Call, verb drover.Verb) *Screen { return &Screen{call: c, verb: verb} }

// Call is the call that the screen is of.
func (s *Screen) Call() *drover.Call { return s.call }

// Verb is what is done.
func (s *Screen) Verb() drover.Verb { return s.verb }

// SameLine says that the command's own line goes on with the run as it is, without --resume.
func (s *Screen) SameLine() { s.sameLine = true }

// NoReplay says that rows which were set aside are not worked on again by --retry.
func (s *Screen) NoReplay() { s.noReplay = true }

// tool is how an advised command line about the run begins: with this program, where it has the command "runs".
func (s *Screen) tool() string { return toolOf(s.call) }

func toolOf(c *drover.Call) string {
	name := "drover"
	if c.HasCommand("runs") {
		name = c.Program()
	}
	return name + c.DatabaseOption()
}

// Begin tells the screen the plan that the events are about.
func (s *Screen) Begin(p *Plan) { s.planned = p }

// Observe shows an event.
func (s *Screen) Observe(e Event) {
	switch e.Type {
	case EventStarted, EventResumed:
		s.call.SetRun(e.RunID)
	case EventRetry:
		s.retries++
		s.fact("retries", drover.Count(s.retries))
	case EventQuarantined:
		s.aside++
		s.fact("errors", drover.Count(s.aside))
	}
	if s.call.JSONOutput() {
		s.observeJSON(e)
		return
	}
	c := s.call
	switch e.Type {
	case EventTables:
		c.Notice("First run on this database: %s.", e.Text)
	case EventStarted:
		c.Notice("Run %s started. Stop safely with Ctrl-C. Status: %s runs show %[1]s", Short(e.RunID), s.tool())
		s.start(e)
	case EventResumed:
		c.Notice("%s", s.resumedText(e))
		s.start(e)
	case EventPhase:
		s.endProgress() // so that its last state stands above the notice
		c.Notice("Phase %s.", e.Text)
		s.start(e)
	case EventBatch:
		s.batch(e)
	case EventRetry:
		of := ""
		if e.Of > 0 {
			of = fmt.Sprintf(" of %d", e.Of)
		}
		c.Warning("batch %d%s: %s, try %d%s in %s", e.Batch, e.Range, e.Text, e.Attempt+1, of, drover.Duration(e.Wait))
	case EventRetried:
		c.Detail(1, "batch %d: try %d ok (%s)", e.Batch, e.Attempt, drover.Duration(e.Took))
	case EventSplit:
		c.Warning("batch %d%s: %v; it is cut in halves to find the bad row", e.Batch, e.Range, firstLine(e.Err))
	case EventQuarantined:
		c.Warning("row %s quarantined: %v", e.Key, firstLine(e.Err))
	case EventThrottled:
		s.pause(e.Text)
	case EventContinued:
		s.continued(e.Text)
	case EventCanary:
		c.Notice("Canary: %s done, the assertions hold; going on with the rest.", term.Counted(e.Done, "row"))
	case EventSet:
		c.Notice("Changed from outside: %s.", e.Text)
	case EventStopping:
		if c.StopSignal() != nil { // which the user was told of at once
			return
		}
		c.Notice("Stopping: %s; the batches under way are finished first.", e.Text)
	case EventSize:
		c.Detail(2, "%s", e.Text)
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return term.Printable(line)
}

func (s *Screen) resumedText(e Event) string {
	text := fmt.Sprintf("Resuming run %s, attempt %d", Short(e.RunID), e.Attempt)
	if e.Reached != "" {
		text += ", after " + e.Reached
	}
	if e.Total > 0 {
		of := ""
		if e.Phase != "" {
			of = " of phase " + e.Phase
		}
		text += fmt.Sprintf(" (%s%s done)", term.Percent(e.Done-e.Earlier, e.Total-e.Earlier), of)
	}
	if e.Text != "" {
		text += "; " + e.Text
	}
	return text + ". Stop safely with Ctrl-C."
}

// start begins the progress display, of a job with phases that of one phase.
func (s *Screen) start(e Event) {
	s.earlier = e.Earlier
	o := drover.ProgressOptions{Label: s.call.CommandName(), Done: e.Done - e.Earlier}
	if e.Total > 0 {
		o.Total = e.Total - e.Earlier
	}
	if s.planned != nil {
		o.Label += " " + s.planned.Source
		if s.planned.Batches > 0 && e.Type != EventPhase { // which the plan has not measured
			o.Batches = s.planned.Batches
		}
	}
	if e.Phase != "" {
		o.Label += ", " + e.Phase
	}
	s.progress = s.call.Progress(o)
	s.fact("retries", drover.Count(s.retries))
}

func (s *Screen) fact(name, value string) {
	if s.progress != nil {
		s.progress.Fact(name, value)
	}
}

func (s *Screen) batch(e Event) {
	if s.progress == nil {
		return
	}
	next := e.Batch + 1
	if e.Total >= 0 && e.Done >= e.Total { // there is none
		next = e.Batch
	}
	s.committed = e.Batch
	s.progress.Batch(next)
	s.progress.Set(e.Done - s.earlier)
	s.progress.Note("batch %d: %d rows in %s", e.Batch, e.Rows, drover.Duration(e.Took))
	if e.Reached != "" {
		s.progress.Fact("at", e.Reached)
	}
}

func (s *Screen) pause(reason string) {
	if s.progress != nil {
		s.progress.Pause(reason)
	}
}

func (s *Screen) continued(string) {
	if s.progress != nil {
		s.progress.Resume()
	}
}

func (s *Screen) endProgress() {
	if s.progress != nil {
		s.progress.Finish()
	}
}

// End ends the progress display, and returns the command's error; what was done is left to the caller to show. It is the first half of Finish.
func (s *Screen) End(ctx context.Context, res *Result, err error) error {
	if stopped := new(StoppedError); errors.As(err, &stopped) && stopped.Err == nil && s.progress != nil {
		s.progress.Batch(s.committed) // the next one was not begun
	}
	s.endProgress()
	err = s.Explain(ctx, res, err)
	if err == nil && res.Quarantined > 0 {
		partial := drover.Exit(drover.ExitPartial, "%s set aside", term.Counted(res.Quarantined, "row")).
			Try("%s runs errors %s    shows them", s.tool(), Short(res.RunID))
		if !s.noReplay {
			partial = partial.Try("%s    works on them again", s.retry(res.RunID))
		}
		err = partial
	}
	return err
}

// Finish shows how the run ended, and returns the command's error.
func (s *Screen) Finish(ctx context.Context, res *Result, err error) error {
	err = s.End(ctx, res, err)
	c := s.call
	if c.JSONOutput() {
		if res != nil {
			c.JSON(s.SummaryDocument(res, err))
		}
		return err
	}
	if err == nil || drover.ExitCode(err) == drover.ExitPartial {
		done := ""
		if res.Planned >= 0 {
			done = "      matched at start " + drover.Count(res.Planned)
		}
		c.Detail(1, "%s", s.Summary(res, done))
		c.Did(s.verb, "%s", s.amount(res.Done, res.Batches))
	}
	return err
}

// Explain turns an error of a run into the one that the command ends with: what is kept, and how to go on.
func (s *Screen) Explain(ctx context.Context, res *Result, err error) error {
	var stopped *StoppedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stopped):
		return s.stopped(res, stopped)
	case res == nil || res.RunID == "":
		return err
	}
	failed := drover.Errorf("%w; %s", err, s.doneText(res))
	if ctx.Err() != nil {
		return failed
	}
	kind := kindOf(err)
	switch {
	case errors.Is(err, ErrTakenOver):
		return failed.Try("%s runs show %s", s.tool(), Short(res.RunID))
	case errors.As(err, new(*TooManyErrors)):
		if res.Quarantined > 0 {
			failed = failed.Try("%s runs errors %s    shows the rows that were set aside", s.tool(), Short(res.RunID))
		}
		return failed.Try("%s", s.again(res.RunID, map[string]string{"max-errors": "1000"}))
	case kind == db.ErrForeignKey:
		failed = failed.Try("run it with --dry-run: the plan names the rows that point to those to delete")
	case kind.Retryable():
		failed = failed.Try("a smaller --batch-size holds its locks for a shorter time")
	}
	return failed.Try("%s", s.again(res.RunID, nil))
}

// stopped is the error of a run that was stopped before its end.
func (s *Screen) stopped(res *Result, err *StoppedError) error {
	out := &drover.StopError{Signal: s.call.StopSignal(), Err: err.Err}
	if out.Signal == nil {
		out.Reason = err.Reason
	}
	if res == nil || res.RunID == "" {
		out.Summary = "nothing was begun"
		return out
	}
	out.Summary = s.doneText(res)
	if err.Err != nil {
		out.Summary += ", nothing of the batches under way is kept"
	}
	if !err.Cancelled {
		out.Resume = s.again(res.RunID, nil)
	}
	return out
}

// again is the command line that goes on with the run.
func (s *Screen) again(id string, change map[string]string) string {
	all := map[string]string{"again": "", "resume": Short(id), "plan": "", "plan-out": ""}
	if s.sameLine {
		delete(all, "resume")
	}
	maps.Copy(all, change)
	return s.call.ShellLine(all)
}

// retry is the command line that works on the rows that a run has set aside.
func (s *Screen) retry(id string) string {
	if s.call.HasCommand("runs") {
		return s.tool() + " runs retry " + Short(id)
	}
	return s.call.ShellLine(map[string]string{"again": "", "resume": "", "limit": "", "plan": "", "plan-out": "", "retry": Short(id)})
}

// doneText says how much is done, of a job with phases in each of them.
func (s *Screen) doneText(res *Result) string {
	if len(res.Phases) > 1 {
		var parts []string
		for _, p := range res.Phases {
			text := p.Name + ": " + drover.Count(p.Done)
			if p.Planned > 0 {
				text += " of " + drover.Count(p.Planned)
			}
			parts = append(parts, text+" rows")
		}
		return strings.Join(parts, ", ") + " in " + term.Counted(res.Batches, "batch")
	}
	text := drover.Count(res.Done)
	if res.Planned > 0 {
		text += " of " + drover.Count(res.Planned)
	}
	text += " rows " + strings.ToLower(s.verb.Past)
	if res.Planned > 0 {
		text += " (" + term.Percent(res.Done, res.Planned) + ")"
	}
	return text + " in " + term.Counted(res.Batches, "batch")
}

// Summary is what was done, as a block of text. done is said behind the number of rows, and details are further lines; one without a label belongs to
// the rows.
func (s *Screen) Summary(res *Result, done string, details ...Detail) string {
	var b strings.Builder
	attempts := ""
	if res.Attempt > 1 {
		attempts = fmt.Sprintf(" (%d attempts)", res.Attempt)
	}
	what := s.call.CommandName()
	if s.planned != nil && s.planned.Source != "" {
		what += " " + s.planned.Source
	}
	fmt.Fprintf(&b, "OK  %s   run %s   finished in %s%s\n", what, Short(res.RunID), drover.Duration(res.Elapsed), attempts)
	line := func(label, format string, args ...any) {
		b.WriteString(term.Field(label, fmt.Sprintf(format, args...)) + "\n")
	}
	line(s.verb.Past, "%s%s", term.Counted(res.Done, "row"), done)
	for _, d := range details {
		if d.Label == "" {
			line("", "%s", d.Text)
		}
	}
	if res.Quarantined > 0 {
		line("Set aside", "%s", term.Counted(res.Quarantined, "row"))
	}
	line("Batches", "%s ok   %s   size %s   p50 %s   p95 %s   max %s", drover.Count(res.Batches), retriedText(res.Retried),
		drover.Count(int64(res.Size)), drover.Duration(res.P50), drover.Duration(res.P95), drover.Duration(res.Max))
	waited := ""
	if res.Waited > 0 {
		waited = "      waited " + drover.Duration(res.Waited)
	}
	line("Rate", "%s rows/s average%s", term.Rate(res.Rate()), waited)
	for _, d := range details {
		if d.Label != "" {
			line(d.Label, "%s", d.Text)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Rate is the rows of this attempt by its time.
func (r *Result) Rate() float64 {
	if s := r.Elapsed.Seconds(); s > 0 {
		return float64(r.Processed) / s
	}
	return 0
}

func retriedText(retried map[string]int64) string {
	var n int64
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(retried)) {
		n += retried[reason]
		reasons = append(reasons, reason+" "+drover.Count(retried[reason]))
	}
	text := drover.Count(n) + " retried"
	if len(reasons) > 0 {
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	return text
}

func stamp(t time.Time) string { return term.Timestamp(t) }
