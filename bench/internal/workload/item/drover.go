package item

import (
	"context"
	"iter"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// droverSide is package table.
type droverSide struct {
	site  *site
	conn  *db.DB
	items table.Table[Item]
}

func droverEntry(s *site) entry {
	return entry{name: "drover", role: measure.Drover, side: &droverSide{site: s}, without: map[*task]string{}}
}

func (d *droverSide) open(ctx context.Context) (err error) {
	if d.conn, err = db.Open(ctx, d.site.URL); err != nil {
		return err
	}
	d.items, err = table.New[Item](d.conn)
	return err
}

func (d *droverSide) close() error { return d.conn.Close() }

func (d *droverSide) works() map[*task][]work {
	return map[*task][]work{
		create:      {{how: "BulkCreate in a block", run: d.create}},
		createBlind: {{how: "BulkCreateSeq", run: d.createBlind}},
		update:      {{how: "BulkUpdate in a block", run: d.update}},
		remove:      {{how: "DeleteBatches", run: d.remove}},
		stream:      {{how: "All, Direct", run: d.stream}},
		pages:       {{how: "All, ByKey", run: d.pages}},
		narrow:      {{how: "Into, Direct", run: d.narrow}},
		get:         {{how: "Where, Get", run: d.get}},
		getOrCreate: {{how: "GetOrCreate", run: d.getOrCreate}},
		expression:  {{how: "Update with Expr", run: d.expression}},
		upsert:      {{how: "BulkCreate, UpdateConflicts, NoReadBack", run: d.upsert}},
		memory:      d.streams(),
	}
}

func (d *droverSide) create(ctx context.Context) (t tally, err error) {
	err = d.conn.Atomic(ctx, func(ctx context.Context) error {
		return batches(d.site.sizes.Rows, d.site.sizes.Batch, row, func(rows []Item) error {
			if _, err := d.items.BulkCreate(ctx, rows); err != nil {
				return err
			}
			for i := range rows {
				t.created(rows[i].ID, rows[i].Qty)
			}
			return nil
		})
	})
	return t, err
}

func (d *droverSide) createBlind(ctx context.Context) (tally, error) {
	n, err := d.items.BulkCreateSeq(ctx, func(yield func(Item, error) bool) {
		for i := range d.site.sizes.Rows {
			if !yield(row(i), nil) {
				return
			}
		}
	})
	return tally{rows: n}, err
}

func (d *droverSide) update(ctx context.Context) (t tally, err error) {
	err = d.conn.Atomic(ctx, func(ctx context.Context) error {
		return batches(d.site.sizes.Updates, d.site.sizes.Batch, updated, func(rows []Item) error {
			n, err := d.items.BulkUpdate(ctx, rows, "qty", "note")
			t.rows += n
			return err
		})
	})
	return t, err
}

func (d *droverSide) remove(ctx context.Context) (tally, error) {
	n, err := d.items.Where("qty < ?", deleteBelow).DeleteBatches(ctx, d.site.sizes.Batch)
	return tally{rows: n}, err
}

func (d *droverSide) stream(ctx context.Context) (tally, error) {
	return sum(d.items.OrderBy("id").All(ctx, table.Direct()), func(it *Item) int32 { return it.Qty })
}

func (d *droverSide) pages(ctx context.Context) (tally, error) {
	return sum(d.items.All(ctx, table.ByKey(), table.PageSize(d.site.sizes.Page)), func(it *Item) int32 { return it.Qty })
}

func (d *droverSide) narrow(ctx context.Context) (tally, error) {
	return sum(table.Into[pair](d.items.OrderBy("id")).All(ctx, table.Direct()), func(p *pair) int32 { return p.Qty })
}

// streams are all ways of reading much.
func (d *droverSide) streams() []work {
	const all = "SELECT " + columns + " FROM bench_item ORDER BY id"
	structs := func(it *Item) int32 { return it.Qty }
	number := func(n *int32) int32 { return *n }
	maps := func(m *map[string]any) int32 { return int32((*m)["qty"].(int64)) }
	tuples := func(row *[]any) int32 { return int32((*row)[3].(int64)) }
	page := table.PageSize(d.site.sizes.Page)
	return []work{
		{how: "All, Direct", run: func(ctx context.Context) (tally, error) {
			return sum(d.items.OrderBy("id").All(ctx, table.Direct()), structs)
		}},
		{how: "All, ByKey", run: func(ctx context.Context) (tally, error) { return sum(d.items.All(ctx, page), structs) }},
		{how: "All, Cursor", run: func(ctx context.Context) (tally, error) {
			return sum(d.items.OrderBy("id").All(ctx, table.Cursor(), page), structs)
		}},
		{how: "FetchMany", run: d.fetchMany},
		{how: "Into", run: func(ctx context.Context) (tally, error) {
			return sum(table.Into[pair](d.items).All(ctx, page), func(p *pair) int32 { return p.Qty })
		}},
		{how: "Column", run: func(ctx context.Context) (tally, error) {
			return sum(table.Column[int32](d.items.OrderBy("id"), "qty").All(ctx, page), number)
		}},
		{how: "Values", run: func(ctx context.Context) (tally, error) { return sum(d.items.Values().All(ctx, page), maps) }},
		{how: "Tuples", run: func(ctx context.Context) (tally, error) { return sum(d.items.Tuples().All(ctx, page), tuples) }},
		{how: "Raw, structs", run: func(ctx context.Context) (tally, error) {
			return sum(table.Raw[Item](d.conn, all).All(ctx, page), structs)
		}},
		{how: "Raw, maps", run: func(ctx context.Context) (tally, error) {
			return sum(table.Raw[map[string]any](d.conn, all).All(ctx, page), maps)
		}},
		{how: "Raw, tuples", run: func(ctx context.Context) (tally, error) {
			return sum(table.Raw[[]any](d.conn, all).All(ctx, page), tuples)
		}},
	}
}

func (d *droverSide) fetchMany(ctx context.Context) (t tally, err error) {
	for rows, err := range d.items.FetchMany(ctx, d.site.sizes.Page) {
		if err != nil {
			return t, err
		}
		for i := range rows {
			t.add(rows[i].Qty)
		}
	}
	return t, nil
}

func sum[R any](rows iter.Seq2[R, error], qty func(*R) int32) (t tally, err error) {
	for row, err := range rows {
		if err != nil {
			return t, err
		}
		t.add(qty(&row))
	}
	return t, nil
}

func (d *droverSide) get(ctx context.Context) (t tally, err error) {
	for id := range ids(d.site.sizes) {
		it, err := d.items.Where("id = ?", id).Get(ctx)
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (d *droverSide) getOrCreate(ctx context.Context) (t tally, err error) {
	for i := range d.site.sizes.Calls {
		want := wanted(i)
		it, _, err := d.items.GetOrCreate(ctx, table.Key{"sku": want.SKU}, func(it *Item) { *it = want })
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (d *droverSide) expression(ctx context.Context) (tally, error) {
	n, err := d.items.Update(ctx, table.Set{"qty": table.Expr("qty + ?", 1)})
	return tally{rows: n}, err
}

func (d *droverSide) upsert(ctx context.Context) (t tally, err error) {
	err = batches(d.site.sizes.Calls, d.site.sizes.Batch, upserted, func(rows []Item) error {
		t.rows += int64(len(rows))
		_, err := d.items.BulkCreate(ctx, rows, table.UpdateConflicts([]string{"sku"}, "qty", "note"), table.NoReadBack())
		return err
	})
	return t, err
}
