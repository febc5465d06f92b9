//go:build !linux

package testdb

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// errLinuxOnly is what the harness answers elsewhere: only Linux kills a child when its parent dies, and a server that
// outlives the tests is worse than no server.
var errLinuxOnly = errors.New("testdb: test servers are started on Linux only; run the tests in a Linux container")

func bind(*exec.Cmd, account) {}

func onParentDeath(*exec.Cmd, syscall.Signal) {}

func (p *process) killTree() error { return p.cmd.Process.Kill() }

func removeSharedMemory(int) {}

func lock(*os.File, bool) (bool, error) { return false, errLinuxOnly }

func baseDir() string { return os.TempDir() }

func ownedByUs(os.FileInfo) bool { return true }
