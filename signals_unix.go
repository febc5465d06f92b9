//go:build unix

package drover

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func handledSignals() []os.Signal {
	return append([]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGCONT}, statusSignals...)
}

// signalName is the name that users know.
func signalName(s os.Signal) string {
	switch s {
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	}
	return s.String()
}

func isInterrupt(s os.Signal) bool { return s == syscall.SIGINT }
func isTerminate(s os.Signal) bool { return s == syscall.SIGTERM }
func isContinue(s os.Signal) bool  { return s == syscall.SIGCONT }

// ignorePipeSignal makes a write to a closed pipe return an error, so that the databases are closed in good order. The signal is
// caught and thrown away: an ignored one would stay ignored in a program that the process becomes.
func ignorePipeSignal() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// execProgram makes the process another program.
func execProgram(path string, args, environ []string) error {
	return syscall.Exec(path, append([]string{path}, args...), environ) //nolint:wrapcheck // the caller names the program
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
