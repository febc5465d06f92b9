package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// workspace is the folder in which all servers of this test binary live:
//
//	/dev/shm/drover-testdb-UID/
//	    lock                  held while a run folder is made or swept
//	    postgres-KEY.tar      an initialised data directory, shared by all test binaries
//	    port-24017.lock       held by the test binary whose server listens on that port
//	    run-123/              the servers of one test binary
//	    run-123.lock          held as long as that test binary lives
//
// It is in memory where there is room: a database is some three hundred files, and a file system on a disk takes from
// three to thirty times as long to make them. TMPDIR in the environment, when it is set, says where it is instead.
type workspace struct {
	root string
	run  string

	mu sync.Mutex

	// held are the locks to keep until the binary ends. They are only closed by the kernel: an *os.File that is
	// garbage collected would give its lock back.
	held []*os.File

	// seq numbers the servers.
	seq int

	// port is where the search for the next free port goes on.
	port int
}

// shared is the binary's workspace; it is made at its first use.
var shared struct {
	once      sync.Once
	workspace *workspace
	err       error
}

// theWorkspace returns the binary's workspace.
func theWorkspace() (*workspace, error) {
	shared.once.Do(func() { shared.workspace, shared.err = newWorkspace() })
	return shared.workspace, shared.err
}

// newWorkspace makes a workspace, and sweeps those of binaries that were killed.
func newWorkspace() (_ *workspace, err error) {
	root := filepath.Join(baseDir(), "drover-testdb-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(root, 0o755); err != nil && !os.IsExist(err) {
		return nil, fmt.Errorf("make the folder of test servers: %w", err)
	}
	info, err := os.Lstat(root)
	if err != nil {
		return nil, fmt.Errorf("look at the folder of test servers: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		return nil, fmt.Errorf("the folder of test servers %s is not a folder of ours; remove it", root)
	}
	gate, err := openLocked(filepath.Join(root, "lock"), true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.Close()) }()

	w := &workspace{root: root, port: firstPort}
	w.sweep()
	if w.run, err = os.MkdirTemp(root, "run-"); err != nil {
		return nil, fmt.Errorf("make a folder for the test servers: %w", err)
	}
	// The servers' users must pass through it; what is in it is closed to others.
	if err := os.Chmod(w.run, 0o755); err != nil {
		return nil, fmt.Errorf("open the folder of the test servers: %w", err)
	}
	held, err := openLocked(w.run+".lock", true)
	if err != nil {
		return nil, err
	}
	w.held = append(w.held, held)
	return w, nil
}

// sweep removes the run folders whose test binary has ended without doing it itself. What cannot be removed, because a
// dying server still writes to it, is left to the next sweep.
func (w *workspace) sweep() {
	locks, err := filepath.Glob(filepath.Join(w.root, "run-*.lock"))
	if err != nil {
		return
	}
	for _, name := range locks {
		f, err := openLocked(name, false)
		if err != nil || f == nil {
			continue
		}
		if os.RemoveAll(strings.TrimSuffix(name, ".lock")) == nil {
			_ = os.Remove(name)
		}
		_ = f.Close()
	}
}

// close removes the run folder; no server may be in it any more.
func (w *workspace) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := os.RemoveAll(w.run); err != nil {
		return fmt.Errorf("remove the folder of the test servers: %w", err)
	}
	return os.Remove(w.run + ".lock")
}

// maxSocketDir is the longest name of a folder in which a server can make its socket: Unix allows 107 bytes altogether.
const maxSocketDir = 107 - len("/.s.PGSQL.65535")

// serverDir makes a folder for one server.
func (w *workspace) serverDir(name string, a account) (string, error) {
	w.mu.Lock()
	w.seq++
	dir := filepath.Join(w.run, fmt.Sprintf("%s-%d", name, w.seq))
	w.mu.Unlock()
	if len(dir) > maxSocketDir {
		return "", fmt.Errorf("the folder of a test server has too long a name for sockets, set a shorter TMPDIR: %s", dir)
	}
	if err := a.mkdir(dir); err != nil {
		return "", fmt.Errorf("make the folder of a test server: %w", err)
	}
	return dir, nil
}

// The ports lie below those that Linux gives to outgoing connections: another program's connection never takes the port
// of a server that a test has stopped, and no client connects to itself on it.
const (
	firstPort = 20000
	portCount = 12000
)

// freePort returns a port of 127.0.0.1 on which nothing listens, and takes it away from all other test binaries until
// this one ends, so that a server can be stopped and started again on it.
func (w *workspace) freePort() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range portCount {
		port := w.port
		w.port++
		if w.port == firstPort+portCount {
			w.port = firstPort
		}
		f, err := openLocked(filepath.Join(w.root, fmt.Sprintf("port-%d.lock", port)), false)
		if err != nil {
			return 0, err
		}
		if f == nil {
			continue
		}
		l, err := listen(port)
		if err != nil {
			_ = f.Close()
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("try port %d: %w", port, err)
		}
		w.held = append(w.held, f)
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, firstPort+portCount)
}

func listen(port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", address(port))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// openLocked opens a lock file and locks it. It returns nil without an error when wait is not set and another process
// holds the lock.
func openLocked(name string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock file: %w", err)
	}
	ok, err := lock(f, wait)
	if err != nil || !ok {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
