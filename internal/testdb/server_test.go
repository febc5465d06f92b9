package testdb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestServer_KeepsCommittedRowsOverKill(t *testing.T) {
	tests := []struct {
		name string
		opts []testdb.Option
	}{
		{"ordinary", nil},
		{"durable", []testdb.Option{testdb.Durable()}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, name string) {
				server := newServer[name](t, test.opts...)
				d := server.Database(t)
				db := d.RawDB(t)
				mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item (id) VALUES (1), (2)`)
				addr := server.Addr()

				if err := server.Kill(); err != nil {
					t.Fatalf("kill: %v", err)
				}
				if server.Running() {
					t.Error("the server is running after Kill")
				}
				if err := db.PingContext(t.Context()); err == nil {
					t.Error("the killed server answers")
				}
				if err := server.Start(); err != nil {
					t.Fatalf("start: %v", err)
				}
				if server.Addr() != addr {
					t.Errorf("address after the restart = %s, want %s", server.Addr(), addr)
				}
				if n := count(t, d.RawDB(t)); n != 2 {
					t.Errorf("rows after the restart = %d, want 2", n)
				}
			})
		})
	}
}

func TestServer_StopsAndStartsAgain(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		d := server.Database(t)
		mustExec(t, d.RawDB(t), `CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item (id) VALUES (1)`)
		for range 2 { // the second Stop finds a stopped server
			if err := server.Stop(); err != nil {
				t.Fatalf("stop: %v", err)
			}
		}
		if err := server.Kill(); err != nil {
			t.Errorf("kill a stopped server: %v", err)
		}
		if err := server.Start(); err != nil {
			t.Fatalf("start: %v", err)
		}
		if err := server.Start(); err == nil {
			t.Error("a running server was started")
		}
		if n := count(t, d.RawDB(t)); n != 1 {
			t.Errorf("rows = %d, want 1", n)
		}
	})
}

func TestServer_SharedCannotBeTakenAway(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := testdb.Fresh(t, name).Server
		for what, do := range map[string]func() error{"Start": server.Start, "Stop": server.Stop, "Kill": server.Kill} {
			if err := do(); err == nil || !strings.Contains(err.Error(), "shared") {
				t.Errorf("%s: %v, want that the server is shared", what, err)
			}
		}
	})
}

func TestSetting_GoesOverTheHarnessOwn(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t, testdb.Setting("max_connections", "33"))
		query := map[string]string{
			testdb.NamePostgres: `SELECT current_setting('max_connections')`,
			testdb.NameMariaDB:  `SELECT @@max_connections`,
		}[name]
		var got string
		if err := server.Database(t).RawDB(t).QueryRowContext(t.Context(), query).Scan(&got); err != nil {
			t.Fatalf("read the setting: %v", err)
		}
		if got != "33" {
			t.Errorf("max_connections = %s, want 33", got)
		}
	})
}

func TestServer_HasWhatReplicationNeeds(t *testing.T) {
	queries := map[string]string{
		testdb.NamePostgres: `SELECT current_setting('wal_level') || ' ' || current_setting('max_prepared_transactions')`,
		testdb.NameMariaDB:  `SELECT concat(@@log_bin, ' ', @@binlog_format, ' ', @@local_infile, ' ', @@character_set_server)`,
	}
	want := map[string]string{testdb.NamePostgres: "logical 20", testdb.NameMariaDB: "ON ROW ON utf8mb4"}
	eachServer(t, func(t *testing.T, name string) {
		var got string
		if err := testdb.Fresh(t, name).RawDB(t).QueryRowContext(t.Context(), queries[name]).Scan(&got); err != nil {
			t.Fatalf("read the settings: %v", err)
		}
		if got != want[name] {
			t.Errorf("settings = %q, want %q", got, want[name])
		}
	})
}

func TestServer_StartFailureShowsTheLog(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		if err := server.Stop(); err != nil {
			t.Fatalf("stop: %v", err)
		}
		lost := map[string]string{testdb.NamePostgres: "global", testdb.NameMariaDB: "mysql"}[name]
		if err := os.RemoveAll(filepath.Join(server.DataDir(), lost)); err != nil {
			t.Fatalf("damage the data: %v", err)
		}
		err := server.Start()
		if err == nil {
			t.Fatal("a server without its system tables has started")
		}
		if !strings.Contains(err.Error(), "the server ended at once") || !strings.Contains(err.Error(), lost) {
			t.Errorf("error without the log: %v", err)
		}
	})
}
