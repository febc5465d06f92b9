//go:build unix

package command

import (
	"os"
	"syscall"
)

// lockFile takes the file for this process alone, until it is closed: a runner that was believed dead must not write to it any more.
func lockFile(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
