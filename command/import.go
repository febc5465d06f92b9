package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/rowload"
	"github.com/drover-dev/drover/internal/runstore"
)

// importBatch is how many records a transaction has by itself. With fewer, COPY costs more: 1.09 of one stream in pieces of 20,000 records, 1.26 in
// pieces of 5,000.
const importBatch = 20_000

// longToRead is the size of a file, in bytes, from which on reading it takes long enough to be said.
const longToRead = 100 << 20

// Import returns the command "import", which writes the records of a file to a table: in batches, each committed with the place in the file that it
// ends at in one transaction. So each record becomes a row once, however often the command is killed and run again.
func Import() *drover.Command {
	var o importOptions
	var x batch.Flags
	return &drover.Command{
		Name:  "import",
		Short: "Read the rows of a file into a table: CSV, JSON Lines or Parquet",
		Long: `Read the records of a file into a table, in batches. Each batch is one transaction, which also keeps the place in the
file that it ends at: each record becomes a row once, whatever happens. The same command, run again, resumes the run; a
file that has changed since is refused.

The name tells the format and the compression: events.csv, events.jsonl.gz, events.parquet. Which field goes into which
column is found by their names, or said with --map. The file is read once before anything is written: columns that do
not fit, and a quote that is never closed, are found then.

A record that the table does not hold is the error of one row. --max-errors says how many may be set aside;
--reject-file writes them to a file, each with its line and the reason. With --upsert-on a record replaces the values
of the row with its key, and the same file twice changes nothing; without it the same file again is refused.`,
		Example: `drover import events.csv.gz --table events --dry-run
drover import users.csv --table users --map "E-mail=email" --ignore-field notes --upsert-on id
drover import items.csv --table items --null NULL --max-errors 100 --reject-file rejected.csv`,
		Args:    drover.Args{Usage: "FILE", Missing: "missing FILE, the name of the file to read: events.csv, events.jsonl.gz, events.parquet"},
		Options: drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Check: true, Confirm: true, Limit: true},
		Fill:    x.Fill,
		Require: []string{"table"},
		Hide:    []string{"workers"}, // a file is read in its order
		Flags: func(f *pflag.FlagSet) {
			x.Declare(f, batch.Options{BatchSize: importBatch}, func(f *pflag.FlagSet) {
				f.StringVar(&o.table, "table", "", "write to this `table`, or schema.table")
				f.StringArrayVar(&o.mapped, "map", nil, "put a field into a column of another name: `field=column`; may be given again")
				f.StringArrayVar(&o.ignored, "ignore-field", nil, "leave this `field` out; may be given again")
				f.StringSliceVar(&o.columns, "columns", nil, "the `columns` of the fields of a file without names, in their order; - for none")
				f.StringSliceVar(&o.upsertOn, "upsert-on", nil, "replace the values of the row with the same values in these `columns` of a unique key")
				f.StringVar(&o.form.format, "format", "", "read FILE as this `format`: csv, jsonl or parquet; default: as FILE ends")
				f.StringVar(&o.form.compression, "compression", "", "unpack FILE from this `kind`: gzip, zstd or none; default: as FILE ends")
				f.StringVar(&o.form.delimiter, "delimiter", ",", "the `character` between two fields of CSV; tab for a tab")
				f.BoolVar(&o.form.noHeader, "no-header", false, "the first line of CSV is a record")
				f.StringVar(&o.form.null, "null", "", "the `text` of NULL in CSV, where it is not quoted")
				f.StringVar(&o.rejects, "reject-file", "", "write the records that are set aside to this CSV `file`")
			})
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return runImport(ctx, c, o, &x) },
		Complete: completeWork,
	}
}

type importOptions struct {
	table             string
	mapped, ignored   []string
	columns, upsertOn []string
	form              fileForm
	rejects           string
}

// importing is one invocation.
type importing struct {
	*target
	o       importOptions
	file    string
	form    datafile.Form
	in      *datafile.Input
	loader  *rowload.Loader
	images  *rowimage.Table // of the table's rows, where they are found by the key of --upsert-on or are made with --undo
	flags   *batch.Flags
	options batch.Options
	screen  *batch.Screen
	changed int64 // rows that were made or changed, in this attempt
	pairs   []pair
	// ownRejects says that the reject file is the one of the run that is gone on with, or whose records are tried again.
	ownRejects bool
}

func runImport(ctx context.Context, c *drover.Call, o importOptions, flags *batch.Flags) (err error) {
	j := &importing{target: newTarget(c, c.DB(), o.table, ""), o: o, file: c.Arg(0), flags: flags}
	if err := j.check(); err != nil {
		return err
	}
	if j.options, err = flags.Options(ctx, c); err != nil {
		return err
	}
	if !c.DryRun() && !c.CheckOnly() && j.conn.InBlock(ctx) {
		return drover.Errorf("each batch is a transaction of its own: %w", db.ErrDurableNested)
	}
	if info, err := os.Stat(j.file); err == nil && info.Size() > longToRead {
		c.Notice("Reading %s once, to count and check its records.", j.file)
	}
	if j.in, err = datafile.Measure(ctx, j.file, j.form); err != nil {
		return j.fileError(ctx, err)
	}
	if err := j.conn.Atomic(ctx, j.find, j.readOnly(ctx)...); err != nil {
		return err
	}
	if err := j.identify(ctx); err != nil {
		return err
	}
	return j.run(ctx)
}

// readOnly are the options of a block that only reads.
func (t *target) readOnly(ctx context.Context) []db.BlockOption {
	if t.conn.InBlock(ctx) {
		return nil // the access mode is the surrounding block's
	}
	return []db.BlockOption{db.ReadOnly()}
}

// check refuses what can be seen without the file and the database.
func (j *importing) check() (err error) {
	c := j.call
	switch {
	case strings.TrimSpace(j.o.table) == "":
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table that the records go to")
	case j.file == stdoutName:
		return drover.Exit(drover.ExitUsage, "the standard input cannot be read twice, so an import could not be resumed").Try("write it to a file first")
	case c.Flags().Changed("columns") && (len(j.o.mapped) > 0 || len(j.o.ignored) > 0):
		return drover.Exit(drover.ExitUsage, "--columns says where every field goes, and takes no --map and no --ignore-field beside it")
	case c.Flags().Changed("upsert-on") && len(j.o.upsertOn) == 0:
		return drover.Exit(drover.ExitUsage, "--upsert-on is empty").Try("leave it out to write rows that are not there yet")
	}
	if j.form, err = j.o.form.read(c, j.file, true); err != nil {
		return err
	}
	if j.o.rejects != "" {
		if err := datafile.MayCreate(j.o.rejects, true); err != nil {
			return drover.Exit(drover.ExitUsage, "--reject-file: %w", err)
		}
	}
	return nil
}

// fileError explains why a file cannot be read.
func (j *importing) fileError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return drover.Exit(drover.ExitUsage, "there is no file %s", j.file).Try("give the name of the file that is to be read, as it is seen from this folder")
	case errors.Is(err, datafile.ErrNoFile):
		return drover.Exit(drover.ExitUsage, "%s %w", j.file, datafile.ErrNoFile).Try("write it to a file first")
	case errors.Is(err, datafile.ErrChanged):
		return drover.Exit(drover.ExitRefused, "%s: %w; nothing was written", j.file, err).Try("wait until the program that writes it has ended, and run the command again")
	}
	refused := drover.Exit(drover.ExitUsage, "%s: %v; nothing was written", j.file, err) // without its cause: a file that ends too early is no lost connection
	if errors.Is(err, datafile.ErrUTF16) {
		refused = refused.Try("iconv -f UTF-16 -t UTF-8 %s > utf8.csv", j.file)
	}
	return refused
}

// identify says which work the run is: the content of the file, and not its name, which a file of tomorrow may have too; the table, however it is
// written; and the key by which rows are found that are there. How the file is read must not change while a run is unfinished, and does not make it
// another work: the same file again would be the same rows again.
func (j *importing) identify(ctx context.Context) error {
	path, err := filepath.Abs(j.file)
	if err != nil {
		return err
	}
	name, err := j.commonName(ctx)
	if err != nil {
		return err
	}
	arguments := []batch.Argument{{Name: "table", Value: name}}
	if len(j.o.upsertOn) > 0 {
		arguments = append(arguments, batch.Argument{Name: "upsert-on", Value: strings.Join(slices.Sorted(slices.Values(j.o.upsertOn)), ",")})
	}
	if limit := j.call.Limit(); limit > 0 {
		arguments = append(arguments, batch.Argument{Name: "limit", Value: strconv.FormatInt(limit, 10)})
	}
	j.options.Arguments = append(arguments, batch.Argument{Name: "sha256", Value: j.in.SHA256()})
	j.options.Frozen = []batch.Argument{{Name: "file", Value: path}, {Name: "form", Value: readText(j.form)}, {Name: "columns", Value: j.columnsText()}}
	if j.o.rejects != "" {
		rejects, err := filepath.Abs(j.o.rejects)
		if err != nil {
			return err
		}
		j.options.Frozen = append(j.options.Frozen, batch.Argument{Name: rejectName, Value: rejects})
	}
	if j.options.RetryOf == "" {
		if err := j.others(ctx, path, name); err != nil {
			return err
		}
	}
	return j.same(ctx)
}

// same refuses to go on with a run that was begun with other options, or to write over a file that is not the run's.
func (j *importing) same(ctx context.Context) error {
	kept, run, err := j.job().Kept(ctx, j.conn, j.options)
	if err != nil {
		return j.done(err)
	}
	for _, now := range j.options.Frozen {
		was := kept(now.Name)
		switch {
		case now.Name == rejectName:
			j.ownRejects = run != "" && was == now.Value
		case run != "" && (now.Name == "form" || now.Name == "columns") && was != now.Value:
			return drover.Exit(drover.ExitRefused, "run %s has begun to import %s with other options; nothing was written", batch.Short(run), j.file).
				Try("%s: %s, and now %s", now.Name, was, now.Value).
				Try("%s runs resume %s    goes on with it as it was begun", j.call.Program()+j.call.DatabaseOption(), batch.Short(run)).
				Try("%s", j.giveUp(run))
		}
	}
	return nil
}

// others refuses what would import records a second time, beside another run: an unfinished one of this file, or of what it was before, and a finished one
// of some of its records.
func (j *importing) others(ctx context.Context, path, table string) error {
	store := runstore.New(j.conn)
	switch err := store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		return nil
	case err != nil:
		return err
	}
	const most = 1000
	own := func(run *runstore.Run) bool { // one that is gone on with, or has done all of this
		return !slices.ContainsFunc(j.options.Arguments, func(a batch.Argument) bool { return run.Argument(a.Name) != a.Value }) &&
			(run.Argument("limit") == "" || j.call.Limit() > 0) && (run.Argument("upsert-on") == "" || len(j.o.upsertOn) > 0)
	}
	unfinished, _, err := store.List(ctx, runstore.Filter{Command: j.call.CommandName(), Unfinished: true, Limit: most})
	if err != nil {
		return err
	}
	for i := range unfinished {
		run := &unfinished[i]
		changed := run.Argument("sha256") != j.in.SHA256()
		if run.Argument("table") != table || run.RetryOf != "" || own(run) || changed && run.Argument("file") != path {
			continue
		}
		id := batch.Short(run.ID)
		if changed {
			return drover.Exit(drover.ExitRefused, "%s has changed since run %s began to import it; nothing was written", j.file, id).
				Try("put the file back as it was, and the same command goes on").
				Try("%s", j.giveUp(run.ID))
		}
		return drover.Exit(drover.ExitRefused, "run %s of %s is not finished, and was begun with other options; nothing was written", id, j.file).
			Try("%s runs resume %s    goes on with it as it was begun", j.call.Program()+j.call.DatabaseOption(), id).
			Try("%s", j.giveUp(run.ID))
	}
	if j.options.Again || len(j.o.upsertOn) > 0 {
		return nil
	}
	finished, _, err := store.List(ctx, runstore.Filter{Command: j.call.CommandName(), State: runstore.Succeeded, Limit: most})
	if err != nil {
		return err
	}
	for i := range finished {
		run := &finished[i]
		if run.Argument("sha256") == j.in.SHA256() && run.Argument("table") == table && run.RetryOf == "" && !own(run) {
			return j.done(&batch.DoneError{RunID: run.ID})
		}
	}
	return nil
}

// giveUp is the advice to end a run for good.
func (j *importing) giveUp(run string) string {
	return fmt.Sprintf("%s%s runs cancel %s    gives the run up; the rows that it has imported stay", j.call.Program(), j.call.DatabaseOption(), batch.Short(run))
}

// find finds the table, and the columns that the fields go to.
func (j *importing) find(ctx context.Context) (err error) {
	if err := j.describeTable(ctx); err != nil {
		return err
	}
	if j.table.NotTransactional {
		return drover.Exit(drover.ExitRefused, "the storage engine of %s has no transactions: records of a batch that is interrupted would become rows twice", j.table.FullName()).
			Try("give the table another storage engine first")
	}
	columns, err := j.match()
	if err != nil {
		return err
	}
	if err := j.checkKeys(columns); err != nil {
		return err
	}
	if j.loader, err = rowload.New(j.conn, j.table, columns, j.o.upsertOn); err != nil {
		return err
	}
	j.in.Documents = j.documents(columns)
	if j.options.Undo {
		j.loader.KnowBy(j.key.Columns)
	}
	if j.byKey() || j.options.Undo {
		j.images, err = rowimage.New(j.dialect, j.table, j.key)
	}
	return err
}

// byKey reports whether --upsert-on names the key that the table's rows are known by.
func (j *importing) byKey() bool { return len(j.o.upsertOn) > 0 && j.key.Has(j.o.upsertOn) }

// job is the work as the engine knows it.
func (j *importing) job() *batch.Job[*datafile.Page] {
	return &batch.Job[*datafile.Page]{
		Name: j.call.CommandName(), Verb: drover.Imported, Repeatable: len(j.o.upsertOn) > 0, Describe: j.describe, Process: j.process,
		Source: func(context.Context, *db.DB) (batch.Source[*datafile.Page], error) {
			o := batch.PagesOptions{Prepare: j.loader.Prepare, Table: j.loader.Table(), Images: j.images}
			if j.byKey() {
				o.Keys = j.keysOf
			}
			return batch.Pages(j.in, o), nil
		},
	}
}

func (j *importing) keysOf(p *datafile.Page) []keyset.Values { return j.loader.Keys(p, j.key.Columns) }

// process writes the records of a batch.
func (j *importing) process(ctx context.Context, b *batch.Batch[*datafile.Page]) error {
	page := b.Rows[0]
	bad := j.loader.Bad(page)
	for i := range page.Len() {
		if err := bad[i]; err != nil {
			b.Quarantine(i, err)
		}
	}
	var n int64
	write := func() (err error) {
		n, err = j.loader.Write(ctx, page)
		return err
	}
	if b.RunID() == "" { // a rehearsal commits nothing
		return write()
	}
	var err error
	if j.options.Undo {
		err = tellCreated(ctx, b, creating{j.conn, j.loader.Table(), j.images, j.byKey()}, j.keysOf(page), write)
	} else {
		err = write()
	}
	if err != nil {
		return err
	}
	return j.conn.OnCommit(ctx, func(context.Context) error {
		j.changed += n
		return nil
	})
}

// run plans, shows, asks and works.
func (j *importing) run(ctx context.Context) error {
	j.screen = batch.NewScreen(j.call, drover.Imported)
	j.options.Observe = j.screen.Observe
	prepared, err := j.job().Prepare(ctx, j.conn, j.options)
	if err != nil {
		return j.done(err)
	}
	if prepared.Undo() && !j.options.Undo {
		prepared.Close()
		return begunWithUndo(prepared)
	}
	return runPrepared(ctx, prepared, j.screen, j.flags, j)
}

// done explains that a file has been imported before.
func (j *importing) done(err error) error {
	done, ok := errors.AsType[*batch.DoneError](err)
	switch {
	case !ok:
		return err
	case j.call.CheckOnly():
		j.call.Notice("Nothing to import: %v.", done)
		return nil
	}
	if done.Plan != "" {
		return done
	}
	return drover.Exit(drover.ExitRefused, "%s is imported into %s already, by run %s", j.file, j.table.FullName(), batch.Short(done.RunID)).
		Try("--upsert-on COLUMN,... writes over the rows that are there").
		Try("--again imports the file once more, beside the rows that are there")
}

func (j *importing) nothing() string {
	return fmt.Sprintf("Nothing to import: %s has no records.", j.file)
}
