package measure

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// memory watches how large this process grows.
type memory struct {
	before float64
	known  bool
}

// watchMemory sets the kernel's mark of the largest size back to the size of now (proc(5), clear_refs).
func watchMemory() memory {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return memory{}
	}
	before, ok := status("VmRSS")
	return memory{before, ok}
}

// peak tells the growth since watchMemory, and the size of the process then; Unknown where the kernel does not tell.
func (m memory) peak() (growth, total float64) {
	if largest, ok := status("VmHWM"); ok && m.known {
		return max(0, largest-m.before), largest
	}
	return Unknown, Unknown
}

// status reads a size in bytes from /proc/self/status.
func status(name string) (float64, bool) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if key == name {
			kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kilobytes * 1024, err == nil
		}
	}
	return 0, false
}

// CPUTime is the CPU time that this process has used. Where all the work is done in this process, as with SQLite, it tells the cost
// on a machine that others keep busy, too.
func CPUTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
