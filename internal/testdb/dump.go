package testdb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// dumpTimeout bounds a dump that waits for a lock which the test has forgotten.
const dumpTimeout = 2 * time.Minute

// DumpOption changes what Database.Dump writes.
type DumpOption func(*dumpOptions)

type dumpOptions struct{ sequences bool }

// WithSequences adds the state of sequences and automatic keys to a dump.
func WithSequences() DumpOption {
	return func(o *dumpOptions) { o.sequences = true }
}

// Dump returns the whole database as text: the definitions, then the rows of every table. Two dumps are equal exactly
// when the databases hold the same, wherever the rows lie on the disk and whatever the databases are called, so that a
// test proves with it that nothing has changed. A large object of PostgreSQL is not in it.
//
// The state of sequences and automatic keys is left out, since no database takes it back on a rollback; see
// WithSequences.
//
// The rows come from one snapshot, but the definitions are read before them: dump while nothing changes tables.
func (d Database) Dump(t testing.TB, opts ...DumpOption) string {
	t.Helper()
	var o dumpOptions
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := limited(t, dumpTimeout)
	defer cancel()
	text, err := dump(ctx, d.dumper(), o)
	if err != nil {
		t.Fatalf("testdb: dump %s: %v%s", d.Name, err, d.logTail())
	}
	return text
}

func (d Database) dumper() dumper {
	if d.Server == nil {
		return sqliteDumper{path: d.path()}
	}
	return d.Server.engine.dumper(d.Server, d.database())
}

// dumper reads a database for a dump.
type dumper interface {
	// open connects with everything readable.
	open() (*sql.DB, error)

	// schema returns the definitions.
	schema(ctx context.Context, tx *sql.Tx, o dumpOptions) (string, error)

	// queries returns what reads the tables, and the sequences if they are wanted, ordered by title.
	queries(ctx context.Context, tx *sql.Tx, o dumpOptions) ([]dumpQuery, error)
}

// dumpQuery reads the rows of one table. Their order does not matter.
type dumpQuery struct{ title, query string }

func dump(ctx context.Context, d dumper, o dumpOptions) (_ string, err error) {
	db, err := d.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()

	var text strings.Builder
	schema, err := d.schema(ctx, tx, o)
	if err != nil {
		return "", fmt.Errorf("read the definitions: %w", err)
	}
	text.WriteString(schema)
	queries, err := d.queries(ctx, tx, o)
	if err != nil {
		return "", fmt.Errorf("list the tables: %w", err)
	}
	for _, q := range queries {
		lines, err := dumpRows(ctx, tx, q.query)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", q.title, err)
		}
		fmt.Fprintf(&text, "\n-- %s (rows: %d)\n", q.title, len(lines))
		for _, line := range lines {
			text.WriteString(line)
			text.WriteByte('\n')
		}
	}
	return text.String(), nil
}

// dumpRows returns the rows of a query as sorted lines. They are sorted here, byte by byte, because servers sort by
// collations, under which different texts are equal.
func dumpRows(ctx context.Context, tx *sql.Tx, query string) (lines []string, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.RawBytes, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var line []byte
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		line = line[:0]
		for i, value := range values {
			if i > 0 {
				line = append(line, '\t')
			}
			line = appendValue(line, value)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

// appendValue writes a value on one line such that different values look different: NULL is \N, and what is not text is
// \x and hexadecimal digits, as in PostgreSQL's COPY.
func appendValue(line []byte, value []byte) []byte {
	if value == nil {
		return append(line, `\N`...)
	}
	if !utf8.Valid(value) {
		return hex.AppendEncode(append(line, `\x`...), value)
	}
	for _, b := range value {
		switch b {
		case '\\':
			line = append(line, `\\`...)
		case '\n':
			line = append(line, `\n`...)
		case '\r':
			line = append(line, `\r`...)
		case '\t':
			line = append(line, `\t`...)
		default:
			line = append(line, b)
		}
	}
	return line
}

// dumpQueries runs a query whose rows are a title and the query that reads a table.
func dumpQueries(ctx context.Context, tx *sql.Tx, query string, args ...any) (queries []dumpQuery, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var q dumpQuery
		if err := rows.Scan(&q.title, &q.query); err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, rows.Err()
}
