package drover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// exitError is the last line of stderr after a failure with --json. Its fields are a contract.
type exitError struct {
	Type    string   `json:"type"`
	Time    string   `json:"time"`
	Code    int      `json:"code"`
	Message string   `json:"message"`
	Hint    string   `json:"hint"`
	Chain   []string `json:"chain,omitempty"` // with --traceback
}

// report shows how a command line failed.
func (inv *invocation) report(err error) {
	var closed *pipeError
	if err == nil || errors.Is(err, ErrNothingToDo) || errors.As(err, &closed) {
		return
	}
	inv.screen.FreshLine()
	hints := hintsOf(err)
	if inv.std.json {
		e := exitError{Type: "exit_error", Time: term.Timestamp(inv.now()), Code: ExitCode(err), Message: oneLine(err.Error()), Hint: strings.Join(hints, "\n")}
		if inv.std.traceback {
			e.Chain = chain(err)
		}
		inv.printErr(inv.document(e))
		return
	}
	if _, several := errors.AsType[*DatabasesError](err); several {
		return // each was shown when it happened, and the summary names them
	}
	var (
		usage   *UsageError
		stopped *StopError
		command *CommandError
	)
	switch {
	case errors.As(err, &usage):
		inv.errLine(term.Plain, inv.usageLine())
		inv.errLine(term.Failure, "Error: "+oneLine(usage.short()))
		if usage.Nearest != "" {
			hints = nil // the name that was meant is advice enough
		}
	case errors.As(err, &stopped):
		inv.errLine(term.Warning, "STOPPED  "+oneLine(strings.TrimPrefix(stopped.Error(), "stopped")))
		if stopped.Resume != "" {
			inv.errLine(term.Plain, "Resume:  "+stopped.Resume)
		}
	case errors.As(err, &command) && command.Code == ExitDeclined:
		inv.errLine(term.Warning, command.Message)
	case errors.As(err, &command) && command.work:
		inv.errLine(term.Notice, oneLine(command.Message))
	default:
		inv.errLine(term.Failure, "Error: "+oneLine(err.Error()))
		if unexpected(err) && !inv.std.traceback {
			hints = append(hints, "add --traceback for the full error chain")
		}
	}
	for i, hint := range hints {
		lead := "Try:   "
		if i > 0 {
			lead = "       "
		}
		inv.errLine(term.Plain, lead+hint)
	}
	if inv.std.traceback {
		inv.traceback(err)
	}
}

// unexpected reports whether nobody meant err for the user: it has no exit code of its own.
func unexpected(err error) bool {
	var panicked *PanicError
	var coded interface{ ExitCode() int }
	return errors.As(err, &panicked) || (!errors.As(err, &coded) && !errors.Is(err, context.Canceled))
}

// traceback prints every error of the chain with its type, and the stack of a panic.
func (inv *invocation) traceback(err error) {
	inv.errLine(term.Heading, "Error chain, the outermost first:")
	for _, line := range chain(err) {
		inv.errLine(term.Plain, "  "+line)
	}
	if panicked, ok := errors.AsType[*PanicError](err); ok {
		inv.errLine(term.Heading, "Stack of the panic:")
		inv.errLine(term.Plain, strings.TrimRight(string(panicked.Stack), "\n"))
	}
}

// chain describes an error and its causes, indented by their depth.
func chain(err error) []string {
	var lines []string
	walk(err, 0, func(e error, depth int) {
		lines = append(lines, fmt.Sprintf("%s%T: %s", strings.Repeat("  ", depth), e, oneLine(e.Error())))
	})
	return lines
}

// hintsOf gathers the advice of all errors in the chain, the outermost first, each once.
func hintsOf(err error) []string {
	var hints []string
	add := func(hint string) {
		if hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	walk(err, 0, func(e error, _ int) {
		if h, ok := e.(interface{ Hint() string }); ok {
			add(h.Hint())
		}
		if h, ok := e.(interface{ Hints() []string }); ok {
			for _, hint := range h.Hints() {
				add(hint)
			}
		}
	})
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		add("free space on the disk that the file is on, and run again")
	}
	if len(hints) == 0 {
		add(db.KindOf(err).Hint()) // of an error that only the driver has made
	}
	return hints
}

// walk visits err and everything it wraps.
func walk(err error, depth int, visit func(e error, depth int)) {
	if err == nil {
		return
	}
	visit(err, depth)
	switch e := err.(type) { //nolint:errorlint // walking the chain is the point
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), depth+1, visit)
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			walk(cause, depth+1, visit)
		}
	}
}

func oneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }
