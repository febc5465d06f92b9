package command

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/rowfile"
)

// Export returns the command "export", which writes rows of a table to a file, or to a folder of parts that it goes on with after it was killed. It
// writes nothing to the database, so that rights to read are enough, and a replica.
func Export() *drover.Command {
	var o exportOptions
	return &drover.Command{
		Name:  "export",
		Short: "Write the rows of a table to a file: CSV, JSON Lines or Parquet",
		Long: `Write the rows of a table to a file, in the order of the table's key. Nothing is written to the database: rights to
read are enough, and a replica.

One file shows the database at one moment. It is written under a temporary name and has its own only when it is whole;
an export that is stopped leaves no file. The name tells the format and the compression: events.csv, events.jsonl.gz,
events.parquet. The file - is the standard output.

With --part-rows FILE is a folder of files with so many rows each. Each part shows the database at one moment of its
own. The same command, run again after it was stopped or killed, goes on behind the last whole part; manifest.json in
the folder says what is there.`,
		Example: `drover export events.csv.gz --table events
drover export events.jsonl --table events --where "created_at >= '2026-01-01'" --columns id,kind
drover export events --table events --part-rows 1000000 --format parquet
drover export - --table users --limit 10 --delimiter ';'`,
		Args:       drover.Args{Usage: "FILE", Missing: "missing FILE, the name of the file to write: events.csv, events.jsonl.gz, events.parquet, or - for the standard output"},
		Options:    drover.Options{DryRun: true, PlanOnly: true, Limit: true},
		NoDatabase: true, // it is opened as it is: an SQLite file is not switched to another journal
		Require:    []string{"table"},
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.table, "table", "", "write the rows of this `table`, or schema.table")
			f.StringVar(&o.where, "where", "", "write the rows for which this SQL `condition` holds")
			f.StringSliceVar(&o.columns, "columns", nil, "write only these `columns`, separated by commas, in this order")
			f.StringVar(&o.form.format, "format", "", "write this `format`: csv, jsonl or parquet; default: as FILE ends, csv for a folder and for the standard output")
			f.StringVar(&o.form.compression, "compression", "", "pack the file as this `kind`: gzip, zstd or none; default: as FILE ends")
			f.StringVar(&o.form.delimiter, "delimiter", ",", "the `character` between two fields of CSV; tab for a tab")
			f.BoolVar(&o.form.noHeader, "no-header", false, "write no line with the names of the columns in CSV")
			f.StringVar(&o.form.null, "null", "", "the `text` of NULL in CSV; a value that is the same text is quoted")
			f.Int64Var(&o.partRows, "part-rows", 0, "write a folder of files with this `number` of rows each")
			f.BoolVar(&o.overwrite, "overwrite", false, "replace the file, or the parts of the folder, if they are there")
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return runExport(ctx, c, o) },
		Complete: completeWork,
	}
}

type exportOptions struct {
	table, where string
	columns      []string
	form         fileForm
	overwrite    bool
	partRows     int64
}

// stdoutName is the FILE that means the standard output.
const stdoutName = "-"

// exporting is one invocation.
type exporting struct {
	*target
	o       exportOptions
	file    string
	write   datafile.Form
	chosen  []dialect.Column
	source  *rowfile.Source
	version string
	shown   *drover.Progress // nil before rows are written
}

func runExport(ctx context.Context, c *drover.Call, o exportOptions) error {
	x := &exporting{o: o, file: c.Arg(0)}
	if err := x.check(c); err != nil {
		return err
	}
	alias, err := c.Flags().GetString("database")
	if err != nil {
		return err
	}
	conn, err := c.Database(ctx, alias, db.AsIs())
	if err != nil {
		return err
	}
	x.target = newTarget(c.WithDB(conn), conn, o.table, o.where)
	if c.Flags().Changed("where") {
		if strings.TrimSpace(o.where) == "" {
			return drover.Exit(drover.ExitUsage, "--where is empty").Try("leave --where out to write all rows")
		}
		if err := x.checkWhere(); err != nil {
			return err
		}
	}
	if err := conn.Atomic(ctx, x.find, db.ReadOnly()); err != nil {
		return err
	}
	switch {
	case c.DryRun():
		return x.preview(ctx)
	case x.o.partRows > 0:
		return x.parts(ctx)
	}
	return x.one(ctx)
}

// check refuses what can be seen without the database, and reads how the file is written.
func (x *exporting) check(c *drover.Call) error {
	switch {
	case strings.TrimSpace(x.o.table) == "":
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table whose rows are written")
	case c.Flags().Changed("columns") && len(x.o.columns) == 0:
		return drover.Exit(drover.ExitUsage, "--columns is empty").Try("leave --columns out to write all columns")
	case x.o.partRows < 0 || c.Flags().Changed("part-rows") && x.o.partRows == 0:
		return drover.Exit(drover.ExitUsage, "--part-rows must be more than 0")
	case x.o.partRows > 0 && x.file == stdoutName:
		return drover.Exit(drover.ExitUsage, "--part-rows needs a folder, and - is the standard output")
	case x.file == stdoutName && c.JSONOutput():
		return drover.Exit(drover.ExitUsage, "with --json the standard output is for the report, and not for the rows of -").Try("name a file, or leave --json out")
	}
	if x.o.partRows > 0 {
		if _, _, err := datafile.Detect(x.file); err == nil {
			return drover.Exit(drover.ExitUsage, "with --part-rows FILE is a folder, and %s is the name of a file", x.file).Try("--format and --compression say how its files are written")
		}
	}
	var err error
	if x.write, err = x.o.form.read(c, x.file, x.file != stdoutName && x.o.partRows == 0); err != nil {
		return err
	}
	if x.file == stdoutName || x.o.partRows > 0 {
		return nil
	}
	return x.fileError(datafile.MayCreate(x.file, x.o.overwrite))
}

// find finds the table and the columns.
func (x *exporting) find(ctx context.Context) (err error) {
	if err := x.findTable(ctx); err != nil {
		return err
	}
	if err := x.checkNames(x.given); err != nil {
		return err
	}
	x.chosen = x.table.Columns
	if len(x.o.columns) > 0 {
		x.chosen = nil
	}
	for _, name := range x.o.columns {
		c, ok := x.table.Column(strings.TrimSpace(name))
		switch {
		case !ok:
			return x.noColumn(name, nil)
		case slices.ContainsFunc(x.chosen, func(other dialect.Column) bool { return other.Name == c.Name }):
			return drover.Exit(drover.ExitUsage, "--columns names %s twice", c.Name)
		}
		x.chosen = append(x.chosen, c)
	}
	if x.version, err = x.conn.Version(ctx); err != nil {
		return err
	}
	x.source, err = rowfile.New(x.conn, x.table, x.key, x.chosen, x.where)
	return err
}

// fileError explains why a file or a folder cannot be written; nil stays nil.
func (x *exporting) fileError(err error) error {
	var different *datafile.DifferentError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, datafile.ErrLocked):
		return drover.Exit(drover.ExitLocked, "another process is writing %s; nothing was written", x.file)
	case errors.Is(err, datafile.ErrExists):
		return drover.Exit(drover.ExitRefused, "%w; nothing was written", err).Try("--overwrite replaces it, or give another name")
	case errors.As(err, &different):
		refused := drover.Exit(drover.ExitRefused, "the parts in %s are not those of this command; nothing was written", x.file)
		for _, d := range different.Differences {
			refused = refused.Try("%s", d)
		}
		return refused.Try("--overwrite removes them and begins anew, or give another folder")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return drover.Exit(drover.ExitFailed, "%s cannot be written: %w", x.file, err).Try("the folder must be there, and let this user write")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return drover.Exit(drover.ExitFailed, "%s cannot be written: %w; no file that is not whole was kept", x.file, err)
	}
	return drover.Exit(drover.ExitFailed, "%s cannot be written: %w", x.file, err)
}
