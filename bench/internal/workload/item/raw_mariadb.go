package item

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// rawMariaDB is go-sql-driver by hand, with prepared statements: their answers are binary.
type rawMariaDB struct{ rawSQL }

func (r *rawMariaDB) works() map[*task][]work {
	return map[*task][]work{
		create: {
			{how: "VALUES prepared, RETURNING id", run: func(ctx context.Context) (tally, error) {
				return r.insertReturning(ctx, r.site.sizes.Batch)
			}},
			{how: "VALUES prepared, LastInsertId counted up (wrong under innodb_autoinc_lock_mode = 2)", run: r.insertCounting},
		},
		createBlind: {
			{how: "VALUES prepared", run: r.insertAll},
			{how: "LOAD DATA LOCAL, one stream", run: r.load},
		},
		update:      {{how: "UPDATE JOIN JSON_TABLE", run: r.update}},
		remove:      {{how: "key ranges", run: r.remove}},
		stream:      {{how: "prepared, Scan", run: r.stream}},
		memory:      {{how: "prepared, Scan", run: r.stream}},
		pages:       {{how: "prepared keyset pages, Scan", run: r.pages}},
		narrow:      {{how: "prepared, Scan", run: r.narrow}},
		get:         {{how: "prepared, Scan", run: r.get}},
		getOrCreate: {{how: "SELECT, then INSERT, prepared", run: r.getOrCreate}},
		expression:  {{how: "UPDATE", run: r.expression}},
		upsert:      {{how: "VALUES prepared, ON DUPLICATE KEY UPDATE", run: r.upsert}},
	}
}

func (r *rawMariaDB) insert(ctx context.Context, n int) error {
	return r.inTx(ctx, func() error { return r.insertBlind(ctx, n, r.site.sizes.Batch) })
}

func (r *rawMariaDB) insertAll(ctx context.Context) (tally, error) {
	return tally{rows: int64(r.site.sizes.Rows)}, r.insert(ctx, r.site.sizes.Rows)
}

// insertCounting trusts that the keys of one statement follow each other, which holds while innodb_autoinc_lock_mode is 0 or 1.
func (r *rawMariaDB) insertCounting(ctx context.Context) (t tally, err error) {
	var args []any
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Rows, r.site.sizes.Batch, row, func(rows []Item) error {
			args = args[:0]
			for i := range rows {
				args = insertArgs(args, &rows[i])
			}
			result, err := r.exec(ctx, insertValues(len(rows), ""), args...)
			if err != nil {
				return err
			}
			first, err := result.LastInsertId()
			for i := range rows {
				rows[i].ID = first + int64(i)
				t.created(rows[i].ID, rows[i].Qty)
			}
			return err
		})
	})
	return t, err
}

// load sends the rows as the text of a file.
func (r *rawMariaDB) load(ctx context.Context) (t tally, err error) {
	text := &loadText{n: r.site.sizes.Rows}
	mysql.RegisterReaderHandler("bench_item", func() io.Reader { return text })
	defer mysql.DeregisterReaderHandler("bench_item")
	result, err := r.conn.ExecContext(ctx, "LOAD DATA LOCAL INFILE 'Reader::bench_item' INTO TABLE bench_item CHARACTER SET utf8mb4 ("+insertColumns+")")
	return t, t.affected(result, err)
}

// loadText reads as the made rows in LOAD DATA's format.
type loadText struct {
	i, n int
	rest []byte
	buf  []byte
}

func (l *loadText) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.i == l.n {
			return 0, io.EOF
		}
		l.rest = l.buf[:0]
		for l.i < l.n && len(l.rest) < 1<<16 {
			it := row(l.i)
			l.rest = appendLoadRow(l.rest, &it)
			l.i++
		}
		l.buf = l.rest
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

var loadEscapes = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n")

func appendLoadRow(b []byte, it *Item) []byte {
	text := func(s string) {
		if strings.ContainsAny(s, "\\\t\n") {
			s = loadEscapes.Replace(s)
		}
		b = append(append(b, s...), '\t')
	}
	number := func(n int64) { b = append(strconv.AppendInt(b, n, 10), '\t') }
	text(it.SKU)
	text(it.Name)
	number(int64(it.Qty))
	number(it.PriceCents)
	if it.Active {
		number(1)
	} else {
		number(0)
	}
	number(int64(it.CategoryID))
	text(it.Note)
	return append(it.CreatedAt.UTC().AppendFormat(b, "2006-01-02 15:04:05.000000"), '\n')
}

// update joins the table with a JSON array of each batch.
func (r *rawMariaDB) update(ctx context.Context) (t tally, err error) {
	const query = `UPDATE bench_item b JOIN JSON_TABLE(?, '$[*]' COLUMNS (id bigint PATH '$[0]', qty integer PATH '$[1]', ` +
		`note longtext PATH '$[2]')) v ON b.id = v.id SET b.qty = v.qty, b.note = v.note`
	var text bytes.Buffer
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Updates, r.site.sizes.Batch, updated, func(rows []Item) error {
			text.Reset()
			for i := range rows {
				separator := byte(',')
				if i == 0 {
					separator = '['
				}
				text.WriteByte(separator)
				b := append(text.AvailableBuffer(), '[')
				b = append(strconv.AppendInt(b, rows[i].ID, 10), ',')
				b = append(strconv.AppendInt(b, int64(rows[i].Qty), 10), ',')
				text.Write(append(appendJSON(b, rows[i].Note), ']'))
			}
			text.WriteByte(']')
			result, err := r.exec(ctx, query, text.Bytes())
			return t.affected(result, err)
		})
	})
	return t, err
}

// appendJSON quotes a string.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// upsert writes the batches, each committing itself.
func (r *rawMariaDB) upsert(ctx context.Context) (t tally, err error) {
	const suffix = " ON DUPLICATE KEY UPDATE qty = VALUES(qty), note = VALUES(note)"
	var args []any
	err = batches(r.site.sizes.Calls, r.site.sizes.Batch, upserted, func(rows []Item) error {
		args = args[:0]
		for i := range rows {
			args = insertArgs(args, &rows[i])
		}
		_, err := r.exec(ctx, insertValues(len(rows), suffix), args...)
		t.rows += int64(len(rows))
		return err
	})
	return t, err
}
