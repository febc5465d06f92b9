package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/term"
)

// runCommand is a job as a command: plan, confirmation, run, summary.
func runCommand(ctx context.Context, c *drover.Call, core *core, o Options, x *Flags) error {
	s := NewScreen(c, core.verb)
	o.Observe = s.Observe
	r, err := newRunner(core, c.DB(), o)
	if err != nil {
		return err
	}
	defer r.closePhase()
	p, err := r.makePlan(ctx)
	if err != nil {
		return s.Explain(ctx, nil, err)
	}
	s.Begin(p)
	switch {
	case c.Rollback():
		h, err := r.rehearsePlan(ctx, x.sample)
		if err != nil {
			return s.Explain(ctx, nil, err)
		}
		if err := s.Rehearsed(h); err != nil {
			return err
		}
		return x.Save(c, &Prepared{r})
	case c.CheckOnly():
		switch {
		case p.File != nil && p.Refusal != nil:
			return p.Refusal
		case p.Rows == 0:
			return nil
		}
		return c.WorkFound("%s", s.left(p))
	case c.DryRun():
		if err := s.preview(p); err != nil {
			return err
		}
		return x.Offer(c, &Prepared{r})
	}
	s.plan(p)
	if p.Refusal != nil {
		return p.Refusal
	}
	if err := x.Save(c, &Prepared{r}); err != nil {
		return err
	}
	if p.Rows == 0 && p.RunID == "" {
		s.nothing(p)
		return nil
	}
	if err := c.Confirm(ctx, s.facts(p)); err != nil {
		return err
	}
	res, err := r.execute(ctx)
	return s.Finish(ctx, res, err)
}

// facts is what the user confirms.
func (s *Screen) facts(p *Plan) drover.Facts {
	f := drover.Facts{Action: s.verb.Base, Count: p.Rows, What: "rows of " + p.Source}
	if p.Rows < 0 {
		f.Count, f.What = 1, "source ("+p.Source+", whose rows cannot be counted before)"
	}
	if p.Done > 0 {
		f.Count = max(p.Rows-p.Done, 1)
	}
	return f
}

// left says how much there is to do.
func (s *Screen) left(p *Plan) string {
	if p.Rows < 0 {
		return "rows of " + p.Source + " may be left to " + s.verb.Base
	}
	return drover.Count(p.Rows-p.Done) + " rows of " + p.Source + " to " + s.verb.Base
}

// preview prints the plan as the result of a dry run.
func (s *Screen) preview(p *Plan) error {
	c := s.call
	if c.JSONOutput() {
		c.JSON(s.PlanDocument(p))
		return p.Refusal
	}
	c.Block(s.PlanText(p))
	switch {
	case p.Refusal != nil:
		return p.Refusal
	case p.Rows == 0:
		c.Line("Nothing to %s: no rows of %s match.", s.verb.Base, p.Source)
		return nil
	}
	c.Did(s.verb, "%s", s.amount(max(p.Rows-p.Done, -1), p.Batches))
	return nil
}

// plan prints the plan before a run.
func (s *Screen) plan(p *Plan) {
	c := s.call
	if c.JSONOutput() {
		c.JSON(s.PlanDocument(p))
		return
	}
	c.Detail(1, "%s", s.PlanText(p))
	c.Detail(1, "")
}

func (s *Screen) nothing(p *Plan) {
	c := s.call
	text := fmt.Sprintf("Nothing to %s: no rows of %s match.", s.verb.Base, p.Source)
	if c.JSONOutput() {
		summary := s.SummaryDocument(&Result{Size: p.Size}, nil)
		summary.Message = text
		c.JSON(summary)
		return
	}
	c.Success("%s", text)
}

// amount is the sentence that a dry run, a run and its summary share, without its verb.
func (s *Screen) amount(rows, batches int64) string {
	text := "rows"
	if rows >= 0 {
		text = term.Counted(rows, "row")
	}
	if batches >= 0 {
		text += " in " + term.Counted(batches, "batch")
	}
	return text + " on " + s.call.DB().Alias() + "."
}

// PlanText is the plan as a block of text.
func (s *Screen) PlanText(p *Plan) string {
	var b strings.Builder
	c := s.call
	b.WriteString(c.CommandName() + "  plan")
	if c.DryRun() {
		b.WriteString(" only, nothing will be changed")
	}
	b.WriteString("\n\n")
	line := func(label, format string, args ...any) {
		b.WriteString(term.Field(label, fmt.Sprintf(format, args...)) + "\n")
	}
	line("Database", "%s   %s", c.DB().Alias(), c.DB().Address())
	line("Source", "%s", p.Source)
	if p.RunID != "" {
		line("Run", "%s is resumed: %s of %s done", Short(p.RunID), drover.Count(p.Done), countOrUnknown(p.Rows))
	} else {
		match := countOrUnknown(p.Rows) + " " + term.Plural(p.Rows, "row")
		if p.First != "" {
			match += fmt.Sprintf("   %s %s .. %s", p.Order, term.Printable(p.First), term.Printable(p.Last))
		}
		line("Match", "%s", match)
	}
	switch p.Order {
	case "":
	case placeOrder:
		line("Order", "as in the file")
	default:
		line("Order", "%s, keyset", p.Order)
	}
	if p.Batches >= 0 {
		line("Batches", "%s x %s, one transaction each", drover.Count(p.Batches), term.Counted(int64(p.Size), "row"))
	}
	if p.Workers > 1 {
		line("Workers", "%d", p.Workers)
	}
	for _, d := range p.Details {
		line(d.Label, "%s", d.Text)
	}
	for _, w := range p.Warnings {
		line("Warning", "%s", w)
	}
	for i, row := range p.Sample {
		label := ""
		if i == 0 {
			b.WriteByte('\n')
			label = "Sample"
		}
		line(label, "%s", sampleText(p.Columns, row, c.Verbosity()))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func countOrUnknown(n int64) string {
	if n < 0 {
		return "an unknown number of"
	}
	return drover.Count(n)
}

const (
	sampleColumns = 4  // shown of a sample row, but for -v 2
	sampleWidth   = 40 // of a value, but for -v 2
)

func sampleText(columns, row []string, verbosity int) string {
	var parts []string
	for i, text := range row {
		if verbosity < 2 && i == sampleColumns {
			parts = append(parts, fmt.Sprintf("... %d more (-v 2 for all columns)", len(row)-i))
			break
		}
		if runes := []rune(text); verbosity < 2 && len(runes) > sampleWidth {
			text = string(runes[:sampleWidth-1]) + "…"
		}
		if text = term.Printable(text); text == "" {
			text = "''"
		}
		parts = append(parts, columns[i]+" "+text)
	}
	return strings.Join(parts, "  ")
}

// Rehearsed prints what a dry run by rollback has seen, and returns the command's error.
func (s *Screen) Rehearsed(h *Rehearsal) error {
	c := s.call
	if c.JSONOutput() {
		c.JSON(s.rehearsalDocument(h))
		return errors.Join(h.Failures...)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  worked for real and rolled back: %s, %s\n\n", c.CommandName(), term.Counted(h.Batches, "batch"), term.Counted(h.Processed, "row"))
	for _, change := range h.Changes {
		b.WriteString("  " + change.text(h.Key) + "\n")
	}
	if h.More > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", term.Counted(h.More, "changed row"))
	}
	for _, t := range h.Preview.Tables {
		fmt.Fprintf(&b, "  %s: %s inserted, %s updated, %s deleted\n", t.Table, drover.Count(t.Inserted), drover.Count(t.Updated), drover.Count(t.Deleted))
	}
	for _, note := range append(h.Preview.Notes, hookNotes(h.Preview.Hooks)...) {
		b.WriteString("  Note: " + note + "\n")
	}
	c.Block(b.String())
	for _, err := range h.Failures {
		c.Error("%v", err)
	}
	c.Did(s.verb, "%s Nothing was changed.", s.amount(h.Processed, h.Batches))
	if len(h.Failures) > 0 {
		return drover.Errorf("%s failed in the rehearsal", term.Counted(int64(len(h.Failures)), "batch"))
	}
	return nil
}

func hookNotes(hooks []string) []string {
	var notes []string
	for _, h := range hooks {
		notes = append(notes, "after the commit this would run: "+h)
	}
	return notes
}

// text is a changed row in one line: id 17: status "old" -> "new".
func (c RowChange) text(key string) string {
	parts := make([]string, len(c.Columns))
	for i, col := range c.Columns {
		if c.Deleted {
			parts[i] = col.Column + " " + term.Printable(col.Before)
			continue
		}
		parts[i] = fmt.Sprintf("%s %s -> %s", col.Column, term.Printable(col.Before), term.Printable(col.After))
	}
	verb := ""
	if c.Deleted {
		verb = "deleted "
	}
	return strings.TrimSpace(fmt.Sprintf("%s%s %s:  %s", verb, key, term.Printable(c.Key), strings.Join(parts, "  ")))
}
