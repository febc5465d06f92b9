package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

// Flags are the options of a command line that say how a run is done. [Job.Command] has them; a command that calls [Job.Run] by itself declares
// them with Declare and takes Options from them.
type Flags struct {
	defaults     Options
	own          []string // the command's own options
	batchSize    string
	workers      int
	maxErrors    int64
	timeLimit    time.Duration
	window       string
	rate         float64
	throttle     []string
	maxLag       time.Duration
	replicas     []string
	maxLockWaits int
	maxDeadRows  int64
	maxHeldLog   int64
	maxBatchTime time.Duration
	lease        time.Duration
	undo         bool
	again        bool
	resume       string
	retryOf      string
	canary       int64
	assertBefore []string
	assertAfter  []string
	sample       int
	planOut      string
	planIn       string

	engine   []string  // the names of these options
	approved *approved // of --plan
}

// auto is the batch size that follows the time of the batches.
const auto = "auto"

// Declare declares the options with their defaults, and then the command's own ones, which say which work a run is; own may be nil.
func (x *Flags) Declare(f *pflag.FlagSet, defaults Options, own func(f *pflag.FlagSet)) {
	x.engine = declared(f, func(f *pflag.FlagSet) { x.declare(f, defaults) })
	x.own, x.approved = nil, nil
	if own != nil {
		x.own = declared(f, own)
	}
}

// declared are the names of the options that fn declares.
func declared(f *pflag.FlagSet, fn func(f *pflag.FlagSet)) []string {
	before := map[string]bool{}
	f.VisitAll(func(flag *pflag.Flag) { before[flag.Name] = true })
	fn(f)
	var names []string
	f.VisitAll(func(flag *pflag.Flag) {
		if !before[flag.Name] {
			names = append(names, flag.Name)
		}
	})
	return names
}

func (x *Flags) declare(f *pflag.FlagSet, defaults Options) {
	x.defaults = defaults
	size := strconv.Itoa(defaultBatch)
	switch {
	case defaults.AutoSize:
		size = auto
	case defaults.BatchSize > 0:
		size = strconv.Itoa(defaults.BatchSize)
	}
	f.StringVar(&x.batchSize, "batch-size", size, "`rows` a transaction, or auto: about half a second each")
	f.IntVar(&x.workers, "workers", max(defaults.Workers, 1), "work on so `many` batches at a time")
	f.Int64Var(&x.maxErrors, "max-errors", defaults.MaxErrors, "set at most so `many` bad rows aside, and go on")
	f.DurationVar(&x.timeLimit, "time-limit", defaults.TimeLimit, "stop after this `time`, to be resumed")
	f.StringVar(&x.window, "window", defaults.Window, "work only in these `hours`, as 01:00-05:00")
	f.Float64Var(&x.rate, "rows-per-second", defaults.RowsPerSecond, "work on at most so many `rows` a second")
	f.DurationVar(&x.maxLag, "max-lag", 0, "wait while a replica is further behind than this `time`")
	f.StringArrayVar(&x.replicas, "replica", nil, "ask this `alias` for its lag, for --max-lag; may be given again")
	f.IntVar(&x.maxLockWaits, "max-lock-waits", 0, "wait while at least so `many` sessions wait for locks")
	f.Int64Var(&x.maxDeadRows, "max-dead-rows", 0, "wait while at least so `many` dead row versions are not cleared away")
	f.Int64Var(&x.maxHeldLog, "max-held-log", 0, "wait while at least so many `MB` of the write-ahead log are kept for a replica")
	f.DurationVar(&x.maxBatchTime, "max-batch-time", defaults.MaxBatchTime, "wait some seconds when a batch took this `time` or longer")
	f.StringArrayVar(&x.throttle, "throttle", nil, "wait while a `query` gives its limit or more, as \"NAME LIMIT SELECT ...\"")
	lease := defaults.Lease
	set(&lease, defaultLease)
	f.DurationVar(&x.lease, "lease", lease, "`time` that this runner may be silent for before another one may take the run over")
	f.BoolVar(&x.undo, "undo", defaults.Undo, "keep what the rows were, so that the run can be undone")
	f.BoolVar(&x.again, "again", false, "do work once more that a run has finished")
	f.StringVar(&x.resume, "resume", "", "go on with this `run`, and fail when it is other work")
	f.StringVar(&x.retryOf, "retry", "", "work on the rows that this `run` has set aside")
	f.Int64Var(&x.canary, "canary", defaults.Canary, "do so many `rows` first, then check --assert-after before the rest")
	f.StringArrayVar(&x.assertBefore, "assert-before", nil, "begin only if this `query` gives true")
	f.StringArrayVar(&x.assertAfter, "assert-after", nil, "fail at the end if this `query` does not give true")
	f.StringVar(&x.planOut, "plan-out", "", "write the plan to this `file`, to be approved and run by --plan")
	f.StringVar(&x.planIn, "plan", "", "do what the plan in this `file` says, and nothing else")
	f.IntVar(&x.sample, "sample", defaultSample, "how many `batches` --dry-run=rollback works on; 0 for all")
}

// defaultSample is how many batches a rehearsal works on.
const defaultSample = 3

// Options gives the options of a call. It opens the replicas that --replica names. Errors are wrong uses of the command line, and replicas that
// cannot be used.
func (x *Flags) Options(ctx context.Context, c *drover.Call) (Options, error) {
	o := x.defaults
	usage := func(name string, err error) (Options, error) {
		return o, drover.Exit(drover.ExitUsage, "--%s: %w", name, err)
	}
	o.AutoSize = x.batchSize == auto
	if !o.AutoSize {
		n, err := strconv.Atoi(x.batchSize)
		if err != nil || n < 1 || n > maxBatch {
			return usage("batch-size", fmt.Errorf("%q is no number between 1 and %d, and not auto", x.batchSize, maxBatch))
		}
		o.BatchSize = n
	}
	for name, bad := range map[string]bool{
		"workers": x.workers < 1 || x.workers > maxWorkers, "max-errors": x.maxErrors < 0, "time-limit": x.timeLimit < 0,
		"rows-per-second": x.rate < 0, "max-lag": x.maxLag < 0, "max-lock-waits": x.maxLockWaits < 0,
		"max-dead-rows": x.maxDeadRows < 0, "max-held-log": x.maxHeldLog < 0, "max-batch-time": x.maxBatchTime < 0, "canary": x.canary < 0, "sample": x.sample < 0,
	} {
		if bad {
			return usage(name, errors.New("out of range"))
		}
	}
	if x.lease < minLease {
		return usage("lease", fmt.Errorf("%s is too short: at least %s, so that a runner that is slow for a moment keeps its run", x.lease, minLease))
	}
	o.Workers, o.MaxErrors, o.TimeLimit, o.Window, o.RowsPerSecond = x.workers, x.maxErrors, x.timeLimit, x.window, x.rate
	o.Undo, o.Again, o.Resume, o.RetryOf, o.Canary = x.undo, x.again, x.resume, x.retryOf, x.canary
	o.Limit, o.MaxBatchTime, o.Lease = c.Limit(), x.maxBatchTime, x.lease
	for _, query := range x.assertBefore {
		o.Before = append(o.Before, Assertion{SQL: query})
	}
	for _, query := range x.assertAfter {
		o.After = append(o.After, Assertion{SQL: query})
	}
	for _, text := range x.throttle {
		m, err := parseMeter(text)
		if err != nil {
			return usage("throttle", err)
		}
		o.Meters = append(o.Meters, m)
	}
	if err := x.builtinMeters(c, &o); err != nil {
		return o, err
	}
	if err := x.replicaMeters(ctx, c, &o); err != nil {
		return o, err
	}
	if err := x.planOptions(c, &o); err != nil {
		return o, err
	}
	o.CommandLine = c.CommandLine(map[string]string{"again": "", "resume": "", "no-input": "", "plan": "", "plan-out": ""})
	o.Arguments = x.arguments(c)
	o.Stopping, o.StopReason, o.Now, o.tool = c.Stopping(), c.StopReason, c.Now, toolOf(c)
	if _, err := o.check(); err != nil {
		return o, drover.Exit(drover.ExitUsage, "%w", err)
	}
	return o, nil
}

// maxBatch keeps a batch from being the whole table by mistake.
const maxBatch = 1_000_000

// builtinMeters adds the meters that the database's dialect knows.
func (x *Flags) builtinMeters(c *drover.Call, o *Options) error {
	known := c.DB().Dialect().Features().Meters
	const mega = 1 << 20
	for _, m := range []struct {
		option, name, unit string
		limit              float64
		query              string
	}{
		{"max-lag", "replica lag", "s", x.maxLag.Seconds(), known.ReplicaLag},
		{"max-lock-waits", "sessions that wait for locks", "", float64(x.maxLockWaits), known.LockWaits},
		{"max-dead-rows", "dead row versions", "", float64(x.maxDeadRows), known.DeadRows},
		{"max-held-log", "write-ahead log kept for a replica", "B", float64(x.maxHeldLog) * mega, known.HeldLog},
	} {
		switch {
		case m.limit == 0:
		case m.option == "max-lag" && len(x.replicas) > 0: // the replicas tell it
		case m.query == "":
			err := drover.Exit(drover.ExitUsage, "--%s: this database cannot tell its %s", m.option, m.name)
			if m.option == "max-lag" {
				err = err.Try("ask a replica: --replica ALIAS")
			}
			return err
		default:
			o.Meters = append(o.Meters, Meter{Name: m.name, Unit: m.unit, Limit: m.limit, SQL: m.query})
		}
	}
	return nil
}

// replicaMeters adds a meter for each replica. One that is none is found now, and not after the run has waited for its lag for ever.
func (x *Flags) replicaMeters(ctx context.Context, c *drover.Call, o *Options) error {
	if len(x.replicas) > 0 && x.maxLag == 0 {
		return drover.Exit(drover.ExitUsage, "--replica needs --max-lag")
	}
	for _, alias := range x.replicas {
		if strings.Contains(alias, ":") { // the command line is kept with the run, and a URL may hold a password
			return drover.Exit(drover.ExitUsage, "--replica takes the alias of a configured database, not a URL")
		}
		conn, err := c.Database(ctx, alias)
		if unknown, ok := errors.AsType[*db.AliasError](err); ok {
			err = drover.Exit(drover.ExitUsage, "--replica: %w", unknown)
		}
		if err != nil {
			return err
		}
		switch role, err := conn.Role(ctx); {
		case err != nil:
			return err
		case role != db.RoleReplica:
			return drover.Exit(drover.ExitUsage, "--replica: database %q is no replica, it is a %s", conn.Alias(), role)
		}
		o.Meters = append(o.Meters, ReplicaLag(conn, x.maxLag))
	}
	return nil
}

// parseMeter reads "NAME LIMIT SELECT ...".
func parseMeter(text string) (Meter, error) {
	parts := strings.SplitN(strings.TrimSpace(text), " ", 3)
	if len(parts) == 3 {
		if limit, err := strconv.ParseFloat(parts[1], 64); err == nil && limit > 0 {
			return Meter{Name: parts[0], Limit: limit, SQL: strings.TrimSpace(parts[2])}, nil
		}
	}
	return Meter{}, fmt.Errorf("%q is not of the form NAME LIMIT SELECT ..., with a limit above 0", text)
}

// arguments are the options and arguments that say which work the run is: the command's own ones, and the limit.
func (x *Flags) arguments(c *drover.Call) []Argument {
	var args []Argument
	c.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(x.own, f.Name) || f.Name == "limit" {
			args = append(args, Argument{f.Name, f.Value.String()})
		}
	})
	for i, arg := range c.Args() {
		args = append(args, Argument{fmt.Sprintf("argument %d", i+1), arg})
	}
	return args
}

// Sample is how many batches --dry-run=rollback works on; 0 for all.
func (x *Flags) Sample() int { return x.sample }

// Command makes the job a command, with the options of [Flags] beside its own, --dry-run, --dry-run=rollback and --limit. It can be run for several
// databases: each has a run of its own.
func (j *Job[T]) Command() *drover.Command {
	var x Flags
	return &drover.Command{
		Name: j.Name, Short: j.Short, Long: j.Long, Example: j.Example,
		Options:     drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Check: true, Confirm: true, Limit: true, EachDatabase: true},
		OneDatabase: []string{"resume", "retry", "plan", "plan-out"},
		Fill:        x.Fill,
		Flags: func(f *pflag.FlagSet) {
			x.Declare(f, j.Defaults, j.Flags)
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			o, err := x.Options(ctx, c)
			if err != nil {
				return err
			}
			core, err := j.core()
			if err != nil {
				return err
			}
			return runCommand(ctx, c, core, o, &x)
		},
	}
}
