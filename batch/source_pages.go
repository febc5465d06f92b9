package batch

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// PagesOptions say what belongs to the records of [Pages]. It is for packages of this module.
type PagesOptions struct {
	// Prepare is called with each page that was read, by the goroutine that reads ahead; nil: nothing is.
	Prepare func(p *datafile.Page)
	// Table is the quoted name of the table that the records go to, and Images are its rows.
	Table  string
	Images *rowimage.Table
	// Keys are the keys of the rows that are there already and that the records of a page change; nil: the records change none.
	Keys func(p *datafile.Page) []keyset.Values
}

// Pages is for packages of this module; others have [CSV] and [JSONL]. It makes the records of a file the source, page by page: a batch has one item,
// the page, and as many rows as that has records. A goroutine reads and prepares a page while the one before is worked on. A malformed record is for
// Process to set aside.
func Pages(in *datafile.Input, o PagesOptions) Source[*datafile.Page] {
	return Source[*datafile.Page]{&pagesSource{in: in, o: o}}
}

// pagesSource reads a file that was measured. It has one shard, so one worker at a time.
type pagesSource struct {
	in    *datafile.Input
	o     PagesOptions
	ahead *readAhead // under way; nil: none is
}

// readAhead is a file that is being read.
type readAhead struct {
	pages chan pageRead
	size  atomic.Int64 // of the next page
	stop  context.CancelFunc
	wait  sync.WaitGroup

	held *datafile.Page // read and not known to be committed; nil where all is
}

type pageRead struct {
	page *datafile.Page // nil at the end of the file
	err  error
}

func (s *pagesSource) tell(key keyset.Values) string { return tellPlace(key) }

func (s *pagesSource) name() string { return s.in.Path() }

func (s *pagesSource) upper() keyset.Values { return keyset.Values{s.in.Size(), s.in.SHA256()} }

func (s *pagesSource) plan(_ context.Context, _ *db.DB, o planOptions) (*sourcePlan, error) {
	rows := s.in.Rows()
	if o.limit > 0 {
		rows = min(rows, o.limit)
	}
	return &sourcePlan{rows: rows, order: placeOrder, shards: []runstore.Shard{{Planned: rows, Upper: s.upper()}}}, nil
}

// prepare sees to it that the next records are read.
func (s *pagesSource) prepare(ctx context.Context, _ *db.DB, sh *shard, size int) error {
	a, _ := sh.held.(*readAhead)
	if a == nil {
		if !sh.Upper.Equal(s.upper()) {
			return Fatal(fmt.Errorf("%s: %w", s.in.Path(), errFileChanged))
		}
		var err error
		if a, err = s.begin(sh.Reached, size); err != nil {
			return Fatal(fmt.Errorf("read %s: %w", s.in.Path(), err))
		}
		sh.held, s.ahead = a, a
	}
	a.size.Store(int64(size))
	if err := a.drop(sh.Reached); err != nil {
		return Fatal(err)
	}
	if a.held != nil && a.held.Len() > 0 {
		return nil
	}
	select {
	case r := <-a.pages:
		if r.err != nil {
			s.release(sh)
			return Fatal(fmt.Errorf("read %s: %w", s.in.Path(), r.err))
		}
		a.held = r.page
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// drop leaves out what is committed: what was given last, or what an attempt before that had, whose answer was lost.
func (a *readAhead) drop(reached keyset.Values) error {
	if a.held == nil || reached == nil {
		return nil
	}
	at, err := placeOf(reached)
	if err != nil {
		return err
	}
	done := sort.Search(a.held.Len(), func(i int) bool { return a.held.At(i).Byte >= at.offset })
	a.held = a.held.Part(done, a.held.Len())
	return nil
}

// begin reads on from where the shard is.
func (s *pagesSource) begin(reached keyset.Values, size int) (*readAhead, error) {
	from := s.in.Begin()
	if reached != nil {
		at, err := placeOf(reached)
		if err != nil {
			return nil, err
		}
		from = datafile.Place{Line: at.line, Byte: at.offset}
	}
	r, err := s.in.Read(from)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background()) // it ends with close, and not with a batch
	a := &readAhead{pages: make(chan pageRead, 1), stop: stop}
	a.size.Store(int64(size))
	a.wait.Go(func() { s.pump(ctx, r, a) })
	return a, nil
}

// pump reads pages until the end of the file, or until nobody wants more.
func (s *pagesSource) pump(ctx context.Context, r *datafile.Reader, a *readAhead) {
	defer func() { _ = r.Close() }() // nothing was written
	for {
		p, err := r.Next(int(a.size.Load()))
		if p != nil && s.o.Prepare != nil {
			s.o.Prepare(p)
		}
		select {
		case a.pages <- pageRead{p, err}:
		case <-ctx.Done():
			return
		}
		if p == nil {
			return
		}
	}
}

// read gives the records that prepare has read. A rehearsal asks for them before it prepares.
func (s *pagesSource) read(ctx context.Context, conn *db.DB, sh *shard, size int) (page, error) {
	if sh.held == nil {
		if err := s.prepare(ctx, conn, sh, size); err != nil {
			return page{}, err
		}
	}
	a := sh.held.(*readAhead)
	if a.held == nil {
		return page{end: sh.Reached, last: true}, nil
	}
	n := min(size, a.held.Len())
	end := a.held.At(n)
	return page{
		items: []*datafile.Page{a.held.Part(0, n)}, n: n, end: place{end.Line, end.Byte}.values(), last: sh.Read+int64(n) >= sh.Planned,
	}, nil
}

// recordsOf is the page of records that an engine's page holds.
func recordsOf(p page) *datafile.Page {
	if items, _ := p.items.([]*datafile.Page); len(items) == 1 {
		return items[0]
	}
	return nil
}

func (s *pagesSource) describe(p page, i int) (keyset.Values, string) {
	records := recordsOf(p)
	if records == nil || i >= records.Len() {
		return nil, ""
	}
	at, raw := records.At(i), records.Raw(i)
	return place{at.Line, at.Byte}.values(), string(raw[:min(len(raw), maxRaw)])
}

var errNotKept = errors.New("the record was too long or no UTF-8, so that it was not kept as it is when it was set aside, and can only be read from a file that is corrected")

// replay reads a record of its text.
func (s *pagesSource) replay(_ context.Context, _ *db.DB, row runstore.Quarantined) (page, error) {
	p := s.in.Record(row.Input)
	if len(row.Input) >= maxRaw || strings.ContainsRune(row.Input, utf8.RuneError) {
		p = s.in.Malformed(row.Input, errNotKept)
	}
	if s.o.Prepare != nil {
		s.o.Prepare(p)
	}
	return page{items: []*datafile.Page{p}, n: 1}, nil
}

func (s *pagesSource) images() *rowimage.Table { return s.o.Images }

// QuotedTable is the name of the table that the records go to.
func (s *pagesSource) QuotedTable() string { return s.o.Table }

func (s *pagesSource) before(ctx context.Context, conn *db.DB, p page) ([]rowimage.Row, error) {
	records := recordsOf(p)
	if s.o.Keys == nil || records == nil {
		return nil, nil
	}
	return s.o.Images.ReadKeys(ctx, conn, s.o.Keys(records), true)
}

func (s *pagesSource) release(sh *shard) {
	sh.held = nil
	s.close()
}

// close ends the reading.
func (s *pagesSource) close() {
	if s.ahead != nil {
		s.ahead.stop()
		s.ahead.wait.Wait()
		s.ahead = nil
	}
}
