package command

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/runstore"
)

// doctorTimeout is the default of --timeout.
const doctorTimeout = 5 * time.Second

// Doctor returns the command "doctor", which looks at the databases: whether each can be reached, its version, its part in replication, what its user
// may do, drover's own tables, and the settings that matter to runs. It changes nothing, and an SQLite file that is missing is not made. Its exit
// code is 1 where a database has a problem; warnings and notes are none.
func Doctor() *drover.Command {
	var timeout time.Duration
	return &drover.Command{
		Name: "doctor", Short: "Look for what may go wrong with the databases",
		Long: `Look at the databases, all that are configured or those of --database: whether each can be reached, its version, whether it is a replica and how far
behind, what the user may do, drover's own tables, and the settings that matter to runs. Nothing is changed.

A problem keeps commands from working, and makes the exit code 1: a database out of reach, a replica that has stopped, drover's tables of a later
version, a setting under which changes are refused. A warning says what may go wrong, a note what is worth knowing.`,
		Example: `drover doctor
drover doctor --database reports --timeout 30s
drover doctor --json`,
		NoDatabase: true, // it opens them by itself, each for a limited time
		Options:    drover.Options{EachDatabase: true, AllDatabases: true},
		Hide:       []string{"grace", "skip-checks", "progress"},
		Flags: func(f *pflag.FlagSet) {
			f.DurationVar(&timeout, "timeout", doctorTimeout, "spend at most this `time` on a database")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			if timeout <= 0 {
				return drover.Exit(drover.ExitUsage, "--timeout must be more than 0")
			}
			return examine(ctx, c, timeout)
		},
	}
}

// examination is what is found out about one database.
type examination struct {
	call     *drover.Call
	conn     *db.DB // nil: out of reach
	alias    string
	version  string
	took     time.Duration // until it answered
	timeout  time.Duration
	place    db.Role // "" where it is not known, or there is no replication
	lag      *time.Duration
	findings dialect.Findings
}

func examine(ctx context.Context, c *drover.Call, timeout time.Duration) error {
	alias, err := c.Flags().GetString("database")
	if err != nil {
		return err
	}
	x := &examination{call: c, alias: alias, timeout: timeout}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = x.reach(limited)
	if wrong := (*drover.UsageError)(nil); errors.As(err, &wrong) {
		return err // no database is meant
	}
	if err == nil {
		err = x.look(limited)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && x.conn == nil:
		x.findings.Add(dialect.Problem, "reach", "check that the server is up, and the URL in the environment or in drover.toml", "%v", err)
	case err != nil:
		x.findings.Add(dialect.Problem, "reach", "--timeout gives it more time", "it has not answered everything within %s: %v", drover.Duration(timeout), err)
	}
	return x.report()
}

// reach opens the database and asks it for its version.
func (x *examination) reach(ctx context.Context) error {
	start := time.Now()
	conn, err := x.call.Database(ctx, x.alias, db.AsIs())
	if err != nil {
		return err
	}
	if x.version, err = conn.Version(ctx); err != nil {
		return err
	}
	x.conn, x.alias, x.took = conn, conn.Alias(), time.Since(start)
	x.findings.Add(dialect.Fine, "reach", "", "answers in %s: %s   %s", drover.Duration(x.took), x.version, conn.Address())
	if oldest := conn.Dialect().Oldest(x.version); dialect.VersionOlder(x.version, oldest) {
		x.findings.Add(dialect.Warning, "version", "", "drover is made for %s and later versions", oldest)
	}
	return nil
}

// look gathers the findings. What cannot be found out is a finding, too; the error is that of the time that is over.
func (x *examination) look(ctx context.Context) error {
	tables := runstore.Tables()
	reading := func(look func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return x.conn.Atomic(ctx, look, db.ReadOnly()) }
	}
	for _, part := range []struct {
		what string
		look func(ctx context.Context) error
	}{
		{"role", x.role}, // which is asked for outside of blocks
		{"tables", reading(func(ctx context.Context) error {
			there, err := x.tables(ctx)
			if !there {
				tables = nil
			}
			return err
		})},
		{"rights", reading(func(ctx context.Context) error { return x.rights(ctx, tables) })},
		{"settings", reading(func(ctx context.Context) error {
			found, err := x.conn.Dialect().Settings(ctx, x.conn)
			x.findings = append(x.findings, found...)
			return err
		})},
	} {
		err := part.look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			x.findings.Add(dialect.Warning, part.what, "", "its %s cannot be found out: %v", part.what, err)
		}
	}
	x.writable(ctx)
	return nil
}

// role finds out the part in replication.
func (x *examination) role(ctx context.Context) error {
	s, err := x.conn.Dialect().Standing(ctx, x.conn)
	switch stopped := cmp.Or(s.Stopped, s.Paused); {
	case db.KindOf(err) == db.ErrPermission:
		x.findings.Add(dialect.Note, "role", "", "the user may not know whether it is a replica")
		return nil
	case err != nil || x.conn.Dialect().Features().Local:
		return err
	case !s.Replica:
		x.place = db.RolePrimary
		x.findings.Add(dialect.Fine, "role", "", "a primary")
		return nil
	case stopped != "":
		x.place = db.RoleReplica
		x.findings.Add(dialect.Problem, "role", "", "a replica, and %s", stopped)
		return nil
	}
	x.place = db.RoleReplica
	lag, err := x.conn.Lag(ctx)
	if err != nil {
		x.findings.Add(dialect.Note, "role", "", "a replica, which commands can only read; how far behind is not known: %v", err)
		return nil
	}
	x.lag = &lag.Time
	x.findings.Add(dialect.Note, "role", "", "a replica, %s behind: commands can only read it", drover.Duration(lag.Time))
	return nil
}

// tables finds out whether drover's own tables can be used, and reports whether there are any.
func (x *examination) tables(ctx context.Context) (there bool, err error) {
	have, err := runstore.New(x.conn).Schema(ctx)
	switch {
	case db.KindOf(err) == db.ErrPermission:
		return true, nil // rights says which are lacking
	case err != nil:
		return false, err
	}
	switch have {
	case runstore.SchemaMissing:
		x.findings.Add(dialect.Note, "tables", "", "drover's own tables are not there; the first run makes them")
		return false, nil
	case runstore.SchemaOlder:
		x.findings.Add(dialect.Warning, "tables", tool(x.call)+" init brings them up to date", "drover's own tables are of an earlier version, or incomplete")
	case runstore.SchemaNewer:
		x.findings.Add(dialect.Problem, "tables", "use the version of the program that has made them, or a later one",
			"drover's own tables are of a later version than this program")
	case runstore.SchemaCurrent:
		x.findings.Add(dialect.Fine, "tables", "", "drover's own tables are there and up to date")
	}
	return true, nil
}

// rights finds out what the user may do, on a server that can be written to.
func (x *examination) rights(ctx context.Context, tables []string) error {
	if x.place == db.RoleReplica {
		return nil
	}
	found, err := x.conn.Dialect().Rights(ctx, x.conn, tables)
	x.findings = append(x.findings, found...)
	return err
}

// errProbed rolls the block of a probe back.
var errProbed = errors.New("probed")

// writable finds out whether the database can be written to, where only an attempt can tell. What that does is rolled back.
func (x *examination) writable(ctx context.Context) {
	probe := x.conn.Dialect().WriteProbe()
	if probe == "" {
		return
	}
	err := x.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := x.conn.Exec(ctx, probe); err != nil {
			return err
		}
		return errProbed
	})
	switch kind := db.KindOf(err); {
	case errors.Is(err, errProbed):
		x.findings.Add(dialect.Fine, "writable", "", "the database can be written to")
	case kind == db.ErrReadOnly || kind == db.ErrPermission:
		x.findings.Add(dialect.Warning, "writable", "check the rights on the file and its folder, and mode in the URL", "the database can only be read")
	case kind == db.ErrDatabaseBusy || ctx.Err() != nil: // it was waited for the one writer that there can be
		x.findings.Add(dialect.Warning, "writable", "", "another process is writing, and did not finish while this one waited")
	default:
		x.findings.Add(dialect.Warning, "writable", "", "the database cannot be written to: %v", err)
	}
}
