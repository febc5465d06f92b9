package item

import (
	"context"
	"encoding/binary"
	"time"
)

// decode makes a row of its binary columns.
func decode(values [][]byte, it *Item) {
	it.ID = int64(binary.BigEndian.Uint64(values[0]))
	it.SKU = string(values[1])
	it.Name = string(values[2])
	it.Qty = int32(binary.BigEndian.Uint32(values[3]))
	it.PriceCents = int64(binary.BigEndian.Uint64(values[4]))
	it.Active = values[5][0] != 0
	it.CategoryID = int32(binary.BigEndian.Uint32(values[6]))
	it.Note = string(values[7])
	it.CreatedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(values[8])) + microsecondsTo2000).UTC()
}

func (r *rawPostgres) stream(ctx context.Context) (t tally, err error) {
	_, err = r.query(ctx, func(values [][]byte) error {
		var it Item
		decode(values, &it)
		t.add(it.Qty)
		return nil
	}, "SELECT "+columns+" FROM bench_item ORDER BY id")
	return t, err
}

func (r *rawPostgres) pages(ctx context.Context) (t tally, err error) {
	page := make([]Item, 0, r.site.sizes.Page)
	var last int64
	for {
		page = page[:0]
		_, err := r.query(ctx, func(values [][]byte) error {
			page = append(page, Item{})
			decode(values, &page[len(page)-1])
			return nil
		}, "SELECT "+columns+" FROM bench_item WHERE id > $1 ORDER BY id LIMIT $2", int8Param(last), int8Param(int64(cap(page))))
		if err != nil {
			return t, err
		}
		for i := range page {
			t.add(page[i].Qty)
		}
		if len(page) < cap(page) {
			return t, nil
		}
		last = page[len(page)-1].ID
	}
}

func (r *rawPostgres) narrow(ctx context.Context) (t tally, err error) {
	_, err = r.query(ctx, func(values [][]byte) error {
		p := pair{ID: int64(binary.BigEndian.Uint64(values[0])), Qty: int32(binary.BigEndian.Uint32(values[1]))}
		t.add(p.Qty)
		return nil
	}, "SELECT id, qty FROM bench_item ORDER BY id")
	return t, err
}

func (r *rawPostgres) get(ctx context.Context) (t tally, err error) {
	for id := range ids(r.site.sizes) {
		var it Item
		_, err := r.query(ctx, func(values [][]byte) error {
			decode(values, &it)
			return nil
		}, "SELECT "+columns+" FROM bench_item WHERE id = $1", int8Param(id))
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

// getOrCreate looks first and creates what is missing.
func (r *rawPostgres) getOrCreate(ctx context.Context) (t tally, err error) {
	const insert = "INSERT INTO bench_item (" + insertColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"
	for i := range r.site.sizes.Calls {
		want := wanted(i)
		it := want
		found := false
		_, err := r.query(ctx, func(values [][]byte) error {
			found = true
			decode(values, &it)
			return nil
		}, "SELECT "+columns+" FROM bench_item WHERE sku = $1", []byte(want.SKU))
		if err == nil && !found {
			_, err = r.query(ctx, func(values [][]byte) error {
				it.ID = int64(binary.BigEndian.Uint64(values[0]))
				return nil
			}, insert, insertParams(&it)...)
		}
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

// getOrCreateAtOnce lets one statement look and create.
func (r *rawPostgres) getOrCreateAtOnce(ctx context.Context) (t tally, err error) {
	const query = "WITH found AS (SELECT " + columns + " FROM bench_item WHERE sku = $1), made AS (INSERT INTO bench_item (" + insertColumns + ") " +
		"SELECT $1::text, $2::text, $3::int4, $4::int8, $5::bool, $6::int4, $7::text, $8::timestamptz WHERE NOT EXISTS (SELECT FROM found) " +
		"ON CONFLICT (sku) DO NOTHING RETURNING " + columns + ") SELECT * FROM found UNION ALL SELECT * FROM made"
	for i := range r.site.sizes.Calls {
		want := wanted(i)
		var it Item
		_, err := r.query(ctx, func(values [][]byte) error {
			decode(values, &it)
			return nil
		}, query, insertParams(&want)...)
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

// insertParams are the binary values of a row.
func insertParams(it *Item) [][]byte {
	row := appendRow(nil, it)
	params := make([][]byte, 8)
	for i := range params {
		n := binary.BigEndian.Uint32(row)
		params[i], row = row[4:4+n], row[4+n:]
	}
	return params
}
