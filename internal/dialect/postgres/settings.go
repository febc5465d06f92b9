package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Oldest is version 13: older ones are not kept any more.
func (Dialect) Oldest(string) string { return "postgres 13" }

// Settings judges the settings of the session: a role's or a database's own ones count.
func (Dialect) Settings(ctx context.Context, q dialect.Queryer) (f dialect.Findings, err error) {
	values, err := dialect.Values(ctx, q, `SELECT name, setting FROM pg_settings WHERE name IN ('default_transaction_read_only', 'fsync', 'synchronous_commit',
		'wal_level', 'max_prepared_transactions', 'statement_timeout', 'idle_in_transaction_session_timeout')`)
	if err != nil {
		return nil, err
	}
	judge := func(level dialect.Level, name string, bad bool, text, advice string) {
		if !bad {
			text = ""
		}
		f.Setting(level, name, values[name], text, advice)
	}
	is := func(name, value string) bool { return values[name] == value }
	judge(dialect.Warning, "default_transaction_read_only", is("default_transaction_read_only", "on"),
		"default_transaction_read_only is on: a command that changes data is refused", "connect as a user, or to a database, that may write")
	judge(dialect.Warning, "fsync", is("fsync", "off"),
		"fsync is off: a crash of the machine can destroy the database", "set it to on, but for data that can be made again")
	judge(dialect.Note, "synchronous_commit", is("synchronous_commit", "off"),
		"synchronous_commit is off: a crash of the server can take back the last commits, batches with their checkpoints", "")
	judge(dialect.Note, "wal_level", is("wal_level", "minimal"), "wal_level is minimal: there can be no replica and no point-in-time recovery", "")
	judge(dialect.Note, "max_prepared_transactions", is("max_prepared_transactions", "0"),
		"max_prepared_transactions is 0: a transaction cannot be committed on two databases at once", "")
	timeout(&f, values, "statement_timeout", "a longer statement is ended; counting a large table may take longer")
	timeout(&f, values, "idle_in_transaction_session_timeout", "a batch whose code is silent for longer loses its transaction")
	return f, nil
}

// timeout notes a limit in milliseconds.
func timeout(f *dialect.Findings, values map[string]string, name, effect string) {
	text := ""
	ms, err := strconv.ParseInt(values[name], 10, 64)
	if limit := time.Duration(ms) * time.Millisecond; err != nil || ms > 0 {
		text = fmt.Sprintf("%s is %s: %s", name, limit, effect)
	}
	f.Setting(dialect.Note, name, values[name], text, "")
}

// Rights asks the server for what the user may do.
func (Dialect) Rights(ctx context.Context, q dialect.Queryer, tables []string) (f dialect.Findings, err error) {
	if len(tables) == 0 {
		err = creation(ctx, q, &f)
	} else {
		err = use(ctx, q, &f, tables)
	}
	if err != nil {
		return nil, err
	}
	var sees bool
	query := "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
	if err := dialect.Each(ctx, q, query, nil, func(scan func(...any) error) error { return scan(&sees) }); err != nil {
		return nil, err
	}
	if !sees {
		f.Add(dialect.Note, "pg_read_all_stats", "GRANT pg_read_all_stats TO the user, as its administrator",
			"the user does not see the sessions of others: --max-lag, --max-held-log and --max-lock-waits may read 0")
	}
	return f, nil
}

// WriteProbe is none.
func (Dialect) WriteProbe() string { return "" }

// creation says whether the user may make tables.
func creation(ctx context.Context, q dialect.Queryer, f *dialect.Findings) error {
	const query = "SELECT COALESCE(current_schema(), ''), COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)"
	return dialect.Each(ctx, q, query, nil, func(scan func(...any) error) error {
		var schema string
		var may bool
		err := scan(&schema, &may)
		switch {
		case err != nil:
			return err
		case schema == "":
			f.Add(dialect.Warning, "rights", "set search_path to a schema that is there", "no schema of the search path is there, so tables cannot be made")
		case may:
			f.Add(dialect.Fine, "rights", "", "the user may make tables in schema %s", schema)
		default:
			f.Add(dialect.Warning, "rights", dialect.PrintTables, "the user may not make tables in schema %s, and drover's own are not there", schema)
		}
		return nil
	})
}

// use says what the user may not do with the tables.
func use(ctx context.Context, q dialect.Queryer, f *dialect.Findings, tables []string) error {
	missing, err := dialect.Names(ctx, q, `SELECT p.privilege || ' on ' || t.name
		FROM (VALUES ('`+strings.Join(tables, "'), ('")+`')) AS t (name), (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) AS p (place, privilege)
		WHERE to_regclass(t.name) IS NOT NULL AND NOT has_table_privilege(to_regclass(t.name), p.privilege) ORDER BY t.name, p.place`)
	if err == nil {
		dialect.MissingRights(f, missing)
	}
	return err
}
