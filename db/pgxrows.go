package db

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgxRows is an open native result set. Reading it bypasses the block's lock, as pgx's own rows do: the block is for one goroutine.
type pgxRows struct {
	pgx.Rows
	tx   *transaction
	over bool
	cut  error // the block closed it before it was read to its end
}

// finish judges the result set's error once and frees the connection for the next statement.
func (r *pgxRows) finish() {
	if r.over {
		return
	}
	r.over = true
	r.Rows.Close()
	_ = r.tx.Touch(r.Rows.Err)
	r.tx.Forget(r)
}

// Close makes pgxRows an io.Closer for the block's end.
func (r *pgxRows) Close() error {
	if !r.over {
		r.cut = errRowsCut
	}
	r.finish()
	return nil
}

var errRowsCut = errors.New("the result set was closed at the end of the block that it was opened in")

// pgxResult is pgxRows with pgx's Close.
type pgxResult struct{ *pgxRows }

func (r pgxResult) Close() { r.finish() }

func (r pgxResult) Err() error {
	if r.cut != nil {
		return r.cut
	}
	return r.Rows.Err()
}

// Conn returns nil, as the transaction's does.
func (r pgxResult) Conn() *pgx.Conn { return nil }

func (r pgxResult) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.finish()
	return false
}

// pgxRow is the one row of a QueryRow.
type pgxRow struct {
	rows pgx.Rows
	err  error
}

func (r pgxRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// pgxResults are the results of a batch; they occupy the connection until they are closed.
type pgxResults struct {
	pgx.BatchResults
	tx   *transaction
	over bool
	err  error
}

func (b *pgxResults) Close() error {
	if !b.over {
		b.over = true
		b.err = b.tx.Touch(b.BatchResults.Close)
		b.tx.Forget(b)
	}
	return b.err
}

// pgxBatch judges each result's error. With err set it is a batch that was refused.
type pgxBatch struct {
	*pgxResults
	err error
}

func (b pgxBatch) Exec() (tag pgconn.CommandTag, err error) {
	if b.err != nil {
		return pgconn.CommandTag{}, b.err
	}
	err = b.tx.Touch(func() error {
		tag, err = b.BatchResults.Exec()
		return err
	})
	return tag, err
}

func (b pgxBatch) Query() (pgx.Rows, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.BatchResults.Query()
}

func (b pgxBatch) QueryRow() pgx.Row {
	if b.err != nil {
		return pgxRow{err: b.err}
	}
	return b.BatchResults.QueryRow()
}

func (b pgxBatch) Close() error {
	if b.err != nil {
		return b.err
	}
	return b.pgxResults.Close()
}
