package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/drover-dev/drover"
)

const databaseURL = "sqlite:events.db"

// shell runs drover in a folder. Its output is the demo's own, so that on a terminal it looks as it does for a user.
type shell struct {
	dir string
}

// build makes the program from the source of this module.
func (sh *shell) build(ctx context.Context) error {
	folder := sh.dir + string(filepath.Separator)
	out, err := exec.CommandContext(ctx, "go", "build", "-o", folder, "github.com/drover-dev/drover/cmd/drover").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build drover: %w\n%s", err, out)
	}
	return nil
}

func (sh *shell) say(format string, args ...any) { fmt.Printf("\n"+format+"\n\n", args...) }

// show prints a command line as somebody would type it.
func (sh *shell) show(words ...string) {
	line := []string{"$"}
	for _, word := range words {
		if strings.ContainsAny(word, " '") {
			word = `"` + word + `"`
		}
		line = append(line, word)
	}
	fmt.Println(strings.Join(line, " "))
}

// command prepares a run of drover that knows of no other database and configuration.
func (sh *shell) command(ctx context.Context, args ...string) *exec.Cmd {
	sh.show(append([]string{"drover"}, args...)...)
	cmd := exec.CommandContext(ctx, filepath.Join(sh.dir, "drover"), args...)
	cmd.Dir = sh.dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABASE_URL") && !strings.HasPrefix(variable, "DROVER_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "DATABASE_URL="+databaseURL)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// run runs drover and expects success.
func (sh *shell) run(ctx context.Context, args ...string) error {
	if err := sh.command(ctx, args...).Run(); err != nil {
		return fmt.Errorf("drover %s: %w", args[0], err)
	}
	return nil
}

// interrupt starts drover, sends it SIGINT as soon as ready says so, and expects it to stop because of that.
func (sh *shell) interrupt(ctx context.Context, ready func() (bool, error), args ...string) error {
	cmd := sh.command(ctx, args...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start drover: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the exit code is looked at below
	}()
	err := waitFor(ready, ended)
	if err == nil {
		fmt.Print("^C") // as a terminal does
		err = cmd.Process.Signal(os.Interrupt)
	}
	if err != nil {
		_ = cmd.Process.Kill() // it may have ended already
		<-ended
		return fmt.Errorf("interrupt drover: %w (%v)", err, cmd.ProcessState)
	}
	<-ended
	code := cmd.ProcessState.ExitCode()
	fmt.Printf("(exit code %d)\n", code)
	if code != drover.ExitInterrupted {
		return fmt.Errorf("interrupted drover: %v, want exit code %d", cmd.ProcessState, drover.ExitInterrupted)
	}
	return nil
}

// waitFor looks again and again until the database is ready, or the program has ended before that.
func waitFor(ready func() (bool, error), ended <-chan struct{}) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended: // also when the context does: it kills the program
			return errors.New("it ended before")
		case <-tick.C:
			if yes, err := ready(); yes || err != nil {
				return err
			}
		}
	}
}
