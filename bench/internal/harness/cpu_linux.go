package harness

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// OneCPU keeps this process, and the servers that it starts from now on, on one CPU until restore is called. A round trip to
// a server on another CPU takes two or three times as long as to one on the same, and which of the two it is changes from second
// to second: that would drown what is measured.
func OneCPU() (restore func() error, err error) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("read the CPUs of this process: %w", err)
	}
	for cpu := range 64 * len(all) {
		if all.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
		}
	}
	return func() error { return setCPUs(&all) }, setCPUs(&one)
}

func setCPUs(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads of this process: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return fmt.Errorf("list the threads of this process: %w", err)
		}
		if err := unix.SchedSetaffinity(id, set); err != nil {
			return fmt.Errorf("set the CPUs of this process: %w", err)
		}
	}
	return nil
}
