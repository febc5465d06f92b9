package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/dialect"
)

// memoryCount numbers the in-memory databases of this process: each Open of one gets its own.
var memoryCount atomic.Int64

// Open opens a file, or a database in memory, with two pools: one connection that writes and several that only
// read. Write-ahead log, synchronous=NORMAL, five seconds of busy timeout, foreign keys on, double quotes only around
// names, times stored as UTC text that SQLite's date functions read. Each connection keeps its last 64 statements compiled.
//
// The URL is sqlite:PATH, sqlite:///ABSOLUTE/PATH, file:PATH or sqlite::memory:. Its query parameters go to the driver
// and to SQLite (mode, immutable, _pragma, _txlock=immediate|deferred|exclusive, _dqs=1, …).
func Open(ctx context.Context, rawURL string, cfg dialect.OpenConfig) (*dialect.Opened, error) {
	if _, err := (Dialect{}).Begin(dialect.TxOptions{Isolation: cfg.Isolation}); err != nil {
		return nil, &dialect.BadURLError{Reason: err.Error()}
	}
	path, params, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	lock, err := lockMode(params)
	if err != nil {
		return nil, err
	}
	opened := &dialect.Opened{Dialect: Dialect{Lock: lock}, Address: path}
	var closers []func() error
	opened.Close = func() error {
		var errs []error
		for _, closer := range slices.Backward(closers) {
			errs = append(errs, closer())
		}
		return errors.Join(errs...)
	}
	memory := path == ":memory:"
	if cfg.AsIs && !memory {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, &dialect.ConnectError{Address: path, Reason: "there is no such file", Advice: checkPath, Err: err}
		}
	}
	if memory {
		// memdb keeps the data for as long as one connection is open; the anchor is that connection.
		path = fmt.Sprintf("/drover-%d", memoryCount.Add(1))
		params.Set("vfs", "memdb")
		setDefault(params, "journal_mode", "MEMORY")
	} else {
		switch readOnly := params.Get("mode") == "ro" || params.Get("immutable") != ""; {
		case readOnly:
		case cfg.AsIs:
			params.Set("mode", "rw") // which makes no file
		default:
			setDefault(params, "journal_mode", "WAL")
		}
		setDefault(params, "synchronous", "NORMAL")
	}
	connector, err := newConnector(path, params)
	if err != nil {
		return nil, err
	}
	if memory {
		anchor, err := connector.Connect(ctx)
		if err != nil {
			return nil, connectError(opened.Address, err)
		}
		closers = append(closers, anchor.Close)
	}
	opened.Pool = pool(connector, 1)
	closers = append(closers, opened.Pool.Close)
	if err := opened.Pool.PingContext(ctx); err != nil {
		return nil, errors.Join(connectError(opened.Address, err), opened.Close())
	}
	if memory {
		return opened, nil // a reader would block the writer's commit: memdb has no write-ahead log
	}
	params.Set("_query_only", "1")
	reading, err := newConnector(path, params)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	opened.Reader = pool(reading, max(4, runtime.GOMAXPROCS(0), cfg.MaxConns))
	closers = append(closers, opened.Reader.Close)
	return opened, nil
}

// shorthands are the driver's other parameters for what a pragma sets.
var shorthands = map[string][]string{
	"busy_timeout": {"_busy_timeout", "_timeout"},
	"foreign_keys": {"_foreign_keys", "_fk"},
	"journal_mode": {"_journal_mode", "_journal"},
	"synchronous":  {"_synchronous", "_sync"},
}

// setDefault adds a pragma unless the URL sets it. The driver runs pragmas sorted by their text, so a second one of the same
// name would win or lose by chance.
func setDefault(params url.Values, pragma, value string) {
	sets := func(given string) bool {
		name := strings.ToLower(strings.TrimSpace(given))
		if end := strings.IndexAny(name, " (="); end >= 0 {
			name = name[:end]
		}
		return strings.TrimPrefix(name, "main.") == pragma
	}
	if !slices.ContainsFunc(params["_pragma"], sets) && !slices.ContainsFunc(shorthands[pragma], params.Has) {
		params.Add("_pragma", pragma+"("+value+")")
	}
}

// parse splits a URL into the file's path and the parameters for the driver.
func parse(rawURL string) (string, url.Values, error) {
	rest := rawURL
	for _, scheme := range []string{"sqlite3:", "sqlite:", "file:"} {
		if after, ok := strings.CutPrefix(rawURL, scheme); ok {
			rest = after
			break
		}
	}
	rest = strings.TrimPrefix(rest, "//")
	path, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, &dialect.BadURLError{Reason: "the parameters after ? cannot be read: " + err.Error()}
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	if path == "" {
		return "", nil, &dialect.BadURLError{Reason: "the URL names no file: write sqlite:PATH or sqlite::memory:"}
	}
	if params.Get("mode") == "memory" {
		path = ":memory:"
		params.Del("mode")
	}
	setDefault(params, "busy_timeout", "5000")
	setDefault(params, "foreign_keys", "1")
	if !params.Has("_dqs") { // a misspelt "name" is an error and not a string (SQLite manual, quirks)
		params.Set("_dqs", "0")
	}
	params.Set("_time_format", "sqlite")
	params.Set("_timezone", "UTC")
	return path, params, nil
}

func lockMode(params url.Values) (string, error) {
	switch mode := strings.ToUpper(params.Get("_txlock")); mode {
	case "":
		params.Set("_txlock", "immediate") // for database/sql code that begins its own transaction on the pool
		return "IMMEDIATE", nil
	case "IMMEDIATE", "DEFERRED", "EXCLUSIVE":
		return mode, nil
	default:
		return "", &dialect.BadURLError{Reason: fmt.Sprintf("unknown _txlock %q: use immediate, deferred or exclusive", params.Get("_txlock"))}
	}
}

// uri names the file so that SQLite reads its own parameters too; the path is escaped as the URI rules want it.
func uri(path string, params url.Values) string {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params.Encode()
	if strings.HasPrefix(path, "/") { // an empty authority, so that a second slash is not taken for the beginning of one
		name = "file://" + strings.TrimPrefix(name, "file:")
	}
	return name
}

func newConnector(path string, params url.Values) (driver.Connector, error) {
	connector, err := sqlite.NewConnector(uri(path, params))
	if err != nil {
		return nil, &dialect.BadURLError{Reason: dialect.OneLine(err.Error())}
	}
	return connector, nil
}

// pool opens a pool that keeps its connections: opening one costs more than the statement it is for. Each keeps its statements,
// too.
func pool(connector driver.Connector, conns int) *sql.DB {
	p := sql.OpenDB(cachingConnector{connector})
	p.SetMaxOpenConns(conns)
	p.SetMaxIdleConns(conns)
	return p
}

const checkPath = "check the path of the database's URL, and that you may read the file and write to its folder"

func connectError(path string, err error) error {
	return &dialect.ConnectError{Address: path, Reason: dialect.OneLine(err.Error()), Advice: checkPath, Err: err}
}
