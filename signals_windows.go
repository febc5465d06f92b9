package drover

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// errorNoData is what Windows answers to a write into a pipe whose reader is gone.
const errorNoData = syscall.Errno(232)

var statusSignals []os.Signal

func handledSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func signalName(s os.Signal) string {
	if s == syscall.SIGTERM {
		return "SIGTERM"
	}
	return "Ctrl-C"
}

func isInterrupt(s os.Signal) bool { return s == os.Interrupt }
func isTerminate(s os.Signal) bool { return s == syscall.SIGTERM }
func isContinue(os.Signal) bool    { return false }

func ignorePipeSignal() {}

// execProgram is nothing that Windows has.
func execProgram(string, []string, []string) error { return syscall.EWINDOWS }

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errorNoData) || errors.Is(err, io.ErrClosedPipe)
}
