package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

func runsShow() *drover.Command {
	return &drover.Command{
		Name: "show", Short: "Show everything about a run",
		Args:     drover.Args{Usage: runArgument},
		Complete: completeRuns(anyRun),
		Run: func(ctx context.Context, c *drover.Call) error {
			store := runstore.New(c.DB())
			found, err := findRun(ctx, c, store, c.Arg(0))
			if err != nil {
				return err
			}
			d, err := readDetails(ctx, c, store, found.ID)
			if err != nil {
				return err
			}
			if c.JSONOutput() {
				c.JSON(d.document(c))
				return nil
			}
			c.Block(d.text(c))
			d.advise(c)
			return nil
		},
	}
}

const (
	shownAside  = 5    // rows that were set aside
	shownEvents = 30   // the last ones; with -v 2 and in JSON more
	mostEvents  = 5000 // the last ones
)

// details is a run with everything that is stored of it but for its data.
type details struct {
	run      runstore.Run
	counters runstore.Counters
	shards   []runstore.Shard
	aside    []runstore.Quarantined // the first rows
	images   int64
	events   []runstore.Event // the last ones
}

// readDetails reads them as of one moment, where the database's isolation allows it.
func readDetails(ctx context.Context, c *drover.Call, store *runstore.Store, id string) (*details, error) {
	d := &details{}
	events := shownEvents
	if c.JSONOutput() || c.Verbosity() >= 2 {
		events = mostEvents
	}
	var options []db.BlockOption
	if !c.DB().InBlock(ctx) { // the access mode of a surrounding block is its own
		options = append(options, db.ReadOnly())
	}
	err := c.DB().Atomic(ctx, func(ctx context.Context) error {
		run, err := store.Find(ctx, id)
		if err != nil {
			return err
		}
		d.run = *run
		if d.counters, err = store.Totals(ctx, id); err != nil {
			return err
		}
		if d.shards, err = store.Shards(ctx, id); err != nil {
			return err
		}
		if d.aside, err = store.Quarantine(ctx, id, 0, shownAside); err != nil {
			return err
		}
		if d.images, err = store.CountImages(ctx, id); err != nil {
			return err
		}
		d.events, err = store.Events(ctx, id, events)
		return err
	}, options...)
	return d, err
}

func (d *details) document(c *drover.Call) runDetails {
	doc := runDetails{
		runDocument: documentOf(c, d.run, d.counters), UndoImages: d.images,
		Shards: []shardDocument{}, Quarantine: []asideDocument{}, Events: []eventDocument{},
	}
	for _, sh := range d.shards {
		s := shardDocument{
			Phase: sh.Phase, Shard: sh.Number, Lower: jsonValues(sh.Lower), Upper: jsonValues(sh.Upper), Reached: jsonValues(sh.Reached),
			Finished: sh.Done, Batches: sh.Batches, Read: sh.Read, Done: sh.Counters.Done, Quarantined: sh.Quarantined, Retries: sh.Retries,
		}
		if sh.Planned >= 0 {
			s.Planned = &sh.Planned
		}
		doc.Shards = append(doc.Shards, s)
	}
	for _, q := range d.aside {
		doc.Quarantine = append(doc.Quarantine, asideOf(q))
	}
	for _, e := range d.events {
		doc.Events = append(doc.Events, eventDocument{term.Timestamp(e.At), e.Type, e.Actor, e.Text})
	}
	return doc
}

// text is the run as a block of text.
func (d *details) text(c *drover.Call) string {
	r := d.run
	b := &sheet{}
	fmt.Fprintf(&b.Builder, "%s   run %s   %s\n\n", fullTitle(r), batch.Short(r.ID), stateText(r))
	b.line("Run", "%s", r.ID)
	b.line("Database", "%s   %s", c.DB().Alias(), c.DB().Address())
	d.origin(b)
	d.standing(b)
	d.progress(b, c)
	d.times(b, c)
	d.quarantine(b)
	d.timeline(b, c)
	return b.String()
}

// origin says what the run is.
func (d *details) origin(b *sheet) {
	r := d.run
	if len(r.CommandLine) > 0 {
		b.line("Command", "%s", term.Printable(shellLine(r.CommandLine)))
	} else {
		b.line("Command", "%s, begun from code", r.Command)
	}
	label := "Arguments"
	for _, a := range r.Arguments {
		b.line(label, "%s = %s", a.Name, term.Printable(a.Value))
		label = ""
	}
	switch {
	case r.UndoOf != "":
		b.line("Undoes", "run %s", batch.Short(r.UndoOf))
	case r.RetryOf != "":
		b.line("Retry", "of the rows that run %s has set aside", batch.Short(r.RetryOf))
	}
	if r.Number > 1 {
		b.line("Number", "%d of the same work", r.Number)
	}
}

// standing says how the run is and who works on it.
func (d *details) standing(b *sheet) {
	r := d.run
	text := stateText(r)
	switch {
	case r.Waiting != "":
		text += ": " + term.Printable(r.Waiting)
	case r.Error != "":
		text += ": " + term.Printable(r.Error)
	}
	b.line("State", "%s", text)
	b.line("Attempts", "%d", r.Attempt)
	switch {
	case r.Live():
		b.line("Runner", "%s", term.Printable(r.Owner))
	case r.State == runstore.Interrupted:
		b.line("Runner", "%s, not heard of since its lease has run out; anybody can go on", term.Printable(r.Owner))
	}
}

// progress says how far the run is.
func (d *details) progress(b *sheet, c *drover.Call) {
	r, n := d.run, d.counters
	text := drover.Count(n.Done)
	if r.Planned >= 0 {
		text += " of " + drover.Count(r.Planned)
	}
	text += " rows"
	if r.Planned > 0 {
		text += " (" + term.Percent(n.Done, r.Planned) + ")"
	}
	b.line("Done", "%s in %s   read %s   set aside %s   retries %s", text, term.Counted(n.Batches, "batch"), drover.Count(n.Read),
		drover.Count(n.Quarantined), drover.Count(n.Retries))
	if rate, ok := rowRate(r, n, c.Now()); ok {
		b.line("Rate", "%s rows/s average", term.Rate(rate))
	}
	label := "Shards"
	for phase := 0; phase <= r.Phase; phase++ {
		if text := d.shardsText(phase); text != "" {
			b.line(label, "%s", text)
			label = ""
		}
	}
	label = "Options"
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		b.line(label, "%s = %s", name, term.Printable(r.Options[name]))
		label = ""
	}
	switch {
	case r.State == runstore.Undone:
		b.line("Undo", "undone; %s kept", term.Counted(d.images, "row image"))
	case r.Undo:
		b.line("Undo", "%s kept: %s undo %s", term.Counted(d.images, "row image"), tool(c), batch.Short(r.ID))
	}
}

// shardsText says how far the shards of a phase are. The places of an undo and of a retry are not keys of rows, so they mean nothing to people.
func (d *details) shardsText(phase int) string {
	all, done, furthest := 0, 0, keyset.Values(nil)
	for _, sh := range d.shards {
		if sh.Phase != phase {
			continue
		}
		all++
		if sh.Done {
			done++
		}
		if sh.Reached != nil {
			furthest = sh.Reached
		}
	}
	if all == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d done", done, all)
	if furthest != nil && d.run.UndoOf == "" && d.run.RetryOf == "" {
		text += "   furthest checkpoint " + keyText(furthest)
	}
	if d.run.Phase > 0 {
		text = fmt.Sprintf("phase %d: %s", phase+1, text)
	}
	return text
}

// times says when it all was.
func (d *details) times(b *sheet, c *drover.Call) {
	r, now := d.run, c.Now()
	b.line("Created", "%s by %s with %s", timeText(r.CreatedAt, now), term.Printable(r.CreatedBy), term.Printable(r.Build))
	if r.StartedAt.IsZero() {
		return
	}
	text := timeText(r.StartedAt, now)
	switch {
	case r.State == runstore.Undone:
		text += "   undone " + timeText(r.FinishedAt, now)
	case !r.FinishedAt.IsZero():
		text += "   ended " + timeText(r.FinishedAt, now)
	}
	if d, ok := took(r, now); ok {
		text += "   took " + drover.Duration(d)
	}
	b.line("Started", "%s", text)
}

// quarantine shows the first rows that were set aside.
func (d *details) quarantine(b *sheet) {
	if len(d.aside) == 0 {
		return
	}
	b.WriteString("\nSet aside\n")
	b.WriteString(indent(asideGrid(d.aside, false)))
	if more := d.counters.Quarantined - int64(len(d.aside)); more > 0 {
		fmt.Fprintf(&b.Builder, "  … and %s more\n", drover.Count(more))
	}
}

// timeline shows the last events.
func (d *details) timeline(b *sheet, c *drover.Call) {
	b.WriteString("\nEvents\n")
	g := grid{}
	for _, e := range d.events {
		g.add(timeText(e.At, c.Now())+e.At.In(c.Now().Location()).Format(":05"), e.Type, term.Printable(e.Actor), term.Printable(e.Text))
	}
	b.WriteString(indent(g.String()))
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// advise says what can be done with the run.
func (d *details) advise(c *drover.Call) {
	r := d.run
	switch {
	case r.Live():
		c.Notice("Pause: %[1]s runs pause %[2]s      Give up: %[1]s runs cancel %[2]s", tool(c), batch.Short(r.ID))
	case !r.State.Finished():
		c.Notice("Resume: %s      Give up: %s runs cancel %s", resumeLine(c, r), tool(c), batch.Short(r.ID))
	}
	if d.counters.Quarantined > 0 {
		c.Notice("Rows set aside: %s runs errors %s", tool(c), batch.Short(r.ID))
	}
}

// shellLine is words as one line that a shell reads.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = term.ShellQuote(word)
	}
	return strings.Join(quoted, " ")
}
