package drover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/drover-dev/drover/internal/term"
)

// errPipeClosed is why a command is cancelled whose results nobody reads any more.
var errPipeClosed = errors.New("the reader of the output has gone away")

// Run runs one command line as the shell does: options, checks, signals, an error on the screen, and the exit code as its
// result. Every database it has opened is closed when it returns. Cancelling ctx stops the command as a second signal
// does. It ends the process under no circumstances; [App.Main] does.
//
// Signals of env: the first SIGINT or SIGTERM closes [Call.Stopping], and after --grace cancels the command's context; the
// second cancels it at once, and Run waits for the rollback; the third makes Run return while the command may still be
// running. SIGUSR1 prints a line about what is going on.
func (a *App) Run(ctx context.Context, env Env) int {
	s := scopeOf(ctx)
	s.stop = newStopper()
	inv := a.newInvocation(env, s)
	inv.shell, inv.runsChecks = true, true

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inv.out.onPipe = func() { cancel(errPipeClosed) }

	w := waiter{inv: inv, cancel: cancel}
	err := protected(func() error { return inv.prepare(ctx) })
	if err == nil {
		// The command line was read by this goroutine, which also answers signals; what it has set is not changed any more.
		done := make(chan error, 1)
		go func() { done <- protected(func() error { return inv.perform(ctx) }) }()
		err = w.wait(done)
		inv.front().finishProgress()
	}
	shows := inv.reporter(err)
	if !w.abandoned {
		err = inv.close(err)
	}
	err = inv.judge(err, w.hard)
	shows.report(err)
	return ExitCode(err)
}

// protected turns a panic into an error: the databases still have to be closed, and the user told.
func protected(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

const stoppingNow = "Stopping now: the statement is cancelled and its transaction rolled back."

// waiter waits for a command and handles the signals that come meanwhile.
type waiter struct {
	inv       *invocation
	cancel    context.CancelCauseFunc
	hard      bool // the context was cancelled because of a signal
	abandoned bool // the command may still be running
}

func (w *waiter) wait(done <-chan error) error {
	var grace <-chan time.Time
	stops := 0
	for {
		select {
		case err := <-done:
			return err
		case <-grace:
			grace = nil
			w.stopNow(stoppingNow)
		case sig := <-w.inv.env.Signals:
			switch {
			case isContinue(sig):
				w.inv.screen.Reset()
			case slices.Contains(statusSignals, sig):
				w.inv.front().printStatus()
			case isInterrupt(sig) || isTerminate(sig):
				stops++
				switch stops {
				case 1:
					grace = w.stopSoon(sig)
				case 2:
					grace = nil
					w.stopNow(stoppingNow)
				default:
					w.inv.front().tellStop("Ending at once: the database rolls back when it notices that the connection is gone.")
					w.abandoned = true
					return &StopError{Signal: sig, Summary: "not waited for the rollback"}
				}
			}
		}
	}
}

// stopSoon asks the command to end by itself and gives the timer of its grace.
func (w *waiter) stopSoon(sig os.Signal) <-chan time.Time {
	inv := w.inv.front()
	grace := inv.std.grace
	if grace <= 0 {
		inv.scope.stop.request(sig)
		w.stopNow(stoppingNow)
		return nil
	}
	watched := inv.scope.stop.watched.Load()
	if inv.scope.stop.asking.Load() == 0 { // a prompt just ends
		limit := "after at most " + term.Duration(grace)
		switch p := inv.currentProgress(); {
		case watched && p != nil:
			inv.tellStop(fmt.Sprintf("Stopping: finishing %s (%s). Press Ctrl-C again to stop now.", p.doing(), limit))
		case watched:
			inv.tellStop(fmt.Sprintf("Stopping: finishing the current step (%s). Press Ctrl-C again to stop now.", limit))
		default:
			inv.tellStop(fmt.Sprintf("Stopping: %q does not stop between steps; it is stopped %s. Press Ctrl-C again to stop now and roll back.",
				inv.path(), limit))
		}
	}
	inv.scope.stop.request(sig)
	return time.After(grace)
}

func (w *waiter) stopNow(text string) {
	w.hard = true
	w.inv.front().tellStop(text)
	w.cancel(&StopError{Signal: w.inv.scope.stop.signal()})
}

// judge decides how a command ended, seen together with what it was told; hard, that its context was cancelled because of a signal.
func (inv *invocation) judge(err error, hard bool) error {
	var stopped *StopError
	sig := inv.scope.stop.signal()
	switch {
	case inv.out.isBroken() && err != nil:
		return &pipeError{err}
	case errors.As(err, &stopped):
		return err
	case err == nil && inv.scope.stop.told.Load():
		return &StopError{Signal: sig}
	case err == nil && inv.out.failure() != nil:
		return Errorf("the work is done and stays done, but its results could not be written: %w", inv.out.failure())
	case err == nil:
		return nil
	case hard && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return &StopError{Signal: sig, Summary: "what was not committed is rolled back"}
	case hard:
		return &StopError{Signal: sig, Err: err}
	}
	return err
}

// pipeError ends quietly: whoever closed the pipe knows.
type pipeError struct{ err error }

func (e *pipeError) Error() string { return errPipeClosed.Error() }
func (e *pipeError) Unwrap() error { return e.err }
func (e *pipeError) ExitCode() int { return ExitFailed }

// tellStop prints at every verbosity: somebody has just pressed a key and waits for an answer.
func (inv *invocation) tellStop(text string) { inv.say("stopping", term.Warning, text) }

// printStatus answers SIGUSR1.
func (inv *invocation) printStatus() {
	what := inv.path()
	if inv.only != "" {
		what += " on " + inv.only
	}
	text := fmt.Sprintf("%s: running for %s", what, term.Duration(inv.now().Sub(inv.started)))
	if p := inv.currentProgress(); p != nil {
		text = p.status()
	}
	inv.say("status", term.Plain, inv.now().Local().Format(time.TimeOnly)+" "+text)
}
