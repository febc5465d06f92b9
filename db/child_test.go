package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/drover-dev/drover/db"
)

// childURL hands the database to a child.
const childURL = "DROVER_DB_TEST_URL"

// childJobs are what a second process does. It speaks in lines with the one that started it.
var childJobs = map[string]func(ctx context.Context, conn *db.DB, p partner) error{
	"transfer":  func(ctx context.Context, conn *db.DB, p partner) error { return transfer(ctx, conn, p, 2, 1) },
	"hold lock": holdLock,
	"all":       workOnBoth,
	"recover":   recoverBoth,
}

// runChild does a job in this process, which a test has started, and returns its exit code.
func runChild(name string) int {
	err := func() (err error) {
		job, ok := childJobs[name]
		if !ok {
			return fmt.Errorf("no job %q", name)
		}
		ctx := context.Background()
		conn, err := db.Open(ctx, os.Getenv(childURL))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		return job(ctx, conn, partner{in: bufio.NewReader(os.Stdin), out: os.Stdout})
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// partner is the other process: each line that one says is awaited by the other.
type partner struct {
	in      *bufio.Reader
	out     io.Writer
	retried func(db.Attempt) // told of each retry; may be nil
	kill    func() error     // of a child: kill -9
}

func (p partner) say(line string) error {
	_, err := fmt.Fprintln(p.out, line)
	return err
}

func (p partner) await(want string) error {
	line, err := p.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait for %q: %w", want, err)
	}
	return expect(line == want+"\n", "the other process says %q instead of %q", line, want)
}

// startChild starts this test binary once more to do a job. wait returns when it has ended, with its error.
func startChild(t *testing.T, url, job string, env ...string) (p partner, wait func() error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childJob+"="+job, childURL+"="+url), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	noError(t, err)
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	return partner{in: bufio.NewReader(out), out: in, kill: cmd.Process.Kill}, func() error { return errors.Join(in.Close(), cmd.Wait()) }
}

const rounds = 5

// transfer adds 1 to two rows of the table counter, several times, locking them in the given order. In the first attempt of the first
// round it waits until the other process has its first row as well: then both wait for each other.
func transfer(ctx context.Context, conn *db.DB, p partner, first, second int) error {
	met := false
	for round := range rounds {
		err := conn.Atomic(ctx, func(ctx context.Context) error {
			const add = "UPDATE counter SET n = n + 1 WHERE id = ?"
			if err := conn.Exec(ctx, add, first); err != nil {
				return err
			}
			if !met {
				met = true
				if err := errors.Join(p.say("locked"), p.await("locked")); err != nil {
					return err
				}
			}
			return conn.Exec(ctx, add, second)
		}, db.Retry(50), db.OnRetry(p.retried))
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// holdLock writes and commits when it is told to.
func holdLock(ctx context.Context, conn *db.DB, p partner) error {
	return conn.Atomic(ctx, func(ctx context.Context) error {
		if err := conn.Exec(ctx, insertText("theirs")); err != nil {
			return err
		}
		return errors.Join(p.say("locked"), p.await("commit"))
	})
}
