package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/rowfile"
	"github.com/drover-dev/drover/internal/term"
)

// exported is what an export has written.
type exported struct {
	rows, bytes int64
	sha256      string
	parts       int // of a folder
	took        time.Duration
}

// one writes one file, or the standard output.
func (x *exporting) one(ctx context.Context) error {
	begun := x.call.Now()
	if x.file == stdoutName {
		sum := datafile.NewSum(x.call.Out())
		written, err := x.whole(ctx, sum)
		if err != nil {
			return x.failed(ctx, err, written.Rows, "what was written before is on the standard output")
		}
		x.call.Notice("Exported %s to the standard output (%s, SHA-256 %s).", term.Counted(written.Rows, "row"), byteText(sum.Bytes()), sum.SHA256())
		return nil
	}
	file, err := datafile.CreateFile(x.file, x.o.overwrite)
	if err != nil {
		return x.fileError(err)
	}
	defer func() { _ = file.Abort() }() // which does nothing when it was committed
	written, err := x.whole(ctx, file)
	if err != nil {
		return x.failed(ctx, err, written.Rows, "the unfinished file is removed")
	}
	if err := file.Commit(); err != nil {
		return x.failed(ctx, &rowfile.FileError{Err: err}, written.Rows, "the unfinished file is removed")
	}
	return x.finished(exported{rows: written.Rows, bytes: file.Bytes(), sha256: file.SHA256(), took: x.call.Now().Sub(begun)})
}

// whole writes all rows, until the command should end by itself: of one file nothing can be kept.
func (x *exporting) whole(ctx context.Context, out io.Writer) (rowfile.Written, error) {
	stoppable, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	waiting.Go(func() {
		select {
		case <-x.call.Stopping():
			cancel()
		case <-stoppable.Done():
		}
	})
	return x.rows(stoppable, out, rowfile.Range{Limit: x.call.Limit()}, x.progress(0))
}

// progress shows the rows as they are written.
func (x *exporting) progress(done int64) func(int64) {
	total, estimated := max(x.table.Rows, 0), !x.table.RowsExact
	if x.where != "" {
		total = 0 // counting would take as long as writing
	}
	if limit := x.call.Limit(); limit > 0 && (total == 0 || total > limit) {
		total, estimated = limit, true
	}
	x.shown = x.call.Progress(drover.ProgressOptions{Label: x.call.CommandName() + " " + x.table.Name, Total: total, Estimated: estimated, Done: done})
	return x.shown.Add
}

// rows writes the rows of a range in one snapshot, and ends the file's format. An error of the file is a [*rowfile.FileError].
func (x *exporting) rows(ctx context.Context, out io.Writer, r rowfile.Range, count func(int64)) (written rowfile.Written, err error) {
	w, err := datafile.NewWriter(out, x.source.Columns(), x.write)
	if err != nil {
		return written, &rowfile.FileError{Err: err}
	}
	err = x.source.Snapshot(ctx, func(ctx context.Context) (err error) {
		written, err = x.source.Write(ctx, w, r, count)
		return err
	})
	if closed := w.Close(); closed != nil && (err == nil || errors.As(err, new(*rowfile.FileError))) {
		err = &rowfile.FileError{Err: closed}
	}
	return written, err
}

// failed explains an error of writing rows; kept says what has become of what was written.
func (x *exporting) failed(ctx context.Context, err error, rows int64, kept string) error {
	if x.call.Stopped() {
		return &drover.StopError{Signal: x.call.StopSignal(), Summary: fmt.Sprintf("after %s; %s", term.Counted(rows, "row"), kept)}
	}
	if file := (*rowfile.FileError)(nil); errors.As(err, &file) {
		return drover.Exit(drover.ExitFailed, "write %s: %w; %s had been read, and %s", x.file, file.Err, term.Counted(rows, "row"), kept)
	}
	return x.rejected(ctx, err, "--where", x.given, "the condition is what would follow WHERE in a statement on "+x.table.FullName())
}

// finished reports what was written.
func (x *exporting) finished(e exported) error {
	c := x.call
	if x.shown != nil {
		x.shown.Finish() // so that the result stands below it
	}
	if c.JSONOutput() {
		c.JSON(x.summary(e))
		return nil
	}
	c.Did(drover.Exported, "%s", x.amount(e))
	return nil
}

func (x *exporting) amount(e exported) string {
	text := term.Counted(e.rows, "row")
	if x.o.partRows > 0 {
		return fmt.Sprintf("%s to %s in %s (%s).", text, x.file, term.Counted(int64(e.parts), "part"), byteText(e.bytes))
	}
	return fmt.Sprintf("%s to %s (%s, SHA-256 %s).", text, x.file, byteText(e.bytes), e.sha256)
}
