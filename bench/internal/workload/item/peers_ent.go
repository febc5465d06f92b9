package item

import (
	"context"
	"database/sql"
	"errors"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/drover-dev/drover/bench/internal/ent"
	"github.com/drover-dev/drover/bench/internal/ent/item"
	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// entSide is the client that ent generates, with its feature sql/upsert.
type entSide struct {
	site *site
	pool *sql.DB
	ent  *ent.Client
}

func entEntry(s *site) entry {
	return entry{name: "ent", role: measure.Peer, side: &entSide{site: s}, without: map[*task]string{}}
}

func (e *entSide) open(ctx context.Context) (err error) {
	if e.pool, err = harness.Open(e.site.URL); err != nil {
		return err
	}
	name := map[string]string{testdb.NamePostgres: dialect.Postgres, testdb.NameMariaDB: dialect.MySQL, testdb.NameSQLite: dialect.SQLite}[e.site.Name]
	e.ent = ent.NewClient(ent.Driver(entsql.OpenDB(name, e.pool)))
	return e.pool.PingContext(ctx)
}

func (e *entSide) close() error { return e.ent.Close() }

func (e *entSide) works() map[*task][]work {
	return map[*task][]work{
		create:      {{how: "CreateBulk", run: e.create}},
		createBlind: {{how: "CreateBulk (reads ids all the same)", run: e.createBlind}},
		update:      {{how: "CreateBulk OnConflict (it has no bulk update)", run: e.update}},
		remove:      {{how: "IDs after the last, Delete", run: e.remove}},
		stream:      {{how: "All, all in memory (it has no stream)", run: e.stream}},
		pages:       {{how: "Where IDGT, Limit, All", run: e.pages}},
		narrow:      {{how: "Select, Scan, all in memory", run: e.narrow}},
		get:         {{how: "Get", run: e.get}},
		getOrCreate: {{how: "Only, then Create", run: e.getOrCreate}},
		expression:  {{how: "Update AddQty", run: e.expression}},
		upsert:      {{how: "CreateBulk OnConflict", run: e.upsert}},
	}
}

func builder(client *ent.Client, it Item) *ent.ItemCreate {
	c := client.Item.Create().SetSku(it.SKU).SetName(it.Name).SetQty(it.Qty).SetPriceCents(it.PriceCents).SetActive(it.Active).
		SetCategoryID(it.CategoryID).SetNote(it.Note).SetCreatedAt(it.CreatedAt)
	if it.ID != 0 {
		c.SetID(it.ID)
	}
	return c
}

func (e *entSide) inTx(ctx context.Context, fn func(client *ent.Client) error) error {
	tx, err := e.ent.Tx(ctx)
	if err != nil {
		return err
	}
	if err := fn(tx.Client()); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (e *entSide) create(ctx context.Context) (t tally, err error) {
	err = e.inTx(ctx, func(client *ent.Client) error {
		build := func(i int) *ent.ItemCreate { return builder(client, row(i)) }
		return batches(e.site.sizes.Rows, e.site.sizes.Batch, build, func(rows []*ent.ItemCreate) error {
			items, err := client.Item.CreateBulk(rows...).Save(ctx)
			for _, it := range items {
				t.created(it.ID, it.Qty)
			}
			return err
		})
	})
	return t, err
}

func (e *entSide) createBlind(ctx context.Context) (tally, error) {
	t, err := e.create(ctx)
	return tally{rows: t.rows}, err
}

func (e *entSide) update(ctx context.Context) (t tally, err error) {
	err = e.inTx(ctx, func(client *ent.Client) error {
		build := func(i int) *ent.ItemCreate { return builder(client, updated(i)) }
		return batches(e.site.sizes.Updates, e.site.sizes.Batch, build, func(rows []*ent.ItemCreate) error {
			t.rows += int64(len(rows))
			return client.Item.CreateBulk(rows...).OnConflict(entsql.ConflictColumns(item.FieldID)).Update(replace).Exec(ctx)
		})
	})
	return t, err
}

func replace(u *ent.ItemUpsert) { u.UpdateQty().UpdateNote() }

func (e *entSide) upsert(ctx context.Context) (t tally, err error) {
	build := func(i int) *ent.ItemCreate { return builder(e.ent, upserted(i)) }
	err = batches(e.site.sizes.Calls, e.site.sizes.Batch, build, func(rows []*ent.ItemCreate) error {
		t.rows += int64(len(rows))
		return e.ent.Item.CreateBulk(rows...).OnConflict(entsql.ConflictColumns(item.FieldSku)).Update(replace).Exec(ctx)
	})
	return t, err
}

func (e *entSide) remove(ctx context.Context) (t tally, err error) {
	var last int64
	for {
		ids, err := e.ent.Item.Query().Where(item.IDGT(last), item.QtyLT(deleteBelow)).Order(item.ByID()).Limit(e.site.sizes.Batch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return t, err
		}
		n, err := e.ent.Item.Delete().Where(item.IDIn(ids...)).Exec(ctx)
		if err != nil {
			return t, err
		}
		t.rows += int64(n)
		last = ids[len(ids)-1]
	}
}

func (e *entSide) stream(ctx context.Context) (t tally, err error) {
	items, err := e.ent.Item.Query().Order(item.ByID()).All(ctx)
	for _, it := range items {
		t.add(it.Qty)
	}
	return t, err
}

func (e *entSide) pages(ctx context.Context) (t tally, err error) {
	var last int64
	for {
		page, err := e.ent.Item.Query().Where(item.IDGT(last)).Order(item.ByID()).Limit(e.site.sizes.Page).All(ctx)
		if err != nil {
			return t, err
		}
		for _, it := range page {
			t.add(it.Qty)
		}
		if len(page) < e.site.sizes.Page {
			return t, nil
		}
		last = page[len(page)-1].ID
	}
}

func (e *entSide) narrow(ctx context.Context) (t tally, err error) {
	var pairs []pair
	err = e.ent.Item.Query().Order(item.ByID()).Select(item.FieldID, item.FieldQty).Scan(ctx, &pairs)
	for i := range pairs {
		t.add(pairs[i].Qty)
	}
	return t, err
}

func (e *entSide) get(ctx context.Context) (t tally, err error) {
	for id := range ids(e.site.sizes) {
		it, err := e.ent.Item.Get(ctx, id)
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (e *entSide) getOrCreate(ctx context.Context) (t tally, err error) {
	for i := range e.site.sizes.Calls {
		want := wanted(i)
		it, err := e.ent.Item.Query().Where(item.Sku(want.SKU)).Only(ctx)
		if ent.IsNotFound(err) {
			it, err = builder(e.ent, want).Save(ctx)
		}
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (e *entSide) expression(ctx context.Context) (t tally, err error) {
	n, err := e.ent.Item.Update().AddQty(1).Save(ctx)
	return tally{rows: int64(n)}, err
}
