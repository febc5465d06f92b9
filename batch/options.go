package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/pace"
	"github.com/drover-dev/drover/internal/person"
	"github.com/drover-dev/drover/internal/runstore"
)

// Argument is one argument that says which work a run is.
type Argument struct{ Name, Value string }

// Options say how a run is done. The zero value has sensible defaults.
type Options struct {
	// Arguments say which work the run is, beside the job's name and the database: a run with other arguments is another run.
	Arguments []Argument
	// Frozen are values that were found when the run was planned and that it keeps however often it is resumed, as a moment that the work goes up to.
	// They are stored behind the arguments of a new run, under names of their own, and do not say which work it is. See [Job.Kept].
	Frozen []Argument
	// CommandLine is kept with the run, for "drover runs resume". It must hold no secrets.
	CommandLine []string
	// Build is the version of the program; empty: the main module's, as built. A run that is resumed by another build says so.
	Build string

	// BatchSize is the number of rows in a transaction; 0: 1,000. With AutoSize it is the first size.
	BatchSize int
	// AutoSize lets the size follow the time that batches take, so that one takes about TargetTime (0: half a second).
	AutoSize   bool
	TargetTime time.Duration
	// Workers is how many batches are worked on at a time; 0: 1. More than one need as many connections and one more. SQLite has one writer, so
	// there more are refused.
	Workers int
	// Limit is the most rows that the run reads; 0: all. It belongs to what the work is: a run with another limit is another run.
	Limit int64
	// MaxErrors is how many rows may be set aside before the run stops; 0: none, so that the first bad row stops it.
	MaxErrors int64
	// Retries is how often a batch is tried again after a deadlock or its like; 0: 8, less than 0: never.
	Retries int
	// Reconnect is how long a lost database is waited for; 0: a minute.
	Reconnect time.Duration
	// Lease is how long a runner may be silent before another one can take the run over; 0: 15 s.
	Lease time.Duration
	// TimeLimit stops the run between two batches after this time; 0: never.
	TimeLimit time.Duration
	// Window is the time of day in which the run works, "01:00-05:00", optionally with a time zone behind; outside it the run stops.
	Window string
	// RowsPerSecond is the most rows that are worked on in a second, by all workers together; 0: no limit.
	RowsPerSecond float64
	// Meters are watched while the run lasts. At a meter's limit the run waits until it is down to half of it.
	Meters []Meter
	// MaxBatchTime makes the run wait some seconds when a batch took as long as this; 0: never. TargetTime is the better choice where batches may
	// become smaller.
	MaxBatchTime time.Duration
	// Undo journals what rows were before they are changed, so that [Undo] can restore them. The source must be rows of a table.
	Undo bool
	// Again begins a new run although one with the same arguments has succeeded.
	Again bool
	// Resume is the id of a run, or its beginning, that must be resumed. Empty: the unfinished run with the same arguments, if there is one.
	Resume string
	// RetryOf is the id of a run whose quarantined rows are the rows of this run.
	RetryOf string
	// Canary is how many rows are worked on first, alone; then the job's After assertions must hold before the rest is begun. 0: none.
	Canary int64
	// Before and After are asserted beside the job's own.
	Before, After []Assertion

	// Stopping asks the run to stop between two batches when it is closed.
	Stopping <-chan struct{}
	// StopReason says why Stopping was closed, as "SIGINT"; nil, or "" for an answer: "the program that called it".
	StopReason func() string
	tool       string // how a command line about the run begins; "": drover
	approved   *approved
	saves      bool // the plan will be written to a file
	// Observe is told what happens, by one goroutine at a time. It must be quick, and must not call the run's database.
	Observe func(Event)
	// Owner names the runner; empty: user@host and the process number. By is who began the run; empty: user@host.
	Owner, By string
	// Now is the clock for durations, TimeLimit and Window; nil: time.Now. Leases do not depend on it.
	Now func() time.Time
}

// Meter is a measured value that must stay below a limit.
type Meter struct {
	Name  string
	Unit  string
	Limit float64
	// Fatal stops the run for good when it is reached; 0: never.
	Fatal float64
	// Every is how often it is read; 0: each second. A value that is older than three times that counts as over the limit.
	Every time.Duration
	// Optional lets the run go on when the meter cannot be read.
	Optional bool
	// SQL is a query for one number, on the run's database. In it {table} stands for the quoted name of the source's table.
	SQL string
	// Read gives the value in place of SQL. It must return when its context ends. See [ReplicaLag].
	Read func(ctx context.Context) (float64, error)
}

// ReplicaLag is a meter of how far a replica is behind its primary, by [db.DB.Lag], in seconds. The run waits while the lag is not known: the
// replica cannot be reached, it does not follow its primary, or it was promoted. The meter works on PostgreSQL, MariaDB and MySQL.
func ReplicaLag(replica *db.DB, limit time.Duration) Meter {
	return Meter{
		Name: "replica " + replica.Alias() + " lag", Unit: "s", Limit: limit.Seconds(),
		Read: func(ctx context.Context) (float64, error) {
			lag, err := replica.Lag(ctx)
			return lag.Time.Seconds(), err
		},
	}
}

const (
	defaultBatch     = 1000
	defaultTarget    = 500 * time.Millisecond
	defaultRetries   = 8
	defaultReconnect = time.Minute
	defaultLease     = 15 * time.Second
	minLease         = time.Second
	maxWorkers       = 256
)

// settings are checked options with their defaults filled in.
type settings struct {
	Options
	window *pace.Window
	args   []runstore.Argument
	frozen []runstore.Argument
}

// check fills in the defaults and refuses what makes no sense.
func (o Options) check() (*settings, error) {
	s := &settings{Options: o}
	for _, bad := range []struct {
		when bool
		what string
	}{
		{o.BatchSize < 0, "the batch size must be at least 1"},
		{o.Workers < 0 || o.Workers > maxWorkers, "the number of workers must be between 1 and " + strconv.Itoa(maxWorkers)},
		{o.Limit < 0, "the limit must be at least 1"},
		{o.MaxErrors < 0, "the number of errors must not be negative"},
		{o.TimeLimit < 0, "the time limit must not be negative"},
		{o.MaxBatchTime < 0, "the longest time of a batch must not be negative"},
		{o.RowsPerSecond < 0, "the rows per second must not be negative"},
		{o.Canary < 0, "the canary must be at least one row"},
		{o.Lease != 0 && o.Lease < minLease, "a lease must be at least a second"},
		{o.Again && o.Resume != "", "again and resume exclude each other"},
		{o.RetryOf != "" && (o.Again || o.Limit > 0), "the replay of a quarantine takes no limit and is new by itself"},
	} {
		if bad.when {
			return nil, errors.New(bad.what)
		}
	}
	if o.Window != "" {
		w, err := pace.ParseWindow(o.Window)
		if err != nil {
			return nil, err
		}
		s.window = &w
	}
	for _, m := range o.Meters {
		if m.Name == "" || m.Limit <= 0 || (m.SQL == "") == (m.Read == nil) {
			return nil, fmt.Errorf("meter %q needs a name, a limit above 0 and either a query or a function", m.Name)
		}
	}
	for _, a := range o.Arguments {
		s.args = append(s.args, runstore.Argument(a))
	}
	for _, a := range o.Frozen {
		s.frozen = append(s.frozen, runstore.Argument(a))
	}
	if o.approved != nil {
		s.frozen = append(s.frozen, runstore.Argument{Name: planArgument, Value: o.approved.SHA256})
	}
	s.defaults()
	return s, nil
}

// whyStopped is why Stopping was closed.
func (s *settings) whyStopped() string {
	if s.StopReason != nil {
		if reason := s.StopReason(); reason != "" {
			return reason
		}
	}
	return "the program that called it"
}

func (s *settings) defaults() {
	set(&s.BatchSize, defaultBatch)
	set(&s.TargetTime, defaultTarget)
	set(&s.Workers, 1)
	set(&s.Retries, defaultRetries)
	s.Retries = max(s.Retries, 0)
	set(&s.Reconnect, defaultReconnect)
	set(&s.Lease, defaultLease)
	set(&s.By, person.Name())
	set(&s.Owner, s.By+" pid "+strconv.Itoa(os.Getpid()))
	set(&s.Build, build())
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Observe == nil {
		s.Observe = func(Event) {}
	}
}

// set fills in a default.
func set[V comparable](value *V, otherwise V) {
	var zero V
	if *value == zero {
		*value = otherwise
	}
}

// build is the version of the running program.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && version == "(devel)" {
			version = s.Value
		}
	}
	return info.Main.Path + " " + version
}
