//go:build unix

package datafile

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock of an open file or folder, which the kernel gives back when the file is closed, or the process ends in whatever way.
func lock(f *os.File) error {
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
