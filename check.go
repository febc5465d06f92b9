package drover

import (
	"context"
	"errors"
	"fmt"
)

// Check looks at something before a command runs: a pending migration, a missing index. Checks run when a command is
// started from the shell, unless --skip-checks is given, and when code calls it with [CallOptions.Checks]. They run before
// the command's body, outside its transaction; they must only read.
//
// nil says that all is well. An error made with [Warn] is printed, and the command runs. Any other error is printed, the
// command does not run, and the exit code is 1. errors.Join reports several.
type Check struct {
	Name string // short, for the messages: "migrations"
	Run  func(ctx context.Context, c *Call) error
}

// Warn makes a finding that does not stop the command.
func Warn(format string, args ...any) error {
	return &warning{fmt.Sprintf(format, args...)}
}

type warning struct{ text string }

func (w *warning) Error() string { return w.text }

// runChecks runs all checks, so that the user sees every finding at once, and returns the stopping ones.
func runChecks(ctx context.Context, c *Call, checks []Check) error {
	var stopping []error
	for _, check := range checks {
		for _, finding := range flatten(check.Run(ctx, c)) {
			if warn := (*warning)(nil); errors.As(finding, &warn) {
				c.inv.warn(check.label() + finding.Error())
				continue
			}
			stopping = append(stopping, fmt.Errorf("%s%w", check.label(), finding))
		}
	}
	switch len(stopping) {
	case 0:
		return nil
	case 1:
		return &checkError{stopping[0]}
	}
	for _, finding := range stopping {
		c.Error("%v", finding)
	}
	return &checkError{Errorf("%d checks failed", len(stopping))}
}

func (ch Check) label() string {
	if ch.Name == "" {
		return "check: "
	}
	return "check " + ch.Name + ": "
}

// checkError makes every failed check exit with 1, whatever its cause would say.
type checkError struct{ err error }

func (e *checkError) Error() string { return e.err.Error() }
func (e *checkError) Unwrap() error { return e.err }
func (e *checkError) ExitCode() int { return ExitFailed }
func (e *checkError) Hint() string  { return "--skip-checks runs the command without its checks" }

// flatten takes an error made by errors.Join apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}
