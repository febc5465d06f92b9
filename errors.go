package drover

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Exit codes of every command. They are a contract: documented, tested, only added to. A code that is not listed and
// not zero is a failure.
const (
	ExitOK          = 0   // done, also when there was nothing to do
	ExitFailed      = 1   // the command failed, or --check found work, or the command does not exist
	ExitUsage       = 2   // wrong options or arguments, or a prompt was needed and could not be asked
	ExitPartial     = 3   // finished, but rows failed and were set aside, or something was left
	ExitDeclined    = 4   // the user said no at the prompt
	ExitLocked      = 5   // another run holds the lock
	ExitRefused     = 6   // a guard refused: protected rows, counts that moved, a plan or file that does not fit, work that is done already
	ExitAgain       = 75  // a time limit or a pause was reached and progress is saved: run it again
	ExitInterrupted = 130 // stopped by SIGINT; what was committed is kept
	ExitTerminated  = 143 // stopped by SIGTERM; what was committed is kept
)

// ErrNothingToDo ends a command at once and successfully: [Call.Confirm] returns it when there is nothing to confirm.
// [App.Call] returns nil for it.
var ErrNothingToDo = errors.New("nothing to do")

// CommandError is a failure that a command reports to its user: one sentence, an exit code and advice. It is shown
// without a stack. Make one with [Exit] or [Errorf].
type CommandError struct {
	Code    int      // exit code; 0 and values outside 1..255 count as ExitFailed
	Message string   // one sentence, lower case, without a full stop
	Advice  []string // what to try, one line each
	Err     error    // the cause, or nil

	work bool // what --check has found; no failure
}

// Exit makes an error that ends a command with an exit code. The format may use %w for a cause.
func Exit(code int, format string, args ...any) *CommandError {
	err := fmt.Errorf(format, args...)
	return &CommandError{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Errorf makes an error that ends a command with [ExitFailed]; it is [Exit] for the usual case. Where it wraps a [StopError] the code is that
// one's: the command was told to stop, and did not fail.
func Errorf(format string, args ...any) *CommandError {
	e := Exit(ExitFailed, format, args...)
	if stop, ok := errors.AsType[*StopError](e.Err); ok {
		e.Code = stop.ExitCode()
	}
	return e
}

// Try adds a line of advice and returns the error itself. On screen it follows the message as "Try:   …".
func (e *CommandError) Try(format string, args ...any) *CommandError {
	e.Advice = append(e.Advice, fmt.Sprintf(format, args...))
	return e
}

func (e *CommandError) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// ExitCode is the code the process ends with.
func (e *CommandError) ExitCode() int { return e.Code }

// Hints gives the lines of advice.
func (e *CommandError) Hints() []string { return e.Advice }

// UsageError says that a command was called wrongly. The shell shows the usage line and one line of error and exits with
// [ExitUsage].
type UsageError struct {
	Command string   // full name, "manage purge"
	Message string   // what is wrong
	Unknown []string // options that do not exist, with their dashes
	Valid   []string // the options or values that do exist
	Nearest string   // what was probably meant, or ""
	Err     error    // the cause, or nil
}

// Error tells everything, with the valid names: a caller in code has no usage line to look at.
func (e *UsageError) Error() string {
	s := e.short()
	if len(e.Valid) > 0 {
		s += "; valid: " + strings.Join(e.Valid, ", ")
	}
	return s
}

// short is the message beside a usage line.
func (e *UsageError) short() string {
	if e.Nearest == "" {
		return e.Message
	}
	return e.Message + "; did you mean " + e.Nearest + "?"
}

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// ExitCode is [ExitUsage].
func (e *UsageError) ExitCode() int { return ExitUsage }

// UnknownCommandError says that no command has the name. Its exit code is [ExitFailed], as in Django, and not
// [ExitUsage]: a misspelt command in a script is a failure of the script, not of a command's options.
type UnknownCommandError struct {
	Parent  string   // the program, or the group the command was looked for in
	Name    string   // as given
	Nearest string   // what was probably meant, or ""
	Valid   []string // all visible commands of the parent
}

func (e *UnknownCommandError) Error() string {
	s := fmt.Sprintf("unknown command %q for %q", e.Name, e.Parent)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s
}

// ExitCode is [ExitFailed].
func (e *UnknownCommandError) ExitCode() int { return ExitFailed }

// Hint says where the commands are listed.
func (e *UnknownCommandError) Hint() string { return e.Parent + " --help lists the commands" }

// StopError says that a command ended before its work was done because it was told to. What was committed is kept.
// [Call.StopErr] makes one between batches; the framework makes one when a statement was cancelled; a command makes one
// with a Reason when it reaches a limit of its own and can be run again to go on.
type StopError struct {
	Signal os.Signal // what told it; nil when the calling code did, or for a Reason
	// Reason is what ended the command where that was no signal and its progress is saved: "the time limit of 1h", "a pause
	// request". The exit code is then ExitAgain.
	Reason  string
	Summary string // what was done by then, or ""
	Resume  string // the command line that goes on, or ""
	Err     error  // what the cancelled statement answered, or nil
}

func (e *StopError) Error() string {
	s := "stopped"
	switch {
	case e.Signal != nil:
		s += " by " + signalName(e.Signal)
	case e.Reason != "":
		s += " by " + e.Reason
	}
	if e.Summary != "" {
		s += ": " + e.Summary
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives what the cancelled statement answered.
func (e *StopError) Unwrap() error { return e.Err }

// ExitCode is [ExitInterrupted] or [ExitTerminated], and [ExitAgain] for a Reason.
func (e *StopError) ExitCode() int {
	switch {
	case isTerminate(e.Signal):
		return ExitTerminated
	case e.Signal == nil && e.Reason != "":
		return ExitAgain
	}
	return ExitInterrupted
}

// PanicError is a panic in a command that was run from the shell. [App.Call] lets a panic pass through instead.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // shown with --traceback
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ExitCode tells how a process should end that failed with err: 0 for nil and [ErrNothingToDo], the code of the first
// error in its chain that has an ExitCode method, else [ExitFailed].
func ExitCode(err error) int {
	if err == nil || errors.Is(err, ErrNothingToDo) {
		return ExitOK
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		if code := coded.ExitCode(); code > 0 && code <= 255 {
			return code
		}
	}
	return ExitFailed
}
