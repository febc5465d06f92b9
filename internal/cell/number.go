package cell

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// number returns the cell of a field of a numeric kind, whatever the name of its type.
func number(ptr reflect.Value) Cell {
	switch ptr.Type().Elem().Kind() {
	case reflect.Int:
		return &intCell[int]{as[int](ptr)}
	case reflect.Int8:
		return &intCell[int8]{as[int8](ptr)}
	case reflect.Int16:
		return &intCell[int16]{as[int16](ptr)}
	case reflect.Int32:
		return &intCell[int32]{as[int32](ptr)}
	case reflect.Int64:
		return &intCell[int64]{as[int64](ptr)}
	case reflect.Uint:
		return &uintCell[uint]{as[uint](ptr)}
	case reflect.Uint8:
		return &uintCell[uint8]{as[uint8](ptr)}
	case reflect.Uint16:
		return &uintCell[uint16]{as[uint16](ptr)}
	case reflect.Uint32:
		return &uintCell[uint32]{as[uint32](ptr)}
	case reflect.Uint64:
		return &uintCell[uint64]{as[uint64](ptr)}
	case reflect.Float32:
		return &floatCell[float32]{as[float32](ptr)}
	default:
		return &floatCell[float64]{as[float64](ptr)}
	}
}

type intCell[I int | int8 | int16 | int32 | int64] struct{ p *I }

func (c *intCell[I]) Scan(src any) error {
	var v int64
	switch s := src.(type) {
	case int64:
		v = s
	case nil:
		return ErrNull
	default:
		var err error
		if v, err = toInt(src, typeOf(c.p)); err != nil {
			return err
		}
	}
	return c.set(v)
}

func (c *intCell[I]) set(v int64) error {
	*c.p = I(v)
	if int64(*c.p) != v {
		return c.outOfRange(v)
	}
	return nil
}

// outOfRange is apart, so that set need not make an interface value of every number.
func (c *intCell[I]) outOfRange(v int64) error {
	return &TypeError{v, fmt.Sprintf("%T", *c.p), "out of range"}
}

func (c *intCell[I]) Decode(oid uint32, src []byte) error {
	var v int64
	switch {
	case oid == pgbinary.Int8 && len(src) == 8:
		v = int64(binary.BigEndian.Uint64(src))
	case oid == pgbinary.Int4 && len(src) == 4:
		v = int64(int32(binary.BigEndian.Uint32(src)))
	case oid == pgbinary.Int2, oid == pgbinary.Int4, oid == pgbinary.Int8, oid == pgbinary.OID, oid == pgbinary.Numeric:
		var err error
		if v, err = pgbinary.Int(oid, src); err != nil {
			return err
		}
	default:
		value, err := decodeValue(oid, src)
		if err != nil {
			return err
		}
		return c.Scan(value)
	}
	return c.set(v)
}

func (c *intCell[I]) Value() (driver.Value, error) { return int64(*c.p), nil }

// Int returns the field.
func (c *intCell[I]) Int() int64 { return int64(*c.p) }

func (c *intCell[I]) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	buf, err := pgbinary.AppendInt(buf, oid, int64(*c.p))
	return buf, false, err
}

// typeOf names what a pointer points to.
func typeOf[E any](*E) string { return reflect.TypeFor[E]().String() }

// toInt reads an integer from whatever a driver has.
func toInt(src any, want string) (int64, error) {
	switch s := src.(type) {
	case int64:
		return s, nil
	case uint64:
		if s <= math.MaxInt64 {
			return int64(s), nil
		}
		return 0, &TypeError{src, want, "out of range"}
	case float64:
		if s == math.Trunc(s) && math.Abs(s) < 1<<53 {
			return int64(s), nil
		}
		return 0, &TypeError{src, want, "not a whole number"}
	case float32:
		return toInt(float64(s), want)
	case bool:
		if s {
			return 1, nil
		}
		return 0, nil
	case string:
		if whole, zeros, _ := strings.Cut(s, "."); strings.Trim(zeros, "0") == "" {
			s = whole // a decimal without a fraction
		}
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			return v, nil
		}
	case []byte:
		return toInt(string(s), want)
	}
	return 0, &TypeError{src, want, ""}
}

type uintCell[U uint | uint8 | uint16 | uint32 | uint64] struct{ p *U }

func (c *uintCell[U]) Scan(src any) error {
	want := func() string { return fmt.Sprintf("%T", *c.p) }
	var v uint64
	switch s := src.(type) {
	case nil:
		return ErrNull
	case uint64:
		v = s
	case string:
		parsed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return &TypeError{src, want(), ""}
		}
		v = parsed
	case []byte:
		return c.Scan(string(s))
	default:
		i, err := toInt(src, want())
		if err != nil {
			return err
		}
		if i < 0 {
			return &TypeError{src, want(), "out of range"}
		}
		v = uint64(i)
	}
	*c.p = U(v)
	if uint64(*c.p) != v {
		return &TypeError{src, want(), "out of range"}
	}
	return nil
}

func (c *uintCell[U]) Decode(oid uint32, src []byte) error {
	if oid == pgbinary.Numeric { // where more than an int64 fits
		text, err := pgbinary.String(oid, src)
		if err != nil {
			return err
		}
		return c.Scan(text)
	}
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

// Value gives an int64 where it fits: not every driver takes a uint64.
func (c *uintCell[U]) Value() (driver.Value, error) {
	if v := uint64(*c.p); v > math.MaxInt64 {
		return v, nil
	}
	return int64(*c.p), nil
}

func (c *uintCell[U]) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	buf, err := pgbinary.AppendUint(buf, oid, uint64(*c.p))
	return buf, false, err
}

type floatCell[F float32 | float64] struct{ p *F }

func (c *floatCell[F]) Scan(src any) error {
	switch s := src.(type) {
	case float64:
		return c.set(s)
	case float32:
		*c.p = F(s)
		return nil
	case int64:
		*c.p = F(s)
		return nil
	case uint64:
		*c.p = F(s)
		return nil
	case nil:
		return ErrNull
	case []byte:
		return c.Scan(string(s))
	case string:
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return c.set(v)
		}
	}
	return &TypeError{src, fmt.Sprintf("%T", *c.p), ""}
}

func (c *floatCell[F]) set(v float64) error {
	*c.p = F(v)
	if math.IsInf(float64(*c.p), 0) && !math.IsInf(v, 0) {
		return &TypeError{v, fmt.Sprintf("%T", *c.p), "out of range"}
	}
	return nil
}

func (c *floatCell[F]) Decode(oid uint32, src []byte) error {
	switch oid {
	case pgbinary.Float4, pgbinary.Float8, pgbinary.Int2, pgbinary.Int4, pgbinary.Int8, pgbinary.Numeric:
		v, err := pgbinary.Float(oid, src)
		if err != nil {
			return err
		}
		return c.set(v)
	}
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

func (c *floatCell[F]) Value() (driver.Value, error) { return float64(*c.p), nil }

func (c *floatCell[F]) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	buf, err := pgbinary.AppendFloat(buf, oid, float64(*c.p))
	return buf, false, err
}

type boolCell struct{ p *bool }

func (c *boolCell) Scan(src any) error {
	switch s := src.(type) {
	case bool:
		*c.p = s
		return nil
	case int64:
		if s == 0 || s == 1 {
			*c.p = s == 1
			return nil
		}
	case nil:
		return ErrNull
	case []byte:
		if len(s) == 1 && s[0] <= 1 { // BIT(1) of MySQL
			*c.p = s[0] == 1
			return nil
		}
		return c.Scan(string(s))
	case string:
		if v, err := strconv.ParseBool(s); err == nil {
			*c.p = v
			return nil
		}
	}
	return &TypeError{src, "bool", ""}
}

func (c *boolCell) Decode(oid uint32, src []byte) error {
	value, err := decodeValue(oid, src)
	if oid == pgbinary.Bool && err == nil {
		*c.p = value.(bool)
		return nil
	}
	if err != nil {
		return err
	}
	return c.Scan(value)
}

func (c *boolCell) Value() (driver.Value, error) { return *c.p, nil }

func (c *boolCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if oid == pgbinary.Bool {
		return pgbinary.AppendBool(buf, *c.p), false, nil
	}
	return appendValue(buf, oid, *c.p)
}
