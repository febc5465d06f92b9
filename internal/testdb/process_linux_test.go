package testdb_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

// asChild in the environment makes TestChild do something. Its value is "wait" or "exit".
const asChild = "DROVER_TESTDB_CHILD"

// TestChild is the program that the tests below run as a child process: it starts both servers, prints their processes
// and folders, and waits until its standard input is closed or it is killed.
func TestChild(t *testing.T) {
	mode := os.Getenv(asChild)
	if mode == "" {
		return // an ordinary run of the tests
	}
	postgres, mariadb := testdb.Postgres(t), testdb.MariaDB(t)
	pids := []int{readPID(t, filepath.Join(postgres.DataDir(), "postmaster.pid")), readPID(t, filepath.Join(mariadb.DataDir(), "..", "pid"))}

	// A session that calculates does not look up before its statement ends.
	db := postgres.Admin(t, "postgres")
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	var session int
	if err := conn.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&session); err != nil {
		t.Fatalf("read the session's process: %v", err)
	}
	pids = append(pids, session)
	for _, pid := range pids {
		fmt.Printf("\npid %d\n", pid)
	}
	fmt.Printf("dir %s\nready\n", filepath.Dir(filepath.Dir(postgres.DataDir())))
	if mode == "exit" {
		_ = conn.Close()
		return
	}
	_, err = conn.ExecContext(t.Context(), `SELECT count(*) FROM generate_series(1, 1000000000000)`)
	t.Fatalf("the endless statement has ended: %v", err)
}

func TestServers_DieWithAKilledTestBinary(t *testing.T) {
	cmd := child(t, "wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("pipe: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a child: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	pids, dir := readChild(t, out)
	if len(pids) != 3 {
		t.Fatalf("processes of the child: %v, want 3", pids)
	}
	for _, pid := range pids {
		if !testdb.Alive(pid) {
			t.Errorf("process %d does not run before the child is killed", pid)
		}
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill the child: %v", err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child has ended without an error")
	}
	err = testdb.Poll(20*time.Second, func() error {
		for _, pid := range pids {
			if testdb.Alive(pid) {
				return fmt.Errorf("process %d has outlived the test binary", pid)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	// The next test binary removes what the killed one could not.
	if out, err := child(t, "exit").CombinedOutput(); err != nil {
		t.Fatalf("second child: %v\n%s", err, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of the killed child after the next one: %v, want that it is gone", err)
	}
}

// Test binaries that run at the same time, as under go test ./..., make the data directory once and take different ports.
func TestServers_OfSeveralTestBinariesAtOnce(t *testing.T) {
	tmp, err := os.MkdirTemp(testdb.BaseDir(), "drover-")
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatalf("open the folder: %v", err)
	}
	var children sync.WaitGroup
	for range 3 {
		cmd := child(t, "exit")
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		children.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("child: %v\n%s", err, out)
			}
		})
	}
	children.Wait()
	for pattern, want := range map[string]int{"*.tar": 2, "run-*": 0} {
		found, err := filepath.Glob(filepath.Join(tmp, "drover-testdb-*", pattern))
		if err != nil {
			t.Fatalf("look into the folder: %v", err)
		}
		if len(found) != want {
			t.Errorf("%s: %v, want %d", pattern, found, want)
		}
	}
}

// child returns this test binary as a program that runs TestChild alone.
func child(t *testing.T, mode string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test binary: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), asChild+"="+mode)
	return cmd
}

// readChild returns what TestChild prints, up to "ready".
func readChild(t *testing.T, out io.Reader) (pids []int, dir string) {
	t.Helper()
	var all bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(out, &all))
	for lines.Scan() {
		what, value, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "ready":
			return pids, dir
		case "dir":
			dir = value
		case "pid":
			pid, err := strconv.Atoi(value)
			if err != nil {
				t.Fatalf("the child's output: %v", err)
			}
			pids = append(pids, pid)
		}
	}
	t.Fatalf("the child was not ready: %v\n%s", lines.Err(), all.String())
	return nil, ""
}

func readPID(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read a process number: %v", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatalf("read a process number: %v", err)
	}
	return pid
}
