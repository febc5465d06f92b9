package table_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/table"
)

// read reads a random query in some of the ways that there are.
func (m *propMachine[T, P]) read(ctx context.Context) {
	q := m.query(true)
	want := m.rows(q)
	m.counts(ctx, q, want)
	ways := []func(context.Context, propQuery[T], []T){m.readList, m.readStream, m.readStream, m.readMany, m.readEnds, m.readSome, m.readValues, m.readInto, m.readBulk}
	ways[rapid.IntRange(0, len(ways)-1).Draw(m.T, "way to read")](ctx, q, want)
}

func (m *propMachine[T, P]) counts(ctx context.Context, q propQuery[T], want []T) {
	if n, err := q.q.Count(ctx); err != nil || n != int64(len(want)) {
		m.Fatalf("count of %v is %d, %v, want %d", q, n, err, len(want))
	}
	if there, err := q.q.Exists(ctx); err != nil || there != (len(want) > 0) {
		m.Fatalf("exists of %v is %v, %v, of %d", q, there, err, len(want))
	}
}

// compared compares rows in their order, or in that of the key where the query has none.
func (m *propMachine[T, P]) compared(what string, q propQuery[T], got, want []T, err error) {
	if err != nil {
		m.Fatalf("%s of %v: %v", what, q, err)
	}
	if !q.ordered {
		slices.SortFunc(got, func(a, b T) int { return q.compare(&a, &b) })
	}
	m.same(what+" of "+q.String(), got, want)
}

func (m *propMachine[T, P]) readList(ctx context.Context, q propQuery[T], want []T) {
	got, err := q.q.List(ctx)
	m.compared("list", q, got, want, err)
}

// way draws a way of streaming. fails says that the query has not the order that it needs.
func (m *propMachine[T, P]) way(q propQuery[T]) (opts []table.StreamOption, fails bool) {
	if rapid.Bool().Draw(m.T, "paged") {
		opts = append(opts, table.PageSize(rapid.IntRange(1, 4).Draw(m.T, "page size")))
	}
	switch rapid.IntRange(0, 3).Draw(m.T, "stream") {
	case 0:
		return append(opts, table.ByKey()), !q.byKey || q.offset > 0
	case 1:
		return append(opts, table.Cursor()), false
	case 2:
		return append(opts, table.Direct()), false
	}
	return opts, false
}

func propCollect[R any](rows iter.Seq2[R, error]) (all []R, err error) {
	for row, err := range rows {
		if err != nil {
			return all, err
		}
		all = append(all, row)
	}
	return all, nil
}

func (m *propMachine[T, P]) readStream(ctx context.Context, q propQuery[T], want []T) {
	opts, fails := m.way(q)
	rows := q.q.All(ctx, opts...)
	if len(want) > 0 && !fails && rapid.IntRange(0, 3).Draw(m.T, "broken off") == 0 {
		for row, err := range rows { // which leaves nothing behind that the next loop would meet
			if err != nil {
				m.Fatalf("stream of %v: %v", q, err)
			}
			if q.ordered {
				m.same("first row", []T{row}, want[:1])
			}
			break
		}
	}
	got, err := propCollect(rows)
	if fails {
		if err == nil || len(got) > 0 {
			m.Fatalf("stream by key of %v gave %d rows, %v", q, len(got), err)
		}
		return
	}
	m.compared("stream", q, got, want, err)
}

func (m *propMachine[T, P]) readMany(ctx context.Context, q propQuery[T], want []T) {
	n := rapid.IntRange(1, 4).Draw(m.T, "n")
	opts, fails := m.way(q)
	if fails {
		return
	}
	pages, err := propCollect(q.q.FetchMany(ctx, n, opts...))
	for i, page := range pages {
		if len(page) != n && i < len(pages)-1 || len(page) == 0 || len(page) > n {
			m.Fatalf("page %d of %d has %d rows, want %d", i, len(pages), len(page), n)
		}
	}
	m.compared("pages", q, slices.Concat(pages...), want, err)
}

// readEnds reads the first, the last and the only row.
func (m *propMachine[T, P]) readEnds(ctx context.Context, q propQuery[T], want []T) {
	one := func(what string, at int, read func(context.Context) (T, error)) {
		row, err := read(ctx)
		if len(want) == 0 {
			if !errors.Is(err, table.ErrNotFound) {
				m.Fatalf("%s of %v, which is empty: %v", what, q, err)
			}
			return
		}
		if err != nil {
			m.Fatalf("%s of %v: %v", what, q, err)
		}
		m.same(what+" of "+q.String(), []T{row}, want[at:at+1])
	}
	one("first", 0, q.q.First)
	if q.limit >= 0 || q.offset > 0 {
		if _, err := q.q.Last(ctx); !errors.Is(err, table.ErrSliced) {
			m.Fatalf("last of %v: %v", q, err)
		}
	} else {
		one("last", len(want)-1, q.q.Last)
	}
	if len(want) > 1 {
		if _, err := q.q.Get(ctx); !errors.Is(err, table.ErrMultiple) {
			m.Fatalf("get of %v, which is %d rows: %v", q, len(want), err)
		}
	} else if q.offset == 0 && q.limit != 1 { // which would be any row: Get has no order
		one("get", 0, q.q.Get)
	}
}

// readSome reads some columns into the same type.
func (m *propMachine[T, P]) readSome(ctx context.Context, q propQuery[T], want []T) {
	some := q.q.Only("mark", "code", "qty")
	if rapid.Bool().Draw(m.T, "deferred") {
		some = q.q.Defer("name", "score", "seen", "kind", "twice")
	}
	part := slices.Clone(want)
	for i := range part {
		b := P(&part[i]).body()
		P(&part[i]).setKey(P(&want[i]).key())
		*b = propBody{Mark: b.Mark, Code: b.Code, Qty: b.Qty}
	}
	opts, fails := m.way(q)
	if fails {
		return
	}
	got, err := propCollect(some.All(ctx, opts...))
	m.compared("some columns", q, got, part, err)
}

// propNarrow is a type with some of the columns, in another order.
type propNarrow struct {
	Score *float64 `db:"score"`
	Mark  int64    `db:"mark"`
}

func (m *propMachine[T, P]) readInto(ctx context.Context, q propQuery[T], want []T) {
	opts, fails := m.way(q)
	if fails {
		return
	}
	narrow, err := propCollect(table.Into[propNarrow](q.q).All(ctx, opts...))
	if err != nil || len(narrow) != len(want) {
		m.Fatalf("narrow rows of %v: %d, %v, want %d", q, len(narrow), err, len(want))
	}
	marks, err := propCollect(table.Column[int64](q.q, "mark").All(ctx, opts...))
	if err != nil || len(marks) != len(want) {
		m.Fatalf("a column of %v: %d, %v, want %d", q, len(marks), err, len(want))
	}
	codes, err := table.Column[*string](q.q, "code").List(ctx)
	if err != nil || len(codes) != len(want) {
		m.Fatalf("a column of %v: %d, %v, want %d", q, len(codes), err, len(want))
	}
	if !q.ordered {
		slices.SortFunc(narrow, func(a, b propNarrow) int { return int(a.Mark - b.Mark) })
		slices.Sort(marks)
		want = slices.Clone(want)
		slices.SortFunc(want, func(a, b T) int { return int(P(&a).body().Mark - P(&b).body().Mark) })
	}
	for i := range want {
		b := P(&want[i]).body()
		if narrow[i].Mark != b.Mark || !propSamePointer(narrow[i].Score, b.Score) || marks[i] != b.Mark || q.ordered && !propSamePointer(codes[i], b.Code) {
			m.Fatalf("row %d of %v is %+v and %d, want %+v", i, q, narrow[i], marks[i], want[i])
		}
	}
}

// readValues reads rows as maps and as tuples.
func (m *propMachine[T, P]) readValues(ctx context.Context, q propQuery[T], want []T) {
	names := rapid.Permutation([]string{"mark", "code", "name", "qty", "twice", "score", "seen", "kind"}).Draw(m.T, "names")
	opts, fails := m.way(q)
	if fails || !q.ordered {
		return
	}
	maps, err := propCollect(q.q.Values(names...).All(ctx, opts...))
	if err != nil || len(maps) != len(want) {
		m.Fatalf("values of %v: %d, %v, want %d", q, len(maps), err, len(want))
	}
	tuples, err := q.q.Tuples(names...).List(ctx)
	if err != nil || len(tuples) != len(want) {
		m.Fatalf("tuples of %v: %d, %v, want %d", q, len(tuples), err, len(want))
	}
	for i := range want {
		expected := propPlain(P(&want[i]).body())
		for k, name := range names {
			if len(maps[i]) != len(names) || !propSameValue(maps[i][name], expected[name]) || !propSameValue(tuples[i][k], expected[name]) {
				m.Fatalf("row %d, column %s of %v is %#v and %#v, want %#v", i, name, q, maps[i][name], tuples[i][k], expected[name])
			}
		}
	}
}

// propPlain is a row as the values that every database has for it.
func propPlain(b *propBody) map[string]any {
	values := map[string]any{
		"mark": b.Mark, "name": b.Name, "qty": int64(b.Qty), "twice": int64(b.Twice), "kind": b.Kind, "code": nil, "score": nil, "seen": nil,
	}
	if b.Code != nil {
		values["code"] = *b.Code
	}
	if b.Score != nil {
		values["score"] = *b.Score
	}
	if b.Seen != nil {
		values["seen"] = *b.Seen
	}
	return values
}

func propSameValue(got, want any) bool {
	a, isTime := got.(time.Time)
	b, wantTime := want.(time.Time)
	if isTime && wantTime {
		return a.Equal(b) && a.Location() == time.UTC
	}
	return got == want
}

// readBulk reads rows by their keys.
func (m *propMachine[T, P]) readBulk(ctx context.Context, q propQuery[T], want []T) {
	keys := []int64{-1, 99999, 99999}
	for _, row := range m.model.rows {
		if rapid.Bool().Draw(m.T, "asked for") {
			keys = append(keys, P(&row).key().no)
		}
	}
	found, err := table.InBulk(ctx, q.q, keys)
	switch {
	case !m.serial:
		if !errors.Is(err, table.ErrNoKey) {
			m.Fatalf("in bulk by two columns: %v", err)
		}
		return
	case q.limit >= 0 || q.offset > 0:
		if !errors.Is(err, table.ErrSliced) {
			m.Fatalf("in bulk of %v: %v", q, err)
		}
		return
	}
	want = slices.DeleteFunc(slices.Clone(want), func(r T) bool { return !slices.Contains(keys, P(&r).key().no) })
	if err != nil || len(found) != len(want) {
		m.Fatalf("in bulk of %v: %d rows, %v, want %d", q, len(found), err, len(want))
	}
	for _, row := range want {
		m.same("in bulk", []T{found[P(&row).key().no]}, []T{row})
	}
}
