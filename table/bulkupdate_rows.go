package table

import (
	"context"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drover-dev/drover/internal/cell"
)

// updateValues is UPDATE … FROM (VALUES …), for SQLite, in statements of a size that it compiles quickly.
func (u *updater) updateValues(ctx context.Context, rows rowList) (total int64, err error) {
	per := min(maxValuesRows, u.conn.Dialect().Features().MaxParams/len(u.written))
	for first := 0; first < rows.len(); first += per {
		n, err := u.updateChunk(ctx, rows.slice(first, min(first+per, rows.len())))
		if m, ok := errors.AsType[*misfit](err); ok {
			m.row += first
		}
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (u *updater) updateChunk(ctx context.Context, rows rowList) (int64, error) {
	values, err := u.values(rows)
	if err != nil {
		return 0, err
	}
	b := newBuilder(u.conn)
	keys := len(u.model.mapping.Keys)
	column := func(n int) string { return "v.column" + strconv.Itoa(n+1) }
	b.write("UPDATE ", u.model.quoted(b.dialect), " AS t SET ").list(len(u.set), func(n int) {
		b.write(b.dialect.Quote(u.model.mapping.Columns[u.set[n]].Name), " = ", column(keys+n))
	})
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(u.written)), ", ") + ")"
	b.write(" FROM (VALUES ").list(rows.len(), func(int) { b.write(row) }).write(") AS v WHERE ")
	b.args = values
	u.writeJoin(b, column)
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.conn, st)
}

// updateJSON is UPDATE JSON_TABLE(…) STRAIGHT_JOIN …: all rows are one parameter, and for each of them the table's is looked up by its key. The
// types in it are wide, so that a value that does not fit its column is refused by the assignment and not made NULL by the conversion.
func (u *updater) updateJSON(ctx context.Context, rows rowList) (int64, error) {
	values, err := u.values(rows)
	if err != nil {
		return 0, err
	}
	encoded := u.encoded(values)
	document, err := u.document(values, encoded)
	if err != nil {
		return 0, err
	}
	column := func(n int) string {
		if encoded[n] {
			return "FROM_BASE64(v.c" + strconv.Itoa(n) + ")"
		}
		return "v.c" + strconv.Itoa(n)
	}
	b := newBuilder(u.conn)
	keys := len(u.model.mapping.Keys)
	b.write("UPDATE JSON_TABLE(?, '$[*]' COLUMNS (")
	b.args = append(b.args, document)
	b.list(len(u.written), func(n int) {
		path := " PATH '$[" + strconv.Itoa(n) + "]'"
		b.write("c", strconv.Itoa(n), " ", u.jsonType(n, encoded[n]), path)
		if n < keys && u.keys[n].narrow {
			b.write(", k", strconv.Itoa(n), " LONGTEXT CHARACTER SET utf8mb4", path)
		}
	})
	b.write(")) AS v STRAIGHT_JOIN ", u.model.quoted(b.dialect), " AS t", u.byKey, " ON ")
	u.writeJoin(b, column)
	for n, k := range u.keys {
		if k.narrow { // a character that the column cannot have must not become one that it has
			b.write(" AND BINARY CONVERT(v.c", strconv.Itoa(n), " USING utf8mb4) = BINARY v.k", strconv.Itoa(n))
		}
	}
	b.write(" SET ").list(len(u.set), func(n int) {
		b.write("t.", b.dialect.Quote(u.model.mapping.Columns[u.set[n]].Name), " = ", column(keys+n))
	})
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.conn, st)
}

// encoded reports for each column that is sent whether it has bytes, which JSON cannot hold: they go in base64, and so do all of the
// column.
func (u *updater) encoded(values []any) []bool {
	encoded := make([]bool, len(u.written))
	for i, value := range values {
		if _, bytes := value.([]byte); bytes {
			encoded[i%len(encoded)] = true
		}
	}
	return encoded
}

// document is the rows as a JSON array of arrays.
func (u *updater) document(values []any, encoded []bool) (string, error) {
	width := len(encoded)
	buf := make([]byte, 0, 64*len(values)/width)
	buf = append(buf, '[')
	for i, value := range values {
		switch {
		case i > 0 && i%width == 0:
			buf = append(buf, "],["...)
		case i > 0:
			buf = append(buf, ',')
		default:
			buf = append(buf, '[')
		}
		if text, ok := value.(string); ok && encoded[i%width] {
			value = []byte(text)
		}
		var err error
		if buf, err = appendJSON(buf, value); err != nil {
			return "", &misfit{row: i / width, err: u.record.fail(i%width, err)}
		}
	}
	return string(append(buf, "]]"...)), nil
}

func appendJSON(buf []byte, value driver.Value) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(buf, "null"...), nil
	case int64:
		return strconv.AppendInt(buf, v, 10), nil
	case uint64:
		return strconv.AppendUint(buf, v, 10), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return buf, &cell.TypeError{Value: v, Type: "of a number", Why: "it is not finite"}
		}
		return strconv.AppendFloat(buf, v, 'g', -1, 64), nil
	case bool:
		if v {
			return append(buf, '1'), nil
		}
		return append(buf, '0'), nil
	case time.Time:
		if v.IsZero() {
			return append(buf, `"0000-00-00"`...), nil // as the driver sends it
		}
		buf = append(buf, '"')
		buf = v.AppendFormat(buf, "2006-01-02 15:04:05.000000")
		return append(buf, '"'), nil
	case []byte:
		buf = append(buf, '"')
		buf = base64.StdEncoding.AppendEncode(buf, v)
		return append(buf, '"'), nil
	case string:
		if plainJSON(v) {
			buf = append(buf, '"')
			buf = append(buf, v...)
			return append(buf, '"'), nil
		}
		if !utf8.ValidString(v) {
			return buf, &cell.TypeError{Value: v, Type: "string", Why: "it is not valid UTF-8"}
		}
		text, err := json.Marshal(v)
		return append(buf, text...), err
	}
	return buf, &cell.TypeError{Value: value, Type: "of a JSON document"}
}

// plainJSON reports whether a text stands for itself in a JSON string.
func plainJSON(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// keyType is how a column of the key leaves JSON_TABLE.
type keyType struct {
	sql    string // "": as jsonType says
	narrow bool   // the character set has not all characters
}

// readKeyTypes finds out the types of key columns of text. A value of another character set or collation is not compared with them, or only after
// the whole table was read.
func (u *updater) readKeyTypes(ctx context.Context) error {
	u.keys = make([]keyType, len(u.model.mapping.Keys))
	for n, i := range u.model.mapping.Keys {
		c := u.model.mapping.Columns[i]
		if !kindIsText(c.Type) && !structLike(c.Type) {
			continue
		}
		t, err := u.model.described(ctx, u.conn)
		if err != nil {
			return err
		}
		if column, _ := t.Column(c.Name); column.Collation != "" {
			set, _, _ := strings.Cut(column.Collation, "_")
			sqlType := column.Type
			if strings.HasPrefix(sqlType, "enum") || strings.HasPrefix(sqlType, "set") {
				sqlType = "VARCHAR(3072)"
			}
			u.keys[n] = keyType{sqlType + " CHARACTER SET " + set + " COLLATE " + column.Collation, set != "utf8mb4"}
		}
	}
	return nil
}

// jsonType is the SQL type in which the values of the n-th column that is sent leave JSON_TABLE. A key of text is compared as a literal would
// be, with the column's collation.
func (u *updater) jsonType(n int, encoded bool) string {
	t := u.model.mapping.Columns[u.written[n]].Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case encoded:
	case n < len(u.keys) && u.keys[n].sql != "":
		return u.keys[n].sql
	case t.Kind() == reflect.Bool || t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return "BIGINT"
	case t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64:
		return "BIGINT UNSIGNED"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "DOUBLE"
	}
	if n < len(u.model.mapping.Keys) {
		return "VARCHAR(4096) CHARACTER SET utf8mb4" // room for the longest key that there is, in base64
	}
	return "LONGTEXT CHARACTER SET utf8mb4"
}

// updateUnion is UPDATE (SELECT … UNION ALL SELECT …) STRAIGHT_JOIN …, for servers without JSON_TABLE.
func (u *updater) updateUnion(ctx context.Context, rows rowList) (int64, error) {
	values, err := u.values(rows)
	if err != nil {
		return 0, err
	}
	b := newBuilder(u.conn)
	keys, width := len(u.model.mapping.Keys), len(u.written)
	b.write("UPDATE (")
	for row := range rows.len() {
		if row > 0 {
			b.write(" UNION ALL ")
		}
		b.write("SELECT ").list(width, func(n int) { b.arg(values[row*width+n]).write(" AS c", strconv.Itoa(n)) })
	}
	b.write(") AS v STRAIGHT_JOIN ", u.model.quoted(b.dialect), " AS t", u.byKey, " ON ")
	u.writeJoin(b, func(n int) string { return fmt.Sprintf("v.c%d", n) })
	b.write(" SET ").list(len(u.set), func(n int) {
		b.write("t.", b.dialect.Quote(u.model.mapping.Columns[u.set[n]].Name), " = v.c", strconv.Itoa(keys+n))
	})
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.conn, st)
}
