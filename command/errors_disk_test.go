package command_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// disk is a small file system.
type disk struct{ dir string }

// newDisk mounts a file system of a size. It returns nil, and says so, where that is not permitted.
func newDisk(t *testing.T, size string) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "drover-disk-*") // t.TempDir is in a folder that no server may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("drover-test", dir, "tmpfs", 0, "size="+size); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Logf("mounting is not permitted (%v)", err)
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return &disk{dir}
}

// grow makes the file system larger.
func (d *disk) grow(t *testing.T, size string) {
	t.Helper()
	if err := syscall.Mount("drover-test", d.dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// TestErrors_FullDisk fills an SQLite file up to its limit, and a file system where one may be mounted. What does not fit is not kept.
func TestErrors_FullDisk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit string
	}{{"full-file", "?_pragma=max_page_count(60)"}, {"full-disk", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			database := testdb.Fresh(t, testdb.NameSQLite)
			if tt.limit == "" {
				small := newDisk(t, "640k")
				if small == nil {
					return // the limit of the file's size stands in for it
				}
				database.URL = "sqlite:" + filepath.Join(small.dir, "full.db")
			}
			b := newBench(t, database)
			b.exec(t, `CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, text text NOT NULL)`)
			b.fill(t, "notes", 40, func(i int) string { return fmt.Sprintf("(%d, 'short')", i) })
			b.mustRun(t, "init")
			b.failing(t, tt.name, b.URL+tt.limit, []failure{
				fails(1, "backfill --table notes --no-input -v 0 --batch-size 10 --set", "text = printf('%.16000c', 'x')"),
			})
			if tt.limit == "" {
				file := filepath.Join(filepath.Dir(strings.TrimPrefix(b.URL, "sqlite:")), "notes.csv")
				b.failing(t, "export-full-disk", b.URL, []failure{fails(1, "export "+file+" --table notes -v 0")})
				if left, err := filepath.Glob(filepath.Dir(file) + "/*notes*"); err != nil || len(left) > 0 {
					t.Errorf("the export has left %v, %v", left, err)
				}
			}
			// The batches that fitted are kept whole.
			if n := b.count(t, "SELECT count(*) FROM notes WHERE length(text) > 10"); n%10 != 0 || n == 0 || n == 40 {
				t.Errorf("%d rows are changed", n)
			}
		})
	}
}

// TestErrors_FullServerDisk has a table where there is little room: on PostgreSQL a file system of its own, on MariaDB a tablespace with a limit, for
// InnoDB ends its server when a file system is full. The values of a later batch do not fit there.
func TestErrors_FullServerDisk(t *testing.T) {
	try := func(t *testing.T, b *bench) {
		t.Helper()
		b.fill(t, "notes", 400, func(i int) string { return fmt.Sprintf("(%d, 'short')", i) })
		b.mustRun(t, "init")
		file := filepath.Join(t.TempDir(), "notes.csv")
		records := "id,text\n"
		for i := range 2000 {
			records += fmt.Sprintf("%d,%s\n", 1001+i, strings.Repeat("x", 3000))
		}
		if err := os.WriteFile(file, []byte(records), 0o600); err != nil {
			t.Fatal(err)
		}
		b.failing(t, "full-disk", b.URL, []failure{
			fails(1, "backfill --table notes --no-input -v 0 --batch-size 100 --set", "text = CASE WHEN id > 200 THEN repeat('x', 50000) ELSE 'changed' END"),
			fails(1, "import "+file+" --table notes --no-input -v 0"),
		})
		b.wantCount(t, "SELECT count(*) FROM notes WHERE text = 'changed'", 200)
		b.wantCount(t, "SELECT count(*) FROM notes WHERE text = 'short'", 200)
		b.wantCount(t, "SELECT count(*) FROM notes", 400)
	}
	run := func(t *testing.T, admin *sql.DB, statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	const table = "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, text text NOT NULL)"
	t.Run(testdb.NamePostgres, func(t *testing.T) {
		small := newDisk(t, "3m")
		if small == nil {
			return // SQLite's file and MariaDB's tablespace stand in for it
		}
		b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
		data, err := os.Stat(b.Server.DataDir())
		if err != nil {
			t.Fatal(err)
		}
		owner := data.Sys().(*syscall.Stat_t)
		if err := os.Chown(small.dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
		admin := b.Server.Admin(t, b.conn.Address()[strings.LastIndex(b.conn.Address(), "/")+1:])
		run(t, admin, "CREATE TABLESPACE small LOCATION '"+small.dir+"'")
		t.Cleanup(func() { run(t, admin, "DROP TABLE notes", "DROP TABLESPACE small") })
		run(t, admin, table+" TABLESPACE small", "ALTER TABLE notes ALTER text SET STORAGE EXTERNAL", "ALTER TABLE notes OWNER TO "+testdb.User)
		try(t, b)
	})
	t.Run(testdb.NameMariaDB, func(t *testing.T) {
		server := testdb.NewMariaDB(t, testdb.Setting("innodb_data_file_path", "ibdata1:12M:autoextend:max:14M"))
		b := newBench(t, server.Database(t))
		admin := server.Admin(t, "")
		run(t, admin, "SET GLOBAL innodb_file_per_table = OFF") // of tables that are made now
		b.exec(t, table)
		run(t, admin, "SET GLOBAL innodb_file_per_table = ON")
		try(t, b)
	})
}

// TestErrors_FullArchiveDisk archives rows to a disk that is full in the middle. Rows that are not archived are not deleted, and the same command goes
// on when there is room.
func TestErrors_FullArchiveDisk(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		small := newDisk(t, "256k")
		if small == nil {
			return // TestErrors_FullFile has a file that cannot be written at all
		}
		b.exec(t, `CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, text text NOT NULL)`)
		b.fill(t, "notes", 40, func(i int) string { return fmt.Sprintf("(%d, '%s')", i, strings.Repeat("x", 16_000)) })
		archive := filepath.Join(small.dir, "notes.jsonl")
		purge := "purge --table notes --all --no-input -v 0 --batch-size 5 --archive-to " + archive
		b.failing(t, "archive-full-disk", b.URL, []failure{fails(1, purge)})
		b.wantCount(t, "SELECT count(*) FROM notes", 25)
		small.grow(t, "2m")
		b.mustRun(t, purge)
		b.wantCount(t, "SELECT count(*) FROM notes", 0)
		text, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for i, line := range lines {
			if !strings.Contains(line, fmt.Sprintf(`"id":%d,`, i+1)) || len(line) < 16_000 {
				t.Errorf("line %d begins with %.60s", i+1, line)
			}
		}
		if len(lines) != 40 {
			t.Errorf("%d rows are archived", len(lines))
		}
	})
}

// TestErrors_FullFile writes results to a device that is full.
func TestErrors_FullFile(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		b.failing(t, "dev-full", b.URL, []failure{
			fails(1, "export /dev/full --format csv --table people -v 0"),
			fails(1, "export /dev/full/people.csv --table people -v 0"),
			fails(1, "export /no/such/folder/people.csv --table people -v 0"),
			fails(2, "purge --table people --all --no-input -v 0 --archive-to /no/such/folder/people.jsonl"),
		})
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = full.Close() }()
		golden(t, "errors/stdout-full."+b.Name, b.resultsTo(t, full, []failure{
			fails(1, "export - --table people"), fails(1, "inspect people"), fails(1, "doctor"), fails(1, "doctor --json"),
		}))
		b.wantCount(t, "SELECT count(*) FROM people", 3)
	})
}

// TestErrors_BrokenPipe gives the results to a program that has gone away. Nobody is told of it: the user has sent it away. What has ended by itself
// until then counts as done.
func TestErrors_BrokenPipe(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		b.mustRun(t, "init")
		gone, pipe, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pipe.Close() }()
		golden(t, "errors/broken-pipe."+b.Name, b.resultsTo(t, pipe, []failure{
			fails(1, "export - --table people"), fails(1, "inspect people"), fails(1, "doctor"), fails(1, "version"), fails(0, "purge --help"),
			fails(0, "purge --table people --where id=1 --dry-run"), fails(0, "purge --table people --where id=1 --dry-run --json"),
			fails(0, "purge --table people --where id=1 --no-input -v 0"),
		}))
		b.wantCount(t, "SELECT count(*) FROM people WHERE id > 1", 2)
	})
}

// resultsTo runs the whole program for each command line, with a file for the results.
func (b *bench) resultsTo(t *testing.T, stdout *os.File, tests []failure) string {
	t.Helper()
	var all strings.Builder
	for _, tt := range tests {
		var stderr strings.Builder
		code := newApp().Run(t.Context(), drover.Env{Args: tt.args, Environ: []string{"DATABASE_URL=" + b.URL}, Stdout: stdout, Stderr: &stderr})
		all.WriteString(b.transcript(t, tt, code, stderr.String()))
	}
	return all.String()
}
