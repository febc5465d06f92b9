//go:build !linux

package harness

import "time"

// OneCPU does nothing here: the ratios of the short workloads scatter more than on Linux.
func OneCPU() (restore func() error, err error) {
	return func() error { return nil }, nil
}

var began = time.Now()

// CPUTime is the wall clock here.
func CPUTime() time.Duration { return time.Since(began) }
