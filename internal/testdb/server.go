package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout is long because many test binaries may share a slow machine.
	startTimeout = 60 * time.Second

	stopTimeout = 30 * time.Second
)

// errShared is returned by the methods that would take a server away from the other tests of the binary.
var errShared = errors.New("the server is shared by all tests of this binary: use NewPostgres or NewMariaDB")

// Server is one private database server on a port of 127.0.0.1. Its methods may be called by several goroutines.
type Server struct {
	engine  engine
	options options
	dir     string
	port    int
	shared  bool

	mu      sync.Mutex
	process *process // nil before the first start
	names   int      // of databases made so far
}

// newServer makes a server from the engine's template and starts it.
func newServer(e engine, opts []Option) (_ *Server, err error) {
	s, err := prepareServer(e, opts)
	if err != nil {
		return nil, err
	}
	w, err := theWorkspace()
	if err != nil {
		return nil, err
	}
	template, err := w.openTemplate(e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, template.Close()) }()
	if err := unpack(template, s.DataDir(), e.account()); err != nil {
		return nil, fmt.Errorf("copy the %s data directory: %w", e.name(), err)
	}
	if err := s.launch(); err != nil {
		return nil, err
	}
	return s, nil
}

// prepareServer makes a server without a data directory.
func prepareServer(e engine, opts []Option) (*Server, error) {
	w, err := theWorkspace()
	if err != nil {
		return nil, err
	}
	s := &Server{engine: e}
	for _, opt := range opts {
		opt(&s.options)
	}
	if s.dir, err = w.serverDir(e.name(), e.account()); err != nil {
		return nil, err
	}
	if s.port, err = ports.take(); err != nil {
		return nil, err
	}
	return s, nil
}

// launch starts the server and waits until it answers a login of the ordinary user.
func (s *Server) launch() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.running() {
		return fmt.Errorf("start %s: it is running", s.engine.name())
	}
	if err := s.engine.configure(s); err != nil {
		return fmt.Errorf("configure %s: %w", s.engine.name(), err)
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", s.engine.name(), err)
	}
	defer func() { err = errors.Join(err, log.Close()) }() // the server has its own descriptor
	cmd := s.engine.command(s)
	onParentDeath(cmd, s.engine.quitSignal())
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = startProcess(cmd); err != nil {
		return err
	}
	if err := s.awaitLogin(); err != nil {
		return fmt.Errorf("start %s on port %d: %w\n%s", s.engine.name(), s.port, errors.Join(err, s.process.killTree()), s.LogTail())
	}
	return nil
}

// awaitLogin polls the server until a login works. The caller holds the mutex.
//
// It looks at the socket first, which is there once the port is bound, and which is surely this server's: on the port,
// should another program have been faster, may be a server like it.
func (s *Server) awaitLogin() (err error) {
	admin, err := s.engine.admin(s, s.engine.home())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	user, err := s.engine.open(s.URL(s.engine.home()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, user.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var ended error
	err = poll(startTimeout, func() error {
		if !s.process.running() {
			ended = fmt.Errorf("the server ended at once: %v", s.process.cmd.ProcessState)
			return nil
		}
		return admin.PingContext(ctx)
	})
	if err = errors.Join(ended, err); err != nil {
		return err
	}
	return user.PingContext(ctx)
}

// Start starts a stopped or killed server again, with the same data on the same port, and returns once it answers.
func (s *Server) Start() error {
	if s.shared {
		return errShared
	}
	return s.launch()
}

// Stop shuts the server down cleanly; open connections are cut. Stopping a server that does not run does nothing.
func (s *Server) Stop() error {
	if s.shared {
		return errShared
	}
	return s.end(s.engine.stopSignal())
}

// end sends a signal that ends the server and waits until it is gone.
func (s *Server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || !s.process.running() {
		return nil
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", s.engine.name(), err)
	}
	if !s.process.waitFor(stopTimeout) {
		return fmt.Errorf("stop %s: %w\n%s", s.engine.name(),
			errors.Join(fmt.Errorf("still running after %v", stopTimeout), s.process.killTree()), s.LogTail())
	}
	return nil
}

// Kill ends the server and all its processes at once with SIGKILL, as a crash does, and returns when they are gone.
// Everything committed is there after the next Start, see Durable. Killing a server that does not run does nothing.
func (s *Server) Kill() error {
	if s.shared {
		return errShared
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || !s.process.running() {
		return nil
	}
	if err := s.process.killTree(); err != nil {
		return fmt.Errorf("kill %s: %w", s.engine.name(), err)
	}
	if err := s.engine.crashed(s); err != nil {
		return fmt.Errorf("tidy up after %s: %w", s.engine.name(), err)
	}
	return nil
}

// discard ends the server in the quickest way and removes its data.
func (s *Server) discard() error {
	return errors.Join(s.end(s.engine.quitSignal()), os.RemoveAll(s.dir))
}

// Running reports whether the server has been started and has not ended.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && s.process.running()
}

// Name returns "postgres" or "mariadb".
func (s *Server) Name() string { return s.engine.name() }

// Addr returns the server's address as host:port. It stays the same over Stop, Kill and Start.
func (s *Server) Addr() string { return address(s.port) }

// URL returns the address of a database of the server in drover's notation, with the user and the password. The database
// need not exist.
func (s *Server) URL(database string) string { return s.engine.url(s.Addr(), database) }

// DataDir returns the server's data directory.
func (s *Server) DataDir() string { return filepath.Join(s.dir, "data") }

func (s *Server) portText() string { return strconv.Itoa(s.port) }

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// LogTail returns the last lines of the server's log, for failure messages.
func (s *Server) LogTail() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return fmt.Sprintf("no log of %s: %v", s.engine.name(), err)
	}
	return fmt.Sprintf("the end of the log of %s:\n%s", s.engine.name(), lastLines(string(text), 40))
}

// Admin opens a database of the server as its administrator, for what the user drover may not do: reading everyone's
// sessions, terminating them, changing server variables. It is closed at the end of the test.
func (s *Server) Admin(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := s.engine.admin(s, database)
	if err != nil {
		t.Fatalf("testdb: open %s as its administrator: %v", s.engine.name(), err)
	}
	closeAtEnd(t, db)
	return db
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
