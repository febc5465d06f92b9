package testdb

import (
	"errors"
	"fmt"
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
//	    run-123/              the servers of one test binary
//	    run-123.lock          held as long as that test binary lives
//
// It is in memory where there is room: a database is some three hundred files, and a file system on a disk takes from
// three to thirty times as long to make them. TMPDIR in the environment, when it is set, says where it is instead.
type workspace struct {
	root string
	run  string

	// held is the lock on the run folder. It is kept here because an *os.File that is garbage collected gives its lock
	// back.
	held *os.File

	mu  sync.Mutex
	seq int // of the last server
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

	w := &workspace{root: root}
	w.sweep()
	if w.run, err = os.MkdirTemp(root, "run-"); err != nil {
		return nil, fmt.Errorf("make a folder for the test servers: %w", err)
	}
	// The servers' users must pass through, whatever the umask; what lies in the run folder is closed to others.
	if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(w.run, 0o755)); err != nil {
		return nil, fmt.Errorf("open the folder of the test servers: %w", err)
	}
	if w.held, err = openLocked(w.run+".lock", true); err != nil {
		return nil, err
	}
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
	return errors.Join(os.Remove(w.run+".lock"), w.held.Close())
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
