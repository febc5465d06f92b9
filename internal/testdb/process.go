package testdb

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// process is a running server program that cannot outlive the test binary.
type process struct {
	cmd *exec.Cmd

	// done is closed once the program has ended and has been waited for.
	done chan struct{}

	// err is how the program ended; read it only after done is closed.
	err error
}

// startProcess starts cmd and returns once it runs.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run owns the program from its start to its end.
//
// The kernel sends the parent-death signal when the thread that forked the child ends, not when its process does. The
// thread is therefore bound to this goroutine, which lives exactly as long as the program.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// running reports whether the program has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// waitFor waits until the program has ended, for at most d, and reports whether it has.
func (p *process) waitFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// poll calls ready every two milliseconds until it returns nil; after the timeout it returns the last error.
func poll(timeout time.Duration, ready func() error) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("after %v: %w", timeout, err)
		case <-ticker.C:
		}
	}
}
