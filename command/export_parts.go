package command

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowfile"
	"github.com/drover-dev/drover/internal/term"
)

// parts writes a folder of parts, or goes on with it.
func (x *exporting) parts(ctx context.Context) (err error) {
	begun := x.call.Now()
	folder, err := datafile.OpenFolder(x.file, x.prefix(), x.manifest(), x.o.overwrite)
	if err != nil {
		return x.fileError(err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if folder.Complete {
		return x.already(&folder.Manifest)
	}
	if len(folder.Parts) > 0 {
		x.call.Notice("Going on behind %s: %s in %s are there.", folder.Parts[len(folder.Parts)-1].Name, term.Counted(folder.Rows(), "row"), term.Counted(int64(len(folder.Parts)), "part"))
	}
	if err := x.allParts(ctx, folder); err != nil {
		return err
	}
	return x.finished(exported{rows: folder.Rows(), bytes: folder.Bytes(), parts: len(folder.Parts), took: x.call.Now().Sub(begun)})
}

// prefix is what the names of the parts begin with: the table's, as far as a file's name can have it.
func (x *exporting) prefix() string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r < ' ' {
			return '_'
		}
		return r
	}, strings.TrimLeft(x.table.Name, "."))
}

// manifest is what the folder holds when it is complete, but for the parts.
func (x *exporting) manifest() datafile.Manifest {
	m := datafile.Manifest{
		Database: x.conn.Address(), Table: x.table.FullName(), Where: x.given, Limit: x.call.Limit(), Key: x.key.Columns,
		Format: x.write.Format, Compression: x.write.Compression, Null: x.o.form.null, PartRows: x.o.partRows,
	}
	if x.write.Format == datafile.CSV {
		m.Header, m.Delimiter = !x.o.form.noHeader, x.o.form.delimiter
	}
	for _, c := range x.chosen {
		m.Columns = append(m.Columns, datafile.ManifestColumn{Name: c.Name, Type: c.Type})
	}
	return m
}

func (x *exporting) already(m *datafile.Manifest) error {
	text := fmt.Sprintf("Nothing to export: %s is complete, with %s in %s.", x.file, term.Counted(m.Rows(), "row"), term.Counted(int64(len(m.Parts)), "part"))
	if x.call.JSONOutput() {
		d := x.summary(exported{rows: m.Rows(), bytes: m.Bytes(), parts: len(m.Parts)})
		d.Message = text
		x.call.JSON(d)
		return nil
	}
	x.call.Success("%s", text)
	return nil
}

// allParts writes the parts that are not there yet.
func (x *exporting) allParts(ctx context.Context, folder *datafile.Folder) error {
	through, err := x.through(ctx, folder)
	if err != nil || through == nil {
		return err
	}
	var after keyset.Values
	if n := len(folder.Parts); n > 0 {
		if after, err = decodeKey(folder.Parts[n-1].Last); err != nil {
			return x.fileError(err)
		}
	}
	count := x.progress(folder.Rows())
	for {
		size := x.o.partRows
		if limit := x.call.Limit(); limit > 0 {
			size = min(size, limit-folder.Rows())
		}
		if size <= 0 {
			return x.fileError(folder.Finish())
		}
		if x.call.Stopped() {
			return x.stopped(folder)
		}
		written, err := x.part(ctx, folder, rowfile.Range{After: after, Through: through, Limit: size, Keys: true}, count)
		switch {
		case err != nil && ctx.Err() != nil:
			return x.stopped(folder)
		case err != nil:
			return x.failed(context.WithoutCancel(ctx), err, written.Rows, fmt.Sprintf("the %s before are kept: the same command goes on behind them", term.Counted(int64(len(folder.Parts)), "part")))
		case written.Rows < size:
			return x.fileError(folder.Finish())
		}
		after = written.Last
	}
}

// through is the last key of the rows, found when the folder was begun; nil where there are no rows, and the folder is complete.
func (x *exporting) through(ctx context.Context, folder *datafile.Folder) (keyset.Values, error) {
	if folder.Through != nil {
		key, err := decodeKey(folder.Through)
		return key, x.fileError(err)
	}
	last, err := x.readKey(ctx, x.keys.Last(x.where))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, x.fileError(folder.Finish())
	case err != nil:
		return nil, x.rejected(ctx, fmt.Errorf("find the last key: %w", err), "--where", x.given, "the condition is what would follow WHERE in a statement on "+x.table.FullName())
	}
	if folder.Through, err = encodeKey(last); err != nil {
		return nil, err
	}
	return last, x.fileError(folder.Save())
}

// part writes the next part and records it, if it has rows.
func (x *exporting) part(ctx context.Context, folder *datafile.Folder, r rowfile.Range, count func(int64)) (rowfile.Written, error) {
	snapshot := x.call.Now().UTC()
	file, err := folder.Create()
	if err != nil {
		return rowfile.Written{}, &rowfile.FileError{Err: err}
	}
	defer func() { _ = file.Abort() }() // which does nothing when it was committed
	written, err := x.rows(ctx, file, r, count)
	if err != nil || written.Rows == 0 {
		return written, err
	}
	p := datafile.Part{Rows: written.Rows, Bytes: file.Bytes(), SHA256: file.SHA256(), Snapshot: snapshot}
	if p.First, err = encodeKey(written.First); err != nil {
		return written, err
	}
	if p.Last, err = encodeKey(written.Last); err != nil {
		return written, err
	}
	if err := file.Commit(); err != nil {
		return written, &rowfile.FileError{Err: err}
	}
	if err := folder.Record(p); err != nil {
		return written, &rowfile.FileError{Err: err}
	}
	return written, nil
}

// stopped says how to go on.
func (x *exporting) stopped(folder *datafile.Folder) error {
	return &drover.StopError{
		Signal:  x.call.StopSignal(),
		Summary: fmt.Sprintf("%s in %s are in %s", term.Counted(folder.Rows(), "row"), term.Counted(int64(len(folder.Parts)), "part"), x.file),
		Resume:  x.call.ShellLine(map[string]string{"overwrite": ""}),
	}
}

func encodeKey(key keyset.Values) (json.RawMessage, error) {
	text, err := keyset.Encode(key)
	return json.RawMessage(text), err
}

func decodeKey(text json.RawMessage) (keyset.Values, error) { return keyset.Decode(string(text)) }
