package batch

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
)

// Job is work on the rows of a source. Fill in Name, Source and Process, or Name and Phases, and leave it alone after its first use; its
// methods are safe for concurrent use then.
type Job[T any] struct {
	// Name names the work: one lower-case word, dashes allowed. It is the command's name, and with the arguments the identity of a run.
	Name string
	// Short is one line for the list of commands, Long the help's text, Example lines of the help; for [Job.Command].
	Short, Long, Example string
	// Flags declares the command's own options. They say which work it is: a run with other values is another run.
	Flags func(f *pflag.FlagSet)

	// Source gives the rows. It is called once for every attempt of a run, and only reads.
	Source func(ctx context.Context, conn *db.DB) (Source[T], error)
	// Process does the work of one batch, inside the batch's transaction. It may be called again for the same rows when the transaction was
	// rolled back.
	Process func(ctx context.Context, b *Batch[T]) error
	// Phases are several passes one after the other, in place of Source and Process: prepare and apply, say. A phase begins when the one
	// before is complete, and its source is measured only then.
	Phases []Phase[T]

	// Verb is what becomes of the rows; the zero value is drover.Processed.
	Verb drover.Verb
	// Repeatable lets a job that has succeeded be run again without Options.Again: what is done cannot match again, as after a delete.
	Repeatable bool
	// Before must hold before anything is changed, After when all is done, and with Options.Canary also after the first rows.
	Before, After []Assertion
	// Describe adds to the plan of a run what the source cannot know: effects on other tables, warnings, a refusal, and with [Plan.Bind] what a plan file
	// is bound to. It is called in the plan's read-only transaction, also where a run is resumed, whose id the plan has then.
	Describe func(ctx context.Context, p *Plan) error
	// Defaults are the options that a command line does not give.
	Defaults Options
}

// Phase is one pass over rows.
type Phase[T any] struct {
	Name    string
	Source  func(ctx context.Context, conn *db.DB) (Source[T], error)
	Process func(ctx context.Context, b *Batch[T]) error
}

// Batch is the rows of one transaction. It is used by one goroutine at a time, and not after Process has returned.
type Batch[T any] struct {
	// Rows are the batch's rows, Process's to change. Their order is the source's.
	Rows []T
	*work
}

// core is a job without the type of its rows.
type core struct {
	name       string
	phases     []phase
	verb       drover.Verb
	repeatable bool
	before     []Assertion
	after      []Assertion
	describe   func(ctx context.Context, p *Plan) error
}

type phase struct {
	name    string
	open    func(ctx context.Context, conn *db.DB) (source, error)
	process func(ctx context.Context, w *work) error
}

// core checks the job and takes the type off.
func (j *Job[T]) core() (*core, error) {
	c := &core{
		name: j.Name, verb: j.Verb, repeatable: j.Repeatable, before: j.Before, after: j.After, describe: j.Describe,
	}
	if c.verb == (drover.Verb{}) {
		c.verb = drover.Processed
	}
	phases := j.Phases
	if len(phases) == 0 {
		phases = []Phase[T]{{Source: j.Source, Process: j.Process}}
	} else if j.Source != nil || j.Process != nil {
		return nil, fmt.Errorf("job %q has Phases, and Source or Process beside them", j.Name)
	}
	if j.Name == "" {
		return nil, errors.New("a job needs a name: its runs are found again by it")
	}
	for _, p := range phases {
		if p.Source == nil || p.Process == nil {
			return nil, fmt.Errorf("job %q needs a Source and a Process in every phase", j.Name)
		}
		c.phases = append(c.phases, phase{name: p.Name, open: opener(p.Source), process: processor(p.Process)})
	}
	return c, nil
}

// runner makes an attempt of the job.
func (j *Job[T]) runner(conn *db.DB, o Options) (*runner, error) {
	c, err := j.core()
	if err != nil {
		return nil, err
	}
	return newRunner(c, conn, o)
}

func opener[T any](open func(ctx context.Context, conn *db.DB) (Source[T], error)) func(context.Context, *db.DB) (source, error) {
	return func(ctx context.Context, conn *db.DB) (source, error) {
		s, err := open(ctx, conn)
		switch {
		case err != nil:
			return nil, err
		case s.source == nil:
			return nil, errors.New("the job's source is the zero Source: use Rows, Ranges, Queue, Seq, CSV or JSONL")
		}
		return s.source, nil
	}
}

func processor[T any](process func(ctx context.Context, b *Batch[T]) error) func(context.Context, *work) error {
	return func(ctx context.Context, w *work) error {
		return process(ctx, &Batch[T]{Rows: w.page.items.([]T), work: w})
	}
}

// Run runs the job on a database to its end and returns what was done, also when it fails. A run of the same job with the same
// Options.Arguments that is not finished is resumed.
//
// Errors: *LockedError while another runner works on it; *DoneError when it has succeeded before and Options.Again is not set;
// *AssertionError; *BatchError when a batch failed for good; *TooManyErrors; *StoppedError when Options.Stopping, a request from another
// machine, a time limit or the window's end stopped it between two batches. In each case all committed batches are kept. When ctx ends
// the batches under way are rolled back, and the error is a *StoppedError too.
//
// A panic of Process stops the run and passes through.
func (j *Job[T]) Run(ctx context.Context, conn *db.DB, o Options) (*Result, error) {
	r, err := j.runner(conn, o)
	if err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// Plan measures what Run would do, and changes nothing: no table of drover's is made or written.
func (j *Job[T]) Plan(ctx context.Context, conn *db.DB, o Options) (*Plan, error) {
	r, err := j.runner(conn, o)
	if err != nil {
		return nil, err
	}
	return r.makePlan(ctx)
}

// work is one batch in its transaction, without the type of its rows.
type work struct {
	run     *runner
	shard   *shard
	number  int64
	attempt int
	page    page

	done    int64 // rows processed, as Process says; -1: all that were not set aside
	aside   []asideRow
	created []createdRows
	renewed bool // the transaction has renewed the lease too
}

// asideRow is a row that Process has set aside.
type asideRow struct {
	index int
	err   error
}

// createdRows are rows that Process says it has made.
type createdRows struct {
	table string
	keys  []keyset.Values
}

// DB is the database that the run works on. Statements must be sent with Process's context to be in the batch's transaction.
func (w *work) DB() *db.DB { return w.run.conn }

// RunID is the run's id; "" in a dry run.
func (w *work) RunID() string { return w.run.id() }

// Number counts the batches of the run's attempt from 1. With several workers numbers do not follow the keys.
func (w *work) Number() int64 { return w.number }

// Attempt is 1, and more when the batch was rolled back and is tried again.
func (w *work) Attempt() int { return w.attempt }

// Phase is the name of the phase that the batch belongs to.
func (w *work) Phase() string { return w.run.phase.name }

// Committed is how many rows the batches before this one have processed, of the same shard and committed: the only shard's, where the run has one worker.
// It tells what belongs to the run of something that is written outside of the transaction.
func (w *work) Committed() int64 { return w.shard.Counters.Done }

// Quarantine sets a row aside: row i of Rows is written to the quarantine with the error, in the batch's transaction, and counts against
// Options.MaxErrors; when that is exceeded the batch is rolled back and the run stops. What Process has done with the row must be undone by Process: it
// is best called before anything is written for the row.
func (w *work) Quarantine(i int, err error) {
	w.aside = append(w.aside, asideRow{i, err})
}

// SetDone says how many rows were processed, where that is not simply all rows that were not set aside: a statement on a [Range] says how
// many rows it affected.
func (w *work) SetDone(n int64) { w.done = n }

// Created tells undo that the batch has made rows in a table: each key holds the values of the table's primary key. Rows that the batch changes or
// deletes in the source's own table need not be told.
func (w *work) Created(table string, keys ...[]any) {
	c := createdRows{table: table}
	for _, k := range keys {
		c.keys = append(c.keys, keyset.Values(k))
	}
	w.created = append(w.created, c)
}

// reset forgets what an attempt has done.
func (w *work) reset() { w.page, w.done, w.aside, w.created = page{}, -1, nil, nil }

// processed is the number of rows that were processed.
func (w *work) processed() int64 {
	if w.done >= 0 {
		return w.done
	}
	return int64(w.page.n - len(w.aside))
}
