package datafile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/drover-dev/drover/internal/dialect"
)

// A decimal of so many digits fits into 4, 8 and 16 bytes. Parquet's own limit is 38.
const (
	digits32   = 9
	digits64   = 18
	digits128  = 38
	bytes128   = 16
	microForm  = "15:04:05.999999"
	microsADay = 24 * 60 * 60 * 1_000_000
)

// parquetType is the type of Parquet that comes nearest to a column's, and what makes its values of their texts. What has none is a string.
func parquetType(typ dialect.Type) (parquet.Node, func(text []byte) (parquet.Value, error)) {
	switch typ.Class {
	case dialect.Integer:
		switch {
		case typ.Flag:
			return parquet.Leaf(parquet.BooleanType), parquetBool
		case typ.Max > math.MaxInt64:
			return parquet.Uint(64), parquetUint
		}
		return parquet.Int(64), parquetInt
	case dialect.Decimal:
		if typ.Digits > 0 && typ.Digits <= digits128 && typ.Scale >= 0 && typ.Scale <= typ.Digits {
			return parquetDecimal(typ)
		}
	case dialect.Float:
		if typ.Single {
			return parquet.Leaf(parquet.FloatType), func(text []byte) (parquet.Value, error) {
				f, err := parseFloat(text, 32)
				return parquet.FloatValue(float32(f)), err
			}
		}
		return parquet.Leaf(parquet.DoubleType), func(text []byte) (parquet.Value, error) {
			f, err := parseFloat(text, 64)
			return parquet.DoubleValue(f), err
		}
	case dialect.Boolean:
		return parquet.Leaf(parquet.BooleanType), parquetBool
	case dialect.Bytes:
		return parquet.Leaf(parquet.ByteArrayType), parquetBytes
	case dialect.Date:
		return parquet.Date(), parquetDate
	case dialect.TimeOfDay:
		return parquet.TimeAdjusted(parquet.Microsecond, false), parquetTime
	case dialect.Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, typ.Zoned), parquetInstant
	case dialect.UUID:
		return parquet.UUID(), parquetUUID
	case dialect.JSON:
		return parquet.JSON(), parquetText
	}
	return parquet.String(), parquetText
}

var (
	errNoNumber  = errors.New("is no number of its column's type")
	errNoBool    = errors.New("is neither true nor false")
	errNoBytes   = errors.New("is not in hexadecimal digits")
	errNoMoment  = errors.New("is no date or time that Parquet has, in microseconds")
	errNoUUID    = errors.New("is no UUID")
	errNoDecimal = errors.New("does not fit into its column's digits, which a Parquet file must keep to")
)

func parquetText(text []byte) (parquet.Value, error) { return parquet.ByteArrayValue(text), nil }

func parquetInt(text []byte) (parquet.Value, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return parquet.Value{}, errNoNumber
	}
	return parquet.Int64Value(n), nil
}

func parquetUint(text []byte) (parquet.Value, error) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return parquet.Value{}, errNoNumber
	}
	return parquet.Int64Value(int64(n)), nil
}

func parseFloat(text []byte, bits int) (float64, error) {
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, errNoNumber
	}
	return f, nil
}

func parquetBool(text []byte) (parquet.Value, error) {
	switch string(text) {
	case "t", "f":
		return parquet.BooleanValue(text[0] == 't'), nil
	}
	return parquet.Value{}, errNoBool
}

func parquetBytes(text []byte) (parquet.Value, error) {
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	raw := make([]byte, len(digits)/2)
	if _, err := hex.Decode(raw, digits); err != nil || !ok {
		return parquet.Value{}, errNoBytes
	}
	return parquet.ByteArrayValue(raw), nil
}

func parquetUUID(text []byte) (parquet.Value, error) {
	var id [16]byte
	if !parseUUID(&id, string(text)) {
		return parquet.Value{}, errNoUUID
	}
	return parquet.FixedLenByteArrayValue(id[:]), nil
}

func parquetDate(text []byte) (parquet.Value, error) {
	t, err := time.Parse(dateForm, string(text))
	if err != nil {
		return parquet.Value{}, errNoMoment
	}
	return parquet.Int32Value(int32(t.Unix() / (24 * 60 * 60))), nil
}

func parquetTime(text []byte) (parquet.Value, error) {
	t, err := time.Parse(microForm, string(text))
	if err != nil || t.Nanosecond()%1000 != 0 {
		return parquet.Value{}, errNoMoment
	}
	return parquet.Int64Value((t.UnixMicro()%microsADay + microsADay) % microsADay), nil
}

func parquetInstant(text []byte) (parquet.Value, error) {
	t, err := time.Parse(instantForm, string(bytes.TrimSuffix(text, []byte("+00"))))
	if err != nil || t.Nanosecond()%1000 != 0 {
		return parquet.Value{}, errNoMoment
	}
	return parquet.Int64Value(t.UnixMicro()), nil
}

// parquetDecimal keeps a decimal as a whole number of its last digits.
func parquetDecimal(typ dialect.Type) (parquet.Node, func(text []byte) (parquet.Value, error)) {
	kind, value := parquet.FixedLenByteArrayType(bytes128), func(n *big.Int) parquet.Value {
		var two big.Int // the complement of two
		raw := make([]byte, bytes128)
		two.And(n, two.Sub(two.Lsh(big.NewInt(1), 8*bytes128), big.NewInt(1))).FillBytes(raw)
		return parquet.FixedLenByteArrayValue(raw)
	}
	switch {
	case typ.Digits <= digits32:
		kind, value = parquet.Int32Type, func(n *big.Int) parquet.Value { return parquet.Int32Value(int32(n.Int64())) }
	case typ.Digits <= digits64:
		kind, value = parquet.Int64Type, func(n *big.Int) parquet.Value { return parquet.Int64Value(n.Int64()) }
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.Digits)), nil)
	return parquet.Decimal(typ.Scale, typ.Digits, kind), func(text []byte) (parquet.Value, error) {
		n, ok := unscaled(text, typ.Scale)
		if !ok || n.CmpAbs(limit) >= 0 {
			return parquet.Value{}, errNoDecimal
		}
		return value(n), nil
	}
}

// unscaled reads a decimal as a whole number of units of 10^-scale; ok is false where it has a digit beyond them.
func unscaled(text []byte, scale int) (*big.Int, bool) {
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	if len(fraction) > scale {
		if len(bytes.Trim(fraction[scale:], "0")) > 0 {
			return nil, false
		}
		fraction = fraction[:scale]
	}
	digits := append(bytes.Clone(whole), fraction...)
	digits = append(digits, bytes.Repeat([]byte{'0'}, scale-len(fraction))...)
	return new(big.Int).SetString(string(digits), 10)
}
