package cell

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/pgbinary"
)

type stringCell struct{ p *string }

func (c *stringCell) Scan(src any) error {
	if src == nil {
		return ErrNull
	}
	text, ok := textOf(src)
	if !ok {
		return &TypeError{src, "string", ""}
	}
	*c.p = text
	return nil
}

func (c *stringCell) Decode(oid uint32, src []byte) error {
	switch oid {
	case pgbinary.Text, pgbinary.Varchar, pgbinary.BPChar:
		*c.p = string(src)
		return nil
	}
	text, err := pgbinary.String(oid, src)
	*c.p = text
	return err
}

func (c *stringCell) Value() (driver.Value, error) { return *c.p, nil }

func (c *stringCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	buf, err := pgbinary.AppendText(buf, oid, *c.p)
	return buf, false, err
}

// textOf writes a driver's value as text that the databases read again.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), true
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999Z07:00"), true
	}
	return "", false
}

// Literal writes a driver's value as text that PostgreSQL casts to the column's type. A []byte is written as bytea is.
func Literal(value driver.Value) (string, error) {
	if b, ok := value.([]byte); ok {
		return `\x` + hex.EncodeToString(b), nil
	}
	text, ok := textOf(value)
	if !ok {
		return "", &TypeError{value, "text", ""}
	}
	return text, nil
}

type bytesCell struct{ p *[]byte }

func (c *bytesCell) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		*c.p = nil
		return nil
	case []byte:
		*c.p = append([]byte{}, s...)
		return nil
	}
	text, ok := textOf(src)
	if !ok {
		return &TypeError{src, "[]byte", ""}
	}
	*c.p = []byte(text)
	return nil
}

func (c *bytesCell) Decode(oid uint32, src []byte) error {
	switch oid {
	case pgbinary.Bytea, pgbinary.Text, pgbinary.Varchar, pgbinary.BPChar, pgbinary.JSON, pgbinary.JSONB:
		b, err := pgbinary.Bytes(oid, src)
		*c.p = b
		return err
	}
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

// Value of an empty slice is an empty value, of a nil one NULL.
func (c *bytesCell) Value() (driver.Value, error) {
	if *c.p == nil {
		return nil, nil
	}
	return *c.p, nil
}

func (c *bytesCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if *c.p == nil {
		return buf, true, nil
	}
	buf, err := pgbinary.AppendBytes(buf, oid, *c.p)
	return buf, false, err
}

type timeCell struct{ p *time.Time }

func (c *timeCell) Scan(src any) error {
	switch s := src.(type) {
	case time.Time:
		*c.p = s.UTC()
		return nil
	case nil:
		return ErrNull
	case []byte:
		return c.Scan(string(s))
	case string:
		if t, ok := parseTime(s); ok {
			*c.p = t
			return nil
		}
	}
	return &TypeError{src, "time.Time", ""}
}

// timeLayouts are the forms in which the databases write times as text.
var timeLayouts = []string{
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
}

func parseTime(text string) (time.Time, bool) {
	if len(text) > 10 && text[10] == 'T' {
		text = text[:10] + " " + text[11:]
	}
	if zone := strings.Index(text, " m="); zone > 0 { // of Go's own String
		text = text[:zone]
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (c *timeCell) Decode(oid uint32, src []byte) error {
	switch oid {
	case pgbinary.Timestamptz, pgbinary.Timestamp, pgbinary.Date:
		t, err := pgbinary.TimeValue(oid, src)
		*c.p = t
		return err
	}
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

func (c *timeCell) Value() (driver.Value, error) { return Time(*c.p), nil }

func (c *timeCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	buf, err := pgbinary.AppendTime(buf, oid, *c.p)
	return buf, false, err
}

// Time is a time as it is stored: UTC, in whole microseconds.
func Time(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

type uuidCell struct{ p *[16]byte }

func (c *uuidCell) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		return ErrNull
	case []byte:
		if len(s) == 16 {
			copy(c.p[:], s)
			return nil
		}
		return c.Scan(string(s))
	case string:
		buf, err := pgbinary.AppendText(nil, pgbinary.UUID, s)
		if err == nil && len(buf) == 16 {
			copy(c.p[:], buf)
			return nil
		}
	}
	return &TypeError{src, "[16]byte", "it is no UUID"}
}

func (c *uuidCell) Decode(oid uint32, src []byte) error {
	if oid == pgbinary.UUID {
		u, err := pgbinary.UUIDValue(src)
		*c.p = u
		return err
	}
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

func (c *uuidCell) Value() (driver.Value, error) { return uuidText(*c.p), nil }

func uuidText(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func (c *uuidCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if oid == pgbinary.UUID {
		return pgbinary.AppendUUID(buf, *c.p), false, nil
	}
	return appendValue(buf, oid, uuidText(*c.p))
}

// Any is a cell of any type: it takes what the database has.
type Any struct {
	Ptr  *any
	Text bool // a []byte of the driver is text
}

// Scan keeps the driver's value; bytes are copied.
func (c *Any) Scan(src any) error {
	switch s := src.(type) {
	case []byte:
		if c.Text {
			*c.Ptr = string(s)
		} else {
			*c.Ptr = append([]byte{}, s...)
		}
	case float32:
		*c.Ptr = float64(s)
	case time.Time:
		*c.Ptr = s.UTC()
	default:
		*c.Ptr = src
	}
	return nil
}

// Decode keeps the value that database/sql would have for it.
func (c *Any) Decode(oid uint32, src []byte) (err error) {
	*c.Ptr, err = decodeValue(oid, src)
	return err
}

// Value returns the value as a driver takes it.
func (c *Any) Value() (driver.Value, error) { return Plain(*c.Ptr) }

// Append appends the value.
func (c *Any) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	value, err := Plain(*c.Ptr)
	if err != nil {
		return buf, false, err
	}
	return appendValue(buf, oid, value)
}

// Plain makes a driver's value of any Go value that could be a field.
func Plain(value any) (driver.Value, error) {
	switch v := value.(type) {
	case nil, int64, float64, bool, string:
		return v, nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case time.Time:
		return Time(v), nil
	}
	t := reflect.TypeOf(value)
	if reason := Usable(t, false); reason != "" {
		return nil, &TypeError{value, "of a parameter", ""}
	}
	scratch := reflect.New(t)
	scratch.Elem().Set(reflect.ValueOf(value))
	return For(scratch, false).Value()
}
