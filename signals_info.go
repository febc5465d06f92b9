//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package drover

import (
	"os"
	"syscall"
)

var statusSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGINFO}
