package drover_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestMain lets a test run this binary as a program of its own: real processes for signals and exit codes.
func TestMain(m *testing.M) {
	if name := os.Getenv("DROVER_TEST_PROGRAM"); name != "" {
		programs[name]().Main()
	}
	testdb.Main(m)
}

// output is a buffer that several goroutines may write to and wait on.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// waitFor blocks until the output holds text.
func (o *output) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.changed:
		case <-t.Context().Done():
			t.Fatalf("the output never held %q:\n%s", text, o.String())
		}
	}
}

// ran is what a command line has given.
type ran struct {
	code           int
	stdout, stderr string
}

// shell runs a command line as the shell does, with a SQLite file as the default database.
func shell(t *testing.T, app *drover.App, env drover.Env, args ...string) ran {
	t.Helper()
	stdout, stderr := newOutput(), newOutput()
	env.Args, env.Stdout, env.Stderr = args, stdout, stderr
	if env.Environ == nil && app.Databases == nil {
		env.Environ = []string{"DATABASE_URL=" + testdb.SQLite(t)}
	}
	code := app.Run(context.Background(), env)
	return ran{code, stdout.String(), stderr.String()}
}

// appOf is a program with these commands.
func appOf(cmds ...*drover.Command) *drover.App {
	app := drover.New("manage")
	app.Version = "1.2.3"
	app.Add(cmds...)
	return app
}

// plain is a command that needs no database.
func plain(name string, run func(ctx context.Context, c *drover.Call) error) *drover.Command {
	return &drover.Command{Name: name, Short: "Do " + name, NoDatabase: true, Run: run}
}

// untimed takes the times out of JSON lines.
func untimed(text string) string {
	return regexp.MustCompile(`"time":"20[0-9T:.-]+Z",`).ReplaceAllString(text, "")
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
