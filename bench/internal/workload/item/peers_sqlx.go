package item

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// sqlxSide is sqlx. Its SQL is its users' own, so what is measured is its way of giving values to statements and of filling structs.
type sqlxSide struct {
	site *site
	db   *sqlx.DB
}

func sqlxEntry(s *site) entry {
	return entry{
		name: "sqlx", role: measure.Peer, side: &sqlxSide{site: s},
		without: map[*task]string{expression: "it is database/sql there"},
	}
}

func (x *sqlxSide) open(ctx context.Context) error {
	pool, err := harness.Open(x.site.URL)
	if err != nil {
		return err
	}
	driver := map[string]string{testdb.NamePostgres: "pgx", testdb.NameMariaDB: "mysql", testdb.NameSQLite: "sqlite3"}[x.site.Name]
	x.db = sqlx.NewDb(pool, driver)
	return x.db.PingContext(ctx)
}

func (x *sqlxSide) close() error { return x.db.Close() }

func (x *sqlxSide) works() map[*task][]work {
	return map[*task][]work{
		create:      {{how: "NamedQuery of slices, RETURNING id", run: x.create}},
		createBlind: {{how: "NamedExec of slices", run: x.createBlind}},
		update:      {{how: "NamedStmt, row by row", run: x.update}},
		remove:      {{how: "Select ids after the last, In, Exec", run: x.remove}},
		stream:      {{how: "Queryx, StructScan", run: x.stream}},
		pages:       {{how: "prepared Select of pages", run: x.pages}},
		narrow:      {{how: "Queryx, StructScan", run: x.narrow}},
		get:         {{how: "prepared Get", run: x.get}},
		getOrCreate: {{how: "prepared Get, then NamedStmt", run: x.getOrCreate}},
		upsert:      {{how: "NamedExec of slices, ON CONFLICT", run: x.upsert}},
	}
}

const namedInsert = "INSERT INTO bench_item (" + insertColumns + ") VALUES (:sku, :name, :qty, :price_cents, :active, :category_id, :note, :created_at)"

func (x *sqlxSide) inTx(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := x.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (x *sqlxSide) create(ctx context.Context) (t tally, err error) {
	err = x.inTx(ctx, func(tx *sqlx.Tx) error {
		return batches(x.site.sizes.Rows, x.site.sizes.Batch, row, func(made []Item) (err error) {
			rows, err := sqlx.NamedQueryContext(ctx, tx, namedInsert+" RETURNING id", made)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, rows.Close()) }()
			for i := 0; rows.Next(); i++ {
				if err := rows.Scan(&made[i].ID); err != nil {
					return err
				}
				t.created(made[i].ID, made[i].Qty)
			}
			return rows.Err()
		})
	})
	return t, err
}

func (x *sqlxSide) createBlind(ctx context.Context) (t tally, err error) {
	err = x.inTx(ctx, func(tx *sqlx.Tx) error {
		return batches(x.site.sizes.Rows, x.site.sizes.Batch, row, func(rows []Item) error {
			result, err := tx.NamedExecContext(ctx, namedInsert, rows)
			return t.affected(result, err)
		})
	})
	return t, err
}

func (x *sqlxSide) update(ctx context.Context) (t tally, err error) {
	err = x.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		stmt, err := tx.PrepareNamedContext(ctx, "UPDATE bench_item SET qty = :qty, note = :note WHERE id = :id")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		for i := range x.site.sizes.Updates {
			it := updated(i)
			result, err := stmt.ExecContext(ctx, &it)
			if err := t.affected(result, err); err != nil {
				return err
			}
		}
		return nil
	})
	return t, err
}

func (x *sqlxSide) upsert(ctx context.Context) (t tally, err error) {
	suffix := " ON CONFLICT (sku) DO UPDATE SET qty = excluded.qty, note = excluded.note"
	if x.site.Name == testdb.NameMariaDB {
		suffix = " ON DUPLICATE KEY UPDATE qty = VALUE(qty), note = VALUE(note)" // VALUES( would be taken for the list
	}
	err = batches(x.site.sizes.Calls, x.site.sizes.Batch, upserted, func(rows []Item) error {
		t.rows += int64(len(rows))
		_, err := x.db.NamedExecContext(ctx, namedInsert+suffix, rows)
		return err
	})
	return t, err
}

func (x *sqlxSide) remove(ctx context.Context) (t tally, err error) {
	find, err := x.db.PreparexContext(ctx, x.db.Rebind("SELECT id FROM bench_item WHERE id > ? AND "+deleteWhere+" ORDER BY id LIMIT ?"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, find.Close()) }()
	var last int64
	for {
		var ids []int64
		if err := find.SelectContext(ctx, &ids, last, x.site.sizes.Batch); err != nil || len(ids) == 0 {
			return t, err
		}
		query, args, err := sqlx.In("DELETE FROM bench_item WHERE id IN (?)", ids)
		if err != nil {
			return t, err
		}
		result, err := x.db.ExecContext(ctx, x.db.Rebind(query), args...)
		if err := t.affected(result, err); err != nil {
			return t, err
		}
		last = ids[len(ids)-1]
	}
}

func (x *sqlxSide) stream(ctx context.Context) (t tally, err error) {
	rows, err := x.db.QueryxContext(ctx, "SELECT "+columns+" FROM bench_item ORDER BY id")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var it Item
		if err := rows.StructScan(&it); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, rows.Err()
}

func (x *sqlxSide) narrow(ctx context.Context) (t tally, err error) {
	rows, err := x.db.QueryxContext(ctx, "SELECT id, qty FROM bench_item ORDER BY id")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p pair
		if err := rows.StructScan(&p); err != nil {
			return t, err
		}
		t.add(p.Qty)
	}
	return t, rows.Err()
}

func (x *sqlxSide) pages(ctx context.Context) (t tally, err error) {
	stmt, err := x.db.PreparexContext(ctx, x.db.Rebind("SELECT "+columns+" FROM bench_item WHERE id > ? ORDER BY id LIMIT ?"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	var last int64
	page := make([]Item, 0, x.site.sizes.Page)
	for {
		page = page[:0]
		if err := stmt.SelectContext(ctx, &page, last, x.site.sizes.Page); err != nil {
			return t, err
		}
		for i := range page {
			t.add(page[i].Qty)
		}
		if len(page) < x.site.sizes.Page {
			return t, nil
		}
		last = page[len(page)-1].ID
	}
}

func (x *sqlxSide) get(ctx context.Context) (t tally, err error) {
	stmt, err := x.db.PreparexContext(ctx, x.db.Rebind("SELECT "+columns+" FROM bench_item WHERE id = ?"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for id := range ids(x.site.sizes) {
		var it Item
		if err := stmt.GetContext(ctx, &it, id); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (x *sqlxSide) getOrCreate(ctx context.Context) (t tally, err error) {
	find, err := x.db.PreparexContext(ctx, x.db.Rebind("SELECT "+columns+" FROM bench_item WHERE sku = ?"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, find.Close()) }()
	insert, err := x.db.PrepareNamedContext(ctx, namedInsert+" RETURNING id")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for i := range x.site.sizes.Calls {
		want := wanted(i)
		var it Item
		err := find.GetContext(ctx, &it, want.SKU)
		if errors.Is(err, sql.ErrNoRows) {
			it = want
			err = insert.GetContext(ctx, &it.ID, &want)
		}
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}
