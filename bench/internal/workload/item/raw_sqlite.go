package item

import (
	"context"
	"strings"
)

// rawSQLite is database/sql on modernc.org/sqlite by hand.
type rawSQLite struct{ rawSQL }

// sqliteBatch is the number of rows of a statement that is quickest.
const sqliteBatch = 500

func (r *rawSQLite) works() map[*task][]work {
	return map[*task][]work{
		create: {{how: "VALUES ×500 prepared, RETURNING id", run: func(ctx context.Context) (tally, error) {
			return r.insertReturning(ctx, sqliteBatch)
		}}},
		createBlind: {{how: "VALUES ×500 prepared", run: r.insertAll}},
		update: {
			{how: "UPDATE FROM VALUES ×500 prepared", run: r.update},
			{how: "UPDATE prepared, row by row", run: r.updateRows},
		},
		remove:      {{how: "key ranges", run: r.remove}},
		stream:      {{how: "Scan", run: r.stream}},
		memory:      {{how: "Scan", run: r.stream}},
		pages:       {{how: "prepared keyset pages, Scan", run: r.pages}},
		narrow:      {{how: "Scan", run: r.narrow}},
		get:         {{how: "prepared, Scan", run: r.get}},
		getOrCreate: {{how: "SELECT, then INSERT, prepared", run: r.getOrCreate}},
		expression:  {{how: "UPDATE", run: r.expression}},
		upsert:      {{how: "VALUES ×500 prepared, ON CONFLICT", run: r.upsert}},
	}
}

func (r *rawSQLite) insert(ctx context.Context, n int) error {
	return r.inTx(ctx, func() error { return r.insertBlind(ctx, n, sqliteBatch) })
}

func (r *rawSQLite) insertAll(ctx context.Context) (tally, error) {
	return tally{rows: int64(r.site.sizes.Rows)}, r.insert(ctx, r.site.sizes.Rows)
}

func (r *rawSQLite) update(ctx context.Context) (t tally, err error) {
	var args []any
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Updates, sqliteBatch, updated, func(rows []Item) error {
			args = args[:0]
			for i := range rows {
				args = append(args, rows[i].ID, rows[i].Qty, rows[i].Note)
			}
			result, err := r.exec(ctx, "WITH v (id, qty, note) AS (VALUES (?, ?, ?)"+strings.Repeat(", (?, ?, ?)", len(rows)-1)+
				") UPDATE bench_item SET qty = v.qty, note = v.note FROM v WHERE bench_item.id = v.id", args...)
			return t.affected(result, err)
		})
	})
	return t, err
}

func (r *rawSQLite) updateRows(ctx context.Context) (t tally, err error) {
	stmt, err := r.stmt(ctx, "UPDATE bench_item SET qty = ?, note = ? WHERE id = ?")
	if err != nil {
		return t, err
	}
	err = r.inTx(ctx, func() error {
		for i := range r.site.sizes.Updates {
			it := updated(i)
			result, err := stmt.ExecContext(ctx, it.Qty, it.Note, it.ID)
			if err := t.affected(result, err); err != nil {
				return err
			}
		}
		return nil
	})
	return t, err
}

// upsert writes each batch in a transaction.
func (r *rawSQLite) upsert(ctx context.Context) (t tally, err error) {
	const suffix = " ON CONFLICT (sku) DO UPDATE SET qty = excluded.qty, note = excluded.note"
	var args []any
	err = batches(r.site.sizes.Calls, r.site.sizes.Batch, upserted, func(batch []Item) error {
		t.rows += int64(len(batch))
		return r.inTx(ctx, func() error {
			for len(batch) > 0 {
				n := min(len(batch), sqliteBatch)
				args = args[:0]
				for i := range n {
					args = insertArgs(args, &batch[i])
				}
				if _, err := r.exec(ctx, insertValues(n, suffix), args...); err != nil {
					return err
				}
				batch = batch[n:]
			}
			return nil
		})
	})
	return t, err
}
