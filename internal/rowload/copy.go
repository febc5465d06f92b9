package rowload

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/transfer"
)

// copying sends records with COPY. Where each field of a record goes to the column of its place and no value has to be written otherwise, they are
// sent as they stand in the page; else in the text format of COPY.
type copying struct {
	*Loader
	guards []func(text []byte) ([]byte, error) // of the columns; nil: the database does not change what it is given
	whole  bool                                // a record's fields are the columns, in their order
}

// block is records in the form that is sent.
type block struct {
	csv    bool   // the page's own bytes
	text   []byte // else these
	bounds []int  // where each record begins in text, and the end of the last one
}

// staged is the table that an upsert's records go to first. It is dropped when they have gone on from there.
const staged = "pg_temp.drover_import"

func newCopying(l *Loader) *copying {
	w := &copying{Loader: l, whole: true}
	for i, c := range l.columns {
		w.guards = append(w.guards, transfer.Guard(l.conn.Dialect(), c.Column))
		w.whole = w.whole && c.Field == i
	}
	return w
}

func (w *copying) prepare(p *datafile.Page) (any, map[int]error) {
	bad := map[int]error{}
	// A line with \. alone would end the data, and a carriage return a record.
	data := p.Bytes(0, p.Len())
	plain := bytes.IndexByte(data, '\r') < 0 && w.whole && p.FieldCount() == len(w.columns) && !bytes.HasPrefix(data, []byte("\\.\n")) && !bytes.Contains(data, []byte("\n\\.\n"))
	if plain && w.pass(p, bad) {
		return &block{csv: true}, bad
	}
	clear(bad)
	b := &block{bounds: make([]int, 1, p.Len()+1)}
	w.each(p, bad, func(values [][]byte) {
		for n, value := range values {
			if n > 0 {
				b.text = append(b.text, '\t')
			}
			b.text = appendCopy(b.text, value)
		}
		b.text = append(b.text, '\n')
	}, func() { b.bounds = append(b.bounds, len(b.text)) })
	return b, bad
}

// pass looks at all records, and reports whether they can be sent as they stand.
func (w *copying) pass(p *datafile.Page, bad map[int]error) bool {
	same := true
	var fields [][]byte
	var scratch []byte
	for i := range p.Len() {
		if p.Bad(i) != nil {
			continue
		}
		fields, scratch = p.Fields(i, fields, scratch)
		for n, c := range w.columns {
			text, err := w.value(n, c, fields[n])
			if err != nil {
				bad[p.First()+i] = err
				break
			}
			if len(text) != len(fields[n]) || len(text) > 0 && &text[0] != &fields[n][0] {
				same = false
			}
		}
	}
	return same
}

// each gives the values of every record that is not bad, in the order of the columns; done is called behind each record.
func (w *copying) each(p *datafile.Page, bad map[int]error, record func(values [][]byte), done func()) {
	values := make([][]byte, len(w.columns))
	var fields [][]byte
	var scratch []byte
	for i := range p.Len() {
		if p.Bad(i) == nil {
			fields, scratch = p.Fields(i, fields, scratch)
			var err error
			for n, c := range w.columns {
				if values[n], err = w.value(n, c, fields[c.Field]); err != nil {
					bad[p.First()+i] = err
					break
				}
			}
			if err == nil {
				record(values)
			}
		}
		done()
	}
}

// value looks at a field, and gives the text that is sent for it.
func (w *copying) value(n int, c Column, field []byte) ([]byte, error) {
	if field == nil || w.guards[n] == nil {
		return field, w.check(c, field)
	}
	text, err := w.guards[n](field)
	if err != nil {
		return nil, w.unfit(c, err)
	}
	return text, nil
}

// appendCopy appends a value in the text format of COPY; nil is NULL.
func appendCopy(out, value []byte) []byte {
	if value == nil {
		return append(out, `\N`...)
	}
	for {
		at := bytes.IndexAny(value, "\\\t\n\r")
		if at < 0 {
			return append(out, value...)
		}
		out = append(append(out, value[:at]...), '\\', map[byte]byte{'\\': '\\', '\t': 't', '\n': 'n', '\r': 'r'}[value[at]])
		value = value[at+1:]
	}
}

func (w *copying) write(ctx context.Context, p *datafile.Page, work any, bad func(i int) bool) (int64, error) {
	b := work.(*block)
	into := w.name
	if w.upsert != nil {
		into = staged
	}
	copyIn := w.copyStatement(into, p, b)
	merge := w.merge()
	x := dialect.Exchange{Query: copyIn}
	if w.upsert != nil {
		x.Query = merge
	}
	var rows int64
	x.Send = func(ctx context.Context, live dialect.Live) (int64, error) {
		if live.PGX == nil {
			return 0, fmt.Errorf("%T is no connection of pgx, which COPY needs", live.Conn)
		}
		if w.upsert != nil {
			create := "CREATE TEMPORARY TABLE drover_import AS SELECT " + strings.Join(w.quoted(), ", ") + " FROM " + w.name + " WITH NO DATA"
			if _, err := live.PGX.Exec(ctx, create); err != nil {
				return 0, err
			}
		}
		tag, err := live.PGX.PgConn().CopyFrom(ctx, w.reader(p, b, bad), copyIn)
		if err != nil {
			return 0, err
		}
		rows = tag.RowsAffected()
		if w.upsert == nil {
			return rows, nil
		}
		if tag, err = live.PGX.Exec(ctx, merge); err != nil {
			return 0, err
		}
		rows = tag.RowsAffected()
		_, err = live.PGX.Exec(ctx, "DROP TABLE "+staged)
		return rows, err
	}
	err := w.conn.Exchange(ctx, x)
	return rows, err
}

// reader gives the bytes of the records that are not bad.
func (w *copying) reader(p *datafile.Page, b *block, bad func(i int) bool) io.Reader {
	var parts []io.Reader
	for from := 0; from < p.Len(); {
		to := from
		for to < p.Len() && !bad(to) {
			to++
		}
		if to > from {
			piece := p.Bytes(from, to)
			if !b.csv {
				piece = b.text[b.bounds[p.First()+from]:b.bounds[p.First()+to]]
			}
			parts = append(parts, bytes.NewReader(piece))
		}
		from = to + 1
	}
	return io.MultiReader(parts...)
}

func (w *copying) copyStatement(into string, p *datafile.Page, b *block) string {
	text := "COPY " + into + " (" + strings.Join(w.quoted(), ", ") + ") FROM STDIN "
	if !b.csv {
		return text + "(FORMAT text, ENCODING 'UTF8')"
	}
	return text + "(FORMAT csv, ENCODING 'UTF8', DELIMITER " + literal(string(p.Comma())) + ", NULL " + literal(p.Null()) + ")"
}

// literal is a text in SQL. A backslash is one whatever the session's settings are.
func literal(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if strings.Contains(text, `\`) {
		return "E'" + strings.ReplaceAll(text, `\`, `\\`) + "'"
	}
	return "'" + text + "'"
}

// merge takes the records on to the table. The last one of a key counts, and a row that has its values already is not touched.
func (w *copying) merge() string {
	if w.upsert == nil {
		return ""
	}
	columns, key := strings.Join(w.quoted(), ", "), strings.Join(w.key(), ", ")
	text := "INSERT INTO " + w.name + " AS t (" + columns + ") OVERRIDING SYSTEM VALUE SELECT DISTINCT ON (" + key + ") " + columns + " FROM " + staged +
		" ORDER BY " + key + ", ctid DESC ON CONFLICT (" + key + ") DO "
	others := w.others()
	if len(others) == 0 {
		return text + "NOTHING"
	}
	var set, differs []string
	for _, name := range others {
		set = append(set, name+" = EXCLUDED."+name)
		differs = append(differs, w.comparable("t."+name, name)+" IS DISTINCT FROM "+w.comparable("EXCLUDED."+name, name))
	}
	return text + "UPDATE SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(differs, " OR ")
}

// comparable compares types without an operator for it as texts.
func (w *copying) comparable(value, name string) string {
	for i, quoted := range w.quoted() {
		if quoted != name {
			continue
		}
		switch typ := w.conn.Dialect().Type(w.columns[i].Column); {
		case typ.Class == dialect.Opaque, typ.Class == dialect.JSON && !typ.Folded:
			return value + "::text"
		}
	}
	return value
}

func (w *copying) statement() string {
	if w.upsert != nil {
		return w.merge()
	}
	return "COPY " + w.name + " (" + strings.Join(w.quoted(), ", ") + ") FROM STDIN"
}
