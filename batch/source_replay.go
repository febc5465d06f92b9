package batch

import (
	"context"
	"fmt"
	"math"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
)

// replay is the rows that a run has set aside, in the order in which it did, as a source of their own.
type replay struct {
	source
	rows  replayer
	store *runstore.Store
	of    string // the run
	phase int
	later int64 // rows that were set aside in later phases
}

// replaySource makes the quarantine of a run the source of its retry.
func replaySource(src source, store *runstore.Store, of string, phase int) (source, error) {
	rows, ok := src.(replayer)
	if !ok {
		return nil, fmt.Errorf("the rows of %s cannot be read one by one again", src.name())
	}
	return &replay{source: src, rows: rows, store: store, of: of, phase: phase}, nil
}

func (s *replay) plan(ctx context.Context, conn *db.DB, _ planOptions) (*sourcePlan, error) {
	if _, err := s.source.plan(ctx, conn, planOptions{known: true}); err != nil { // it may need to look at its table
		return nil, err
	}
	open, err := s.store.Quarantine(ctx, s.of, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	p := &sourcePlan{}
	s.later = 0
	for _, q := range open {
		switch {
		case q.Retried != "":
		case q.Phase == s.phase:
			p.rows++
		case q.Phase > s.phase:
			s.later++
		}
	}
	p.shards = []runstore.Shard{{Planned: p.rows}}
	return p, nil
}

// read gives the rows one by one: each has its own fate.
func (s *replay) read(ctx context.Context, conn *db.DB, sh *shard, _ int) (page, error) {
	var after int64
	if sh.Reached != nil {
		after = sh.Reached[0].(int64)
	}
	for {
		next, err := s.store.Quarantine(ctx, s.of, after, 1)
		switch {
		case err != nil:
			return page{}, err
		case len(next) == 0:
			return page{end: keyset.Values{after}, last: true}, nil
		}
		after = next[0].ID
		if next[0].Phase != s.phase || next[0].Retried != "" {
			continue
		}
		p, err := s.rows.replay(ctx, conn, next[0])
		if err != nil {
			return p, fmt.Errorf("read row %s again: %w", next[0].Key, err)
		}
		p.end, p.replayed = keyset.Values{after}, next
		if p.n == 0 { // it is gone, or does not match any more: nothing is left to do for it
			return p, s.store.MarkRetried(ctx, []int64{after}, "gone")
		}
		return p, nil
	}
}

func (s *replay) tell(key keyset.Values) string {
	if inner, ok := s.source.(teller); ok {
		return inner.tell(key)
	}
	return keyText(key)
}

func (s *replay) describe(p page, i int) (keyset.Values, string) {
	if len(p.replayed) > 0 {
		return p.replayed[0].Key, p.replayed[0].Input
	}
	return s.source.describe(p, i)
}

// settle marks the row as replayed, whether it was processed now or set aside once more.
func (s *replay) settle(ctx context.Context, w *work) error {
	if err := s.mark(ctx, w); err != nil {
		return err
	}
	if inner, ok := s.source.(settler); ok {
		return inner.settle(ctx, w)
	}
	return nil
}

func (s *replay) reject(ctx context.Context, w *work, cause error) error {
	if err := s.mark(ctx, w); err != nil {
		return err
	}
	if inner, ok := s.source.(settler); ok {
		return inner.reject(ctx, w, cause)
	}
	return nil
}

func (s *replay) mark(ctx context.Context, w *work) error {
	if w.RunID() == "" { // a dry run
		return nil
	}
	return s.store.MarkRetried(ctx, []int64{w.page.replayed[0].ID}, w.RunID())
}
