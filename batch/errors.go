package batch

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/planfile"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// Short is the form of a run's id for people; commands take it, and any other beginning that only one run has.
func Short(id string) string { return runstore.Short(id) }

// LockedError says that another runner works on the run.
type LockedError struct {
	RunID string
	Owner string
	// Tool is how a command line about the run begins, as "drover --database a"; "": drover.
	Tool string
}

// Error names the run and the runner.
func (e *LockedError) Error() string {
	return fmt.Sprintf("run %s is being worked on by %s", Short(e.RunID), e.Owner)
}

// ExitCode is drover.ExitLocked.
func (e *LockedError) ExitCode() int { return drover.ExitLocked }

// Hint says how to look at it, and when it can be taken over.
func (e *LockedError) Hint() string {
	tool := e.Tool
	if tool == "" {
		tool = "drover"
	}
	return tool + " runs show " + Short(e.RunID) + "; when its runner is dead it can be resumed as soon as its lease has run out"
}

// DoneError says that a run with the same arguments has succeeded.
type DoneError struct {
	RunID string
	// Plan is the plan file whose work it was; "" where there was none.
	Plan string
}

// Error names the run.
func (e *DoneError) Error() string {
	if e.Plan != "" {
		return fmt.Sprintf("the plan %s was done by run %s", e.Plan, Short(e.RunID))
	}
	return fmt.Sprintf("the same work was finished by run %s", Short(e.RunID))
}

// ExitCode is drover.ExitRefused.
func (e *DoneError) ExitCode() int { return drover.ExitRefused }

// Hint names the option.
func (e *DoneError) Hint() string { return "--again does it once more, as a new run" }

// UnfinishedError says that a run with the same arguments is not finished, so that another one cannot be begun.
type UnfinishedError struct {
	RunID string
}

// Error names the run.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("run %s of the same work is not finished", Short(e.RunID))
}

// ExitCode is drover.ExitRefused.
func (e *UnfinishedError) ExitCode() int { return drover.ExitRefused }

// Hint says how to go on with it or to give it up.
func (e *UnfinishedError) Hint() string {
	return "without --again it is resumed; drover runs cancel " + Short(e.RunID) + " gives it up"
}

// MismatchError says that the run to resume is other work than the job with its arguments.
type MismatchError struct {
	RunID string
	What  string
}

// Error says in what they differ.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("run %s cannot be resumed by this command: %s", Short(e.RunID), e.What)
}

// ExitCode is drover.ExitUsage.
func (e *MismatchError) ExitCode() int { return drover.ExitUsage }

// PlanError says that what would be done is not what a plan file says. Nothing was changed.
type PlanError struct {
	File        string
	Differences []PlanDifference
	Advice      []string
}

// PlanDifference is something that is not as it was planned.
type PlanDifference = planfile.Difference

// Error names what differs.
func (e *PlanError) Error() string {
	names := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		names[i] = d.What
	}
	return fmt.Sprintf("the plan %s is not what would be done now: %s; nothing was changed", e.File, strings.Join(names, ", "))
}

// ExitCode is drover.ExitRefused.
func (e *PlanError) ExitCode() int { return drover.ExitRefused }

// Hints are the differences, one on a line, and how to get a plan that fits.
func (e *PlanError) Hints() []string {
	var lines []string
	for _, d := range e.Differences {
		lines = append(lines, differenceText(d))
	}
	return append(lines, e.Advice...)
}

func differenceText(d PlanDifference) string {
	return fmt.Sprintf("%s: planned %s, now %s", d.What, orNone(d.Planned), orNone(d.Now))
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return term.Printable(value)
}

// AssertionError says that something that must hold does not.
type AssertionError struct {
	Name string // of the assertion
	When string // "before the run", "after the canary", "after the run"
	Got  string // what the query answered
	Err  error  // why it could not be asked, or nil
}

// Error names the assertion and what was found.
func (e *AssertionError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("assertion %q %s: %v", e.Name, e.When, e.Err)
	}
	return fmt.Sprintf("assertion %q does not hold %s: got %s", e.Name, e.When, e.Got)
}

// ExitCode is drover.ExitRefused.
func (e *AssertionError) ExitCode() int { return drover.ExitRefused }

// Unwrap returns why the assertion could not be asked.
func (e *AssertionError) Unwrap() error { return e.Err }

// BatchError is a batch that failed for good. Nothing of it is kept, unless its outcome is unknown.
type BatchError struct {
	Number   int64
	Range    string // its keys, for people; "" where they are not known
	Attempts int
	Err      error
}

// Error names the batch and says why it failed.
func (e *BatchError) Error() string {
	text := fmt.Sprintf("batch %s%s", drover.Count(e.Number), e.Range)
	if e.Attempts > 1 {
		text += fmt.Sprintf(" failed %d times, the last time with", e.Attempts)
	}
	return fmt.Sprintf("%s: %v", text, e.Err)
}

// Unwrap returns the cause.
func (e *BatchError) Unwrap() error { return e.Err }

// TooManyErrors says that more rows failed than Options.MaxErrors allows. The last one is not set aside: the run stops before it.
type TooManyErrors struct {
	Limit int64
	Range string // of the row
	Err   error  // what the last one failed with
}

// Error says how many are allowed and what the last one failed with.
func (e *TooManyErrors) Error() string {
	switch e.Limit {
	case 0:
		return fmt.Sprintf("a row failed%s: %v", e.Range, e.Err)
	case 1:
		return fmt.Sprintf("a second row failed%s, limit is 1: %v", e.Range, e.Err)
	}
	return fmt.Sprintf("more than %s rows failed; the last%s: %v", drover.Count(e.Limit), e.Range, e.Err)
}

// Unwrap returns what the last row failed with.
func (e *TooManyErrors) Unwrap() error { return e.Err }

// StoppedError says that a run was stopped before its end. What is committed is kept, and the run can be resumed, unless it was cancelled.
type StoppedError struct {
	RunID     string
	Reason    string // "a request to pause", "the time limit of 1h0m0s", …
	Signal    os.Signal
	Cancelled bool
	Err       error // where batches were rolled back: why
}

// Error says why it was stopped.
func (e *StoppedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("stopped by %s: %v", e.Reason, e.Err)
	}
	return "stopped by " + e.Reason
}

// ExitCode is drover.ExitAgain.
func (e *StoppedError) ExitCode() int { return drover.ExitAgain }

// Unwrap returns why batches were rolled back.
func (e *StoppedError) Unwrap() error { return e.Err }

// Fatal makes an error of Process end the run at once: no retry, no search for the row that it is about.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

type fatalError struct{ error }

func (e *fatalError) Unwrap() error { return e.error }

var (
	// ErrTakenOver says that another runner has taken the run over, because this one's lease had run out. What this one had committed is kept.
	ErrTakenOver = errors.New("another runner has taken over the run: the lease had run out")
	// errNoProgress keeps a run from going round for ever.
	errNoProgress = errors.New("the end of the batch is not behind its beginning: the key's order and its comparison disagree")
	// errOverLimit rolls a batch back: rows were added to its range while it was worked on, and the limit says "at most".
	errOverLimit = errors.New("rows were added to the batch while it was worked on, so that it would exceed the limit")
)

// verdict is what becomes of a batch that failed.
type verdict int

const (
	tryAgain  verdict = iota // nothing is wrong with it
	reconnect                // the database is away
	unknown                  // the commit may have happened
	committed                // it has happened; something after it failed
	fenced                   // the run is another runner's
	hopeless                 // no batch would succeed
	badRows                  // something is wrong with its rows
)

// kindOf is the class of a database's error, and of one that Process has made of a kind.
func kindOf(err error) db.Kind {
	kind := db.KindOf(err)
	if kind == db.ErrUnknown {
		_ = errors.As(err, &kind)
	}
	return kind
}

// judge tells the verdict over an error of a batch's transaction.
func judge(err error) verdict {
	var acquire *db.AcquireError
	var fatal *fatalError
	kind := kindOf(err)
	switch {
	case errors.Is(err, runstore.ErrFenced):
		return fenced
	case errors.Is(err, db.ErrCommitted):
		return committed
	case errors.Is(err, db.ErrOutcomeUnknown):
		return unknown
	case errors.As(err, &fatal), errors.Is(err, errNoProgress), errors.As(err, new(*TooManyErrors)):
		return hopeless
	case errors.Is(err, errOverLimit), kind.Retryable(), kind == db.ErrStatementTimeout:
		return tryAgain
	case kind == db.ErrConnectionLost, errors.As(err, &acquire):
		return reconnect
	}
	switch kind {
	case db.ErrReadOnly, db.ErrDiskFull, db.ErrPermission, db.ErrUndefinedTable, db.ErrUndefinedColumn, db.ErrSyntax:
		return hopeless
	case db.ErrUnknown:
		for _, misuse := range []error{db.ErrBusy, db.ErrConcurrent, db.ErrEnded, db.ErrOutsideBlock, db.ErrImplicitCommit, db.ErrNoBlock} {
			if errors.Is(err, misuse) {
				return hopeless
			}
		}
	}
	return badRows
}
