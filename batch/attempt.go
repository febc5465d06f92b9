package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// transaction runs one attempt of a batch: everything that it changes, and how far the shard is then, in one transaction. With a cause the
// batch is a single row, which is set aside because of it.
func (r *runner) transaction(ctx context.Context, w *work, size int, cause error) (runstore.Progress, error) {
	w.reset() // also when the transaction cannot even begin: what failed then has no rows
	if c, ok := r.source.(preparer); ok {
		if err := c.prepare(ctx, r.conn, w.shard, size); err != nil {
			return runstore.Progress{}, err
		}
	}
	var progress runstore.Progress
	var admitted int64
	start := time.Now()
	err := r.conn.Atomic(ctx, func(ctx context.Context) (err error) {
		w.reset()
		if w.page, err = r.source.read(ctx, r.conn, w.shard, size); err != nil {
			return err
		}
		if w.page.n == 0 {
			progress = runstore.Progress{Reached: w.page.end, Done: w.page.last, NoBatch: true}
			return r.checkpoint(ctx, w, progress)
		}
		if err := r.images(ctx, w, func(ctx context.Context) error { return r.process(ctx, w, cause) }); err != nil {
			return err
		}
		aside, err := r.setAside(ctx, w, cause)
		if err != nil {
			return err
		}
		if cause == nil { // the others were admitted one by one
			if !r.failures.admit(aside) {
				last := w.aside[len(w.aside)-1]
				return &TooManyErrors{Limit: r.failures.most(), Range: r.rowText(w, last.index), Err: last.err}
			}
			admitted = aside
		}
		progress = runstore.Progress{
			Reached: w.page.end, Done: w.page.last, Read: w.read(), Rows: w.processed(), Quarantined: aside,
			Retries: int64(w.attempt - 1), Busy: time.Since(start),
		}
		if r.settings.Limit > 0 && w.shard.Read+progress.Read >= w.shard.Planned {
			progress.Done = true // also before the bound: rows were added on the way to it
		}
		return r.checkpoint(ctx, w, progress)
	}, db.Durable())
	if err != nil {
		switch judge(err) {
		case committed, unknown, fenced: // the batch may be committed
		default:
			r.failures.release(admitted)
		}
	}
	return progress, err
}

// process does the work itself.
func (r *runner) process(ctx context.Context, w *work, cause error) error {
	settling, settles := r.source.(settler)
	if cause != nil {
		w.aside = []asideRow{{0, cause}}
		w.done = 0
		if settles {
			return settling.reject(ctx, w, cause)
		}
		return nil
	}
	if err := r.phase.process(ctx, w); err != nil {
		return err
	}
	if w.page.ranged && w.done < 0 {
		return Fatal(errors.New("a Process of ranges must tell with SetDone how many rows its statement affected"))
	}
	for _, a := range w.aside {
		if a.index < 0 || a.index >= w.page.n {
			return Fatal(fmt.Errorf("row %d was set aside, of a batch of %d", a.index, w.page.n))
		}
	}
	if r.settings.Limit > 0 && w.shard.Read+w.read() > w.shard.Planned {
		return errOverLimit
	}
	if settles {
		return settling.settle(ctx, w)
	}
	return nil
}

// checkpoint notes how far the shard is, in the batch's transaction. On a database with one writer it renews the lease as well: a lease
// that is renewed beside the batch would wait for it.
func (r *runner) checkpoint(ctx context.Context, w *work, p runstore.Progress) error {
	if r.current == nil { // a dry run
		return nil
	}
	if w.renewed = r.conn.Dialect().Features().SingleWriter && r.leaseDue(); w.renewed {
		if err := r.store.Renew(ctx, r.current, r.settings.Lease); err != nil {
			return err
		}
	}
	return r.store.Checkpoint(ctx, &w.shard.Shard, p)
}

// setAside writes the batch's bad rows to the quarantine, and returns how many they are.
func (r *runner) setAside(ctx context.Context, w *work, cause error) (int64, error) {
	if len(w.aside) == 0 {
		return 0, nil
	}
	seen := map[int]bool{}
	var rows []runstore.Quarantined
	for _, a := range w.aside {
		if seen[a.index] {
			continue
		}
		seen[a.index] = true
		key, input := r.source.describe(w.page, a.index)
		row := runstore.Quarantined{
			RunID: r.id(), Phase: r.phaseIndex(), Shard: w.shard.Number, Key: key, Error: a.err.Error(), Input: input, Attempts: w.attempt,
		}
		if kind := kindOf(a.err); kind != db.ErrUnknown {
			row.Kind = kind.Error()
		}
		rows = append(rows, row)
	}
	if w.done < 0 {
		w.done = int64(w.page.n - len(rows))
	}
	if r.current == nil {
		return int64(len(rows)), nil
	}
	return int64(len(rows)), r.store.AddQuarantined(ctx, rows)
}

func (r *runner) phaseIndex() int {
	if r.current == nil {
		return 0
	}
	return r.current.Phase
}

// images runs fn, and where before-images are wanted compares the rows of the page before and after it.
func (r *runner) images(ctx context.Context, w *work, fn func(ctx context.Context) error) error {
	if !r.settings.Undo || r.current == nil {
		return fn(ctx)
	}
	before, err := r.imager.before(ctx, r.conn, w.page)
	if err != nil {
		return fmt.Errorf("read the rows before they are changed: %w", err)
	}
	if err := fn(ctx); err != nil {
		return err
	}
	images, err := r.changedImages(ctx, before)
	if err != nil {
		return fmt.Errorf("read the rows after they were changed: %w", err)
	}
	made, err := r.createdImages(ctx, w)
	if err != nil {
		return err
	}
	return r.store.Journal(ctx, append(images, made...))
}

// changedImages compares rows with what has become of them.
func (r *runner) changedImages(ctx context.Context, before []rowimage.Row) ([]runstore.Image, error) {
	t, name := r.imager.images(), r.imager.QuotedTable()
	pairs, err := compareRows(ctx, r.conn, t, before)
	if err != nil {
		return nil, err
	}
	var images []runstore.Image
	for _, p := range pairs {
		img := runstore.Image{RunID: r.id(), Table: name, Key: p.before.Key}
		if p.after == nil {
			img.Op = opDelete
			img.Before, err = t.Encode(p.before)
		} else {
			img.Op = opUpdate
			columns := make([]string, len(p.changes))
			for i, c := range p.changes {
				columns[i] = c.Column
			}
			if img.Before, err = t.Encode(p.before, columns...); err == nil {
				img.After, err = t.Encode(*p.after, columns...)
			}
		}
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return images, nil
}

// createdImages reads the rows that Process says it has made.
func (r *runner) createdImages(ctx context.Context, w *work) ([]runstore.Image, error) {
	var images []runstore.Image
	for _, c := range w.created {
		t, err := r.created.get(ctx, r.conn, c.table)
		if err != nil {
			return nil, err
		}
		rows, err := t.ReadKeys(ctx, r.conn, c.keys, false)
		if err != nil {
			return nil, fmt.Errorf("read the rows that were created in %s: %w", c.table, err)
		}
		if len(rows) < len(c.keys) {
			return nil, Fatal(fmt.Errorf("%d rows were told to be created in %s, but only %d of them are there", len(c.keys), c.table, len(rows)))
		}
		for _, row := range rows {
			text, err := t.Encode(row)
			if err != nil {
				return nil, err
			}
			images = append(images, runstore.Image{RunID: r.id(), Table: t.name, Key: row.Key, Op: opCreate, After: text})
		}
	}
	return images, nil
}

// The kinds of a stored image.
const (
	opUpdate = "update"
	opDelete = "delete"
	opCreate = "create"
)

// pair is a row before a batch and after it.
type pair struct {
	before  rowimage.Row
	after   *rowimage.Row // nil: it is gone
	changes []rowimage.Change
}

// compareRows reads rows again and returns those that are not what they were.
func compareRows(ctx context.Context, conn *db.DB, t *rowimage.Table, before []rowimage.Row) ([]pair, error) {
	keys := make([]keyset.Values, len(before))
	for i, row := range before {
		keys[i] = row.Key
	}
	after, err := t.ReadKeys(ctx, conn, keys, false)
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, b := range before {
		p := pair{before: b}
		if len(after) > 0 && after[0].Key.Equal(b.Key) {
			row := after[0]
			p.after, after = &row, after[1:]
			if p.changes = t.Changes(b, row); len(p.changes) == 0 {
				continue
			}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// read is how many rows of the source the batch has looked at.
func (w *work) read() int64 {
	if w.page.counted() {
		return int64(w.page.n)
	}
	return w.processed()
}

// jsonText writes a row for the quarantine.
func jsonText(row any) string {
	text, err := json.Marshal(row)
	if err != nil {
		return ""
	}
	return string(text)
}

// valueText writes a value for people.
func valueText(value any) string {
	if value == nil {
		return "NULL"
	}
	return keyset.Text(value)
}
