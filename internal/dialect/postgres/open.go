package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/drover-dev/drover/internal/dialect"
)

// cancelGrace is how long a cancelled statement may take to end on the server before its connection is closed.
const cancelGrace = 5 * time.Second

// defaultConns is how many connections there may be where nothing says so. They are opened when they are needed; pgxpool's own bound, 4 or the
// number of CPUs, is less than a run with a few workers needs.
const defaultConns = 16

// Open opens a pgxpool.Pool and a *sql.DB over it, so that native pgx and database/sql share the connections.
func Open(ctx context.Context, rawURL string, cfg dialect.OpenConfig) (*dialect.Opened, error) {
	given, err := dialect.ServerURL(rawURL)
	if err != nil {
		return nil, err
	}
	pc, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return nil, badURL(given, err)
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(min(cfg.MaxConns, 1<<16))
	} else if !given.Query().Has("pool_max_conns") {
		pc.MaxConns = max(pc.MaxConns, defaultConns)
	}
	params := pc.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "drover"
	}
	switch cfg.Isolation {
	case sql.LevelDefault:
	case sql.LevelSnapshot:
		params["default_transaction_isolation"] = "repeatable read"
	default:
		if _, err := (Dialect{}).Begin(dialect.TxOptions{Isolation: cfg.Isolation}); err != nil {
			return nil, &dialect.BadURLError{Reason: err.Error()}
		}
		params["default_transaction_isolation"] = strings.ToLower(cfg.Isolation.String())
	}
	// A cancelled context asks the server to cancel the statement and keeps the connection, so that the
	// transaction can still be rolled back on it; pgx's default closes it.
	pc.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelGrace}
	}
	pc.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	pc.ShouldPing = shouldPing
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, connectError(pc.ConnConfig, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, connectError(pc.ConnConfig, err)
	}
	opened := FromPool(pool)
	closeBase := opened.Close
	opened.Close = func() error {
		err := closeBase()
		pool.Close()
		return err
	}
	return opened, nil
}

// FromPool wraps a pool of the caller's, which Close leaves open.
func FromPool(pool *pgxpool.Pool) *dialect.Opened {
	base := openDB(pool)
	return &dialect.Opened{
		Dialect: Dialect{},
		Pool:    base,
		Native:  pool,
		Address: address(pool.Config().ConnConfig),
		Close:   base.Close,
	}
}

func address(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s@%s:%d/%s", c.User, c.Host, c.Port, c.Database)
}

// badURL says what is wrong with a URL that pgx does not take. pgx shows the URL with the password masked; the
// line here leaves the URL out altogether.
func badURL(given *url.URL, err error) error {
	reason := "the URL cannot be read"
	if parse := new(pgconn.ParseConfigError); errors.As(err, &parse) && parse.Unwrap() != nil {
		reason += ": " + dialect.OneLine(parse.Unwrap().Error())
	}
	password, _ := given.User.Password()
	return &dialect.BadURLError{Reason: dialect.Redact(reason, given.String(), given.User.String(), password)}
}

func connectError(c *pgx.ConnConfig, err error) error {
	reason, advice := dialect.NetworkReason(err), dialect.CheckServer
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe):
		reason, advice = pe.Message, dialect.CheckLogin
	case reason == "":
		reason = dialect.OneLine(err.Error())
	}
	return &dialect.ConnectError{Address: address(c), Reason: dialect.Redact(reason, c.Password), Advice: advice, Err: err}
}
