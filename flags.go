package drover

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const (
	defaultVerbosity = 1
	defaultDatabase  = "default"
	defaultGrace     = 30 * time.Second
)

// standard holds the options that every command has.
type standard struct {
	verbosity  int
	databases  databaseValue
	noColor    bool
	forceColor bool
	traceback  bool
	json       bool
	progress   string
	skipChecks bool
	grace      time.Duration
	help       bool
	version    bool
}

func (s *standard) declare(f *pflag.FlagSet) {
	f.VarP(newRange(&s.verbosity, defaultVerbosity, 0, 3), "verbosity", "v", "how much to say, `0..3`; 0: only results and problems")
	f.Var(&s.databases, "database", "work on the database with this `alias`")
	f.BoolVar(&s.noColor, "no-color", false, "no colours")
	f.BoolVar(&s.forceColor, "force-color", false, "colours also where the output is no terminal")
	f.BoolVar(&s.json, "json", false, "results and messages as JSON, one document a line")
	f.Var(newEnum(&s.progress, "auto", "auto", "tty", "plain", "json", "none"), "progress", "`how` to show progress: auto, tty, plain, json or none")
	f.DurationVar(&s.grace, "grace", defaultGrace, "`time` to finish the current batch in after the first Ctrl-C")
	f.BoolVar(&s.skipChecks, "skip-checks", false, "do not run the checks before the command")
	f.BoolVar(&s.traceback, "traceback", false, "on failure, show the whole chain of errors")
	f.BoolVarP(&s.help, "help", "h", false, "show this help")
	f.BoolVar(&s.version, "version", false, "show the program's version")
}

// database is the alias, or the URL, that --database names.
func (s *standard) database() string { return s.databases.String() }

// databaseValue is --database. It keeps every one that was given; as a text, as other code reads the option, it is the last.
type databaseValue struct{ given []string }

func (v *databaseValue) Set(s string) error {
	v.given = append(v.given, s)
	return nil
}

func (v *databaseValue) String() string {
	if len(v.given) == 0 {
		return defaultDatabase
	}
	return v.given[len(v.given)-1]
}

func (v *databaseValue) Type() string { return "string" }

// dataFlags holds those standard options that a command chooses in its [Options].
type dataFlags struct {
	dryRun    bool
	rollback  bool // the dry run does the work and rolls it back
	check     bool
	noInput   bool
	batchSize int
	limit     int64

	allDatabases bool
}

func (d *dataFlags) declare(f *pflag.FlagSet, o Options) {
	switch {
	case o.Rollback:
		f.Var((*dryRunValue)(d), "dry-run", "show what would change, and change nothing; with `rollback`, find out by doing it in transactions that are rolled back")
		f.Lookup("dry-run").NoOptDefVal = dryRunPlan
	case o.DryRun:
		f.BoolVar(&d.dryRun, "dry-run", false, "show what would change, and change nothing")
	}
	if o.Check {
		f.BoolVar(&d.check, "check", false, "change nothing; exit with 1 when there is work, with 0 when not")
	}
	if o.Confirm {
		f.BoolVar(&d.noInput, "no-input", false, "do not ask: go on as if \"yes\" had been typed")
	}
	if o.BatchSize > 0 {
		f.Var(newRange(&d.batchSize, o.BatchSize, 1, maxInt), "batch-size", "`rows` a batch")
	}
	if o.EachDatabase {
		f.BoolVar(&d.allDatabases, "all-databases", o.AllDatabases, "run once for each configured database; --database may be repeated, too")
	}
	if o.Limit {
		f.Var(newRange(&d.limit, 0, 1, maxInt), "limit", "stop after this many `rows`")
	}
}

// The two strengths of a dry run.
const (
	dryRunPlan     = "plan"
	dryRunRollback = "rollback"
)

// dryRunValue is --dry-run where it takes a value. The words of a plain bool option still count.
type dryRunValue dataFlags

func (v *dryRunValue) Set(s string) error {
	switch s {
	case dryRunPlan, dryRunRollback:
		v.dryRun, v.rollback = true, s == dryRunRollback
		return nil
	}
	on, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("must be %s or %s", dryRunPlan, dryRunRollback)
	}
	v.dryRun, v.rollback = on, false
	return nil
}

func (v *dryRunValue) String() string {
	switch {
	case v.rollback:
		return dryRunRollback
	case v.dryRun:
		return dryRunPlan
	}
	return "false"
}

func (v *dryRunValue) Type() string { return "string" }

const maxInt = 1<<31 - 1

// rangeValue is a whole number between two bounds.
type rangeValue[T int | int64] struct {
	target      *T
	least, most T
}

func newRange[T int | int64](target *T, value, least, most T) *rangeValue[T] {
	*target = value
	return &rangeValue[T]{target, least, most}
}

func (r *rangeValue[T]) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return errors.New("not a whole number")
	case err != nil || T(n) < r.least || T(n) > r.most:
		if r.most == maxInt {
			return fmt.Errorf("must be at least %d", r.least)
		}
		return fmt.Errorf("must be between %d and %d", r.least, r.most)
	}
	*r.target = T(n)
	return nil
}

func (r *rangeValue[T]) String() string {
	if r.target == nil { // pflag asks a zero value for its default
		return "0"
	}
	return strconv.FormatInt(int64(*r.target), 10)
}

func (r *rangeValue[T]) Type() string { return "int" }

// enumValue is one of a few words.
type enumValue struct {
	target *string
	words  []string
}

func newEnum(target *string, value string, words ...string) *enumValue {
	*target = value
	return &enumValue{target, words}
}

func (e *enumValue) Set(s string) error {
	if !slices.Contains(e.words, s) {
		return fmt.Errorf("must be one of %s", strings.Join(e.words, ", "))
	}
	*e.target = s
	return nil
}

func (e *enumValue) String() string {
	if e.target == nil {
		return ""
	}
	return *e.target
}

func (e *enumValue) Type() string { return "string" }

// optionNames lists a set's visible options with their dashes, sorted.
func optionNames(f *pflag.FlagSet) []string {
	var names []string
	f.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, "--"+flag.Name)
		}
	})
	slices.Sort(names)
	return names
}
