package batch

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
)

// SeqKey is what a key of [Seq] can be.
type SeqKey interface{ int64 | string }

// Seq makes an iterator the source: an API that is read page by page, a file of a kind that drover does not know. items gives the items behind
// a key, in an order that is the same each time; first says that there is no such key, because nothing is done yet. key gives the key of an
// item: it stands for the item's place, so no two items may have the same one.
//
// An error of the iterator stops the run; it is resumed behind the last item that was committed. The rows are worked on by one worker, and the
// iterator is read by it between two batches, at most a batch ahead. At the run's end it is told to stop: deferred calls in it are run.
func Seq[T any, K SeqKey](items func(ctx context.Context, after K, first bool) iter.Seq2[T, error], key func(T) K) Source[T] {
	s := &seqSource[T]{label: "an iterator", decode: decodeJSON[T]}
	s.open = func(ctx context.Context, sh *shard) (iter.Seq2[entry[T], error], error) {
		var k K
		if sh.Reached != nil {
			var ok bool
			if k, ok = sh.Reached[0].(K); !ok {
				return nil, fmt.Errorf("the stored key %v is no %T: the job's key had another type", sh.Reached, k)
			}
		}
		return func(yield func(entry[T], error) bool) {
			for item, err := range items(ctx, k, sh.Reached == nil) {
				e := entry[T]{item: item}
				if err == nil {
					e.end = keyset.Values{key(item)}
					e.key = e.end
				}
				if !yield(e, err) {
					return
				}
			}
		}, nil
	}
	return Source[T]{s}
}

// entry is an item with its key and the position behind it.
type entry[T any] struct {
	item     T
	key, end keyset.Values
	// bad is why the item cannot be processed, where it was found malformed; raw is what was read then.
	bad error
	raw string
	// told says that the engine was given bad, and now only wants the item to set it aside.
	told bool
}

// seqSource reads items one after the other, ahead of the transaction of a batch. It has one shard, so one worker at a time.
type seqSource[T any] struct {
	label string
	order string // what the key's values are, for people
	open  func(ctx context.Context, sh *shard) (iter.Seq2[entry[T], error], error)
	// measure counts the items and tells what identifies them; nil where they cannot be counted.
	measure func(ctx context.Context) (rows int64, upper keyset.Values, err error)
	decode  func(input string) (T, error) // for a replay

	current *reading[T]
	told    map[int64]error // of a replay: the rows of the quarantine that cannot be decoded
}

// reading is an iterator under way.
type reading[T any] struct {
	next    func() (entry[T], error, bool)
	stop    func()
	pending []entry[T] // read, and not known to be committed
	given   int        // how many of them are the last page
	end     keyset.Values
	latest  keyset.Values // the position behind the last item that was read
	ended   bool
}

func (s *seqSource[T]) name() string { return s.label }

func (s *seqSource[T]) plan(ctx context.Context, _ *db.DB, o planOptions) (*sourcePlan, error) {
	p := &sourcePlan{rows: -1, order: s.order}
	sh := runstore.Shard{Planned: -1}
	if s.measure != nil {
		rows, upper, err := s.measure(ctx)
		if err != nil {
			return nil, err
		}
		p.rows, sh.Planned, sh.Upper = rows, rows, upper
	}
	if o.limit > 0 && (p.rows < 0 || p.rows > o.limit) {
		sh.Planned = o.limit
		if p.rows >= 0 {
			p.rows = o.limit
		}
	}
	p.shards = []runstore.Shard{sh}
	return p, nil
}

// prepare reads ahead until there are enough items for a batch. Of what was measured it reads one more, so that the end is looked at before the
// last page is worked on.
func (s *seqSource[T]) prepare(ctx context.Context, _ *db.DB, sh *shard, size int) error {
	r, _ := sh.held.(*reading[T])
	if r == nil {
		seq, err := s.open(ctx, sh)
		if err != nil {
			return Fatal(err)
		}
		r = &reading[T]{latest: sh.Reached}
		r.next, r.stop = iter.Pull2(seq)
		sh.held, s.current = r, r
	}
	done := r.given // of which the last page is committed, or what an attempt before it had, whose answer was lost
	if !r.end.Equal(sh.Reached) {
		done = 1 + slices.IndexFunc(r.pending, func(e entry[T]) bool { return e.end.Equal(sh.Reached) })
	}
	if done > 0 {
		r.pending, r.given = r.pending[done:], 0
	}
	if s.measure != nil {
		size++
	}
	for !r.ended && len(r.pending) < size {
		if err := s.pull(r); err != nil {
			s.release(sh) // the next attempt begins anew behind what is committed
			return Fatal(fmt.Errorf("read %s: %w", s.label, err))
		}
	}
	return nil
}

// pull reads one more item.
func (s *seqSource[T]) pull(r *reading[T]) error {
	e, err, ok := r.next()
	switch {
	case !ok:
		r.ended = true
		return nil
	case err != nil:
		return err
	case e.end.Equal(r.latest): // a run could not be resumed between the two
		return fmt.Errorf("two items that follow each other have the key %s, or the iterator gave the item of the key that it should begin behind", e.key)
	}
	r.pending, r.latest = append(r.pending, e), e.end
	return nil
}

// read gives the items up to the next malformed one, or that one alone. A malformed item is an error at first; when it is read again it is
// given, to be set aside, and settle sees to it that it is not taken for processed.
func (s *seqSource[T]) read(_ context.Context, _ *db.DB, sh *shard, size int) (page, error) {
	r := sh.held.(*reading[T])
	some := r.pending[:min(size, len(r.pending))]
	switch first := slices.IndexFunc(some, func(e entry[T]) bool { return e.bad != nil }); {
	case first == 0:
		some = some[:1]
	case first > 0:
		some = some[:first]
	}
	p := page{n: len(some), last: r.ended && len(some) == len(r.pending)}
	if sh.Planned >= 0 && sh.Read+int64(len(some)) >= sh.Planned {
		p.last = true
	}
	items := make([]T, len(some))
	for i, e := range some {
		items[i], p.end = e.item, e.end
	}
	p.items = items
	if p.n > 0 && p.end.Equal(sh.Reached) { // it could not be told from a page that is committed
		return p, Fatal(fmt.Errorf("read %s: two items have the key %s", s.label, p.end))
	}
	r.given, r.end = len(some), p.end
	if p.n > 0 && some[0].bad != nil && !some[0].told {
		some[0].told = true
		return p, some[0].bad
	}
	return p, nil
}

// malformed is why a page must not be processed; nil where it may be.
func (s *seqSource[T]) malformed(p page) error {
	if len(p.replayed) > 0 {
		return s.told[p.replayed[0].ID]
	}
	if e := s.entry(p, 0); e != nil {
		return e.bad
	}
	return nil
}

// settle refuses a malformed item that came to Process all the same, because the attempt after the one that failed with it was not the one
// that sets it aside.
func (s *seqSource[T]) settle(_ context.Context, w *work) error { return s.malformed(w.page) }

// reject has nothing to note: the quarantine holds it.
func (s *seqSource[T]) reject(context.Context, *work, error) error { return nil }

// entry is the i-th item of the last page; nil where p is another one.
func (s *seqSource[T]) entry(p page, i int) *entry[T] {
	r := s.current
	if r == nil || i >= r.given || !p.end.Equal(r.end) {
		return nil
	}
	return &r.pending[i]
}

func (s *seqSource[T]) describe(p page, i int) (keyset.Values, string) {
	items, _ := p.items.([]T)
	if i >= len(items) {
		return nil, ""
	}
	e := s.entry(p, i)
	switch {
	case e == nil:
		return nil, jsonText(items[i])
	case e.bad != nil:
		return e.key, e.raw
	}
	return e.key, jsonText(items[i])
}

// release ends the iterator of a shard.
func (s *seqSource[T]) release(sh *shard) {
	sh.held = nil
	s.close()
}

// close ends the iterator.
func (s *seqSource[T]) close() {
	if s.current != nil {
		s.current.stop()
		s.current = nil
	}
}

// replay decodes an item that was set aside. One that cannot be decoded is malformed, as in read.
func (s *seqSource[T]) replay(_ context.Context, _ *db.DB, row runstore.Quarantined) (page, error) {
	item, err := s.decode(row.Input)
	p := page{items: []T{item}, n: 1}
	if err == nil || s.told[row.ID] != nil {
		return p, nil
	}
	if s.told == nil {
		s.told = map[int64]error{}
	}
	s.told[row.ID] = err
	return p, err
}
