package testdb

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
)

type postgresDumper struct {
	engine   *postgresEngine
	server   *Server
	database string
}

func (e *postgresEngine) dumper(s *Server, database string) dumper {
	return postgresDumper{engine: e, server: s, database: database}
}

func (d postgresDumper) open() (*sql.DB, error) { return d.engine.admin(d.server, d.database) }

// restrictLine matches the guard that newer versions of pg_dump put around their output, with a random word in it.
var restrictLine = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`)

func (d postgresDumper) schema(ctx context.Context, _ *sql.Tx, _ dumpOptions) (string, error) {
	cmd := d.engine.user.command(ctx, d.server.dir, filepath.Join(d.engine.bin, "pg_dump"), "--schema-only", "--lock-wait-timeout=60s",
		"--host="+d.server.dir, "--port="+d.server.portText(), "--username="+postgresAdmin, "--dbname="+d.database)
	out, err := runCommand(cmd)
	if err != nil {
		return "", err
	}
	return restrictLine.ReplaceAllString(string(out), ""), nil
}

func (d postgresDumper) queries(ctx context.Context, tx *sql.Tx, o dumpOptions) ([]dumpQuery, error) {
	// A row is read as the text of the whole row, which every type has. ONLY: the rows of partitions and children are
	// their own.
	queries, err := dumpQueries(ctx, tx, `
		SELECT format('%I.%I', n.nspname, c.relname),
		       format('SELECT ("the row".*)::text FROM ONLY %I.%I AS "the row"', n.nspname, c.relname)
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'm')
		  AND c.relpersistence <> 't'
		  AND n.nspname <> 'information_schema'
		  AND n.nspname NOT LIKE 'pg\_%'
		ORDER BY n.nspname, c.relname`)
	if o.sequences {
		queries = append(queries, dumpQuery{
			"sequences", `SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY schemaname, sequencename`,
		})
	}
	return queries, err
}

type mariadbDumper struct {
	engine   *mariadbEngine
	server   *Server
	database string
}

func (e *mariadbEngine) dumper(s *Server, database string) dumper {
	return mariadbDumper{engine: e, server: s, database: database}
}

// open turns the driver's parsing of times off, which would make one of different invalid dates.
func (d mariadbDumper) open() (*sql.DB, error) {
	config := d.engine.adminConfig(d.server, d.database)
	config.ParseTime = false
	return openMySQLConfig(config)
}

// counters match what mariadb-dump tells about the state of automatic keys and sequences.
var counters = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^(\) ENGINE=.*) AUTO_INCREMENT=\d+`),
	regexp.MustCompile(`(?m)^()(DO|SELECT) SETVAL\(.*\n`),
}

func (d mariadbDumper) schema(ctx context.Context, _ *sql.Tx, o dumpOptions) (string, error) {
	program, err := findProgram("mariadb-dump", "/usr/bin")
	if err != nil {
		return "", err
	}
	cmd := d.engine.user.command(ctx, d.server.dir, program, "--no-defaults", "--no-data", "--routines", "--events", "--triggers",
		"--skip-comments", "--skip-dump-date", "--skip-add-drop-table", "--skip-lock-tables",
		"--socket="+d.engine.socket(d.server), "--user="+mariadbAdmin, d.database)
	cmd.Env = append(cmd.Env, "MYSQL_PWD="+mariadbAdminPassword)
	out, err := runCommand(cmd)
	if err != nil {
		return "", err
	}
	text := string(out)
	if !o.sequences {
		for _, counter := range counters {
			text = counter.ReplaceAllString(text, "$1")
		}
	}
	return text, nil
}

func (d mariadbDumper) queries(ctx context.Context, tx *sql.Tx, _ dumpOptions) (queries []dumpQuery, err error) {
	tables, err := dumpQueries(ctx, tx, `
		SELECT table_name, table_type
		FROM information_schema.tables
		WHERE table_schema = DATABASE() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
		ORDER BY table_name`)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		// All columns are named, as * leaves out invisible ones; a FLOAT as it is would be shown with six digits.
		columns, err := dumpQueries(ctx, tx, `
			SELECT column_name, data_type
			FROM information_schema.columns
			WHERE table_schema = DATABASE() AND table_name = ?
			ORDER BY ordinal_position`, table.title)
		if err != nil {
			return nil, err
		}
		var list []string
		for _, c := range columns {
			name := quoteMySQL(c.title)
			if c.query == "float" {
				name = "CAST(" + name + " AS DOUBLE)"
			}
			list = append(list, name)
		}
		query := "SELECT " + strings.Join(list, ", ") + " FROM " + quoteMySQL(table.title)
		queries = append(queries, dumpQuery{title: table.title, query: query})
	}
	return queries, nil
}
