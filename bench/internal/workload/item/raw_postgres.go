package item

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rawPostgres is pgx's lowest layer by hand: prepared statements, binary values, and encoders and decoders made for the table.
type rawPostgres struct {
	site *site
	conn *pgconn.PgConn
	made map[string]string // names of prepared statements
}

func (r *rawPostgres) open(ctx context.Context) (err error) {
	r.made = map[string]string{}
	r.conn, err = pgconn.Connect(ctx, r.site.URL)
	return err
}

func (r *rawPostgres) close() error { return r.conn.Close(context.Background()) }

func (r *rawPostgres) works() map[*task][]work {
	return map[*task][]work{
		create:      {{how: "INSERT … SELECT unnest RETURNING id, own arrays", run: r.create}},
		createBlind: {{how: "COPY BINARY, one stream, own encoder", run: r.copyAll}},
		update:      {{how: "UPDATE FROM unnest, own arrays", run: r.update}},
		remove:      {{how: "key ranges", run: r.remove}},
		stream:      {{how: "one query, own decode", run: r.stream}},
		memory:      {{how: "one query, own decode", run: r.stream}},
		pages:       {{how: "prepared keyset pages, own decode", run: r.pages}},
		narrow:      {{how: "one query, own decode", run: r.narrow}},
		get:         {{how: "prepared, own decode", run: r.get}},
		getOrCreate: {
			{how: "SELECT, then INSERT, prepared, own decode", run: r.getOrCreate},
			{how: "both in one statement, prepared, own decode", run: r.getOrCreateAtOnce},
		},
		expression: {{how: "UPDATE", run: r.expression}},
		upsert:     {{how: "INSERT … SELECT unnest ON CONFLICT, own arrays", run: r.upsert}},
	}
}

// prepare prepares a statement at its first use.
func (r *rawPostgres) prepare(ctx context.Context, query string) (string, error) {
	name, ok := r.made[query]
	if !ok {
		name = "s" + strconv.Itoa(len(r.made))
		if _, err := r.conn.Prepare(ctx, name, query, nil); err != nil {
			return "", err
		}
		r.made[query] = name
	}
	return name, nil
}

// binary says that all parameters, or all columns, are in binary.
var binaryFormat = []int16{pgtype.BinaryFormatCode}

// query runs a statement and calls each for its rows, whose values hold until the next.
func (r *rawPostgres) query(ctx context.Context, each func(values [][]byte) error, query string, params ...[]byte) (affected int64, err error) {
	name, err := r.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	result := r.conn.ExecPrepared(ctx, name, params, binaryFormat, binaryFormat)
	for result.NextRow() {
		if err := each(result.Values()); err != nil {
			_, closed := result.Close()
			return 0, errors.Join(err, closed)
		}
	}
	tag, err := result.Close()
	return tag.RowsAffected(), err
}

func noRow([][]byte) error { return nil }

func (r *rawPostgres) simple(ctx context.Context, query string) error {
	return r.conn.Exec(ctx, query).Close()
}

func (r *rawPostgres) inTx(ctx context.Context, fn func() error) error {
	if err := r.simple(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, r.simple(ctx, "ROLLBACK"))
	}
	return r.simple(ctx, "COMMIT")
}

func (r *rawPostgres) insert(ctx context.Context, n int) error {
	_, err := r.conn.CopyFrom(ctx, &copyRows{n: n}, "COPY bench_item ("+insertColumns+") FROM STDIN BINARY")
	return err
}

func (r *rawPostgres) copyAll(ctx context.Context) (tally, error) {
	return tally{rows: int64(r.site.sizes.Rows)}, r.insert(ctx, r.site.sizes.Rows)
}

// copyRows reads as the made rows in COPY's binary format.
type copyRows struct {
	i, n  int
	began bool
	ended bool
	rest  []byte
	buf   []byte
}

func (c *copyRows) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		c.rest = c.buf[:0]
		if !c.began {
			c.rest = append(c.rest, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
			c.began = true
		}
		for c.i < c.n && len(c.rest) < 1<<16 {
			it := row(c.i)
			c.rest = appendRow(append(c.rest, 0, 8), &it)
			c.i++
		}
		if c.i == c.n && !c.ended {
			c.rest = append(c.rest, 0xff, 0xff)
			c.ended = true
		}
		c.buf = c.rest
		if len(c.rest) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func appendRow(b []byte, it *Item) []byte {
	b = appendText(b, it.SKU)
	b = appendText(b, it.Name)
	b = appendInt4(b, it.Qty)
	b = appendInt8(b, it.PriceCents)
	b = appendBool(b, it.Active)
	b = appendInt4(b, it.CategoryID)
	b = appendText(b, it.Note)
	return appendInt8(b, pgTime(it))
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendInt4(b []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 4), uint32(n))
}

func appendInt8(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0, 0, 0, 1, 1)
	}
	return append(b, 0, 0, 0, 1, 0)
}

// microsecondsTo2000 is PostgreSQL's epoch.
const microsecondsTo2000 = 946684800 * 1000000

func pgTime(it *Item) int64 { return it.CreatedAt.UnixMicro() - microsecondsTo2000 }

// array is a binary parameter that is filled anew for each batch.
type array struct{ buf []byte }

// begin starts an array of n elements of a type.
func (a *array) begin(oid uint32, n int) {
	b := binary.BigEndian.AppendUint32(a.buf[:0], 1) // dimensions
	b = binary.BigEndian.AppendUint32(b, 0)          // no nulls
	b = binary.BigEndian.AppendUint32(b, oid)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	a.buf = binary.BigEndian.AppendUint32(b, 1) // the first index
}

// arrays are the columns of a batch.
type arrays struct {
	columns [8]array
	params  [][]byte
}

var insertTypes = [8]uint32{
	pgtype.TextOID, pgtype.TextOID, pgtype.Int4OID, pgtype.Int8OID, pgtype.BoolOID, pgtype.Int4OID, pgtype.TextOID, pgtype.TimestamptzOID,
}

// of fills the parameters of an INSERT.
func (a *arrays) of(rows []Item) [][]byte {
	c := &a.columns
	for i := range c {
		c[i].begin(insertTypes[i], len(rows))
	}
	for i := range rows {
		it := &rows[i]
		c[0].buf = appendText(c[0].buf, it.SKU)
		c[1].buf = appendText(c[1].buf, it.Name)
		c[2].buf = appendInt4(c[2].buf, it.Qty)
		c[3].buf = appendInt8(c[3].buf, it.PriceCents)
		c[4].buf = appendBool(c[4].buf, it.Active)
		c[5].buf = appendInt4(c[5].buf, it.CategoryID)
		c[6].buf = appendText(c[6].buf, it.Note)
		c[7].buf = appendInt8(c[7].buf, pgTime(it))
	}
	a.params = a.params[:0]
	for i := range c {
		a.params = append(a.params, c[i].buf)
	}
	return a.params
}

const insertUnnest = "INSERT INTO bench_item (" + insertColumns + ") SELECT * FROM unnest(" +
	"$1::text[], $2::text[], $3::int4[], $4::int8[], $5::bool[], $6::int4[], $7::text[], $8::timestamptz[])"

func (r *rawPostgres) create(ctx context.Context) (t tally, err error) {
	var params arrays
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Rows, r.site.sizes.Batch, row, func(rows []Item) error {
			i := 0
			_, err := r.query(ctx, func(values [][]byte) error {
				rows[i].ID = int64(binary.BigEndian.Uint64(values[0]))
				t.created(rows[i].ID, rows[i].Qty)
				i++
				return nil
			}, insertUnnest+" RETURNING id", params.of(rows)...)
			return err
		})
	})
	return t, err
}

func (r *rawPostgres) upsert(ctx context.Context) (t tally, err error) {
	var params arrays
	err = batches(r.site.sizes.Calls, r.site.sizes.Batch, upserted, func(rows []Item) error {
		n, err := r.query(ctx, noRow, insertUnnest+" ON CONFLICT (sku) DO UPDATE SET qty = excluded.qty, note = excluded.note", params.of(rows)...)
		t.rows += n
		return err
	})
	return t, err
}

func (r *rawPostgres) update(ctx context.Context) (t tally, err error) {
	const query = "UPDATE bench_item b SET qty = v.qty, note = v.note FROM unnest($1::int8[], $2::int4[], $3::text[]) AS v (id, qty, note) WHERE b.id = v.id"
	var ids, qtys, notes array
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Updates, r.site.sizes.Batch, updated, func(rows []Item) error {
			ids.begin(pgtype.Int8OID, len(rows))
			qtys.begin(pgtype.Int4OID, len(rows))
			notes.begin(pgtype.TextOID, len(rows))
			for i := range rows {
				ids.buf = appendInt8(ids.buf, rows[i].ID)
				qtys.buf = appendInt4(qtys.buf, rows[i].Qty)
				notes.buf = appendText(notes.buf, rows[i].Note)
			}
			n, err := r.query(ctx, noRow, query, ids.buf, qtys.buf, notes.buf)
			t.rows += n
			return err
		})
	})
	return t, err
}

func int8Param(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// remove deletes by key range: two prepared statements a batch, the DELETE committing itself.
func (r *rawPostgres) remove(ctx context.Context) (t tally, err error) {
	const (
		end = "SELECT id FROM bench_item WHERE id > $1 AND " + deleteWhere + " ORDER BY id LIMIT 1 OFFSET $2"
		del = "DELETE FROM bench_item WHERE id > $1 AND id <= $2 AND " + deleteWhere
	)
	var from int64
	for through := int64(0); through < maxID; from = through {
		through = maxID
		_, err := r.query(ctx, func(values [][]byte) error {
			through = int64(binary.BigEndian.Uint64(values[0]))
			return nil
		}, end, int8Param(from), int8Param(int64(r.site.sizes.Batch)-1))
		if err != nil {
			return t, err
		}
		n, err := r.query(ctx, noRow, del, int8Param(from), int8Param(through))
		if err != nil {
			return t, err
		}
		t.rows += n
	}
	return t, nil
}

func (r *rawPostgres) expression(ctx context.Context) (t tally, err error) {
	t.rows, err = r.query(ctx, noRow, expressionSQL)
	return t, err
}
