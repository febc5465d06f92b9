package testdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresAdmin is the superuser; it logs in over the socket only, which lies in a closed folder.
const postgresAdmin = "postgres"

// postgresAccess lets the harness in over the socket, and everyone else over TCP with a password.
const postgresAccess = `local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
`

// postgresUser makes the ordinary user. REPLICATION is what tools need that read the write-ahead log; like the user of
// MariaDB it may look at the server's sessions and replication.
const postgresUser = `CREATE ROLE ` + User + ` LOGIN CREATEDB REPLICATION PASSWORD '` + Password + `'
GRANT pg_read_all_stats TO ` + User + `
`

var initdbArgs = []string{
	"--username=" + postgresAdmin, "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync",
	// Small segments make the data directory small, which is copied for every test binary.
	"--wal-segsize=4",
}

type postgresEngine struct {
	bin  string
	user account
}

var _ engine = (*postgresEngine)(nil)

func newPostgresEngine() (*postgresEngine, error) {
	program, err := findProgram("postgres", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
	if err != nil {
		return nil, err
	}
	user, err := serverAccount("postgres")
	if err != nil {
		return nil, err
	}
	return &postgresEngine{bin: filepath.Dir(program), user: user}, nil
}

func (e *postgresEngine) name() string     { return "postgres" }
func (e *postgresEngine) program() string  { return filepath.Join(e.bin, "postgres") }
func (e *postgresEngine) account() account { return e.user }
func (e *postgresEngine) recipe() string   { return strings.Join(initdbArgs, " ") + postgresUser }

func (e *postgresEngine) initialize(ctx context.Context, scratch, data string) error {
	initdb := e.user.command(ctx, scratch, filepath.Join(e.bin, "initdb"), append(initdbArgs, "--pgdata="+data)...)
	if _, err := runCommand(initdb); err != nil {
		return err
	}
	single := e.user.command(ctx, scratch, e.program(), "--single", "-D", data, "postgres")
	single.Stdin = strings.NewReader(postgresUser)
	out, err := runCommand(single)
	if err == nil && bytes.Contains(out, []byte("ERROR")) {
		err = fmt.Errorf("make the user %s: %s", User, out)
	}
	return err
}

func (e *postgresEngine) configure(s *Server) error {
	own := []setting{
		{"listen_addresses", "127.0.0.1"},
		{"port", s.portText()},
		{"unix_socket_directories", s.dir},
		{"max_connections", "200"},
		{"shared_buffers", "32MB"},
		{"dynamic_shared_memory_type", "mmap"}, // in the data directory, where a crash leaves no litter
		{"max_prepared_transactions", "20"},
		{"wal_level", "logical"},
		{"max_wal_senders", "10"},
		{"max_wal_size", "256MB"},
		{"autovacuum", "off"}, // it changes plans and keeps databases busy at times that no test chooses
		{"log_checkpoints", "off"},
		{"log_line_prefix", "%m [%p] %u@%d "},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
		{"lc_messages", "C"},
	}
	if !s.options.durable {
		own = append(own, setting{"fsync", "off"}, setting{"full_page_writes", "off"})
	}
	text := settingsText(own, s.options.settings, func(s setting) string {
		return s.name + " = '" + strings.ReplaceAll(s.value, "'", "''") + "'"
	})
	return errors.Join(
		e.user.writeFile(filepath.Join(s.DataDir(), "postgresql.conf"), text),
		e.user.writeFile(filepath.Join(s.DataDir(), "pg_hba.conf"), postgresAccess),
	)
}

func (e *postgresEngine) command(s *Server) *exec.Cmd {
	return e.user.command(context.Background(), s.dir, e.program(), "-D", s.DataDir())
}

func (e *postgresEngine) stopSignal() syscall.Signal { return syscall.SIGINT }

// quitSignal is the immediate shutdown: the server ends its sessions itself. Killed, it would leave a busy one to finish
// its statement.
func (e *postgresEngine) quitSignal() syscall.Signal { return syscall.SIGQUIT }

// crashed removes the lock file and the shared memory that it names: the death of a machine leaves no shared memory.
func (e *postgresEngine) crashed(s *Server) error {
	name := filepath.Join(s.DataDir(), "postmaster.pid")
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// The seventh line holds the key and the number of the segment.
	if lines := strings.Split(string(text), "\n"); len(lines) > 6 {
		if fields := strings.Fields(lines[6]); len(fields) == 2 {
			if id, err := strconv.Atoi(fields[1]); err == nil {
				removeSharedMemory(id)
			}
		}
	}
	return os.Remove(name)
}

func (e *postgresEngine) url(addr, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: addr, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

func (e *postgresEngine) home() string { return "postgres" }

func (e *postgresEngine) open(url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}

func (e *postgresEngine) admin(s *Server, database string) (*sql.DB, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = s.dir, uint16(s.port)
	config.User, config.Database = postgresAdmin, database
	return stdlib.OpenDB(*config), nil
}

func (e *postgresEngine) create(ctx context.Context, admin *sql.DB, database string) error {
	var version int
	if err := admin.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	statement := `CREATE DATABASE ` + quotePG(database) + ` OWNER ` + User + ` TEMPLATE template0`
	if version >= 150000 {
		// For a small template this takes two thirds of the time of the default, WAL_LOG.
		statement += ` STRATEGY FILE_COPY`
	}
	_, err := admin.ExecContext(ctx, statement)
	return err
}

// drop first ends the prepared transactions and the unused replication slots of the database, which keep it in use even
// against FORCE.
func (e *postgresEngine) drop(ctx context.Context, s *Server, admin *sql.DB, database string) error {
	var gids []string
	err := each(ctx, admin, func(gid string) { gids = append(gids, gid) },
		`SELECT gid FROM pg_prepared_xacts WHERE database = $1 ORDER BY gid`, database)
	if err != nil {
		return err
	}
	if err := e.rollbackPrepared(ctx, s, database, gids); err != nil {
		return err
	}
	_, err = admin.ExecContext(ctx,
		`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active`, database)
	if err != nil {
		return err
	}
	_, err = admin.ExecContext(ctx, `DROP DATABASE IF EXISTS `+quotePG(database)+` WITH (FORCE)`)
	return err
}

// rollbackPrepared rolls prepared transactions back, which must be done in their own database.
func (e *postgresEngine) rollbackPrepared(ctx context.Context, s *Server, database string, gids []string) (err error) {
	if len(gids) == 0 {
		return nil
	}
	db, err := e.admin(s, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, gid := range gids {
		if _, err := db.ExecContext(ctx, `ROLLBACK PREPARED '`+strings.ReplaceAll(gid, "'", "''")+`'`); err != nil {
			return err
		}
	}
	return nil
}

func quotePG(name string) string { return pgx.Identifier{name}.Sanitize() }
