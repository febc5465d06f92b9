package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover/bench/internal/harness"
)

// about says on what and how was measured.
type about struct {
	command   string
	cpu       string
	load      string
	flush     time.Duration
	databases []string
}

func describe(dir string, args []string) (*about, error) {
	a := &about{command: strings.Join(append([]string{"go -C bench run ./cmd/bench"}, args[1:]...), " "), cpu: runtime.GOARCH, load: "unknown"}
	if name, ok := firstField("/proc/cpuinfo", "model name"); ok {
		a.cpu = name
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		a.load = strings.Join(strings.Fields(string(text))[:2], " ")
	}
	var err error
	a.flush, err = flushTime(dir)
	return a, err
}

// database notes a database's version.
func (a *about) database(version string) {
	if !slices.Contains(a.databases, version) {
		a.databases = append(a.databases, version)
	}
}

// firstField reads the value of the first "name : value" in a file.
func firstField(path, name string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// flushTime measures what makes a durable commit slow: the median time of writing 8 kB and flushing them to the disk.
func flushTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "drover-bench-")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	var times []time.Duration
	block := make([]byte, 8192)
	for range 101 {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func (a *about) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `Measured on %s: %s, %d CPUs, %s/%s, %s. Load before: %s (1 and 5 minutes).
Databases: %s. Drivers: %s.
Settings: %s. Writing 8 kB and flushing them takes %s on this disk.
Blocks, savepoints, statements, get and get-or-create: this process and the servers on one CPU. The others: on all.
Command: %s

`, time.Now().UTC().Format(time.DateOnly), a.cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), a.load,
		strings.Join(a.databases, ", "), strings.Join(drivers(), ", "), harness.Settings, a.flush.Round(10*time.Microsecond), "`"+a.command+"`")
	return err
}

// drivers lists the versions that the program was built with.
func drivers() []string {
	var list []string
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return list
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "modernc.org/sqlite":
			list = append(list, dep.Path+" "+dep.Version)
		}
	}
	return list
}
