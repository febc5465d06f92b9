package db_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
)

// TestRegistry_Client compares what each client is started with; the tests of "drover shell" start them.
func TestRegistry_Client(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b.db")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	pragmas := []string{"-cmd", ".output /dev/null", "-cmd", "PRAGMA busy_timeout(5000)", "-cmd", "PRAGMA foreign_keys(1)", "-cmd", "PRAGMA synchronous(NORMAL)", "-cmd", ".output"}
	for name, tt := range map[string]struct {
		url           string
		args, environ []string
		left          []string
	}{
		"postgres": {
			"postgres://clerk:p%40ss@db1:5433/app?sslmode=require&connect_timeout=3",
			[]string{"--dbname=postgres://clerk@db1:5433/app?connect_timeout=3&sslmode=require"},
			[]string{"PGPASSWORD=p@ss"},
			nil,
		},
		"postgres, password among the parameters": {
			"postgresql:///app?host=/run/sock&user=clerk&password=p%26ss&pool_max_conns=4",
			[]string{"--dbname=postgresql:///app?host=%2Frun%2Fsock&user=clerk"},
			[]string{"PGPASSWORD=p&ss"},
			[]string{"pool_max_conns"},
		},
		"postgres, settings": {
			"postgres://db1/app?options=-c%20jit%3Doff&search_path=a,%20b&statement_timeout=5s&sslmode=disable",
			[]string{`--dbname=postgres://db1/app?options=-c%20jit%3Doff%20-c%20search_path%3Da%2C%5C%20b%20-c%20statement_timeout%3D5s&sslmode=disable`},
			nil, nil,
		},
		"mariadb": {
			"mariadb://clerk:p%40ss@localhost/app?tls=1&timeout=1500ms&parseTime=true&lock_wait_timeout=5",
			[]string{
				"--no-defaults", "--protocol=TCP", "--host=localhost", "--port=3306", "--user=clerk", "--database=app", "--connect-timeout=2",
				"--init-command=SET SESSION lock_wait_timeout = 5", "--ssl", "--ssl-verify-server-cert",
			},
			[]string{"MYSQL_PWD=p@ss"},
			[]string{"parseTime"},
		},
		"mysql, no password": {
			"mysql://clerk@db1:3307/app?tls=false", []string{"--protocol=TCP", "--host=db1", "--port=3307", "--user=clerk", "--database=app", "--skip-ssl"}, nil, nil,
		},
		"sqlite":            {"sqlite:" + file, append(slices.Clip(pragmas), file), nil, nil},
		"sqlite, read-only": {"sqlite:" + file + "?mode=ro", append(slices.Clip(pragmas), "file://"+dir+"/a%20b.db?mode=ro"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := db.NewRegistry(map[string]string{"books": tt.url}).Client("books")
			if err != nil {
				t.Fatal(err)
			}
			got := client.Programs[0]
			if diff := cmp.Diff([][]string{tt.args, tt.environ, tt.left}, [][]string{got.Args, client.Environ, got.Left}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, program := range client.Programs {
				if text := strings.Join(program.Args, " "); strings.Contains(text, "p@ss") || strings.Contains(text, "p%40ss") || strings.Contains(text, "p%26ss") || program.Package == "" {
					t.Errorf("%+v", program)
				}
			}
		})
	}
}
