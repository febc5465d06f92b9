package batch

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// ErrChangedSince says that a row is not what the run had made of it, so undo leaves it alone.
var ErrChangedSince = errors.New("the row was changed since the run")

// Undo restores what the rows of a run were before it, newest change first, and returns what was done. The run must have been made with
// Options.Undo, and nobody may be working on it. A row that was changed since is left alone and set aside in the undo's own quarantine, with
// [ErrChangedSince]. Undo is a run itself: it is resumed by calling it again.
//
// Rows of the source's table that the run updated or deleted are restored, and those that its batches told Created are deleted. What
// triggers, cascades and other statements did is not undone.
func Undo(ctx context.Context, conn *db.DB, runID string, o Options) (*Result, error) {
	r, err := undoRunner(ctx, conn, runID, o)
	if err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// PlanUndo measures what [Undo] would do.
func PlanUndo(ctx context.Context, conn *db.DB, runID string, o Options) (*Plan, error) {
	r, err := undoRunner(ctx, conn, runID, o)
	if err != nil {
		return nil, err
	}
	return r.makePlan(ctx)
}

// undoName is the command of the runs that undo others.
const undoName = "undo"

func undoRunner(ctx context.Context, conn *db.DB, runID string, o Options) (*runner, error) {
	store := runstore.New(conn)
	if err := store.Ready(ctx); err != nil {
		return nil, err
	}
	of, err := store.Find(ctx, runID)
	if err != nil {
		return nil, fmt.Errorf("undo run %s: %w", runID, err)
	}
	switch {
	case of.State == runstore.Undone:
		return nil, fmt.Errorf("run %s is undone already", Short(of.ID))
	case of.Live():
		return nil, &LockedError{RunID: of.ID, Owner: of.Owner}
	case of.State == runstore.Interrupted:
		return nil, drover.Exit(drover.ExitRefused, "run %s is interrupted, so somebody may go on with it", Short(of.ID)).
			Try("drover runs cancel %s    gives it up, and then it can be undone", Short(of.ID))
	case of.State == runstore.Planned:
		return nil, drover.Exit(drover.ExitRefused, "run %s has not begun, so there is nothing to undo", Short(of.ID))
	case !of.Undo:
		return nil, drover.Exit(drover.ExitRefused, "run %s was made without --undo, so nothing is known of its rows before it", Short(of.ID))
	}
	o.Arguments = []Argument{{"run", of.ID}}
	o.MaxErrors = math.MaxInt64
	o.Workers, o.Limit, o.Undo = 1, 0, false
	src := &undoSource{store: store, of: of.ID}
	c := &core{name: undoName, verb: drover.Restored}
	c.phases = []phase{{
		open:    func(context.Context, *db.DB) (source, error) { return src, nil },
		process: src.process,
	}}
	r, err := newRunner(c, conn, o)
	if err != nil {
		return nil, err
	}
	r.undoOf = of.ID
	return r, nil
}

// undoSource is the journal of a run, newest image first.
type undoSource struct {
	store  *runstore.Store
	of     string
	tables imagedTables
}

func (s *undoSource) name() string { return "the changes of run " + Short(s.of) }

func (s *undoSource) plan(ctx context.Context, conn *db.DB, _ planOptions) (*sourcePlan, error) {
	journal, err := s.store.CountJournal(ctx, s.of)
	if err != nil {
		return nil, err
	}
	var n int64
	for _, j := range journal {
		if _, err := s.table(ctx, conn, j.Table); err != nil {
			return nil, fmt.Errorf("%w; nothing was changed", err)
		}
		n += j.Rows
	}
	return &sourcePlan{rows: n, shards: []runstore.Shard{{Planned: n}}}, nil
}

// table describes a table of the journal.
func (s *undoSource) table(ctx context.Context, conn *db.DB, name string) (*imagedTable, error) {
	t, err := s.tables.get(ctx, conn, name)
	if errors.Is(err, dialect.ErrNoTable) {
		return nil, s.misfit(err)
	}
	return t, err
}

// misfit is the error of a table that is gone or has changed. It is that of all its rows, and nobody could try them again one by one.
func (s *undoSource) misfit(err error) error {
	return Fatal(drover.Exit(drover.ExitRefused, "%w", err).Try("give the table the form that it had in run %s, and undo it then", Short(s.of)))
}

func (s *undoSource) read(ctx context.Context, _ *db.DB, sh *shard, size int) (page, error) {
	var before int64
	if sh.Reached != nil {
		before = sh.Reached[0].(int64)
	}
	images, err := s.store.Images(ctx, s.of, before, size)
	if err != nil {
		return page{}, err
	}
	p := page{items: images, n: len(images), last: len(images) < size}
	if len(images) > 0 {
		p.end = keyset.Values{images[len(images)-1].ID}
	}
	return p, nil
}

func (s *undoSource) describe(p page, i int) (keyset.Values, string) {
	img := p.items.([]runstore.Image)[i]
	return img.Key, img.Before
}

// process restores the images of a page in their order. Those that follow each other, of one table and one kind and of different rows, are
// restored together.
func (s *undoSource) process(ctx context.Context, w *work) error {
	images := w.page.items.([]runstore.Image)
	for from := 0; from < len(images); {
		to := from
		seen := map[string]bool{}
		for to < len(images) && images[to].Table == images[from].Table && images[to].Op == images[from].Op {
			id, err := keyset.Encode(images[to].Key)
			if err != nil {
				return err
			}
			if seen[id] {
				break
			}
			seen[id] = true
			to++
		}
		if err := s.restore(ctx, w, images[from:to], from); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// restore restores images of one table and one kind; offset is the place of the first in the page.
func (s *undoSource) restore(ctx context.Context, w *work, images []runstore.Image, offset int) error {
	t, err := s.table(ctx, w.DB(), images[0].Table)
	if err != nil {
		return err
	}
	keys := make([]keyset.Values, len(images))
	for i, img := range images {
		keys[i] = img.Key
	}
	present, err := t.ReadKeys(ctx, w.DB(), keys, true)
	if err != nil {
		return fmt.Errorf("read the rows of %s as they are now: %w", images[0].Table, err)
	}
	restore := restoring{t: t.Table, conn: w.DB()}
	for i, img := range images {
		var now *rowimage.Row
		if len(present) > 0 && present[0].Key.Equal(img.Key) {
			row := present[0]
			now, present = &row, present[1:]
		}
		changed, err := restore.take(ctx, img, now)
		if errors.As(err, new(*rowimage.SchemaError)) {
			return s.misfit(err)
		}
		if err != nil {
			return fmt.Errorf("restore row %s of %s: %w", img.Key, img.Table, err)
		}
		if changed {
			w.Quarantine(offset+i, ErrChangedSince)
		}
	}
	return restore.flush(ctx)
}

// restoring collects rows to insert and to delete, so that they are one statement each.
type restoring struct {
	t      *rowimage.Table
	conn   *db.DB
	insert []rowimage.Row
	delete []keyset.Values
}

// take restores one row, and reports whether it was changed since.
func (r *restoring) take(ctx context.Context, img runstore.Image, now *rowimage.Row) (changed bool, _ error) {
	switch img.Op {
	case opDelete:
		if now != nil {
			return true, nil
		}
		row, err := r.t.Decode(img.Before)
		r.insert = append(r.insert, row)
		return false, err
	case opCreate:
		if now == nil {
			return true, nil
		}
		made, err := r.t.Decode(img.After)
		if err != nil || len(r.t.Changes(made, *now)) > 0 {
			return err == nil, err
		}
		r.delete = append(r.delete, img.Key)
		return false, nil
	}
	if now == nil {
		return true, nil
	}
	after, err := r.t.Decode(img.After)
	if err != nil || len(r.t.Changes(after, *now)) > 0 {
		return err == nil, err
	}
	before, err := r.t.Decode(img.Before)
	if err != nil {
		return false, err
	}
	n, err := r.t.Update(ctx, r.conn, before)
	return n == 0, err
}

func (r *restoring) flush(ctx context.Context) error {
	if len(r.insert) > 0 {
		if err := r.t.Insert(ctx, r.conn, r.insert); err != nil {
			return err
		}
	}
	if len(r.delete) > 0 {
		if _, err := r.t.Delete(ctx, r.conn, r.delete); err != nil {
			return err
		}
	}
	return nil
}
