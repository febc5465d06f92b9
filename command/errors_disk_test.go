package command_test

import (
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

// TestErrors_FullDisk fills an SQLite file up to its limit, and a file system where one may be mounted. What does not fit is not kept.
func TestErrors_FullDisk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit string
	}{{"full-file", "?_pragma=max_page_count(60)"}, {"full-disk", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			database := testdb.Fresh(t, testdb.NameSQLite)
			if tt.limit == "" {
				dir := t.TempDir()
				if err := syscall.Mount("drover-test", dir, "tmpfs", 0, "size=640k"); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
					t.Logf("mounting is not permitted (%v): the limit of the file's size stands in for it", err)
					return
				} else if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := syscall.Unmount(dir, 0); err != nil {
						t.Error(err)
					}
				})
				database.URL = "sqlite:" + filepath.Join(dir, "full.db")
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
		var all strings.Builder
		for _, tt := range []failure{fails(1, "export - --table people"), fails(1, "inspect people"), fails(1, "doctor"), fails(1, "doctor --json")} {
			var stderr strings.Builder
			code := newApp().Run(t.Context(), drover.Env{Args: tt.args, Environ: []string{"DATABASE_URL=" + b.URL}, Stdout: full, Stderr: &stderr})
			all.WriteString(b.transcript(t, tt, code, stderr.String()))
		}
		golden(t, "errors/stdout-full."+b.Name, all.String())
		b.wantCount(t, "SELECT count(*) FROM people", 3)
	})
}
