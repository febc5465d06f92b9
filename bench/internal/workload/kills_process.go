package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"time"

	"github.com/drover-dev/drover"
)

// victim is a side.
type victim struct {
	name    string
	missing string         // why it is not measured
	begun   *regexp.Regexp // what it prints when it begins with its first batch
	leased  bool           // it is refused, with exit code drover.ExitLocked, while the lease of a killed one lasts
	place   string         // how it is protected from a kill between a batch and its place; "" where the time between the two is measured
	start   func(ctx context.Context) (*exec.Cmd, error)
}

// never is when a process is killed that is not to be killed.
const never = time.Duration(-1)

// life is one process, from its start to its end.
type life struct {
	took    time.Duration
	worked  time.Duration // since it has begun with its first batch
	killed  bool
	refused bool
	printed []byte
}

// between is what Django tells at its end.
func (l life) between() time.Duration {
	var told struct{ Between float64 }
	lines := bytes.Split(bytes.TrimSpace(l.printed), []byte("\n"))
	if json.Unmarshal(lines[len(lines)-1], &told) != nil {
		return 0 // another program's
	}
	return time.Duration(told.Between * float64(time.Second))
}

// live starts a process and waits for its end, or kills it so long after it has begun to work.
func (k *killer) live(ctx context.Context, v victim, after time.Duration) (l life, err error) {
	cmd, err := v.start(ctx)
	if err != nil {
		return l, err
	}
	cmd.Dir = k.harness.Dir() // no configuration
	var problems bytes.Buffer
	out := &watcher{word: v.begun, after: after, kill: func() { _ = cmd.Process.Kill() }} // it may have ended by itself
	cmd.Stdout, cmd.Stderr = out, &problems
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return l, err
	}
	err = cmd.Wait()
	end := time.Now()
	if out.timer != nil {
		out.timer.Stop()
	}
	l = life{took: end.Sub(start), printed: out.text.Bytes()}
	if !out.begun.IsZero() {
		l.worked = end.Sub(out.begun)
	}
	switch code := cmd.ProcessState.ExitCode(); {
	case ctx.Err() != nil:
		return l, ctx.Err()
	case code == 0:
		return l, nil
	case code == drover.ExitRefused && v.leased && bytes.Contains(problems.Bytes(), []byte("was finished by run")):
		return l, nil // the process before was killed when all was done and only its summary was missing
	case code == -1 && out.timer != nil:
		l.killed = true
		return l, nil
	case code == drover.ExitLocked && v.leased:
		l.refused = true
		return l, nil
	}
	return l, fmt.Errorf("%w\n%s", err, problems.Bytes())
}

// watcher is the output of a process, which is to be killed some time after it has printed a word.
type watcher struct {
	text  bytes.Buffer
	word  *regexp.Regexp
	begun time.Time
	after time.Duration
	kill  func()
	timer *time.Timer
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if w.begun.IsZero() && w.word.Match(w.text.Bytes()) {
		w.begun = time.Now()
		if w.after != never {
			w.timer = time.AfterFunc(w.after, w.kill)
		}
	}
	return n, err
}
