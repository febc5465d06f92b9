package harness

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open opens the database of a URL in drover's notation by its plain driver, with the settings that drover gives it.
func Open(address string) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "postgres":
		config, err := pgx.ParseConfig(address)
		if err != nil {
			return nil, err
		}
		return stdlib.OpenDB(*config), nil
	case "mysql":
		connector, err := mysql.NewConnector(mysqlConfig(u))
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	case "sqlite":
		pool, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(address, "sqlite:")+"?_txlock=immediate&_pragma=busy_timeout(5000)"+
			"&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_time_format=sqlite")
		if err != nil {
			return nil, err
		}
		pool.SetMaxOpenConns(1)
		return pool, nil
	}
	return nil, fmt.Errorf("no driver for %s", u.Scheme)
}

func mysqlConfig(u *url.URL) *mysql.Config {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.InterpolateParams = true
	config.ClientFoundRows = true
	config.ParseTime = true
	config.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'"}
	return config
}
