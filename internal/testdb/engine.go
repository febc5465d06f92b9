package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// installHint ends every error about something missing on the machine.
const installHint = "run `make test`, which installs the servers, or scripts/install-servers.sh as root"

// The user that tests connect as, on every server. It may do what the user of an application may: everything in its own
// databases, and make databases. It is not an administrator.
const (
	User     = "drover"
	Password = "s3cret-drover"
)

// engine is everything that differs between the servers.
type engine interface {
	// name is "postgres" or "mariadb".
	name() string

	// program is the path of the server program.
	program() string

	// account is the system's user that the server runs as.
	account() account

	// recipe changes whenever initialize would make another data directory.
	recipe() string

	// initialize fills the empty folder data; scratch is an empty folder for its own use.
	initialize(ctx context.Context, scratch, data string) error

	// configure writes the settings of a server before each of its starts.
	configure(s *Server) error

	// command returns the server program in the foreground.
	command(s *Server) *exec.Cmd

	// stopSignal asks the server to shut down cleanly, without waiting for its clients.
	stopSignal() syscall.Signal

	// quitSignal ends the server at once, with all its processes and shared memory but without caring for its data. The
	// kernel also sends it when the test binary dies.
	quitSignal() syscall.Signal

	// crashed tidies up what a crash of the whole machine would not have left behind either.
	crashed(s *Server) error

	// url is the address of a database in drover's notation.
	url(addr, database string) string

	// home is the database that is always there; empty when a login needs none.
	home() string

	// open opens a URL with the plain driver.
	open(url string) (*sql.DB, error)

	// admin opens a database of the server as its administrator, over its socket.
	admin(s *Server, database string) (*sql.DB, error)

	// create makes an empty database that belongs to the ordinary user.
	create(ctx context.Context, admin *sql.DB, database string) error

	// drop removes a database together with everything that keeps it in use.
	drop(ctx context.Context, s *Server, admin *sql.DB, database string) error

	// dumper reads a database of the server for Database.Dump.
	dumper(s *Server, database string) dumper

	// replication is how a new standby follows its primary, and standby an option of its server.
	replication() replication
	standby(o *options)
}

// findProgram looks for a program on the PATH and then in the folders that match the patterns, the last match first: of
// several versions the newest.
func findProgram(name string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		// What belongs to the program lies beside it, not beside a link to it.
		return filepath.EvalSymlinks(path)
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", err
		}
		for _, match := range slices.Backward(matches) {
			if info, err := os.Stat(match); err == nil && info.Mode()&0o111 != 0 {
				return match, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed: %s", name, installHint)
}

// settingsText renders settings as the lines of a configuration file: the engine's own, then those of the options, of
// which the last wins.
func settingsText(own, more []setting, line func(setting) string) string {
	var text strings.Builder
	for _, s := range slices.Concat(own, more) {
		text.WriteString(line(s))
		text.WriteByte('\n')
	}
	return text.String()
}

// withAdmin calls fn with an administrator's connection that is closed afterwards.
func (s *Server) withAdmin(fn func(admin *sql.DB) error) (err error) {
	admin, err := s.engine.admin(s, s.engine.home())
	if err != nil {
		return err
	}
	admin.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, admin.Close()) }()
	return fn(admin)
}
