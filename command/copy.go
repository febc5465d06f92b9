package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/transfer"
)

// Copy returns the command "copy", which copies the rows of a table to a table of another database, of whatever kind, or moves them there: in
// batches along the key, each committed with the place that the copying has reached in one transaction of the other database. So a row arrives
// once, however often the command is killed and run again.
func Copy() *drover.Command {
	var o copyOptions
	var x batch.Flags
	return &drover.Command{
		Name:  "copy",
		Short: "Copy or move the rows of a table to another database",
		Long: `Copy the rows of a table to a table of another database, in batches along the table's key.

Both tables must be there, with a key of the same columns; which column goes into which is found by their names, and
types whose values could change on the way are refused before anything is written. Each batch is one transaction of
the other database, which also keeps how far the copying is: a row arrives once, whatever happens. At the end every
row is compared, range by range. With --move the rows are then deleted from the first database, each only if the
other one holds the same.

Rows whose keys lie beyond the last matching one at the beginning are left alone. Ctrl-C stops after the current batch;
the same command, run again, resumes the run.`,
		Example: `drover copy --from default --to archive --table events --where "created_at < '2025-01-01'" --dry-run
drover copy --from default --to archive --table events --where "created_at < '2025-01-01'" --move
drover copy --from old --to new --table users --to-table app.users --columns id,name,email --workers 4`,
		Options:    drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Check: true, Confirm: true, Limit: true},
		NoDatabase: true,
		Fill:       x.Fill,
		Require:    []string{"from", "to", "table"},
		Hide:       []string{"database", "retry"},
		Flags: func(f *pflag.FlagSet) {
			x.Declare(f, batch.Options{}, func(f *pflag.FlagSet) {
				f.StringVar(&o.from, "from", "", "copy from the database of this `alias`")
				f.StringVar(&o.to, "to", "", "copy to the database of this `alias`")
				f.StringVar(&o.table, "table", "", "copy the rows of this `table`, or schema.table")
				f.StringVar(&o.toTable, "to-table", "", "copy into this `table`, where it has another name")
				f.StringVar(&o.where, "where", "", "copy the rows for which this SQL `condition` of the first database holds")
				f.StringSliceVar(&o.columns, "columns", nil, "copy only these `columns`, separated by commas, and those of the key")
				f.BoolVar(&o.overwrite, "overwrite", false, "write over rows of the other database that are there with other values")
				f.BoolVar(&o.move, "move", false, "delete the rows from the first database when they have arrived")
			})
		},
		Run:      func(ctx context.Context, c *drover.Call) error { return runCopy(ctx, c, o, &x) },
		Complete: completeCopy,
	}
}

type copyOptions struct {
	from, to        string
	table, toTable  string
	where           string
	columns         []string
	overwrite, move bool
}

// copying is one invocation: the tables on both sides, and the way between them.
type copying struct {
	copyOptions
	call     *drover.Call // on the database that is written to
	source   *target
	dest     *target
	transfer *transfer.Transfer
	images   *rowimage.Table // of the table that is written to; nil without --undo
	options  batch.Options
	flags    *batch.Flags
	screen   *batch.Screen
	verb     drover.Verb
}

func runCopy(ctx context.Context, c *drover.Call, o copyOptions, flags *batch.Flags) (err error) {
	j := &copying{copyOptions: o, flags: flags, verb: drover.Copied}
	if o.move {
		j.verb = drover.Moved
	}
	if err := j.open(ctx, c); err != nil {
		return err
	}
	if j.options, err = flags.Options(ctx, j.call); err != nil {
		return err
	}
	if j.options.RetryOf != "" {
		return drover.Exit(drover.ExitUsage, "rows that a copy has set aside are not tried again one by one").
			Try("the same command with --overwrite goes through all rows, and brings those in line that differ")
	}
	j.identify()
	if err := j.match(ctx); err != nil {
		return err
	}
	return j.run(ctx)
}

// open opens both databases and looks at what can be seen without their tables.
func (j *copying) open(ctx context.Context, c *drover.Call) error {
	if strings.TrimSpace(j.table) == "" {
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table whose rows are copied")
	}
	if c.Flags().Changed("columns") && len(j.columns) == 0 {
		return drover.Exit(drover.ExitUsage, "--columns is empty").Try("leave --columns out to copy all columns")
	}
	from, err := c.Database(ctx, j.from)
	if err != nil {
		return err
	}
	to, err := c.Database(ctx, j.to)
	if err != nil {
		return err
	}
	j.call = c.WithDB(to)
	j.source, j.dest = newTarget(j.call, from, j.table, j.where), newTarget(j.call, to, j.table, "")
	if j.toTable != "" {
		j.dest.name = j.toTable
	}
	if from.Address() == to.Address() && (from.Dialect().Features().SingleWriter || j.source.name == j.dest.name) {
		return drover.Exit(drover.ExitUsage, "--from and --to are the same database (%s)", from.Address()).Try("--to ALIAS names another one")
	}
	if !c.Flags().Changed("where") {
		return nil
	}
	if strings.TrimSpace(j.where) == "" {
		return drover.Exit(drover.ExitUsage, "--where is empty").Try("leave --where out to copy all rows")
	}
	return j.source.checkWhere()
}

// identify says which work the run is: the database that is read stands there by its address, for its alias may be a URL with a password, and
// mean another one tomorrow.
func (j *copying) identify() {
	setArgument(j.options.Arguments, "from", j.source.conn.Address())
	setArgument(j.options.Arguments, "to", j.dest.conn.Address())
}

// match finds the tables and the way from one to the other.
func (j *copying) match(ctx context.Context) error {
	err := j.source.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := j.source.findTable(ctx); err != nil {
			return err
		}
		name, err := j.source.commonName(ctx)
		if err != nil {
			return err
		}
		setArgument(j.options.Arguments, "table", name)
		return j.source.checkNames(j.source.given)
	}, db.ReadOnly())
	if err != nil {
		return err
	}
	if j.toTable == "" && j.source.dialect.Name() != j.dest.dialect.Name() {
		j.dest.name = j.source.table.Name // the schema is one of the first database
	}
	if err := j.dest.conn.Atomic(ctx, j.dest.findTable, j.readOnly(ctx, j.dest.conn)...); err != nil {
		return err
	}
	if j.dest.table.NotTransactional {
		return drover.Exit(drover.ExitRefused, "the storage engine of %s has no transactions: rows of a batch that is interrupted would arrive twice", j.dest.table.FullName()).
			Try("give the table another storage engine first")
	}
	from, to, ok := commonKey(j.source.table, j.dest.table)
	if !ok {
		return drover.Exit(drover.ExitRefused, "%s has no key of the columns %s, by which the rows are found again", j.dest.table.FullName(), strings.Join(j.source.key.Columns, ", ")).
			Try("give it the primary key of %s", j.source.table.FullName())
	}
	j.source.key = from
	j.transfer, err = transfer.New(transfer.Side{Conn: j.source.conn, Table: j.source.table, Key: from},
		transfer.Side{Conn: j.dest.conn, Table: j.dest.table, Key: to}, j.columns)
	if err != nil {
		return j.mismatch(err)
	}
	return j.keep()
}

// keep sees to it that rows which arrive can be found again by an undo.
func (j *copying) keep() (err error) {
	switch {
	case !j.options.Undo:
		return nil
	case j.move:
		return drover.Exit(drover.ExitUsage, "--undo does not go with --move: the rows that are deleted from %s are not kept", j.source.conn.Alias()).
			Try("copy them back: --from %s --to %s", j.to, j.from)
	case !j.dest.key.Has(j.source.key.Columns):
		return drover.Exit(drover.ExitUsage, "--undo: the rows of %s are found again by %s, and the rows that arrive are known by %s",
			j.dest.table.FullName(), strings.Join(j.dest.key.Columns, ", "), strings.Join(j.source.key.Columns, ", ")).Try("leave --undo out")
	}
	j.images, err = rowimage.New(j.dest.dialect, j.dest.table, j.dest.key)
	return err
}

// destKeys are the keys of the rows that rows of the first database go to.
func (j *copying) destKeys(rows []copied) []keyset.Values {
	return j.transfer.OtherKeys(rows, j.dest.key.Columns)
}

func (j *copying) readOnly(ctx context.Context, conn *db.DB) []db.BlockOption {
	if conn.InBlock(ctx) {
		return nil // the access mode is the surrounding block's
	}
	return []db.BlockOption{db.ReadOnly()}
}

// commonKey is the first key of one table that the other has too.
func commonKey(from, to *dialect.Table) (a, b dialect.Key, ok bool) {
	for _, a := range from.Keys {
		for _, b := range to.Keys {
			if a.Has(b.Columns) {
				return a, b, true
			}
		}
	}
	return dialect.Key{}, dialect.Key{}, false
}

// mismatch explains columns that cannot go.
func (j *copying) mismatch(err error) error {
	var m *transfer.MismatchError
	if !errors.As(err, &m) {
		return err
	}
	refused := drover.Exit(drover.ExitRefused, "rows of %s (%s) do not fit into %s (%s); nothing was copied", m.From, j.source.conn.Alias(), m.To, j.dest.conn.Alias())
	for _, reason := range m.Reasons {
		refused = refused.Try("%s", reason)
	}
	return refused.Try("--columns NAME,NAME copies only the columns that fit")
}

// job is the work as the engine knows it.
func (j *copying) job() *batch.Job[copied] {
	to := batch.ForeignImages{Table: j.dest.keys.Table(), Images: j.images}
	if j.overwrite {
		to.Keys = j.destKeys
	}
	source := func(context.Context, *db.DB) (batch.Source[copied], error) {
		return batch.Foreign(j.source.conn, batch.TableRanges{Table: j.source.table, Key: j.source.key, Where: j.source.where}, j.transfer, to), nil
	}
	job := &batch.Job[copied]{
		Name: j.call.CommandName(), Verb: j.verb, Repeatable: j.move, Describe: j.describe,
		Phases: []batch.Phase[copied]{
			{Name: "copy", Source: source, Process: j.copy},
			{Name: "verify", Source: source, Process: j.verify},
		},
	}
	if j.move {
		last := func(ctx context.Context, conn *db.DB) (batch.Source[copied], error) {
			if err := j.harden(ctx); err != nil {
				return batch.Source[copied]{}, err
			}
			return source(ctx, conn)
		}
		job.Phases = append(job.Phases, batch.Phase[copied]{Name: "delete", Source: last, Process: j.clear})
	}
	return job
}

// harden makes what was copied survive a crash of the other database before anything is deleted from the first. It is called before the phase of the
// deleting is stored as the run's; in a plan, whose block only reads, that has happened.
func (j *copying) harden(ctx context.Context) error {
	statement := j.dest.dialect.Features().Harden
	if statement == "" || j.dest.conn.InBlock(ctx) {
		return nil
	}
	if err := j.dest.conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("make sure that %s keeps what was copied: %w", j.dest.conn.Alias(), err)
	}
	return nil
}

// run plans, shows, asks and works.
func (j *copying) run(ctx context.Context) error {
	j.screen = batch.NewScreen(j.call, j.verb)
	j.screen.NoReplay()
	j.options.Observe = j.screen.Observe
	prepared, err := j.job().Prepare(ctx, j.dest.conn, j.options)
	if done := new(batch.DoneError); j.call.CheckOnly() && errors.As(err, &done) {
		j.call.Notice("Nothing to %s: %v.", j.verb.Base, done)
		return nil
	}
	if err != nil {
		return j.source.rejected(ctx, err, "--where", j.source.given, "the condition is what would follow WHERE in a statement on "+j.source.table.FullName())
	}
	if prepared.Undo() && !j.options.Undo {
		prepared.Close()
		return begunWithUndo(prepared)
	}
	return runPrepared(ctx, prepared, j.screen, j.flags, j)
}

func (j *copying) begin(*batch.Plan) error { return nil }

func (j *copying) nothing() string {
	return "Nothing to " + j.verb.Base + ": no rows of " + j.source.table.FullName() + " match."
}

// completeCopy offers the tables and columns of the two databases, and the runs, to the shell.
func completeCopy(ctx context.Context, c *drover.Call, option, prefix string) []string {
	if option == "columns" {
		return columnNames(ctx, c, "from", prefix)
	}
	side, ok := map[string]string{"table": "from", "to-table": "to"}[option]
	if !ok {
		return completeRun(ctx, c, "to", option, prefix)
	}
	return tableNames(ctx, c, side, prefix)
}
