package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The administrator logs in over the socket only, which lies in a closed folder.
const (
	mariadbAdmin         = "root"
	mariadbAdminPassword = "s3cret-admin"
)

// mariadbUsers makes the ordinary user and leaves the administrator as the only other one. The user gets what an
// application has in its databases, and may look at the server's sessions and replication, but not change the server.
const mariadbUsers = `DELETE FROM mysql.global_priv WHERE User = '' OR (User = '` + mariadbAdmin + `' AND Host <> 'localhost');
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
ALTER USER '` + mariadbAdmin + `'@'localhost' IDENTIFIED BY '` + mariadbAdminPassword + `';
CREATE USER '` + User + `'@'%' IDENTIFIED BY '` + Password + `';
GRANT ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, CREATE VIEW, DELETE, DELETE HISTORY, DROP,
  EVENT, EXECUTE, INDEX, INSERT, LOCK TABLES, REFERENCES, SELECT, SHOW VIEW, TRIGGER, UPDATE,
  PROCESS, RELOAD, BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE ON *.* TO '` + User + `'@'%';
`

var installArgs = []string{
	"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M",
}

type mariadbEngine struct {
	server  string
	install string
	user    account
}

var _ engine = (*mariadbEngine)(nil)

func newMariaDBEngine() (*mariadbEngine, error) {
	server, err := findProgram("mariadbd", "/usr/sbin", "/usr/libexec", "/usr/local/sbin")
	if err != nil {
		return nil, err
	}
	install, err := findProgram("mariadb-install-db", "/usr/bin")
	if err != nil {
		return nil, err
	}
	user, err := serverAccount("mysql")
	if err != nil {
		return nil, err
	}
	return &mariadbEngine{server: server, install: install, user: user}, nil
}

func (e *mariadbEngine) name() string     { return "mariadb" }
func (e *mariadbEngine) program() string  { return e.server }
func (e *mariadbEngine) account() account { return e.user }
func (e *mariadbEngine) recipe() string   { return strings.Join(installArgs, " ") + mariadbUsers }

func (e *mariadbEngine) initialize(ctx context.Context, scratch, data string) error {
	users := filepath.Join(scratch, "users.sql")
	if err := e.user.writeFile(users, mariadbUsers); err != nil {
		return err
	}
	install := e.user.command(ctx, scratch, e.install, append(installArgs, "--datadir="+data, "--extra-file="+users)...)
	out, err := runCommand(install)
	if err == nil && strings.Contains(string(out), "ERROR") {
		err = fmt.Errorf("make the users: %s", out)
	}
	return err
}

func (e *mariadbEngine) configFile(s *Server) string { return filepath.Join(s.dir, "my.cnf") }
func (e *mariadbEngine) socket(s *Server) string     { return filepath.Join(s.dir, "socket") }

func (e *mariadbEngine) configure(s *Server) error {
	own := []setting{
		{"datadir", s.DataDir()},
		{"tmpdir", s.dir},
		{"socket", e.socket(s)},
		{"pid_file", filepath.Join(s.dir, "pid")},
		{"bind_address", "127.0.0.1"},
		{"port", s.portText()},
		{"skip_name_resolve", "ON"},
		{"character_set_server", "utf8mb4"},
		{"default_time_zone", "+00:00"},
		{"local_infile", "ON"},
		{"max_connections", "200"},
		{"max_allowed_packet", "64M"},
		{"innodb_buffer_pool_size", "64M"},
		{"innodb_log_file_size", "16M"},
		{"innodb_temp_data_file_path", "ibtmp1:1M:autoextend"},
		{"innodb_use_native_aio", "OFF"}, // containers often do not allow it
		{"log_bin", "binlog"},
		{"binlog_format", "ROW"},
		{"server_id", s.portText()},
		{"log_bin_trust_function_creators", "ON"}, // else the ordinary user could not make triggers
	}
	if s.options.durable {
		own = append(own, setting{"innodb_flush_log_at_trx_commit", "1"}, setting{"sync_binlog", "1"})
	} else {
		// With 2 a commit is handed to the operating system, and survives Kill; with 0 it would stay in the server for
		// up to a second. Neither waits for the disk.
		own = append(own, setting{"innodb_flush_log_at_trx_commit", "2"}, setting{"sync_binlog", "0"})
	}
	text := "[mariadbd]\n" + settingsText(own, s.options.settings, func(s setting) string { return s.name + " = " + s.value })
	return e.user.writeFile(e.configFile(s), text)
}

func (e *mariadbEngine) command(s *Server) *exec.Cmd {
	return e.user.command(context.Background(), s.dir, e.server, "--defaults-file="+e.configFile(s))
}

func (e *mariadbEngine) stopSignal() syscall.Signal { return syscall.SIGTERM }

func (e *mariadbEngine) quitSignal() syscall.Signal { return syscall.SIGKILL }

func (e *mariadbEngine) crashed(*Server) error { return nil }

func (e *mariadbEngine) url(addr, database string) string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword(User, Password), Host: addr, Path: "/" + database}
	return u.String()
}

func (e *mariadbEngine) home() string { return "" }

// open translates the URL for the driver, which has a notation of its own. Several statements in one Exec are allowed, as
// the other drivers do anyway.
func (e *mariadbEngine) open(address string) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	config := newMySQLConfig()
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	return openMySQLConfig(config)
}

func (e *mariadbEngine) admin(s *Server, database string) (*sql.DB, error) {
	return openMySQLConfig(e.adminConfig(s, database))
}

func (e *mariadbEngine) adminConfig(s *Server, database string) *mysql.Config {
	config := newMySQLConfig()
	config.Net, config.Addr, config.DBName = "unix", e.socket(s), database
	config.User, config.Passwd = mariadbAdmin, mariadbAdminPassword
	return config
}

func newMySQLConfig() *mysql.Config {
	config := mysql.NewConfig()
	config.ParseTime = true
	config.Loc = time.UTC
	config.MultiStatements = true
	config.Logger = &mysql.NopLogger{} // it would write about every killed server to stderr
	return config
}

func openMySQLConfig(config *mysql.Config) (*sql.DB, error) {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (e *mariadbEngine) create(ctx context.Context, admin *sql.DB, database string) error {
	_, err := admin.ExecContext(ctx, `CREATE DATABASE `+quoteMySQL(database))
	return err
}

// drop first ends the sessions in the database: DROP DATABASE waits for their transactions.
func (e *mariadbEngine) drop(ctx context.Context, _ *Server, admin *sql.DB, database string) error {
	var sessions []string
	err := each(ctx, admin, func(id string) { sessions = append(sessions, id) },
		`SELECT id FROM information_schema.processlist WHERE db = ? ORDER BY id`, database)
	if err != nil {
		return err
	}
	const unknownThread = 1094
	for _, id := range sessions {
		_, err := admin.ExecContext(ctx, `KILL `+id)
		if e, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || e.Number != unknownThread) {
			return err
		}
	}
	_, err = admin.ExecContext(ctx, `SET lock_wait_timeout = 10; DROP DATABASE IF EXISTS `+quoteMySQL(database))
	if err != nil {
		return fmt.Errorf("%w (an XA transaction that the test has prepared and not ended keeps its tables locked)", err)
	}
	return nil
}

func quoteMySQL(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
