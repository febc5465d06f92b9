//go:build unix && !(darwin || freebsd || netbsd || openbsd || dragonfly)

package drover

import (
	"os"
	"syscall"
)

var statusSignals = []os.Signal{syscall.SIGUSR1}
