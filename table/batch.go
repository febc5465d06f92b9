package table

import (
	"context"
	"errors"
	"iter"

	"github.com/drover-dev/drover/db"
)

// batch is a part of a bulk write's rows.
type batch struct {
	first int // the place of its first row in the call's input
	rows  rowList
}

// batches cuts a list.
func batches(rows rowList, size int) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		for first := 0; first < rows.len(); first += size {
			if !yield(batch{first, rows.slice(first, min(first+size, rows.len()))}, nil) {
				return
			}
		}
	}
}

// writer runs a bulk write batch by batch.
type writer struct {
	query
	op    string // for errors: "create", "update", "delete"
	total int64  // rows; -1: not known
	// alone says that there is one batch, and that one statement does it: then it needs no transaction around it.
	alone bool
	// write sends one batch.
	write func(ctx context.Context, b batch) (int64, error)
	// kept, when set, is called after each batch that is committed by itself.
	kept func()
	// takeBack, when set, gives rows the values back that they had before the call.
	takeBack func()
	// values are the columns that are written, for errors.
	values []int

	done, sent int64 // rows and batches
}

// run writes all batches: in one transaction, or one for each.
func (w *writer) run(ctx context.Context, all iter.Seq2[batch, error]) (int64, error) {
	inBlock := w.conn.InBlock(ctx)
	if !inBlock && (w.alone || w.bulk.perBatch) {
		err := w.each(ctx, all, w.alone, false)
		return w.done, err
	}
	err := w.conn.Atomic(ctx, func(ctx context.Context) error { return w.each(ctx, all, false, w.alone) })
	if u, ok := errors.AsType[*unlocated](err); ok {
		err = w.locate(ctx, u.batch, u.err)
	}
	if err != nil {
		return 0, err
	}
	return w.done, nil
}

// each writes the batches one after another. bare sends a batch without a transaction of its own; only says that the block around it
// holds nothing but this one batch, so that a savepoint more would tell nothing.
func (w *writer) each(ctx context.Context, all iter.Seq2[batch, error], bare, only bool) error {
	for b, err := range all {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := w.batch(ctx, b, bare || only)
		if err != nil {
			if only && w.locatable(ctx, err) { // the block around is broken; it is looked for after its end
				return &unlocated{b, err}
			}
			return w.locate(ctx, b, err)
		}
		w.done += n
		w.sent++
		if w.kept != nil && w.bulk.perBatch && !w.conn.InBlock(ctx) {
			w.kept()
		}
		if w.bulk.observe != nil {
			w.bulk.observe(Progress{Rows: w.done, Batches: w.sent, Total: w.total})
		}
	}
	return nil
}

// batch writes one batch, in a transaction or a savepoint of its own unless it is bare.
func (w *writer) batch(ctx context.Context, b batch, bare bool) (n int64, err error) {
	if bare {
		return w.write(ctx, b)
	}
	err = w.conn.Atomic(ctx, func(ctx context.Context) error {
		n, err = w.write(ctx, b)
		return err
	})
	return n, err
}

// unlocated is the error of a batch whose failed row is still to be found.
type unlocated struct {
	batch batch
	err   error
}

func (u *unlocated) Error() string { return u.err.Error() }
func (u *unlocated) Unwrap() error { return u.err }

// locatable reports whether an error is about one row.
func (w *writer) locatable(ctx context.Context, err error) bool {
	if _, known := errors.AsType[*RowError](err); known || ctx.Err() != nil {
		return false
	}
	return aboutRow(err)
}

// aboutRow reports whether an error is one that a row is to blame for.
func aboutRow(err error) bool {
	switch db.KindOf(err) {
	case db.ErrUnique, db.ErrForeignKey, db.ErrNotNull, db.ErrCheck, db.ErrData:
		return true
	case db.ErrUnknown:
		own, ok := errors.AsType[*db.Error](err)
		return ok && own.Code != ""
	}
	return false
}

// locate finds the row of a batch that the database refuses: it writes halves of it, in a transaction or savepoint that is rolled back, and goes
// on with the half that fails. The error names the row then.
func (w *writer) locate(ctx context.Context, b batch, cause error) error {
	if !w.locatable(ctx, cause) {
		return cause
	}
	if w.takeBack != nil { // what a statement read back before it failed would be sent as the rows' own
		w.takeBack()
	}
	failed := -1
	err := w.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := w.conn.SetRollback(ctx, true); err != nil {
			return err
		}
		low, high := 0, b.rows.len() // the rows before low are written; one of those from low to high is refused
		for low < high {
			middle := (low + high) / 2
			if high-low == 1 {
				middle = high
			}
			// Of copies, so that no keys are set in the caller's rows.
			_, err := w.batch(ctx, batch{b.first + low, b.rows.slice(low, middle).pick(nil)}, false)
			switch {
			case err == nil:
				low = middle
			case !w.locatable(ctx, err):
				return err
			case middle-low == 1:
				failed, cause = low, err
				return nil
			default:
				high = middle
			}
		}
		return nil
	})
	if err != nil {
		failed = -1 // the search failed, which says nothing about the row
	}
	return w.rowError(ctx, b, failed, cause)
}
