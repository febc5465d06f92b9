package db

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
)

// OpenOption is an option of [Open], [From] and [FromPgx].
type OpenOption func(*openOptions)

type openOptions struct {
	alias          string
	log            *slog.Logger
	acquireTimeout time.Duration
	interceptors   []Interceptor
	config         dialect.OpenConfig
}

// Alias names the database in messages and contexts; the default is "default".
func Alias(name string) OpenOption { return func(o *openOptions) { o.alias = name } }

// Logger receives warnings about retries and robust hooks; the default discards them.
func Logger(log *slog.Logger) OpenOption { return func(o *openOptions) { o.log = log } }

// MaxConns bounds the number of open connections; the default is 16 on PostgreSQL or the URL's pool_max_conns, and none on MySQL. One block holds one connection. SQLite has one writing connection whatever it says, and at least so many for reading.
func MaxConns(n int) OpenOption { return func(o *openOptions) { o.config.MaxConns = n } }

// DefaultIsolation is the level of transactions that ask for none. The default is the server's on PostgreSQL and READ COMMITTED on
// MySQL and MariaDB, as in Django. A level that the database lacks fails in [Open], before anything is sent.
func DefaultIsolation(level sql.IsolationLevel) OpenOption {
	return func(o *openOptions) { o.config.Isolation = level }
}

// AsIs makes Open leave an SQLite file as it finds it: a file that is missing is an error, in place of being made, and one that has no write-ahead
// log is not given one. On other databases it does nothing: opening changes nothing there.
func AsIs() OpenOption { return func(o *openOptions) { o.config.AsIs = true } }

// AcquireTimeout bounds the wait for a free connection; the default is 30 s. After it the call fails with [*AcquireError].
func AcquireTimeout(d time.Duration) OpenOption {
	return func(o *openOptions) { o.acquireTimeout = d }
}

// Intercept adds an [Interceptor]. It may be given several times; the first one is the outermost.
func Intercept(i Interceptor) OpenOption {
	return func(o *openOptions) { o.interceptors = append(o.interceptors, i) }
}

func openOptionsOf(opts []OpenOption) openOptions {
	o := openOptions{alias: "default", log: slog.New(slog.DiscardHandler), acquireTimeout: 30 * time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Open opens a database by URL and connects to it:
//
//	postgres://user:password@host:5432/name    also postgresql://
//	mysql://user:password@host:3306/name       also mariadb://
//	sqlite:path/to/file.db                     also sqlite:///absolute/path, file:path and sqlite::memory:
//
// Parameters after ? go to the driver (sslmode, tls, _pragma, …). SQLite is opened with a write-ahead log, synchronous=NORMAL, five
// seconds of busy timeout, foreign keys on, and one connection that writes beside several that only read.
//
// The errors, [*OpenError], are one line and hold no password.
func Open(ctx context.Context, url string, opts ...OpenOption) (*DB, error) {
	o := openOptionsOf(opts)
	e, err := engineOf(url)
	if err != nil {
		return nil, &OpenError{Alias: o.alias, Err: err}
	}
	opened, err := e.open(ctx, url, o.config)
	if err != nil {
		return nil, &OpenError{Alias: o.alias, Err: err}
	}
	d := o.db(opened)
	d.url = url
	return d, nil
}

// engine is what can be done with the URLs of a kind of database.
type engine struct {
	open   func(context.Context, string, dialect.OpenConfig) (*dialect.Opened, error)
	client func(string) (*dialect.Client, error)
}

// engineOf finds the dialect of a URL by its scheme.
func engineOf(url string) (engine, error) {
	scheme, _, found := strings.Cut(url, ":")
	switch strings.ToLower(scheme) {
	case "postgres", "postgresql":
		return engine{postgres.Open, postgres.Client}, nil
	case "mysql", "mariadb":
		return engine{mysql.Open, mysql.Client}, nil
	case "sqlite", "sqlite3", "file":
		return engine{sqlite.Open, sqlite.Client}, nil
	}
	if !found || strings.ContainsAny(scheme, "/@ ") { // not a scheme, and perhaps a secret
		return engine{}, &dialect.BadURLError{Reason: "the URL has no scheme: " + knownSchemes}
	}
	return engine{}, &dialect.BadURLError{Reason: fmt.Sprintf("unknown scheme %q: %s", scheme, knownSchemes)}
}

const knownSchemes = "use postgres://, mysql://, mariadb:// or sqlite:"

// From makes a database of a pool that the caller opened and will close. The driver decides the dialect: pgx (stdlib) and
// lib/pq are PostgreSQL, go-sql-driver is MySQL, and any driver whose package is named for it is SQLite. With pgx native access works
// inside blocks. The pool's settings stay as they are: [MaxConns] does nothing, [DefaultIsolation] goes with each BEGIN, and without it
// the server's own default counts. Give an SQLite pool SetMaxOpenConns(1), and MySQL clientFoundRows=true.
// Prefer [FromPgx] to a pool of pgx's stdlib: as of pgx 5.12 that one sends an autocommit statement again when its connection is cut
// while the answer is under way, so that it may be done twice.
func From(pool *sql.DB, opts ...OpenOption) (*DB, error) {
	o := openOptionsOf(opts)
	d, err := dialectOf(pool)
	if err != nil {
		return nil, &OpenError{Alias: o.alias, Err: err}
	}
	return o.adopt(&dialect.Opened{Dialect: d, Pool: pool, Address: d.Name() + " (the program's own pool)", Close: func() error { return nil }})
}

// dialectOf recognises a driver by its type: database/sql keeps no other name of it.
func dialectOf(pool *sql.DB) (dialect.Dialect, error) {
	if _, ok := pool.Driver().(*stdlib.Driver); ok {
		return postgres.Dialect{}, nil
	}
	t := reflect.TypeOf(pool.Driver())
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return nil, &dialect.BadURLError{Reason: "the pool has no driver"}
	}
	path := strings.ToLower(t.PkgPath())
	switch {
	case strings.HasSuffix(path, "lib/pq"), strings.Contains(path, "/pgx"):
		return postgres.Dialect{}, nil
	case strings.Contains(path, "mysql"):
		return mysql.Dialect{}, nil
	case strings.Contains(path, "sqlite"):
		return sqlite.Dialect{}, nil
	}
	return nil, &dialect.BadURLError{Reason: fmt.Sprintf("the driver %s is of no database that drover knows", t)}
}

// FromPgx makes a database of a PostgreSQL pool that the caller opened and will close.
func FromPgx(pool *pgxpool.Pool, opts ...OpenOption) (*DB, error) {
	return openOptionsOf(opts).adopt(postgres.FromPool(pool))
}

// adopt makes a database of a pool that was opened elsewhere. Its connections are not drover's to set, so the default isolation
// level goes with each BEGIN.
func (o openOptions) adopt(opened *dialect.Opened) (*DB, error) {
	if _, err := opened.Dialect.Begin(dialect.TxOptions{Isolation: o.config.Isolation}); err != nil {
		return nil, &OpenError{Alias: o.alias, Err: &dialect.BadURLError{Reason: err.Error()}}
	}
	d := o.db(opened)
	d.isolation = o.config.Isolation
	return d, nil
}

func (o openOptions) db(opened *dialect.Opened) *DB {
	return &DB{core: &core{
		alias:          o.alias,
		opened:         opened,
		dialect:        opened.Dialect,
		log:            o.log,
		acquireTimeout: o.acquireTimeout,
		interceptors:   o.interceptors,
	}}
}

// OpenError says that a database could not be opened. It holds no password.
type OpenError struct {
	Alias string
	Err   error
}

// Error says which and why in one line.
func (e *OpenError) Error() string { return fmt.Sprintf("database %q: %s", e.Alias, e.Err) }

// Unwrap returns the cause; the driver's error is in its chain where there is one.
func (e *OpenError) Unwrap() error { return e.Err }
