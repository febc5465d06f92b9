package table

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/keyset"
)

// rowError says which row of a batch failed and why; row is its place in the batch, or -1.
func (w *writer) rowError(ctx context.Context, b batch, row int, cause error) error {
	e := &RowError{Op: w.op, Table: w.model.fullName(), Row: -1, Err: cause}
	if own, ok := errors.AsType[*db.Error](cause); ok {
		e.Column, e.Constraint = own.Column, own.Constraint
	}
	columns := w.faulty(cause, e.Column)
	if len(columns) == 0 && e.Constraint != "" && db.KindOf(cause) == db.ErrUnique {
		columns = w.keyColumns(ctx, e.Constraint)
	}
	if row >= 0 {
		e.Row = b.first + row
		b.rows.load(row)
		scratch := b.rows.scratch().row
		if len(columns) == 0 && db.KindOf(cause) == db.ErrData {
			columns = w.tooLong(scratch)
		}
		e.Key = w.keyText(scratch, columns)
	}
	if len(columns) > 0 {
		e.Column = strings.Join(w.names(columns), ", ")
	}
	return e
}

func (w *writer) names(columns []int) []string {
	names := make([]string, len(columns))
	for n, i := range columns {
		names[n] = w.model.mapping.Columns[i].Name
	}
	return names
}

// keyDetail is PostgreSQL's detail of a violated key in any language: Key (a, b)=(1, x) already exists.
var keyDetail = regexp.MustCompile(`\(([^()]*)\)=\(`)

// faulty returns the columns that an error is about, as far as it says.
func (w *writer) faulty(cause error, column string) []int {
	list := column
	if pe, ok := errors.AsType[*pgconn.PgError](cause); ok && list == "" {
		if m := keyDetail.FindStringSubmatch(pe.Detail); m != nil {
			list = m[1]
		}
	}
	var columns []int
	if _, message, ok := strings.Cut(cause.Error(), "constraint failed: "+w.model.name+"."); ok && list != "" {
		list, _, _ = strings.Cut(message, " (") // SQLite: t.a, t.b; what Classify took for the names breaks at their dots
		list = strings.ReplaceAll(list, w.model.name+".", "")
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if i := w.model.mapping.Column(name); i >= 0 {
			columns = append(columns, i)
		}
	}
	return columns
}

// keyColumns returns the columns of a unique key, where the database tells only its name.
func (w *writer) keyColumns(ctx context.Context, key string) []int {
	d := w.conn.Dialect()
	t, err := d.Table(context.WithoutCancel(ctx), w.conn, w.model.quoted(d))
	if err != nil {
		return nil
	}
	for _, k := range t.Keys {
		if k.Name == key {
			columns, _ := w.model.columnsOf(k.Columns)
			return columns
		}
	}
	return nil
}

// tooLong returns the text column whose value is longer than the column takes: PostgreSQL does not say which one it is.
func (w *writer) tooLong(row reflect.Value) []int {
	known, _ := w.conn.Facts().Table(w.model.quoted(w.conn.Dialect())).(*shape)
	if known == nil {
		return nil
	}
	for _, i := range w.values {
		c := w.model.mapping.Columns[i]
		most := known.column(c.Name).length
		if most == 0 {
			continue
		}
		plain, err := cell.For(row.FieldByIndex(c.Index).Addr(), c.JSON).Value()
		if text, ok := plain.(string); err == nil && ok && utf8.RuneCountInString(text) > most {
			return []int{i}
		}
	}
	return nil
}

// keyText names a row: by its key, where it has one, and by the values that were refused.
func (w *writer) keyText(row reflect.Value, faulty []int) string {
	s := w.model.mapping
	var columns []int
	for _, i := range s.Keys {
		if !s.Columns[i].Auto || !row.FieldByIndex(s.Columns[i].Index).IsZero() {
			columns = append(columns, i)
		}
	}
	for _, i := range faulty {
		if !slices.Contains(columns, i) {
			columns = append(columns, i)
		}
	}
	parts := make([]string, len(columns))
	for n, i := range columns {
		c := s.Columns[i]
		plain, err := cell.For(row.FieldByIndex(c.Index).Addr(), c.JSON).Value()
		text := "?"
		if err == nil {
			text = shorten(keyset.Text(plain))
		}
		parts[n] = c.Name + " " + text
	}
	return strings.Join(parts, ", ")
}

func shorten(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
