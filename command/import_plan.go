package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/term"
)

// samples is how many records a plan shows.
const samples = 3

// describe adds to the plan what the engine does not know.
func (j *importing) describe(_ context.Context, p *batch.Plan) error {
	p.Add("Table", "%s", j.table.FullName())
	p.Add("File", "%s, %s   SHA-256 %s…", formText(j.form), byteText(j.in.Size()), j.in.SHA256()[:12])
	p.Add("Columns", "%s", j.columnsText())
	if len(j.o.upsertOn) > 0 {
		p.Add("Upsert", "on %s: the values of a row that is there are replaced", strings.Join(j.o.upsertOn, ", "))
	}
	if names := j.triggers("INSERT"); len(names) > 0 {
		p.Add("Triggers", "%s on INSERT", strings.Join(names, ", "))
	}
	if names := j.triggers("UPDATE"); len(names) > 0 && len(j.o.upsertOn) > 0 {
		p.Add("Triggers", "%s on UPDATE", strings.Join(names, ", "))
	}
	p.Add(term.SQL, "%s", j.loader.Statement())
	p.Bind("SQL", j.loader.Statement())
	p.Bind("SHA-256 of the file", j.in.SHA256())
	p.Bind("columns", j.columnsText())
	if j.options.RetryOf != "" { // whose records are others than the first of the file
		return nil
	}
	return j.sample(p)
}

// sample reads the first records.
func (j *importing) sample(p *batch.Plan) error {
	r, err := j.in.Read(j.in.Begin())
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // nothing was written
	page, err := r.Next(samples)
	if err != nil || page == nil {
		return err
	}
	p.Columns = j.in.Columns()
	for i := range page.Len() {
		if page.Bad(i) != nil {
			continue
		}
		fields, _ := page.Fields(i, nil, nil)
		row := make([]string, len(fields))
		for n, field := range fields {
			if row[n] = string(field); field == nil {
				row[n] = "NULL"
			}
		}
		p.Sample = append(p.Sample, row)
	}
	return nil
}

// facts is what the user confirms.
func (j *importing) facts(rows int64) drover.Facts {
	return drover.Facts{Action: "import", Count: rows, What: fmt.Sprintf("records of %s into %s", j.file, j.table.FullName())}
}

// amount is the sentence that a dry run, a run and its summary share, without its verb.
func (j *importing) amount(rows, batches int64) string {
	return fmt.Sprintf("%s in %s into %s on %s.", term.Counted(rows, "row"), term.Counted(batches, "batch"), j.table.FullName(), j.conn.Alias())
}

// finish reports what was done.
func (j *importing) finish(ctx context.Context, res *batch.Result, err error) error {
	c := j.call
	failed := j.screen.End(ctx, res, err)
	if res == nil {
		return failed
	}
	if exit, ok := errors.AsType[*drover.CommandError](failed); ok && errors.Is(err, datafile.ErrChanged) {
		exit.Advice = nil
		failed = exit.Try("put the file back as it was, and the same command goes on").Try("%s", j.giveUp(res.RunID))
	}
	details, rejectErr := j.reject(ctx, res)
	switch {
	case rejectErr == nil:
	case failed == nil:
		failed = rejectErr
	default:
		failed = withRejects(c, failed, rejectErr)
	}
	if n := res.Processed - j.changed; n > 0 && len(j.o.upsertOn) > 0 {
		details = append(details, batch.Detail{Text: term.Counted(n, "row") + " had their values already"})
	}
	if c.JSONOutput() {
		c.JSON(j.screen.SummaryDocument(res, failed))
		return failed
	}
	if failed != nil && drover.ExitCode(failed) != drover.ExitPartial {
		return failed
	}
	c.Detail(1, "%s", j.screen.Summary(res, "", details...))
	c.Did(drover.Imported, "%s", j.amount(res.Done, res.Batches))
	return failed
}
