package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/term"
	"github.com/drover-dev/drover/internal/transfer"
)

// archive is a file that the rows are written to before they are deleted. Each batch is a piece of it, which is on the disk before the batch commits. How
// much of the file belongs to batches that did commit is told by the run alone, which counts its rows with each of them: what stands behind so many
// lines is of a batch that was rolled back, and is cut off before the next one is written.
type archive struct {
	path string
	pack datafile.Compression

	columns []datafile.JSONColumn
	types   []dialect.Type

	file      *os.File
	committed mark
	written   mark // with the batch that may yet be rolled back
}

// mark is a place in the file: so many rows end there.
type mark struct{ rows, bytes int64 }

// newArchive reads the option.
func newArchive(name string) (*archive, error) {
	format, pack, err := datafile.Detect(name)
	if err == nil && format != datafile.JSONL {
		err = fmt.Errorf("rows are archived as JSON Lines: %q should end in .jsonl, .jsonl.gz or .jsonl.zst", name)
	}
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return nil, drover.Exit(drover.ExitUsage, "--archive-to: %w", err)
	}
	return &archive{path: name, pack: pack}, nil
}

// describe notes the columns that the images of the rows have.
func (a *archive) describe(d dialect.Dialect, t *dialect.Table) {
	for _, c := range t.Columns {
		if !c.Generated {
			typ := d.Type(c)
			a.types = append(a.types, typ)
			a.columns = append(a.columns, datafile.JSONColumn{Name: c.Name, Zoned: typ.Zoned, Single: typ.Single})
		}
	}
}

// checkNew refuses a file that holds something, for a run that is not begun: it would be another one's.
func (a *archive) checkNew() error {
	info, err := os.Stat(a.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(a.path)); err != nil {
			return drover.Exit(drover.ExitUsage, "--archive-to: %w; nothing was deleted", err).Try("the folder must be there, and let this user write")
		}
		return nil
	case err != nil:
		return drover.Exit(drover.ExitUsage, "--archive-to: %w", err)
	case !info.Mode().IsRegular():
		return drover.Exit(drover.ExitUsage, "--archive-to: %s is not a regular file, so what was written could not be cut off again", a.path)
	case info.Size() > 0:
		return drover.Exit(drover.ExitRefused, "the file %s is there already and is not this run's; nothing was deleted", a.path).
			Try("name another file: an archive is never overwritten, nor added to by another run")
	}
	return nil
}

// open opens the file for a run that has deleted so many rows, and makes it for a new one. That is done before the run is stored, so that the file of a
// run that is there is its own.
func (a *archive) open(isNew bool, done int64) (err error) {
	if isNew {
		if err := a.checkNew(); err != nil {
			return err
		}
	}
	flag := os.O_RDWR
	if done == 0 {
		flag |= os.O_CREATE
	}
	a.file, err = os.OpenFile(a.path, flag, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist) && done > 0:
		return a.lost(0, done)
	case err != nil:
		return fmt.Errorf("open the archive: %w", err)
	}
	defer func() {
		if err != nil {
			_ = a.file.Close() // nothing was written
			a.file = nil
		}
	}()
	if err := datafile.Lock(a.file); err != nil { // a runner that was believed dead must not write to it any more
		return drover.Exit(drover.ExitLocked, "another process writes to the archive %s: %w", a.path, err).
			Try("wait until it has ended, or end it, and run the same command again")
	}
	length, have, err := a.pack.LinesEnd(a.file, done)
	if err != nil {
		return drover.Exit(drover.ExitRefused, "the archive %s is not as the run has left it: %w; nothing more was deleted", a.path, err)
	}
	if have < done {
		return a.lost(have, done)
	}
	a.committed = mark{done, length}
	a.written = a.committed
	if err := datafile.SyncFolder(filepath.Dir(a.path)); err != nil {
		return fmt.Errorf("sync the folder of the archive: %w", err)
	}
	return nil
}

func (a *archive) lost(have, done int64) error {
	return drover.Exit(drover.ExitRefused, "the run has deleted %s, and the archive %s holds %s of them; nothing more was deleted", term.Counted(done, "row"), a.path, drover.Count(have)).
		Try("put the file back, and run the same command again").
		Try("or cancel the run, and purge the rest to another file")
}

// add writes the rows of a batch behind those of the done rows that are committed, and returns when they are on the disk.
func (a *archive) add(done int64, rows []rowimage.Row) error {
	switch done {
	case a.written.rows:
		a.committed = a.written
	case a.committed.rows:
	default:
		return fmt.Errorf("the archive %s holds %d rows, and the run has deleted %d", a.path, a.committed.rows, done)
	}
	var lines []byte
	for _, row := range rows {
		values, err := a.values(row)
		if err != nil {
			return fmt.Errorf("archive row %s: %w", row.Key, err)
		}
		if lines, err = datafile.AppendJSONRow(lines, a.columns, values); err != nil {
			return fmt.Errorf("archive row %s: %w", row.Key, err)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	piece, err := a.pack.Pack(lines)
	if err != nil {
		return fmt.Errorf("pack the rows: %w", err)
	}
	if err := a.cut(); err != nil {
		return err
	}
	if _, err := a.file.WriteAt(piece, a.committed.bytes); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	a.written = mark{done + int64(len(rows)), a.committed.bytes + int64(len(piece))}
	return nil
}

// cut takes away what is not committed.
func (a *archive) cut() error {
	if end, err := a.file.Seek(0, io.SeekEnd); err != nil || end == a.committed.bytes {
		return err
	}
	if err := a.file.Truncate(a.committed.bytes); err != nil {
		return fmt.Errorf("cut the archive: %w", err)
	}
	return nil
}

// close ends the file where the run has ended, at so many deleted rows; where that is not known its end is left for whoever resumes the run.
func (a *archive) close(res *batch.Result) error {
	var err error
	if res != nil {
		switch res.Done {
		case a.written.rows:
			a.committed = a.written
			err = a.cut()
		case a.committed.rows:
			err = a.cut()
		}
	}
	return errors.Join(err, a.file.Sync(), a.file.Close())
}

// values brings a row's values into the forms of a file. A value that is not of its column's class, as an infinite date, is kept as the database writes it.
func (a *archive) values(row rowimage.Row) ([]datafile.JSONValue, error) {
	values := make([]datafile.JSONValue, len(row.Values))
	for i, v := range row.Values {
		class := a.types[i].Class
		if text, ok := v.(string); ok && class == dialect.Decimal {
			values[i] = datafile.JSONValue{Class: class, Value: text} // as the database spells it
			continue
		}
		plain, class, err := transfer.Read(a.types[i], v)
		if err != nil {
			if _, opaque := v.([]byte); opaque {
				return nil, fmt.Errorf("column %s: %w", a.columns[i].Name, err)
			}
			plain, class = v, dialect.Opaque
		}
		values[i] = datafile.JSONValue{Class: class, Value: plain}
	}
	return values, nil
}

type archiveDocument struct {
	File  string `json:"file"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

func (a *archive) document() *archiveDocument {
	if a == nil {
		return nil
	}
	return &archiveDocument{a.path, a.committed.rows, a.committed.bytes}
}
