// Package runstore keeps runs in the database that they work on: what they are, who works on them, how far they are, and what happened.
//
// There are five tables, all with the prefix drover_: runs, shards, quarantine, undo and events. [Store.Init] makes them. A run belongs to
// at most one runner at a time, which holds a lease on it:
//
//	run, err := store.Acquire(ctx, id, owner, lease)   // a new fencing token; every shard carries it from now on
//	…
//	err = conn.Atomic(ctx, func(ctx context.Context) error {
//		… the batch's own work …
//		return store.Checkpoint(ctx, &shard, progress)      // ErrFenced when another runner has taken the run
//	})
//	err = store.Finish(ctx, run, runstore.Succeeded, "")
//
// All times of the tables are the database's own; a runner's clock decides nothing. Every change of a run's state is one conditional
// UPDATE, so that of two that compete one wins.
package runstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/drover-dev/drover/internal/keyset"
)

// State is where a run stands. It is stored as its text.
type State string

// The states. Running with an expired lease reads as [Interrupted], and while the runner waits as [Throttled]. These two are never stored.
const (
	Planned   State = "planned"   // created, no runner has begun
	Running   State = "running"   // a runner holds the lease
	Paused    State = "paused"    // stopped on request, by a signal, by a time limit: to be resumed
	Failed    State = "failed"    // stopped by an error; it can be resumed too
	Succeeded State = "succeeded" // all done
	Cancelled State = "cancelled" // given up on request
	Undoing   State = "undoing"   // succeeded, failed, paused or cancelled before; another run has begun to undo it, so nobody can resume it
	Undone    State = "undone"    // succeeded, failed, paused or cancelled before, and then undone

	Interrupted State = "interrupted"
	Throttled   State = "throttled"
)

// Finished reports whether a run in this state will not be worked on again.
func (s State) Finished() bool { return s == Succeeded || s == Cancelled || s == Undone }

// Request is what somebody asks of a run's runner, which looks for it every second or so.
type Request string

// The requests.
const (
	NoRequest     Request = ""
	RequestPause  Request = "pause"
	RequestCancel Request = "cancel"
)

// Argument is one argument that says which work a run is: two runs with the same command and arguments on the same database are the same work.
type Argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run is one row of drover_runs.
type Run struct {
	ID        string // a ULID: 26 characters, sorted by the time of creation
	Command   string // the command's name: "purge"
	Identity  string // the hash of command, arguments and database: see [Identity]
	Number    int    // counts the runs of one identity, from 1
	Arguments []Argument
	// CommandLine is the whole command line that began the run, as words, without secrets; empty for a run that code began.
	CommandLine []string
	Options     map[string]string // what may change while the run lasts: "batch-size", "workers", …; see [Store.Set]
	Build       string            // version of the program that began it
	State       State             // as it reads now: Interrupted and Throttled included
	Request     Request
	Phase       int   // the phase being worked on, from 0
	Planned     int64 // how many rows the plan counted; -1 where it does not know
	Attempt     int   // how often a runner has begun or resumed it
	Token       int64 // the fencing token of the runner that holds or last held it
	Owner       string
	LeaseUntil  time.Time // zero where nobody holds it
	Waiting     string    // why the runner waits; "" where it does not
	Error       string    // why it failed
	Undo        bool      // before-images are journalled
	UndoOf      string    // the run that this one undoes, or ""
	RetryOf     string    // the run whose quarantine this one replays, or ""
	CreatedBy   string    // user@host
	CreatedAt   time.Time
	StartedAt   time.Time // zero: not yet
	FinishedAt  time.Time // zero: not yet; the end of the last attempt for a paused or failed run
}

// Argument is the value of the argument of this name; "" where the run has none.
func (r *Run) Argument(name string) string {
	for _, a := range r.Arguments {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Counters say what was done. Those of a run are the sums of its shards'.
type Counters struct {
	Batches     int64         // committed
	Read        int64         // rows that were looked at
	Done        int64         // rows that were processed
	Quarantined int64         // rows that were set aside
	Retries     int64         // attempts that were rolled back and tried again
	Busy        time.Duration // in batches, added over the workers
}

// Shard is one row of drover_shards: a part of a phase's work that one worker at a time does in order.
type Shard struct {
	RunID   string
	Phase   int
	Number  int
	Token   int64
	Lower   keyset.Values // nothing at or before it belongs to the shard; nil: no bound
	Upper   keyset.Values // the last key that belongs to it; nil: no bound
	Reached keyset.Values // all up to it is done; nil: nothing yet
	Planned int64         // rows that the plan counted in it; -1 where it does not know
	Done    bool          // nothing is left
	Counters
}

// NewRun is what [Store.Create] makes a run of.
type NewRun struct {
	Command     string
	Arguments   []Argument
	CommandLine []string
	Options     map[string]string
	Build       string
	Planned     int64
	Undo        bool
	UndoOf      string
	RetryOf     string
	CreatedBy   string
	// Shards are those of the first phase: Lower, Upper and Planned count.
	Shards []Shard
}

// Progress is what one batch adds to its shard.
type Progress struct {
	Reached     keyset.Values // nil leaves it
	Done        bool          // the shard is done
	Read        int64
	Rows        int64 // processed
	Quarantined int64
	Retries     int64
	Busy        time.Duration
	// NoBatch says that this is no batch of its own: the counter of batches stays.
	NoBatch bool
}

// Quarantined is one row of drover_quarantine: a row of data that was set aside.
type Quarantined struct {
	ID       int64
	RunID    string
	Phase    int
	Shard    int
	Key      keyset.Values
	Error    string
	Kind     string // the class of the error, in words: "unique violation"; "" where it has none
	Input    string // the row as JSON, as far as it is known
	Retried  string // the run that replayed it, or ""
	Created  time.Time
	Attempts int
}

// Image is one row of drover_undo: what a row was before a batch changed it, and what the batch made of it.
type Image struct {
	ID     int64
	RunID  string
	Table  string        // as keyset.TableName quotes it
	Key    keyset.Values // of the row before the change; for a created row, of the new one
	Op     string        // "update", "delete" or "create"
	Before string        // the encoded row; "" for create
	After  string        // the encoded row; "" for delete
}

// Event is one row of drover_events.
type Event struct {
	ID    int64
	RunID string
	At    time.Time
	Type  string // "created", "started", "resumed", "taken over", "paused", "succeeded", "failed", "cancelled", "set", "requested", "size", "throttled", …
	Actor string // user@host of a person's change; the owner of the runner's own
	Text  string // one line for people
}

// Filter chooses runs for [Store.List]. Zero fields choose all.
type Filter struct {
	Command    string
	Identity   string
	State      State // as it reads
	Unfinished bool
	Limit      int // 0: 20
}

// Errors of the store.
var (
	// ErrNoTables says that the tables are not there, or older than this program; Init makes or updates them.
	ErrNoTables = errors.New("the drover tables are missing or out of date")
	// ErrNewer says that the tables were made by a newer version of drover than this one.
	ErrNewer = errors.New("the drover tables belong to a newer version")
	// ErrNoRun says that there is no such run.
	ErrNoRun = errors.New("no such run")
	// ErrFenced says that another runner has taken the run: nothing may be committed with this token any more. See also Checkpoint.
	ErrFenced = errors.New("another runner has taken over the run")
	// ErrState says that the run's state does not allow the change.
	ErrState = errors.New("the run's state does not allow it")
)

// HeldError says that another runner holds the lease of a run.
type HeldError struct {
	Run   Run
	Owner string
	Until time.Time
}

// Error names the run and its runner.
func (e *HeldError) Error() string {
	return fmt.Sprintf("run %s is being worked on by %s", Short(e.Run.ID), e.Owner)
}

// AmbiguousError says that a short run id stands for several runs.
type AmbiguousError struct {
	Prefix string
	IDs    []string
}

// Error names the prefix.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is the beginning of %d run ids; give more characters", e.Prefix, len(e.IDs))
}

// Short is the form of a run id for people: enough of its random part to tell runs of the same second apart.
func Short(id string) string {
	const letters = 12
	return id[:min(len(id), letters)]
}
