package command_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// TestErrors_ReadOnly has databases that take no writes. Reading commands work on them.
func TestErrors_ReadOnly(t *testing.T) {
	source := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	source.people(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("more.csv", []byte("id,name\n9,Ida\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []failure{
		fails(1, "purge --table people --all --no-input -v 0"),
		fails(1, "backfill --table people --no-input -v 0 --set", "age = 1"),
		fails(1, "import more.csv --table people --no-input -v 0"),
		fails(1, "copy --from other --to default --table people --no-input -v 0"),
	}
	withInit := append(slices.Clip(tests), fails(1, "init"))
	refuses := func(t *testing.T, b *bench, kind, address string, tests []failure) {
		t.Helper()
		before := b.Dump(t)
		b.failing(t, kind, address, tests, "DATABASE_URL_OTHER="+source.URL)
		b.transcripts(t, address, []failure{fails(0, "export - --table people -v 0"), fails(0, "purge --table people --all --dry-run -v 0")})
		if after := b.Dump(t); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the database has changed", kind)
		}
	}
	withOption := func(t *testing.T, b *bench, name, value string) string {
		t.Helper()
		u, err := url.Parse(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	t.Run("sessions", func(t *testing.T) {
		pg := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
		pg.people(t)
		refuses(t, pg, "read-only-session", withOption(t, pg, "default_transaction_read_only", "on"), withInit)
		maria := newBench(t, testdb.Fresh(t, testdb.NameMariaDB))
		maria.people(t)
		refuses(t, maria, "read-only-session", withOption(t, maria, "tx_read_only", "1"), withInit)
		lite := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
		lite.people(t)
		refuses(t, lite, "read-only-session", lite.URL+"?mode=ro", withInit)
	})
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run("standby/"+name, func(t *testing.T) {
			t.Parallel()
			primary := start(t)
			database := primary.Database(t)
			b := newBench(t, database)
			b.people(t)
			b.mustRun(t, "init")
			standby := primary.NewStandby(t)
			standby.CatchUp(t)
			refuses(t, b, "standby", standby.Replica(database).URL, tests)
		})
	}
}

// TestErrors_ClosedFolder has an SQLite file that its user may write in a folder that he may not, and one that he may only read.
func TestErrors_ClosedFolder(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.people(t)
	if err := b.conn.Close(); err != nil { // which takes the log away that lies beside the file
		t.Fatal(err)
	}
	file := strings.TrimPrefix(b.URL, "sqlite:")
	for _, tt := range []struct {
		kind         string
		folder, file os.FileMode
	}{{"closed-folder", 0o555, 0o666}, {"closed-file", 0o777, 0o444}} {
		for name, mode := range map[string]os.FileMode{filepath.Dir(file): tt.folder, file: tt.file} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		var all strings.Builder
		for _, tt := range []failure{
			fails(1, "purge --table people --all --no-input -v 0"),
			fails(1, "init"),
			fails(0, "export - --table people -v 0"),
		} {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", append(tt.args, "--progress", "none")...)
			cmd.Env = append(os.Environ(), programEnv+"=1", "DATABASE_URL="+b.URL)
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			var stderr strings.Builder
			cmd.Stderr, cmd.Dir = &stderr, "/"
			if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
				t.Fatal(err)
			}
			all.WriteString(b.transcript(t, tt, cmd.ProcessState.ExitCode(), stderr.String()))
		}
		golden(t, "errors/"+tt.kind+"."+b.Name, all.String())
	}
	if err := os.Chmod(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
}
