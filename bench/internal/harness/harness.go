// Package harness starts the databases of the benchmarks: private servers that flush every commit to the disk, and SQLite
// files in a folder beside them.
package harness

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// Run calls fn with the databases, started when they are asked for, and discards them afterwards. It can be called once in a
// process, for package testdb has one folder for good.
//
// Everything lies in one folder below dir, which should be on the kind of disk that a database would be on: where it is in memory,
// commits cost nothing.
func Run(ctx context.Context, dir string, fn func(h *Harness) error) (err error) {
	work, err := os.MkdirTemp(dir, "drover-bench-")
	if err != nil {
		return fmt.Errorf("make the folder of the databases: %w", err)
	}
	h := &Harness{tb: &tb{ctx: ctx}, dir: work, servers: map[string]*testdb.Server{}}
	defer func() {
		panicked := recover()
		h.tb.end()
		if removed := os.RemoveAll(work); err == nil && removed != nil {
			err = fmt.Errorf("remove the folder of the databases: %w", removed)
		}
		if failed, ok := panicked.(failure); ok {
			err = failed
		} else if panicked != nil {
			panic(panicked)
		}
	}()
	if err := os.Chmod(work, 0o755); err != nil { // the servers run as users of their own
		return fmt.Errorf("open the folder of the databases: %w", err)
	}
	if err := os.Setenv("TMPDIR", work); err != nil {
		return fmt.Errorf("set the folder of the databases: %w", err)
	}
	return fn(h)
}

// Harness hands out databases.
type Harness struct {
	tb      *tb
	dir     string
	files   int
	servers map[string]*testdb.Server
}

// Settings are what the servers run with besides their defaults, for the report.
const Settings = "PostgreSQL: fsync, synchronous_commit and full_page_writes on, shared_buffers 256 MB, max_wal_size 4 GB, autovacuum off; " +
	"MariaDB: innodb_flush_log_at_trx_commit 1, sync_binlog 1, innodb_buffer_pool_size 512 MB, innodb_log_file_size 512 MB; " +
	"SQLite: WAL, synchronous NORMAL (drover's own), so that a commit does not wait for the disk"

// Database returns a fresh, empty database of the named kind.
func (h *Harness) Database(name string) testdb.Database {
	switch name {
	case testdb.NameSQLite:
		h.files++
		return testdb.Database{Name: name, URL: "sqlite:" + filepath.Join(h.dir, fmt.Sprintf("bench-%d.db", h.files))}
	case testdb.NamePostgres:
		if h.servers[name] == nil {
			h.servers[name] = testdb.NewPostgres(h.tb, testdb.Durable(), testdb.Setting("shared_buffers", "256MB"),
				testdb.Setting("max_wal_size", "4GB"), testdb.Setting("checkpoint_timeout", "1h"))
		}
	case testdb.NameMariaDB:
		if h.servers[name] == nil {
			h.servers[name] = testdb.NewMariaDB(h.tb, testdb.Durable(), testdb.Setting("innodb_buffer_pool_size", "512M"),
				testdb.Setting("innodb_log_file_size", "512M"))
		}
	}
	return h.servers[name].Database(h.tb)
}

// Admin opens the server of a database as its administrator.
func (h *Harness) Admin(d testdb.Database) *sql.DB {
	home := "mysql"
	if d.Name == testdb.NamePostgres {
		home = "postgres"
	}
	return d.Server.Admin(h.tb, home)
}

// Renew discards the servers, so that those that are asked for from now on are new.
func (h *Harness) Renew() {
	h.tb.end()
	clear(h.servers)
}

// Dir is the folder of the databases.
func (h *Harness) Dir() string { return h.dir }

// tb is what package testdb takes for a test: a failure ends the program instead. The methods of testing.TB that
// testdb does not call are missing.
type tb struct {
	testing.TB

	ctx      context.Context //nolint:containedctx // testing.TB gives it out
	failed   bool
	cleanups []func()
}

type failure struct{ text string }

func (f failure) Error() string { return f.text }

func (t *tb) Helper()                  {}
func (t *tb) Name() string             { return "bench" }
func (t *tb) Context() context.Context { return t.ctx }
func (t *tb) Failed() bool             { return t.failed }
func (t *tb) Log(args ...any)          { fmt.Fprintln(os.Stderr, args...) }
func (t *tb) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }

func (t *tb) Errorf(format string, args ...any) {
	t.failed = true
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (t *tb) Fatalf(format string, args ...any) {
	t.failed = true
	panic(failure{fmt.Sprintf(format, args...)})
}

func (t *tb) end() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	t.cleanups = nil
}
