package keyset

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Values is one key: the value of each of its columns, in the key's order, as the driver hands it out and takes it as
// a parameter.
type Values []any

// Scan reads a key with the scan function of a row that [Keyset.Columns] begins; more are the destinations of the
// columns after it.
func (k *Keyset) Scan(scan func(dest ...any) error, more ...any) (Values, error) {
	v := make(Values, len(k.columns))
	dest := make([]any, 0, len(v)+len(more))
	for i := range v {
		dest = append(dest, &v[i])
	}
	if err := scan(append(dest, more...)...); err != nil {
		return nil, err
	}
	for i, c := range k.columns {
		if v[i] = c.Value(v[i]); v[i] == nil {
			return nil, fmt.Errorf("column %q of the key is NULL", c.Name)
		}
	}
	return v, nil
}

// Equal reports whether both are the same key. It may miss that two spellings are equal under a column's collation.
func (v Values) Equal(w Values) bool {
	if len(v) != len(w) {
		return false
	}
	for i := range v {
		if !equal(v[i], w[i]) {
			return false
		}
	}
	return true
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	}
	if _, ok := b.([]byte); ok {
		return false // not comparable with ==
	}
	return a == b
}

// String writes the key for people: 17, or (eu, 17) for a key of several columns.
func (v Values) String() string {
	parts := make([]string, len(v))
	for i, value := range v {
		parts[i] = Text(value)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Text writes a value that a driver handed out in one line for people.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case []byte:
		if len(v) == 16 {
			return uuid(v)
		}
		return "0x" + hex.EncodeToString(v)
	case time.Time:
		return v.Format("2006-01-02 15:04:05.999999Z07:00")
	case string:
		return v
	}
	return fmt.Sprint(value)
}

// uuid writes sixteen bytes as a UUID, which is what a key of that length nearly always is.
func uuid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
