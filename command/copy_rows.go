package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/term"
	"github.com/drover-dev/drover/internal/transfer"
)

// copied is a row of the table that is copied, as it was read.
type copied = rowimage.Row

// copy writes the rows of a batch to the other database, in the batch's transaction.
func (j *copying) copy(ctx context.Context, b *batch.Batch[copied]) error {
	return j.telling(ctx, b, func() error {
		if !j.overwrite {
			return j.transfer.Insert(ctx, b.Rows)
		}
		check, err := j.transfer.Compare(ctx, b.Rows)
		if err != nil {
			return err
		}
		return j.bring(ctx, b.Rows, check.Differences)
	})
}

// telling calls write, and tells the batch which rows it has made where that is kept.
func (j *copying) telling(ctx context.Context, b *batch.Batch[copied], write func() error) error {
	if !j.options.Undo || b.RunID() == "" {
		return write()
	}
	return tellCreated(ctx, b, creating{j.dest.conn, j.dest.keys.Table(), j.images, j.overwrite}, j.destKeys(b.Rows), write)
}

// bring writes the rows that are not there, and those that are there with other values.
func (j *copying) bring(ctx context.Context, rows []copied, differences []transfer.Difference) error {
	var missing []copied
	for _, d := range differences {
		if d.Missing {
			missing = append(missing, rows[d.Row])
			continue
		}
		if err := j.transfer.Overwrite(ctx, rows[d.Row]); err != nil {
			return err
		}
	}
	return j.transfer.Insert(ctx, missing)
}

// verify compares the rows of a range, which are read anew, with what has arrived: their number and checksum, and where these differ row by row.
func (j *copying) verify(ctx context.Context, b *batch.Batch[copied]) error {
	check, err := j.transfer.Compare(ctx, b.Rows)
	switch {
	case err != nil:
		return err
	case j.overwrite:
		return j.telling(ctx, b, func() error { return j.bring(ctx, b.Rows, check.Differences) })
	}
	for _, d := range check.Differences {
		b.Quarantine(d.Row, fmt.Errorf("not verified: %w", d))
	}
	return nil
}

// clear deletes the rows of a batch that the other database holds as they are now. They are locked meanwhile. The deleting is committed before the
// batch is: killed in between, the batch is done again and finds them gone.
func (j *copying) clear(ctx context.Context, b *batch.Batch[copied]) error {
	keys := make([]keyset.Values, len(b.Rows))
	places := make(map[string]int, len(b.Rows))
	for i, row := range b.Rows {
		keys[i] = row.Key
		places[row.Key.String()] = i
	}
	var deleted int64
	var changed []transfer.Difference
	err := j.source.conn.Atomic(ctx, func(ctx context.Context) error {
		rows, err := j.transfer.ByKeys(ctx, keys, true)
		if err != nil {
			return err
		}
		check, err := j.transfer.Compare(ctx, rows)
		if err != nil {
			return err
		}
		differs := map[int]bool{}
		for _, d := range check.Differences {
			differs[d.Row] = true
			d.Row = places[rows[d.Row].Key.String()]
			changed = append(changed, d)
		}
		var same []keyset.Values
		for i, row := range rows {
			if !differs[i] {
				same = append(same, row.Key)
			}
		}
		deleted, err = j.transfer.Clear(ctx, same)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range changed {
		b.Quarantine(d.Row, fmt.Errorf("not deleted from %s: %w", j.source.conn.Alias(), d))
	}
	b.SetDone(deleted)
	return nil
}

// describe adds to the plan what the engine does not know.
func (j *copying) describe(ctx context.Context, p *batch.Plan) error {
	p.Add("From", "%s   %s", j.source.conn.Alias(), j.source.conn.Address())
	p.Add("Into", "%s", j.dest.table.FullName())
	var columns []string
	for _, c := range j.transfer.Columns() {
		text := c.Name + " " + c.From
		if c.From != c.To {
			text += " -> " + c.To
		}
		columns = append(columns, text)
		if c.Note != "" {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s (%s -> %s): %s", c.Name, c.From, c.To, c.Note))
		}
	}
	p.Add("Columns", "%s", strings.Join(columns, ", "))
	p.Bind("into", j.dest.table.FullName())
	p.Bind("columns", strings.Join(columns, ", "))
	p.BindDatabase("from", j.source.conn)
	if names := j.dest.triggers("INSERT"); len(names) > 0 {
		p.Add("Triggers", "%s on INSERT, in %s", strings.Join(names, ", "), j.dest.conn.Alias())
	}
	if !j.move {
		return nil
	}
	if names := j.source.triggers("DELETE"); len(names) > 0 {
		p.Add("Triggers", "%s on DELETE, in %s", strings.Join(names, ", "), j.source.conn.Alias())
	}
	if query := j.dest.dialect.Features().Lax; query != "" {
		var setting string
		if err := j.dest.conn.QueryRow(ctx, query).Scan(&setting); err != nil {
			return fmt.Errorf("ask whether commits are kept: %w", err)
		}
		if setting != "" {
			p.Warnings = append(p.Warnings, fmt.Sprintf("in %s %s: rows that were moved moments before a crash of its machine may be gone from both databases", j.dest.conn.Alias(), setting))
		}
	}
	for _, r := range j.source.table.References {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s points to %s (ON DELETE %s): deleting the rows there changes or refuses its rows, which are not moved",
			j.source.display(r.Schema, r.Table), j.source.table.FullName(), r.OnDelete))
	}
	return nil
}

// facts is what the user confirms.
func (j *copying) facts(rows int64) drover.Facts {
	f := drover.Facts{Action: "copy", Count: rows, What: fmt.Sprintf("rows of %s from %q (%s) to %s", j.source.table.FullName(), j.source.conn.Alias(), j.source.conn.Address(), j.dest.table.FullName())}
	if j.move {
		f.Action, f.Severe = "move", j.source.table.Name
	}
	return f
}

// amount is the sentence that a dry run, a run and its summary share, without its verb.
func (j *copying) amount(rows, batches int64) string {
	return fmt.Sprintf("%s in %s from %s to %s.", term.Counted(rows, "row"), term.Counted(batches, "batch"), j.source.conn.Alias(), j.dest.conn.Alias())
}

// finish reports what was done.
func (j *copying) finish(ctx context.Context, res *batch.Result, err error) error {
	c := j.call
	failed := j.explain(j.screen.End(ctx, res, err), err)
	if res == nil || len(res.Phases) == 0 {
		return failed
	}
	if c.JSONOutput() {
		c.JSON(j.screen.SummaryDocument(res, failed))
		return failed
	}
	if failed != nil && drover.ExitCode(failed) != drover.ExitPartial {
		return failed
	}
	first := *res
	first.Done = res.Phases[0].Done
	c.Detail(1, "%s", j.screen.Summary(&first, "", j.phaseLines(res)...))
	c.Did(j.verb, "%s", j.amount(first.Done, res.Phases[0].Batches))
	return failed
}

// phaseLines say what the phases after the copying have done.
func (j *copying) phaseLines(res *batch.Result) []batch.Detail {
	var lines []batch.Detail
	for i, p := range res.Phases[1:] {
		text := term.Counted(p.Done, "row")
		switch i {
		case 0:
			text += " by number and checksum"
			if gone := res.Phases[0].Done - p.Done - p.Quarantined; gone > 0 {
				text += fmt.Sprintf("; %s more are not in %s any more", term.Counted(gone, "row"), j.source.conn.Alias())
			}
			lines = append(lines, batch.Detail{Label: "Verified", Text: text})
		case 1:
			lines = append(lines, batch.Detail{Label: "Deleted", Text: text + " from " + j.source.conn.Alias()})
		}
	}
	return lines
}

// explain adds how to go on where rows differ or are there already.
func (j *copying) explain(shown, cause error) error {
	var exit *drover.CommandError
	if !errors.As(shown, &exit) || j.overwrite {
		return shown
	}
	if exit.Code == drover.ExitPartial || errors.As(cause, new(transfer.Difference)) || db.KindOf(cause) == db.ErrUnique {
		return exit.Try("%s    writes the rows of %s over those of %s", j.call.ShellLine(map[string]string{"overwrite": "true", "resume": "", "max-errors": "", "again": "", "plan": "", "plan-out": ""}),
			j.source.conn.Alias(), j.dest.conn.Alias())
	}
	return shown
}
