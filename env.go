package drover

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"golang.org/x/term"
)

// Env is everything a run of a program takes from its surroundings. [ProcessEnv] gives the process's own; tests and
// embedding programs fill in what they need: the zero value has no arguments, no environment, no input and no terminal,
// and throws its output away.
type Env struct {
	Args    []string // the command line without the program's name
	Environ []string // as os.Environ

	Stdin                          io.Reader // nil: empty
	Stdout, Stderr                 io.Writer // nil: discarded
	StdinTTY, StdoutTTY, StderrTTY bool      // whether each is a terminal

	Width   func() int       // the terminal's columns now; nil: 100
	Now     func() time.Time // nil: time.Now
	Signals <-chan os.Signal // nil: none will come

	// LookPath finds a program, as exec.LookPath; nil: there is none.
	LookPath func(name string) (string, error)
	// Exec makes the process another program, which has its process id, streams, terminal and signals. It returns only where
	// it cannot; nil: it cannot.
	Exec func(path string, args, environ []string) error
}

// ProcessEnv is the surroundings of this process. It takes over the handling of SIGINT, SIGTERM and the status signals
// (SIGUSR1; SIGINFO where there is one), and lets a write to a closed pipe fail instead of ending the process.
func ProcessEnv() Env {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, handledSignals()...)
	ignorePipeSignal()
	return Env{
		Args:      os.Args[1:],
		Environ:   os.Environ(),
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		StdinTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		StdoutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		StderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		Width: func() int {
			for _, stream := range []*os.File{os.Stderr, os.Stdout} {
				if width, _, err := term.GetSize(int(stream.Fd())); err == nil {
					return width
				}
			}
			return 0
		},
		Signals:  signals,
		LookPath: processLookPath,
		Exec:     execProgram,
	}
}

// processEnviron is the environment of commands that are called from code without one of their own.
func processEnviron() []string { return os.Environ() }

// processLookPath finds programs for such commands. They can know of them, and not become one of them.
func processLookPath(name string) (string, error) { return exec.LookPath(name) } //nolint:wrapcheck // the caller has the name
