package command_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestDoctor_FewRights(t *testing.T) {
	pg := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	maria := newBench(t, testdb.Fresh(t, testdb.NameMariaDB))
	admin := pg.Server.Admin(t, "postgres")
	user := fmt.Sprintf("few_%d", time.Now().UnixNano())
	run := func(exec func(query string) error, queries ...string) {
		t.Helper()
		for _, query := range queries {
			if err := exec(query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
	}
	onPG := func(query string) error {
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), query)
		return err
	}
	run(onPG, "CREATE ROLE "+user+" LOGIN PASSWORD 'hunter2'")
	t.Cleanup(func() { run(onPG, "DROP ROLE "+user) })
	mariaAdmin := maria.Server.Admin(t, "")
	onMaria := func(query string) error {
		_, err := mariaAdmin.ExecContext(context.WithoutCancel(t.Context()), query)
		return err
	}
	var database string
	if err := maria.raw.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	run(onMaria, "CREATE USER "+user+"@'%' IDENTIFIED BY 'hunter2'", "GRANT SELECT ON `"+database+"`.* TO "+user+"@'%'")
	t.Cleanup(func() { run(onMaria, "DROP USER "+user+"@'%'") })

	as := func(b *bench) string {
		u, err := url.Parse(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, "hunter2")
		return u.String()
	}
	for _, b := range []*bench{pg, maria} {
		f, code := doctor(t, as(b))
		if code != 0 || f.level("rights") != "warning" || !strings.Contains(f.text("rights"), "may not make tables") {
			t.Errorf("%s, before the tables are made: exit code %d, %+v", b.Name, code, f)
		}
		b.mustRun(t, "init")
	}
	if f, _ := doctor(t, as(pg)); f.text("rights") != "the user lacks SELECT on drover_events, and 23 more rights: runs cannot be kept here" || f.level("pg_read_all_stats") != "note" {
		t.Errorf("PostgreSQL: %+v", f)
	}
	if f, _ := doctor(t, as(maria)); f.text("rights") != "the user lacks INSERT on drover_runs, and 17 more rights: runs cannot be kept here" || f.level("PROCESS") != "note" ||
		f.text("role") != "the user may not know whether it is a replica" {
		t.Errorf("MariaDB: %+v", f)
	}
	for _, query := range []string{"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + user} {
		pg.exec(t, query)
	}
	if f, _ := doctor(t, as(pg)); f.level("rights") != "ok" || f.level("tables") != "ok" {
		t.Errorf("PostgreSQL with the rights: %+v", f)
	}
	pg.exec(t, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "+user)
	for _, table := range []string{"drover_runs", "drover_shards", "drover_quarantine", "drover_undo", "drover_events", "drover_schema"} {
		run(onMaria, "GRANT INSERT, UPDATE, DELETE ON `"+database+"`."+table+" TO "+user+"@'%'")
	}
	if f, _ := doctor(t, as(maria)); f.level("rights") != "ok" || f.level("tables") != "ok" {
		t.Errorf("MariaDB with the rights: %+v", f)
	}
}

func TestDoctor_Standby(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			primary := start(t)
			database := primary.Database(t)
			standby := primary.NewStandby(t)
			standby.CatchUp(t)
			address := standby.Replica(database).URL
			f, code := doctor(t, address)
			if code != 0 || f.Role != "replica" || f.level("role") != "note" || f.Lag == nil || *f.Lag > 60 || f.level("rights") != "" {
				t.Errorf("exit code %d, %+v", code, f)
			}
			standby.PauseReplay(t)
			if f, code = doctor(t, address); code != drover.ExitFailed || f.level("role") != "problem" || f.Lag != nil || !strings.HasPrefix(f.text("role"), "a replica, and ") {
				t.Errorf("paused: exit code %d, %+v", code, f)
			}
			standby.ResumeReplay(t)
			standby.Disconnect(t)
			if f, code = doctor(t, address); code != drover.ExitFailed || f.level("role") != "problem" {
				t.Errorf("cut off: exit code %d, %+v", code, f)
			}
			standby.Connect(t)
		})
	}
}

func TestDoctor_Settings(t *testing.T) {
	pg := testdb.NewPostgres(t, testdb.Setting("wal_level", "minimal"), testdb.Setting("max_wal_senders", "0"), testdb.Setting("max_prepared_transactions", "0"),
		testdb.Setting("statement_timeout", "30s"), testdb.Setting("synchronous_commit", "off"), testdb.Setting("default_transaction_read_only", "on"))
	f, code := doctor(t, pg.URL("postgres"))
	want := map[string]string{
		"wal_level": "note", "max_prepared_transactions": "note", "statement_timeout": "note", "synchronous_commit": "note",
		"default_transaction_read_only": "warning", "fsync": "warning", "idle_in_transaction_session_timeout": "ok",
	}
	wantLevels(t, want, f)
	if code != 0 || !strings.Contains(f.text("statement_timeout"), "is 30s: ") {
		t.Errorf("exit code %d, %+v", code, f)
	}

	maria := testdb.NewMariaDB(t, testdb.Setting("binlog_format", "STATEMENT"), testdb.Setting("sql_mode", "NO_ENGINE_SUBSTITUTION"),
		testdb.Setting("max_allowed_packet", "1M"), testdb.Setting("max_statement_time", "60"))
	b := newBench(t, maria.Database(t))
	f, code = doctor(t, b.URL)
	wantLevels(t, map[string]string{
		"binlog_format": "problem", "sql_mode": "warning", "max_allowed_packet": "warning", "max_statement_time": "note", "log_bin": "ok",
		"innodb_flush_log_at_trx_commit": "warning", "sync_binlog": "note", "local_infile": "ok",
	}, f)
	if code != drover.ExitFailed {
		t.Errorf("exit code %d, %+v", code, f)
	}
	// The problem is one: no row can be changed.
	b.exec(t, "CREATE TABLE t (id int PRIMARY KEY)")
	if err := b.conn.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("rows can be changed with binlog_format STATEMENT")
	}
}

func wantLevels(t *testing.T, want map[string]string, f found) {
	t.Helper()
	got := map[string]string{}
	for topic := range want {
		got[topic] = f.level(topic)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s\n%+v", diff, f)
	}
}

// TestDoctor_StoppedReplica has a server that is a replica by its settings, and applies nothing.
func TestDoctor_StoppedReplica(t *testing.T) {
	server := testdb.NewMariaDB(t)
	database := server.Database(t)
	if _, err := server.Admin(t, "").ExecContext(t.Context(), "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'nobody'"); err != nil {
		t.Fatal(err)
	}
	f, code := doctor(t, database.URL)
	if code != drover.ExitFailed || f.Role != "replica" || f.level("role") != "problem" {
		t.Errorf("exit code %d, %+v", code, f)
	}
}

func TestDoctor_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	d := testdb.Database{Name: testdb.NameSQLite, URL: "sqlite:" + file}
	raw := d.RawDB(t)
	for _, query := range []string{"PRAGMA journal_mode = DELETE", "CREATE TABLE t (id INTEGER PRIMARY KEY)"} {
		if _, err := raw.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for params, want := range map[string]map[string]string{
		"":         {"journal_mode": "warning", "synchronous": "ok", "busy_timeout": "ok", "foreign_keys": "ok", "writable": "ok", "role": ""},
		"?mode=ro": {"journal_mode": "warning", "writable": "warning"},
		"?_pragma=synchronous(OFF)&_pragma=busy_timeout(0)&_pragma=foreign_keys(0)": {"synchronous": "warning", "busy_timeout": "warning", "foreign_keys": "warning"},
	} {
		f, code := doctor(t, d.URL+params)
		if wantLevels(t, want, f); code != 0 {
			t.Errorf("%s: exit code %d, %+v", params, code, f)
		}
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
}

// TestDoctor_BusyFile has a file that another process writes to for longer than it is waited.
func TestDoctor_BusyFile(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	writer, err := b.raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	if _, err := writer.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"the time is over": b.URL, "busy": b.URL + "?_pragma=busy_timeout(1)"} {
		f, code := doctor(t, address, "--timeout", "4s")
		if code != 0 || f.level("writable") != "warning" || !strings.Contains(f.text("writable"), "another process is writing") {
			t.Errorf("%s: exit code %d, %+v", name, code, f)
		}
	}
}
