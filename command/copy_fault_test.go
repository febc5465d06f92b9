package command_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestCopy_AServerDies kills the server of one side in the middle of a copy, and starts it again: the copy waits for it and goes on.
func TestCopy_AServerDies(t *testing.T) {
	const rows = 400
	for _, tt := range []struct {
		name string
		make func(t *testing.T) (p *twoPlaces, dies *testdb.Server)
	}{
		{"the one that is read", func(t *testing.T) (*twoPlaces, *testdb.Server) {
			server := testdb.NewPostgres(t)
			return &twoPlaces{newBench(t, server.Database(t), db.Alias("a")), newBench(t, testdb.Fresh(t, testdb.NameSQLite), db.Alias("b"))}, server
		}},
		{"the one that is written to", func(t *testing.T) (*twoPlaces, *testdb.Server) {
			server := testdb.NewMariaDB(t)
			return &twoPlaces{newBench(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a")), newBench(t, server.Database(t), db.Alias("b"))}, server
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, server := tt.make(t)
			p.items(t, rows)
			want := rowsOf(t, p.a.raw, "1 = 1")
			done := make(chan error, 1)
			go func() {
				_, err := p.copy(t.Context(), "--batch-size", "5", "--rows-per-second", "400")
				done <- err
			}()
			for p.b.count(t, "SELECT count(*) FROM items") < 20 {
				if t.Context().Err() != nil {
					t.Fatal(t.Context().Err())
				}
			}
			for _, step := range []func() error{server.Kill, server.Start} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, rowsOf(t, p.b.raw, "1 = 1")); diff != "" {
				t.Errorf("b (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCopy_NothingIsDeletedThatACrashCouldTake moves rows into a PostgreSQL server whose commits do not wait for its log, and kills it when the first
// rows are to be deleted.
func TestCopy_NothingIsDeletedThatACrashCouldTake(t *testing.T) {
	const rows = 100
	server := testdb.NewPostgres(t, testdb.Setting("synchronous_commit", "off"))
	var once sync.Once
	crash := func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if strings.HasPrefix(s.SQL, "DELETE FROM") {
			once.Do(func() {
				for _, step := range []func() error{server.Kill, server.Start} {
					if err := step(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		return next(ctx)
	}
	p := &twoPlaces{newBench(t, testdb.Fresh(t, testdb.NameSQLite), db.Alias("a"), db.Intercept(crash)), newBench(t, server.Database(t), db.Alias("b"))}
	p.items(t, rows)
	var writer int // of the log, which would flush it now and then
	if err := server.Admin(t, "postgres").QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'").Scan(&writer); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(writer, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	want := rowsOf(t, p.a.raw, "1 = 1")
	if _, err := p.copy(t.Context(), "--move", "--batch-size", "20"); err == nil { // the run has lost the last of what it knew about itself
		t.Error("nothing was lost in the crash")
	}
	p.b.raw = p.b.RawDB(t) // the old connections are dead
	p.b.expire(t)
	p.mustCopy(t, "--move", "--batch-size", "20")
	if diff := cmp.Diff(want, rowsOf(t, p.b.raw, "1 = 1")); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
	p.a.wantCount(t, "SELECT count(*) FROM items", 0)
}
