package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/xo/dburl"

	"github.com/drover-dev/drover/internal/dialect"
)

// Open opens a pool on a MySQL or MariaDB URL. Rows matched count as affected, times travel as UTC, parameters are
// interpolated by the driver (one round trip a statement), and READ COMMITTED is the level where none is configured,
// as in Django: MySQL's own default takes gap locks.
func Open(ctx context.Context, rawURL string, cfg dialect.OpenConfig) (*dialect.Opened, error) {
	given, mc, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	mc.ClientFoundRows = true
	mc.ParseTime = true
	mc.Loc = time.UTC
	mc.InterpolateParams = true
	mc.Logger = &mysql.NopLogger{} // its errors come back as errors too
	mc.DialFunc = dial
	if mc.Timeout == 0 {
		mc.Timeout = 10 * time.Second
	}
	level := cfg.Isolation
	if level == sql.LevelDefault {
		level = sql.LevelReadCommitted
	}
	name, err := isolation(level)
	if err != nil {
		return nil, &dialect.BadURLError{Reason: err.Error()}
	}
	connector, err := mysql.NewConnector(mc)
	if err != nil {
		return nil, badURL(given, err)
	}
	pool := sql.OpenDB(dialect.Setup{Connector: cachingConnector{connector}, Statements: []string{
		"SET SESSION TRANSACTION ISOLATION LEVEL " + name,
		"SET time_zone = '+00:00'",
	}})
	if cfg.MaxConns > 0 {
		pool.SetMaxOpenConns(cfg.MaxConns)
		pool.SetMaxIdleConns(cfg.MaxConns)
	}
	address := fmt.Sprintf("%s@%s/%s", mc.User, mc.Addr, mc.DBName)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(connectError(address, mc.Passwd, err), pool.Close())
	}
	return &dialect.Opened{Dialect: Dialect{}, Pool: pool, Address: address, Close: pool.Close}, nil
}

// parse reads a URL as the driver does.
func parse(rawURL string) (*url.URL, *mysql.Config, error) {
	given, err := dialect.ServerURL(rawURL)
	if err != nil {
		return nil, nil, err
	}
	u, err := dburl.Parse(rawURL)
	if err != nil {
		return nil, nil, badURL(given, err)
	}
	mc, err := mysql.ParseDSN(u.DSN)
	if err != nil {
		return nil, nil, badURL(given, err)
	}
	if !given.Query().Has("sql_mode") {
		delete(mc.Params, "sql_mode") // dburl's default is "ansi", which ends strict mode: values would be cut to fit
	}
	return given, mc, nil
}

func badURL(given *url.URL, err error) error {
	password, _ := given.User.Password()
	return &dialect.BadURLError{Reason: "the URL cannot be read: " + dialect.Redact(dialect.OneLine(err.Error()), given.String(), given.User.String(), password)}
}

func connectError(address, password string, err error) error {
	reason, advice := dialect.NetworkReason(err), dialect.CheckServer
	var me *mysql.MySQLError
	switch {
	case errors.As(err, &me):
		reason, advice = me.Message, dialect.CheckLogin
	case errors.Is(err, mysql.ErrInvalidConn): // the driver keeps the cause to itself
		reason = "no answer in time, or the server closed the connection"
	case reason == "":
		reason = dialect.OneLine(err.Error())
	}
	return &dialect.ConnectError{Address: address, Reason: dialect.Redact(reason, password), Advice: advice, Err: err}
}
