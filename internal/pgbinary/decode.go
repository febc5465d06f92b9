package pgbinary

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// Int reads an [Int2], [Int4], [Int8], [OID] or [Numeric]. A numeric that is no integer or no int64 is a [*RangeError].
func Int(oid uint32, src []byte) (int64, error) {
	switch oid {
	case Int2:
		if len(src) != 2 {
			return 0, sizeError(oid, len(src), 2)
		}
		return int64(int16(binary.BigEndian.Uint16(src))), nil
	case Int4:
		if len(src) != 4 {
			return 0, sizeError(oid, len(src), 4)
		}
		return int64(int32(binary.BigEndian.Uint32(src))), nil
	case Int8:
		if len(src) != 8 {
			return 0, sizeError(oid, len(src), 8)
		}
		return int64(binary.BigEndian.Uint64(src)), nil
	case OID:
		if len(src) != 4 {
			return 0, sizeError(oid, len(src), 4)
		}
		return int64(binary.BigEndian.Uint32(src)), nil
	case Numeric:
		n, err := readNumeric(src)
		if err != nil {
			return 0, err
		}
		v, ok := n.int()
		if !ok {
			return 0, rangeError(Int8, n.text())
		}
		return v, nil
	}
	return 0, unsupported("an integer", oid)
}

// Float reads a [Float4], [Float8], [Int2], [Int4], [Int8], [OID] or [Numeric]. An int8 or a numeric is rounded to the
// nearest float64; a numeric beyond all of them is a [*RangeError].
func Float(oid uint32, src []byte) (float64, error) {
	switch oid {
	case Float4:
		if len(src) != 4 {
			return 0, sizeError(oid, len(src), 4)
		}
		return float64(math.Float32frombits(binary.BigEndian.Uint32(src))), nil
	case Float8:
		if len(src) != 8 {
			return 0, sizeError(oid, len(src), 8)
		}
		return math.Float64frombits(binary.BigEndian.Uint64(src)), nil
	case Int2, Int4, Int8, OID:
		v, err := Int(oid, src)
		return float64(v), err
	case Numeric:
		n, err := readNumeric(src)
		if err != nil {
			return 0, err
		}
		v, ok := n.float()
		if !ok {
			return 0, rangeError(Float8, n.text())
		}
		return v, nil
	}
	return 0, unsupported("a float", oid)
}

// BoolValue reads a [Bool]. Every byte but zero is true, as in boolrecv.
func BoolValue(src []byte) (bool, error) {
	if len(src) != 1 {
		return false, sizeError(Bool, len(src), 1)
	}
	return src[0] != 0, nil
}

// UUIDValue reads a [UUID].
func UUIDValue(src []byte) ([16]byte, error) {
	if len(src) != 16 {
		return [16]byte{}, sizeError(UUID, len(src), 16)
	}
	return [16]byte(src), nil
}

// Bytes reads a [Bytea], [Text], [Varchar], [BPChar], [Name], [JSON], [JSONB], [XML] or [Unknown]. The result is a copy
// that the caller owns, and never nil.
func Bytes(oid uint32, src []byte) ([]byte, error) {
	switch {
	case oid == Bytea || plainText(oid):
	case oid == JSONB:
		var err error
		if src, err = jsonbText(src); err != nil {
			return nil, err
		}
	default:
		return nil, unsupported("bytes", oid)
	}
	return append(make([]byte, 0, len(src)), src...), nil
}

// String reads every type of this package but [Bytea], as a copy: text as it is, a numeric and an integer as PostgreSQL
// prints it, a float in the shortest notation that reads back as the same, a bool as true or false, a UUID in its
// canonical notation.
//
// Dates and times are in the notation of RFC 3339, which every DateStyle reads: 2006-01-02, 2006-01-02T15:04:05.999999
// for a timestamp, with a Z for a timestamptz, 15:04:05.999999 for a time. Years are astronomical, without BC: the year
// 1 BC is 0000, 2 BC is -0001, and years after 9999 have more digits; infinity and -infinity are words.
func String(oid uint32, src []byte) (string, error) {
	switch oid {
	case JSONB:
		text, err := jsonbText(src)
		return string(text), err
	case UUID:
		if len(src) != 16 {
			return "", sizeError(UUID, len(src), 16)
		}
		return uuidText(src), nil
	case Numeric:
		n, err := readNumeric(src)
		if err != nil {
			return "", err
		}
		return n.text(), nil
	case Int2, Int4, Int8, OID:
		v, err := Int(oid, src)
		if err != nil {
			return "", err
		}
		return strconv.FormatInt(v, 10), nil
	case Float4, Float8:
		v, err := Float(oid, src)
		if err != nil {
			return "", err
		}
		return floatText(oid, v), nil
	case Bool:
		v, err := BoolValue(src)
		if err != nil {
			return "", err
		}
		return strconv.FormatBool(v), nil
	case Char:
		if len(src) != 1 {
			return "", sizeError(Char, len(src), 1)
		}
		return charText(src[0]), nil
	case Date, Time, Timestamp, Timestamptz:
		return timeText(oid, src)
	}
	if plainText(oid) {
		return string(src), nil
	}
	return "", unsupported("a string", oid)
}

// jsonbText is the text of a jsonb, without its version.
func jsonbText(src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] != jsonbVersion {
		return nil, formatError(JSONB, "unknown version")
	}
	return src[1:], nil
}

// floatText follows float4out and float8out: the shortest digits, with an exponent where PostgreSQL writes one. The last
// digit may be another than PostgreSQL's where two are equally near (2^-12 as a float4), and PostgreSQL's may be one
// longer where the shorter one lies on the border between two floats.
func floatText(oid uint32, v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	size, most := 64, 15
	if oid == Float4 {
		size, most = 32, 6
	}
	var stack [64]byte
	text := strconv.AppendFloat(stack[:0], v, 'e', -1, size)
	if at := bytes.LastIndexByte(text, 'e'); at >= 0 {
		if exponent, err := strconv.Atoi(string(text[at+1:])); err == nil && -4 <= exponent && exponent < most {
			text = strconv.AppendFloat(stack[:0], v, 'f', -1, size)
		}
	}
	return string(text)
}
