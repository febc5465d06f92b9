package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/drover-dev/drover/internal/bound"
	"github.com/drover-dev/drover/internal/dialect"
)

// Preview is what a dry run would have done.
type Preview struct {
	// Tables are the tables whose rows would have changed, sorted by name. Work undone by an inner block's rollback is not in them.
	Tables []TableChange
	// Hooks are the names of the on-commit hooks that would have run, in order.
	Hooks []string
	// Notes say what the counts cannot see, in sentences.
	Notes []string
}

// TableChange counts the rows of one table that would have changed.
type TableChange struct {
	Table                      string
	Inserted, Updated, Deleted int64
}

// DryRun runs fn in a transaction that is always rolled back and tells what it would have changed. Blocks inside it are savepoints, durable
// ones and those begun by hand too; on-commit hooks are recorded and not run; constraints that are checked at COMMIT are checked at
// the end. Only statements sent with fn's context are in the dry run: hand out [DB.RequireBlock] to refuse the others.
//
// The preview is returned even when fn fails. What a rollback does not undo stays: numbers drawn from sequences and AUTO_INCREMENT, and
// whatever fn does outside the database.
func (d *DB) DryRun(ctx context.Context, fn func(ctx context.Context) error) (*Preview, error) {
	if d.current(ctx) != nil {
		return nil, ErrNested
	}
	var preview *Preview
	err := d.hold(ctx, dialect.TxOptions{}, ownerDryRun, func(tx *transaction) (err error) {
		defer tx.rollback(ctx)
		bare := bound.Open(bareSession{tx.conn})
		defer func() { _ = bare.Close() }()
		if tx.tally, err = d.dialect.Count(ctx, tx.conn, bareQueryer{bare}); err != nil {
			return d.wrap("count changes", err)
		}
		defer tx.tally.Stop()
		err = fn(tx.context(ctx))
		root, popErr := tx.unwind()
		switch {
		case err != nil:
		case popErr != nil:
			err = popErr
		case root.cause != nil:
			err = &BrokenError{Cause: root.cause}
		default:
			tx.mu.Lock()
			err = d.wrap("commit", tx.judge(d.dialect.CheckDeferred(ctx, tx.conn)))
			tx.mu.Unlock()
		}
		preview = tx.preview(ctx)
		return err
	})
	return preview, err
}

func (tx *transaction) preview(ctx context.Context) *Preview {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	p := &Preview{}
	for _, h := range tx.hooks {
		p.Hooks = append(p.Hooks, h.name)
	}
	if cause := tx.cause(); cause != nil {
		p.Notes = append(p.Notes, "the run failed, so the rows that it would have changed are not known")
		return p
	}
	changes, err := tx.changes(ctx)
	if err == nil {
		for _, table := range changes.Tables() {
			n := changes[table]
			p.Tables = append(p.Tables, TableChange{table, n.Inserted, n.Updated, n.Deleted})
		}
		var notes []string
		notes, err = tx.tally.Notes(context.WithoutCancel(ctx), changes)
		p.Notes = append(p.Notes, notes...)
	}
	if err != nil {
		p.Notes = append(p.Notes, "the changed rows could not be counted: "+dialect.OneLine(err.Error()))
	}
	return p
}

// changes returns the rows changed so far and not undone, or nil where nothing is counted. The caller holds mu.
func (tx *transaction) changes(ctx context.Context) (dialect.Changes, error) {
	if tx.tally == nil {
		return nil, nil
	}
	all, err := tx.tally.Changes(context.WithoutCancel(ctx))
	return all.Less(tx.undone), err
}

// recount notes that what was counted since s began has been undone.
func (tx *transaction) recount(ctx context.Context, s *scope) {
	if tx.tally == nil {
		return
	}
	all, err := tx.tally.Changes(context.WithoutCancel(ctx))
	if err != nil {
		tx.scopes[0].fail(err)
		return
	}
	tx.undone = all.Less(s.counts)
}

// bareSession lets the counting query the connection beside the block's own rules. It is only used while the connection is held.
type bareSession struct{ conn driver.Conn }

func (s bareSession) Conn() driver.Conn { return s.conn }

func (s bareSession) Do(ctx context.Context, _ string, _ []driver.NamedValue, send func(context.Context) (int64, error)) error {
	_, err := send(ctx)
	return err
}

func (s bareSession) Touch(f func() error) error { return f() }
func (s bareSession) Track(io.Closer, bool)      {}
func (s bareSession) Forget(io.Closer)           {}

func (s bareSession) Savepoint(context.Context) (driver.Tx, error) {
	return nil, errors.ErrUnsupported
}

type bareQueryer struct{ db *sql.DB }

func (q bareQueryer) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.db.QueryContext(ctx, query, args...)
}
