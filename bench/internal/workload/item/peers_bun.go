package item

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// bunItem is Item as bun's users write it.
type bunItem struct {
	bun.BaseModel `bun:"table:bench_item,alias:bench_item"`

	ID         int64     `bun:"id,pk,autoincrement"`
	SKU        string    `bun:"sku"`
	Name       string    `bun:"name"`
	Qty        int32     `bun:"qty"`
	PriceCents int64     `bun:"price_cents"`
	Active     bool      `bun:"active"`
	CategoryID int32     `bun:"category_id"`
	Note       string    `bun:"note"`
	CreatedAt  time.Time `bun:"created_at"`
}

func bunOf(it Item) bunItem {
	return bunItem{
		ID: it.ID, SKU: it.SKU, Name: it.Name, Qty: it.Qty, PriceCents: it.PriceCents, Active: it.Active,
		CategoryID: it.CategoryID, Note: it.Note, CreatedAt: it.CreatedAt,
	}
}

func bunRow(i int) bunItem      { return bunOf(row(i)) }
func bunUpdated(i int) bunItem  { return bunOf(updated(i)) }
func bunUpserted(i int) bunItem { return bunOf(upserted(i)) }

// bunSide is bun. Its page on PostgreSQL has pgx in the simple protocol, for bun writes the values into the statements.
type bunSide struct {
	site *site
	pool *sql.DB
	db   *bun.DB
}

func bunEntry(s *site) entry {
	e := entry{name: "bun", role: measure.Peer, side: &bunSide{site: s}, without: map[*task]string{}}
	if s.Name == testdb.NameMariaDB {
		e.without[create] = "it reads back the first id of a statement only"
	}
	return e
}

func (b *bunSide) open(ctx context.Context) (err error) {
	address := b.site.URL
	var dialect schema.Dialect
	switch b.site.Name {
	case testdb.NamePostgres:
		address += "&default_query_exec_mode=simple_protocol"
		dialect = pgdialect.New()
	case testdb.NameMariaDB:
		dialect = mysqldialect.New()
	default:
		dialect = sqlitedialect.New()
	}
	if b.pool, err = harness.Open(address); err != nil {
		return err
	}
	b.db = bun.NewDB(b.pool, dialect)
	return b.pool.PingContext(ctx)
}

func (b *bunSide) close() error { return b.pool.Close() }

func (b *bunSide) works() map[*task][]work {
	works := map[*task][]work{
		create:      {{how: "NewInsert of slices", run: b.create}},
		createBlind: {{how: "NewInsert of slices, Returning NULL", run: b.createBlind}},
		update:      {{how: "NewUpdate Bulk", run: b.update}},
		remove:      {{how: "ids after the last, NewDelete", run: b.remove}},
		stream:      {{how: "Rows, ScanRow", run: b.stream}},
		pages:       {{how: "Where id >, Limit, Scan", run: b.pages}},
		narrow:      {{how: "Column, Rows, ScanRow", run: b.narrow}},
		get:         {{how: "NewSelect, Scan", run: b.get}},
		getOrCreate: {{how: "NewSelect, then NewInsert", run: b.getOrCreate}},
		expression:  {{how: "NewUpdate Set", run: b.expression}},
		upsert:      {{how: "NewInsert On", run: b.upsert}},
	}
	if b.site.Name == testdb.NameMariaDB {
		works[update] = []work{{how: "NewInsert On (its Bulk fails: VALUES ROW)", run: b.updateByUpsert}}
	}
	return works
}

func (b *bunSide) create(ctx context.Context) (t tally, err error) {
	err = b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return batches(b.site.sizes.Rows, b.site.sizes.Batch, bunRow, func(rows []bunItem) error {
			if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
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

func (b *bunSide) createBlind(ctx context.Context) (t tally, err error) {
	err = b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return batches(b.site.sizes.Rows, b.site.sizes.Batch, bunRow, func(rows []bunItem) error {
			t.rows += int64(len(rows))
			_, err := tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
			return err
		})
	})
	return t, err
}

func (b *bunSide) update(ctx context.Context) (t tally, err error) {
	err = b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return batches(b.site.sizes.Updates, b.site.sizes.Batch, bunUpdated, func(rows []bunItem) error {
			result, err := tx.NewUpdate().Model(&rows).Column("qty", "note").Bulk().Exec(ctx)
			return t.affected(result, err)
		})
	})
	return t, err
}

func (b *bunSide) updateByUpsert(ctx context.Context) (t tally, err error) {
	err = b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return batches(b.site.sizes.Updates, b.site.sizes.Batch, bunUpdated, func(rows []bunItem) error {
			t.rows += int64(len(rows))
			_, err := b.on(tx.NewInsert().Model(&rows)).Exec(ctx)
			return err
		})
	})
	return t, err
}

func (b *bunSide) upsert(ctx context.Context) (t tally, err error) {
	err = batches(b.site.sizes.Calls, b.site.sizes.Batch, bunUpserted, func(rows []bunItem) error {
		t.rows += int64(len(rows))
		_, err := b.on(b.db.NewInsert().Model(&rows).Returning("NULL")).Exec(ctx)
		return err
	})
	return t, err
}

// on makes an insert an upsert.
func (b *bunSide) on(q *bun.InsertQuery) *bun.InsertQuery {
	if b.site.Name == testdb.NameMariaDB {
		return q.On("DUPLICATE KEY UPDATE").Set("qty = VALUES(qty)").Set("note = VALUES(note)")
	}
	return q.On("CONFLICT (sku) DO UPDATE").Set("qty = EXCLUDED.qty").Set("note = EXCLUDED.note")
}

func (b *bunSide) remove(ctx context.Context) (t tally, err error) {
	var last int64
	for {
		var ids []int64
		err := b.db.NewSelect().Model((*bunItem)(nil)).Column("id").Where("id > ?", last).Where("qty < ?", deleteBelow).
			Order("id").Limit(int64(b.site.sizes.Batch)).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return t, err
		}
		result, err := b.db.NewDelete().Model((*bunItem)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
		if err := t.affected(result, err); err != nil {
			return t, err
		}
		last = ids[len(ids)-1]
	}
}

func (b *bunSide) stream(ctx context.Context) (t tally, err error) {
	return b.rows(ctx, b.db.NewSelect().Model((*bunItem)(nil)).Order("id"))
}

func (b *bunSide) narrow(ctx context.Context) (t tally, err error) {
	return b.rows(ctx, b.db.NewSelect().Model((*bunItem)(nil)).Column("id", "qty").Order("id"))
}

func (b *bunSide) rows(ctx context.Context, q *bun.SelectQuery) (t tally, err error) {
	rows, err := q.Rows(ctx)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var it bunItem
		if err := b.db.ScanRow(ctx, rows, &it); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, rows.Err()
}

func (b *bunSide) pages(ctx context.Context) (t tally, err error) {
	var last int64
	page := make([]bunItem, 0, b.site.sizes.Page)
	for {
		page = page[:0]
		if err := b.db.NewSelect().Model(&page).Where("id > ?", last).Order("id").Limit(int64(b.site.sizes.Page)).Scan(ctx); err != nil {
			return t, err
		}
		for i := range page {
			t.add(page[i].Qty)
		}
		if len(page) < b.site.sizes.Page {
			return t, nil
		}
		last = page[len(page)-1].ID
	}
}

func (b *bunSide) get(ctx context.Context) (t tally, err error) {
	for id := range ids(b.site.sizes) {
		var it bunItem
		if err := b.db.NewSelect().Model(&it).Where("id = ?", id).Scan(ctx); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (b *bunSide) getOrCreate(ctx context.Context) (t tally, err error) {
	for i := range b.site.sizes.Calls {
		want := bunOf(wanted(i))
		var it bunItem
		err := b.db.NewSelect().Model(&it).Where("sku = ?", want.SKU).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			it = want
			_, err = b.db.NewInsert().Model(&it).Exec(ctx)
		}
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (b *bunSide) expression(ctx context.Context) (t tally, err error) {
	result, err := b.db.NewUpdate().Model((*bunItem)(nil)).Set("qty = qty + 1").Where("TRUE").Exec(ctx)
	return t, t.affected(result, err)
}
