package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// variablesQuery reads what the server says of its log. A server has only those of the variables that its kind knows, so that they tell MariaDB
// from MySQL.
const variablesQuery = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_binlog_pos', 'gtid_binlog_state', 'gtid_slave_pos', 'gtid_mode', 'gtid_executed')`

// The kinds of positions.
const (
	mariadbPosition = "mariadb:"
	mysqlPosition   = "mysql:"
)

// Standing asks the server (MariaDB's manual, "Global Transaction ID"; MySQL's manual, "Replication with Global Transaction Identifiers"). The
// form of MySQL 8.0.22 and later is written from the manual alone: no test runs on MySQL.
func (Dialect) Standing(ctx context.Context, q dialect.Queryer) (dialect.Standing, error) {
	var s dialect.Standing
	log, err := readVariables(ctx, q)
	if err != nil {
		return s, err
	}
	applied, maria := log["gtid_slave_pos"]
	status := "SHOW REPLICA STATUS"
	if maria {
		status = "SHOW ALL SLAVES STATUS"
	}
	sources, err := readSources(ctx, q, status)
	if err != nil {
		return s, err
	}
	s.Replica = len(sources) > 0
	for _, source := range sources {
		source.judge(&s)
	}
	switch {
	case maria && s.Replica:
		s.Position = mariadbPosition + applied
	case maria:
		s.Position = mariadbPosition + laterGTIDs(log["gtid_binlog_pos"], applied)
	case log["gtid_mode"] == "ON":
		s.Position = mysqlPosition + strings.Join(strings.Fields(log["gtid_executed"]), "")
	}
	if !(Dialect{}).ValidPosition(s.Position) {
		s.Unsure = fmt.Errorf("%w: its binary log is off or empty, or has no global transaction ids", dialect.ErrNoReplication)
	}
	return s, nil
}

func readVariables(ctx context.Context, q dialect.Queryer) (map[string]string, error) {
	values := map[string]string{}
	err := dialect.Each(ctx, q, variablesQuery, nil, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		values[strings.ToLower(name)] = value
		return err
	})
	return values, err
}

// source is one row of the status of replication: a primary that the server follows.
type source map[string]string

// readSources reads the rows by their columns' names: there are many columns, and each version adds some. A column that is NULL is left out.
func readSources(ctx context.Context, q dialect.Queryer, query string) (sources []source, err error) {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		row := source{}
		for i, name := range columns {
			if values[i].Valid {
				row[name] = values[i].String
			}
		}
		sources = append(sources, row)
	}
	return sources, rows.Err()
}

// get returns a column, by MariaDB's name or by MySQL's newer one.
func (s source) get(name string) (string, bool) {
	value, ok := s[name]
	if !ok {
		value, ok = s[strings.NewReplacer("Slave", "Replica", "Master", "Source").Replace(name)]
	}
	return value, ok
}

// judge adds what the source means for its replica: of several sources the one that is furthest behind counts.
func (s source) judge(to *dialect.Standing) {
	reason := func(what, errorColumn string) string {
		if text, _ := s.get(errorColumn); text != "" {
			return what + ": " + dialect.OneLine(text)
		}
		return what
	}
	if state, _ := s.get("Slave_IO_Running"); state != "Yes" {
		to.Stopped = reason("it is not connected to its primary", "Last_IO_Error")
	}
	if state, _ := s.get("Slave_SQL_Running"); state != "Yes" {
		to.Paused = reason("its SQL thread is stopped", "Last_SQL_Error")
	}
	lag := dialect.UnknownLag
	if text, ok := s.get("Seconds_Behind_Master"); ok {
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
			lag = time.Duration(seconds) * time.Second
		}
	}
	if to.Lag.Time != dialect.UnknownLag && (lag == dialect.UnknownLag || lag > to.Lag.Time) {
		to.Lag.Time = lag
	}
	to.Lag.Bytes = -1
}

// ValidPosition reports whether text is mariadb:DOMAIN-SERVER-NUMBER,… or mysql:UUID:NUMBERS,…
func (Dialect) ValidPosition(text string) bool {
	if list, ok := strings.CutPrefix(text, mariadbPosition); ok {
		ids, valid := parseGTIDs(list)
		return valid && len(ids) > 0
	}
	set, ok := strings.CutPrefix(text, mysqlPosition)
	return ok && mysqlSet.MatchString(set)
}

// Reached asks the server itself on MySQL, whose ids name the server that made them. On MariaDB a domain must have got as far by the same
// server's ids: a number alone may be another transaction's, made after a failover.
func (Dialect) Reached(ctx context.Context, q dialect.Queryer, s dialect.Standing, text string) (bool, error) {
	set, mysql := strings.CutPrefix(text, mysqlPosition)
	list, maria := strings.CutPrefix(text, mariadbPosition)
	at, ok := strings.CutPrefix(s.Position, mariadbPosition)
	switch {
	case s.Position == "":
		return false, s.Unsure
	case mysql && !ok:
		return reachedSet(ctx, q, s, set)
	case maria && ok:
		return reachedIDs(ctx, q, s, at, list)
	}
	return false, dialect.Incomparable("it is of another kind of database")
}
