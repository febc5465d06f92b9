//go:build unix

package datafile

import (
	"errors"
	"os"
	"syscall"
)

// Lock takes the lock of an open file or folder for this process alone: it is [ErrLocked] where another one has it.
// The kernel gives it back when the file is closed, or the process ends in whatever way.
func Lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		default:
			return err
		}
	}
}
