package runstore

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// migrations holds a folder for each dialect: the version table and the migrations. Every statement bears repeating, since MySQL commits each
// table by itself and may be interrupted between two.
//
//go:embed migrations
var migrations embed.FS

// versionTable is the table that goose notes the applied migrations in.
const versionTable = "drover_schema"

// createVersionTable is the file with its definition; goose takes no notice of a file without a number.
const createVersionTable = "version.sql"

// latest is the version of the last migration.
const latest = 1

// folder returns a dialect's migrations.
func folder(d dialect.Dialect) (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations/"+d.Name())
	if err != nil {
		return nil, fmt.Errorf("find the migrations: %w", err)
	}
	return files, nil
}

// Schema says how far a database's tables are.
type Schema int

// What there can be of the tables.
const (
	SchemaMissing Schema = iota // none
	SchemaOlder                 // those of an earlier version of drover, or a part of them
	SchemaCurrent               // this version's
	SchemaNewer                 // those of a later version
)

// Schema looks at the version of the tables, with one small query.
func (s *Store) Schema(ctx context.Context) (Schema, error) {
	have, err := s.version(ctx)
	switch {
	case errors.Is(err, db.ErrUndefinedTable):
		return SchemaMissing, nil
	case err != nil:
		return SchemaMissing, fmt.Errorf("read the version of the drover tables: %w", err)
	case have > latest:
		return SchemaNewer, nil
	case have < latest:
		return SchemaOlder, nil
	}
	return SchemaCurrent, nil
}

// Ready says whether the tables can be used: nil, [ErrNoTables] or [ErrNewer].
func (s *Store) Ready(ctx context.Context) error {
	switch have, err := s.Schema(ctx); {
	case err != nil:
		return err
	case have == SchemaNewer:
		return ErrNewer
	case have != SchemaCurrent:
		return ErrNoTables
	}
	return nil
}

// Tables are the names of the tables.
func Tables() []string {
	return []string{"drover_runs", "drover_shards", "drover_quarantine", "drover_undo", "drover_events", versionTable}
}

// version returns the last migration that was applied.
func (s *Store) version(ctx context.Context) (have int64, err error) {
	read := func(ctx context.Context) error {
		return s.each(ctx, `SELECT COALESCE(MAX("version_id"), 0) FROM "drover_schema"`, nil, func(scan scan) error { return scan(&have) })
	}
	if s.conn.InBlock(ctx) { // in a savepoint, so that a missing table does not break the block
		return have, s.conn.Atomic(ctx, read)
	}
	return have, read(ctx)
}

// Init makes the tables or brings them up to date, and reports whether there was anything to do. Several processes may call it at once, and it
// may be called again after it was interrupted. The error is [ErrNewer] where the tables are newer than this program. On MySQL it cannot be
// called in a block: [db.ErrImplicitCommit].
func (s *Store) Init(ctx context.Context) (changed bool, err error) {
	if err := s.Ready(ctx); !errors.Is(err, ErrNoTables) {
		return false, err
	}
	switch features := s.conn.Dialect().Features(); {
	case !features.ImplicitCommit:
		changed, err = s.initInBlock(ctx)
	case s.conn.InBlock(ctx):
		err = db.ErrImplicitCommit
	default:
		changed, err = s.migrate(ctx, goose.WithSessionLocker(schemaLock{features.SchemaLock, features.SchemaUnlock}))
	}
	if err != nil && !errors.Is(err, ErrNewer) {
		err = fmt.Errorf("make the drover tables: %w", s.conn.Wrap("migrate", err))
	}
	return changed, err
}

// initInBlock makes all the tables in one transaction. It begins with a lock, so that whoever waited for another process sees what that has made.
func (s *Store) initInBlock(ctx context.Context) (changed bool, err error) {
	opts := []db.BlockOption{db.Retry(retries)}
	if !s.conn.InBlock(ctx) { // a higher level would look at the tables as they were before the lock
		opts = append(opts, db.Isolation(sql.LevelReadCommitted))
	}
	err = s.conn.Atomic(ctx, func(ctx context.Context) (err error) {
		if lock := s.conn.Dialect().Features().SchemaLock; lock != "" {
			if err := s.conn.QueryRow(ctx, lock).Scan(new(int64)); err != nil {
				return err
			}
		}
		changed, err = s.migrate(ctx)
		return err
	}, opts...)
	return changed && err == nil, err
}

// migrate applies what is missing. goose's own Up makes its version table before it takes the lock; applying one version after another does not.
func (s *Store) migrate(ctx context.Context, opts ...goose.ProviderOption) (changed bool, err error) {
	files, err := folder(s.conn.Dialect())
	if err != nil {
		return false, err
	}
	create, err := fs.ReadFile(files, createVersionTable)
	if err != nil {
		return false, fmt.Errorf("read the version table's definition: %w", err)
	}
	// goose would do it too, but tries for three seconds where it may not.
	if err := s.conn.Exec(ctx, string(create)); err != nil {
		return false, err
	}
	opts = append(opts, goose.WithStore(versions{s.conn.Dialect(), string(create)}), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(goose.DialectCustom, s.conn.SQL(ctx), files, opts...)
	if err != nil {
		return false, err
	}
	for _, source := range provider.ListSources() {
		_, err := provider.ApplyVersion(ctx, source.Version, true)
		switch {
		case err == nil:
			changed = true
		case !errors.Is(err, goose.ErrAlreadyApplied):
			return changed, err
		}
	}
	return changed, nil
}

// schemaLock holds the lock of a database without transactional DDL while goose works.
type schemaLock struct{ lock, unlock string }

var errSchemaLock = errors.New("another process has been changing the drover tables for too long")

// SessionLock waits for the lock.
func (l schemaLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, l.lock).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errSchemaLock
	}
	return nil
}

// SessionUnlock gives the lock back. It would end with the connection too.
func (l schemaLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	return conn.QueryRowContext(ctx, l.unlock).Scan(new(sql.NullInt64))
}

// versions is goose's version table. goose's own store does not know whether a SQLite table is there without a statement that fails, which would
// break a block, and makes a table that must not be there yet.
type versions struct {
	dialect dialect.Dialect
	create  string
}

var _ database.StoreExtender = versions{}

// Tablename returns the table's name.
func (versions) Tablename() string { return versionTable }

// TableExists reports whether the table is there with its first row, which goose's tools want.
func (v versions) TableExists(ctx context.Context, conn database.DBTxConn) (bool, error) {
	_, err := v.dialect.Table(ctx, queryer{conn, v.dialect.Syntax()}, versionTable)
	if errors.Is(err, dialect.ErrNoTable) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	_, err = v.GetMigration(ctx, conn, 0)
	if errors.Is(err, database.ErrVersionNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CreateVersionTable makes the table where it is missing.
func (v versions) CreateVersionTable(ctx context.Context, conn database.DBTxConn) error {
	_, err := conn.ExecContext(ctx, v.create)
	return err
}

// Insert notes a version.
func (v versions) Insert(ctx context.Context, conn database.DBTxConn, req database.InsertRequest) error {
	return v.exec(ctx, conn, "INSERT INTO drover_schema (version_id, is_applied) VALUES (?, TRUE)", req.Version)
}

// Delete takes a version back.
func (v versions) Delete(ctx context.Context, conn database.DBTxConn, version int64) error {
	return v.exec(ctx, conn, "DELETE FROM drover_schema WHERE version_id = ?", version)
}

func (v versions) exec(ctx context.Context, conn database.DBTxConn, query string, version int64) error {
	query, _, err := sqltext.Rebind(v.dialect.Syntax(), query)
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, query, version)
	return err
}

// GetMigration reads one version.
func (v versions) GetMigration(ctx context.Context, conn database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	query, _, err := sqltext.Rebind(v.dialect.Syntax(), "SELECT tstamp, is_applied FROM drover_schema WHERE version_id = ? ORDER BY id DESC LIMIT 1")
	if err != nil {
		return nil, err
	}
	var at moment
	var result database.GetMigrationResult
	err = conn.QueryRowContext(ctx, query, version).Scan(&at, &result.IsApplied)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, database.ErrVersionNotFound
	} else if err != nil {
		return nil, err
	}
	result.Timestamp = at.Time
	return &result, nil
}

// GetLatestVersion reads the highest version.
func (v versions) GetLatestVersion(ctx context.Context, conn database.DBTxConn) (int64, error) {
	var have sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT MAX(version_id) FROM drover_schema").Scan(&have)
	if err == nil && !have.Valid {
		err = database.ErrVersionNotFound
	}
	return have.Int64, err
}

// ListMigrations reads all versions, the last one first.
func (v versions) ListMigrations(ctx context.Context, conn database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	var all []*database.ListMigrationsResult
	err := dialect.Each(ctx, queryer{conn, v.dialect.Syntax()}, "SELECT version_id, is_applied FROM drover_schema ORDER BY id DESC", nil, func(scan func(...any) error) error {
		m := &database.ListMigrationsResult{}
		all = append(all, m)
		return scan(&m.Version, &m.IsApplied)
	})
	return all, err
}

// queryer makes a dialect.Queryer of a connection.
type queryer struct {
	conn   database.DBTxConn
	syntax sqltext.Syntax
}

// Query runs a query, with `?` as in package db.
func (q queryer) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	query, _, err := sqltext.Rebind(q.syntax, query)
	if err != nil {
		return nil, err
	}
	return q.conn.QueryContext(ctx, query, args...)
}

// annotation is a line for goose alone.
var annotation = regexp.MustCompile(`(?m)^-- \+goose .*\n+`)

// SQL returns the statements that Init would run on an empty database, to be read or to be run by hand; [Store.Init] then finds nothing to do. They
// can be run twice.
func SQL(d dialect.Dialect) (string, error) {
	files, err := folder(d)
	if err != nil {
		return "", err
	}
	names, err := fs.Glob(files, "[0-9]*.sql")
	if err != nil {
		return "", fmt.Errorf("list the migrations: %w", err)
	}
	var parts []string
	for i, name := range append([]string{createVersionTable}, names...) {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return "", fmt.Errorf("read a migration: %w", err)
		}
		// goose numbers the first row, the version table's own, 0 and the migrations from 1.
		parts = append(parts, string(bytes.TrimSpace(annotation.ReplaceAll(text, nil))), applied(i))
	}
	return strings.Join(parts, "\n\n") + "\n", nil
}

// applied notes a version unless it is noted.
func applied(version int) string {
	n := strconv.Itoa(version)
	return "INSERT INTO drover_schema (version_id, is_applied)\nSELECT " + n + ", TRUE FROM (SELECT 1 AS one) AS once\n" +
		"WHERE NOT EXISTS (SELECT 1 FROM drover_schema WHERE version_id = " + n + ");"
}
