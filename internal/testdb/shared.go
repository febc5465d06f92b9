package testdb

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// The servers that all tests of the binary share, each started when the first test asks for it.
var (
	sharedPostgres = sharedServer{start: func() (*Server, error) { return startNew(newPostgresEngine, nil) }}
	sharedMariaDB  = sharedServer{start: func() (*Server, error) { return startNew(newMariaDBEngine, nil) }}
)

type sharedServer struct {
	start func() (*Server, error)

	once   sync.Once
	server *Server
	err    error
}

func (s *sharedServer) get(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() {
		if s.server, s.err = s.start(); s.err == nil {
			s.server.shared = true
		}
	})
	if s.err != nil {
		t.Fatalf("testdb: %v", s.err)
	}
	return s.server
}

func startNew[E engine](newEngine func() (E, error), opts []Option) (*Server, error) {
	e, err := newEngine()
	if err != nil {
		return nil, err
	}
	return newServer(e, opts)
}

// Postgres returns the PostgreSQL server that all tests of the binary share, and starts it at the first call. The test
// fails when PostgreSQL is not installed. Work in databases of its NewDatabase.
func Postgres(t testing.TB) *Server {
	t.Helper()
	return sharedPostgres.get(t)
}

// MariaDB returns the MariaDB server that all tests of the binary share, and starts it at the first call. The test fails
// when MariaDB is not installed. Work in databases of its NewDatabase.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return sharedMariaDB.get(t)
}

// NewPostgres starts a PostgreSQL server of the test's own, which it may stop, kill and start again. It is discarded at
// the end of the test.
func NewPostgres(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return own(t, newPostgresEngine, opts)
}

// NewMariaDB starts a MariaDB server of the test's own, which it may stop, kill and start again. It is discarded at the
// end of the test.
func NewMariaDB(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return own(t, newMariaDBEngine, opts)
}

func own[E engine](t testing.TB, newEngine func() (E, error), opts []Option) *Server {
	t.Helper()
	s, err := startNew(newEngine, opts)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	discardAtEnd(t, s)
	return s
}

func discardAtEnd(t testing.TB, s *Server) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.LogTail())
		}
		if err := s.discard(); err != nil {
			t.Errorf("testdb: discard %s: %v", s.engine.name(), err)
		}
	})
}

// Main is the body of a TestMain: it runs the tests, stops the shared servers, removes their folder, fails when a
// goroutine was left behind, and exits.
//
//	func TestMain(m *testing.M) { testdb.Main(m) }
//
// A binary without it is safe too: its servers die with it in every case, and the next binary removes their folder.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	err := stopShared()
	if code == 0 && err == nil {
		err = goleak.Find(opts...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		code = max(code, 1)
	}
	os.Exit(code) //nolint:forbidigo // it is the end of a TestMain
}

// stopShared ends what this binary has started. A server whose data is thrown away needs no clean shutdown.
func stopShared() error {
	var errs []error
	for _, s := range []*sharedServer{&sharedPostgres, &sharedMariaDB} {
		if s.server != nil {
			errs = append(errs, s.server.discard())
		}
	}
	if shared.workspace != nil {
		errs = append(errs, shared.workspace.close())
	}
	return errors.Join(errs...)
}

// IgnoreServers tells goleak about the goroutines that wait for the shared servers, for a test that looks for leaks while
// these run.
func IgnoreServers() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/drover-dev/drover/internal/testdb.(*process).run")
}
