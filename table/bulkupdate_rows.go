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

// updateJSON is UPDATE … JOIN JSON_TABLE(…): all rows are one parameter. The types in it are wide, so that a value that does not fit its column
// is refused by the assignment and not made NULL by the conversion.
func (u *updater) updateJSON(ctx context.Context, rows rowList) (int64, error) {
	document, err := u.document(rows)
	if err != nil {
		return 0, err
	}
	b := newBuilder(u.conn)
	keys := len(u.model.mapping.Keys)
	b.write("UPDATE ", u.model.quoted(b.dialect), " AS t JOIN JSON_TABLE(?, '$[*]' COLUMNS (")
	b.args = append(b.args, document)
	b.list(len(u.written), func(n int) {
		b.write("c", strconv.Itoa(n), " ", jsonType(u.model.mapping.Columns[u.written[n]].Type, n < keys), " PATH '$[", strconv.Itoa(n), "]'")
	})
	b.write(")) AS v ON ")
	u.writeJoin(b, u.jsonKey)
	b.write(" SET ").list(len(u.set), func(n int) {
		b.write("t.", b.dialect.Quote(u.model.mapping.Columns[u.set[n]].Name), " = ", u.jsonValue(keys+n))
	})
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.conn, st)
}

// document is the rows as a JSON array of arrays.
func (u *updater) document(rows rowList) (string, error) {
	buf := make([]byte, 0, 64*rows.len())
	buf = append(buf, '[')
	for row := range rows.len() {
		if row > 0 {
			buf = append(buf, ',')
		}
		rows.load(row)
		buf = append(buf, '[')
		for i, c := range u.record.cells {
			if i > 0 {
				buf = append(buf, ',')
			}
			value, err := c.Value()
			if err == nil {
				buf, err = appendJSON(buf, value)
			}
			if err != nil {
				return "", &misfit{row: row, err: u.record.fail(i, err)}
			}
		}
		buf = append(buf, ']')
	}
	return string(append(buf, ']')), nil
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

// jsonType is the SQL type in which a field's values leave JSON_TABLE.
func jsonType(t reflect.Type, key bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Bool:
		return "BIGINT"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "BIGINT UNSIGNED"
	case reflect.Float32, reflect.Float64:
		return "DOUBLE"
	}
	if key {
		return "VARCHAR(3072) CHARACTER SET utf8mb4" // the longest key that there is
	}
	return "LONGTEXT CHARACTER SET utf8mb4"
}

// jsonValue is the value of the n-th column of JSON_TABLE.
func (u *updater) jsonValue(n int) string {
	name := "v.c" + strconv.Itoa(n)
	if isBytes(u.model.mapping.Columns[u.written[n]].Type) {
		return "FROM_BASE64(" + name + ")"
	}
	return name
}

// jsonKey is jsonValue for a comparison: a text is compared as a literal would be, with the column's collation.
func (u *updater) jsonKey(n int) string { return u.jsonValue(n) }

func isBytes(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && t != reflect.TypeFor[json.RawMessage]()
}

// updateUnion is UPDATE … JOIN (SELECT … UNION ALL SELECT …), for servers without JSON_TABLE.
func (u *updater) updateUnion(ctx context.Context, rows rowList) (int64, error) {
	values, err := u.values(rows)
	if err != nil {
		return 0, err
	}
	b := newBuilder(u.conn)
	keys, width := len(u.model.mapping.Keys), len(u.written)
	b.write("UPDATE ", u.model.quoted(b.dialect), " AS t JOIN (")
	for row := range rows.len() {
		if row > 0 {
			b.write(" UNION ALL ")
		}
		b.write("SELECT ").list(width, func(n int) { b.arg(values[row*width+n]).write(" AS c", strconv.Itoa(n)) })
	}
	b.write(") AS v ON ")
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
