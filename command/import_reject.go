package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// rejectName is the name by which a run keeps the whole name of its reject file.
const rejectName = "reject-file"

// begin refuses a reject file that is there and is not the run's, or that of the run whose records are tried again.
func (j *importing) begin(*batch.Plan) error {
	if j.o.rejects == "" {
		return nil
	}
	err := datafile.MayCreate(j.o.rejects, j.ownRejects)
	if errors.Is(err, datafile.ErrExists) {
		return drover.Exit(drover.ExitRefused, "--reject-file: %w; nothing was written", err).Try("give another name, or remove the file")
	}
	return err
}

// reject writes the records that the run has set aside, in all its attempts, to the reject file: the quarantine knows them, so the file has each of them
// once however often the run was killed. Without any no file is written, unless the records of another run were tried again: then the file is empty but
// for its header.
func (j *importing) reject(ctx context.Context, res *batch.Result) ([]batch.Detail, error) {
	if j.o.rejects == "" || res.RunID == "" {
		return nil, nil
	}
	n, err := j.writeRejects(context.WithoutCancel(ctx), res.RunID)
	switch {
	case err != nil:
		return nil, drover.Errorf("%s cannot be written: %w; the records are kept in the database", j.o.rejects, err).
			Try("%s runs errors %s --json    prints them", j.call.Program()+j.call.DatabaseOption(), batch.Short(res.RunID))
	case n == 0 && j.options.RetryOf == "":
		return nil, nil
	}
	return []batch.Detail{{Label: "Rejected", Text: fmt.Sprintf("%s written to %s", term.Counted(n, "record"), j.o.rejects)}}, nil
}

func (j *importing) writeRejects(ctx context.Context, run string) (n int64, err error) {
	store := runstore.New(j.conn)
	rows, err := store.Quarantine(ctx, run, 0, errorsPage)
	if err != nil || len(rows) == 0 && j.options.RetryOf == "" {
		return 0, err
	}
	file, err := datafile.CreateFile(j.o.rejects, true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Abort()) }()
	out := []byte("line,reason,record\n")
	for len(rows) > 0 {
		for _, q := range rows {
			out = appendReject(out, q)
			n++
		}
		if _, err := file.Write(out); err != nil {
			return n, err
		}
		out = out[:0]
		if rows, err = store.Quarantine(ctx, run, rows[len(rows)-1].ID, errorsPage); err != nil {
			return n, err
		}
	}
	return n, file.Commit()
}

// withRejects tells that the reject file could not be written, of a run that has failed or has set rows aside.
func withRejects(c *drover.Call, failed, rejectErr error) error {
	exit, ok := errors.AsType[*drover.CommandError](failed)
	if !ok { // it was stopped, say
		c.Error("%v", rejectErr)
		return failed
	}
	code := exit.Code
	if code == drover.ExitPartial {
		code = drover.ExitFailed
	}
	both := drover.Exit(code, "%v; %w", failed, rejectErr)
	both.Advice = exit.Advice
	return both
}

// appendReject appends a record of the reject file: the line at which it begins in the file that was read (of a Parquet file the number of the row), why
// it was set aside, and its text.
func appendReject(out []byte, q runstore.Quarantined) []byte {
	line := ""
	if len(q.Key) > 0 {
		if n, ok := q.Key[0].(int64); ok {
			line = strconv.FormatInt(n, 10)
		}
	}
	for i, field := range []string{line, q.Error, q.Input} {
		if i > 0 {
			out = append(out, ',')
		}
		out = datafile.AppendField(out, []byte(field), ',', "")
	}
	return append(out, '\n')
}
