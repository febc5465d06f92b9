package dialect

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
)

// OpenConfig is what the caller decides about a connection pool.
type OpenConfig struct {
	// MaxConns bounds the pool; 0 is the driver's default. SQLite keeps one writer whatever it says.
	MaxConns int
	// Isolation is the level of transactions that ask for none; LevelDefault leaves it to the dialect.
	Isolation sql.IsolationLevel
	// AsIs leaves an SQLite file as it is: one that is missing is not made, and the journal is not switched.
	AsIs bool
}

// Opened is one configured database, ready for use.
type Opened struct {
	Dialect Dialect
	// Pool is the pool that database/sql code uses and that blocks take their connection from.
	Pool *sql.DB
	// Reader is a second pool for statements that only read, where a database has a single writer; else nil.
	Reader *sql.DB
	// Native is PostgreSQL's own pool, below Pool; else nil.
	Native *pgxpool.Pool
	// Address says where the database is, without a password: "app@db1.internal:5432/app" or a path.
	Address string
	// Close closes the pools in order.
	Close func() error
}

// BadURLError says that a database URL cannot be used. It never holds the URL, which may hold a password.
type BadURLError struct {
	Reason string
}

// Error says why in one line.
func (e *BadURLError) Error() string { return e.Reason }

// ServerURL reads the URL of a server. It refuses a URL in which a part of the password stands where it would be shown: a
// character / ? or # in it that is not escaped ends the user's part early.
func ServerURL(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" || misplacedAt(rawURL) {
		// The parser's own words quote the URL, and not always as a whole.
		return nil, &BadURLError{Reason: "the URL cannot be read: write SCHEME://USER:PASSWORD@HOST:PORT/DATABASE and escape special characters in the password (%2F for /, %40 for @, %25 for %)"}
	}
	return u, nil
}

// misplacedAt reports whether an @ stands behind the host and in no parameter's value.
func misplacedAt(rawURL string) bool {
	_, rest, _ := strings.Cut(rawURL, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		return false
	}
	path, query, _ := strings.Cut(rest[end:], "?")
	if strings.ContainsAny(path, "@#") || strings.Contains(query, "#") {
		return true
	}
	for parameter := range strings.SplitSeq(query, "&") {
		if key, _, _ := strings.Cut(parameter, "="); strings.Contains(key, "@") {
			return true
		}
	}
	return false
}

// ConnectError says that a database did not let us in. It holds no password.
type ConnectError struct {
	Address string
	Reason  string
	Advice  string // what to try
	Err     error  // the driver's error; its text may be long and is not shown
}

// What to try when a server does not let us in.
const (
	CheckServer = "check the host and the port of the database's URL, and that the server is up"
	CheckLogin  = "check the user, the password, the database and the options of the database's URL"
)

// Error says where and why in one line.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("cannot connect to %s: %s", e.Address, e.Reason)
}

// Hint says what to look at.
func (e *ConnectError) Hint() string { return e.Advice }

// Unwrap returns the driver's error.
func (e *ConnectError) Unwrap() error { return e.Err }

// NetworkReason puts the cause of a failed connection in a few words, or returns "" when err is not a matter
// of the network.
func NetworkReason(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("host %q is unknown", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "host unreachable"
	}
	return ""
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// Lost reports whether err says that the connection is gone, in the errors that all drivers share.
func Lost(err error) bool {
	var op *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op)
}

// Redact replaces every secret in text, so that a driver's message can be shown.
func Redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	return text
}

// OneLine folds a driver's message into one line.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Setup is a connector whose connections have run statements before their first use.
type Setup struct {
	driver.Connector
	Statements []string
}

// Connect connects and runs the statements; when one fails the connection is closed and its error returned.
func (s Setup) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, query := range s.Statements {
		if err := Exec(ctx, conn, query); err != nil {
			return nil, errors.Join(fmt.Errorf("set up connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// Exec sends one statement without parameters on a driver connection.
func Exec(ctx context.Context, conn driver.Conn, query string) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return execPrepared(ctx, conn, query)
	}
	_, err := execer.ExecContext(ctx, query, nil)
	if errors.Is(err, driver.ErrSkip) {
		return execPrepared(ctx, conn, query)
	}
	return err
}

func execPrepared(ctx context.Context, conn driver.Conn, query string) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	if s, ok := stmt.(driver.StmtExecContext); ok {
		_, err = s.ExecContext(ctx, nil)
		return err
	}
	_, err = stmt.Exec(nil) //nolint:staticcheck // a driver without contexts has nothing newer
	return err
}
