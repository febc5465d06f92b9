package testdb

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// bind makes cmd run as the account, apart from the terminal's Ctrl-C, and killed when the test binary ends in whatever
// way.
func bind(cmd *exec.Cmd, a account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// onParentDeath replaces the signal that cmd gets when the test binary ends.
func onParentDeath(cmd *exec.Cmd, sig syscall.Signal) {
	cmd.SysProcAttr.Pdeathsig = sig
}

// killTree kills a program and all its children at one instant, as a crash of the machine would, and waits until none
// of them is left.
func (p *process) killTree() error {
	if !p.running() {
		return nil
	}
	pid := p.cmd.Process.Pid
	// A stopped parent makes no new children while they are listed.
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	children, err := childrenOf(pid)
	if err != nil {
		return fmt.Errorf("list the children of process %d: %w", pid, err)
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	for _, child := range children {
		// A child that is gone already is what is wanted.
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	if !p.waitFor(stopTimeout) {
		return fmt.Errorf("process %d is still there %v after SIGKILL", pid, stopTimeout)
	}
	return poll(stopTimeout, func() error {
		for _, child := range children {
			if alive(child) {
				return fmt.Errorf("process %d, a child of %d, is still there after SIGKILL", child, pid)
			}
		}
		return nil
	})
}

// childrenOf returns the direct children of a process.
func childrenOf(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, name := range stats {
		_, parent, ok := readStat(name)
		if !ok || parent != pid {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}

// alive reports whether a process exists and is more than a zombie: an orphan stays a zombie for ever where process 1
// does not collect it, as in many containers.
func alive(pid int) bool {
	state, _, ok := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return ok && state != "Z" && state != "X"
}

// readStat returns the state and the parent from a /proc/PID/stat file; ok is false when the process is gone.
func readStat(name string) (state string, parent int, ok bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", 0, false
	}
	// The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

// removeSharedMemory removes a System V shared memory segment that a killed server has left behind.
func removeSharedMemory(id int) {
	// It may be gone already; a segment that cannot be removed is 56 bytes.
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
}

// lock takes an exclusive lock on the file, waiting for it when wait is set. The kernel gives the lock back when the
// process ends in whatever way. It reports false when another process holds it.
func lock(f *os.File, wait bool) (bool, error) {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// enoughMemory is the room in /dev/shm, in bytes, from which on the servers are put there. Containers often have 64 MiB.
const enoughMemory = 2 << 30

// baseDir returns the folder for the workspace.
func baseDir() string {
	const memory = "/dev/shm"
	var stat unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Access(memory, unix.W_OK|unix.X_OK) != nil || unix.Statfs(memory, &stat) != nil {
		return os.TempDir()
	}
	if stat.Type != unix.TMPFS_MAGIC || stat.Bavail*uint64(stat.Bsize) < enoughMemory {
		return os.TempDir()
	}
	return memory
}

// ownedByUs reports whether the file belongs to the user who runs the tests.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
