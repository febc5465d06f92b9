package runstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
)

// Store reads and writes the tables of one database. It is safe for concurrent use.
//
// Every method takes part in the context's block where there is one. Elsewhere each is a transaction of its own, which is run again when it
// meets a deadlock and the like.
type Store struct {
	conn *db.DB
	// The statements that run most often.
	checkpointSQL, renewSQL, pollSQL string
}

// New returns the store of a database, whose tables need not be there yet. A pool of MySQL that the user opened must have clientFoundRows=true, as
// [db.From] says, and its times are only right with loc=UTC, go-sql-driver's default.
func New(conn *db.DB) *Store {
	s := &Store{conn: conn}
	s.checkpointSQL, s.renewSQL, s.pollSQL = s.text(checkpointText), s.text(renewText), s.text(pollText)
	return s
}

const (
	// retries is how often a transaction of the store's own is run again after a conflict.
	retries = 5
	// rounds is how often a change that depends on what was read is tried again because somebody else was faster. Each round that is lost
	// is one that somebody has won, so this is the number of competitors that are put up with.
	rounds = 100
)

// errChanged says that a conditional UPDATE found no row as it was read.
var errChanged = errors.New("others keep changing the run")

// again calls try until it is not beaten by another's change.
func again(try func() error) error {
	for range rounds {
		if err := try(); !errors.Is(err, errChanged) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrState, errChanged)
}

var identifier = regexp.MustCompile(`"[a-z_]+"`)

// text makes a statement of the dialect's: names are in double quotes, {now} is the database's clock, and {after} is that and a parameter
// of milliseconds.
func (s *Store) text(query string) string {
	d := s.conn.Dialect()
	query = identifier.ReplaceAllStringFunc(query, func(quoted string) string { return d.Quote(strings.Trim(quoted, `"`)) })
	return strings.NewReplacer("{now}", d.Features().Clock, "{after}", d.Features().ClockAfter).Replace(query)
}

// exec runs a statement and returns how many rows it matched.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return s.conn.ExecRows(ctx, s.text(query), args...)
}

// each runs a query and calls row for every row of its answer.
func (s *Store) each(ctx context.Context, query string, args []any, row func(scan scan) error) error {
	return s.conn.Wrap("query", dialect.Each(ctx, s.conn, s.text(query), args, func(scan func(...any) error) error { return row(scan) }))
}

// atomic runs fn in a transaction, or in a savepoint of the context's block.
func (s *Store) atomic(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.conn.Atomic(ctx, fn, db.Retry(retries))
}

// scan reads the columns of a row.
type scan func(dest ...any) error

// bulk describes rows that are inserted with as few statements as possible.
type bulk struct {
	table   string
	columns string // quoted, with commas
	params  int    // of each row
	row     string // the row in the statement: (?, …)
}

// maxRows and maxBytes bound one statement. MySQL takes no statement larger than max_allowed_packet, 16 MB or more by default, and escaping may
// double a text.
const (
	maxRows  = 1000
	maxBytes = 1 << 20
)

// insert inserts n rows, in order. args appends the parameters of one.
func (s *Store) insert(ctx context.Context, b bulk, n int, args func(args []any, i int) ([]any, error)) error {
	most := min(maxRows, s.conn.Dialect().Features().MaxParams/b.params)
	head, row := s.text("INSERT INTO "+b.table+" ("+b.columns+") VALUES "), s.text(b.row)
	var params []any
	rows, size := 0, 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		if err := s.conn.Exec(ctx, head+strings.Repeat(row+", ", rows-1)+row, params...); err != nil {
			return err
		}
		params, rows, size = params[:0], 0, 0
		return nil
	}
	for i := range n {
		before := len(params)
		var err error
		if params, err = args(params, i); err != nil {
			return err
		}
		for _, p := range params[before:] {
			if text, ok := p.(string); ok {
				size += len(text)
			}
		}
		rows++
		if rows == most || size >= maxBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// inserted is insert in a transaction where it may take several statements.
func (s *Store) inserted(ctx context.Context, b bulk, n int, args func(args []any, i int) ([]any, error)) error {
	if n <= 1 || s.conn.InBlock(ctx) {
		return s.insert(ctx, b, n, args)
	}
	return s.atomic(ctx, func(ctx context.Context) error { return s.insert(ctx, b, n, args) })
}

// milliseconds rounds a duration up, so that the shortest lease is one.
func milliseconds(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// noRow is err, or ErrNoRun where a query for one run found none.
func noRow(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoRun
	}
	return err
}

// op wraps an error with what was being done to which run.
func op(what, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s run %s: %w", what, Short(id), err)
}
