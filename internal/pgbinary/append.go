package pgbinary

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// AppendInt appends v as an [Int2], [Int4], [Int8], [OID], [Float4], [Float8] or [Numeric]. A value that the type does
// not hold exactly, as a float8 does not hold 1<<53+1, is a [*RangeError].
func AppendInt(buf []byte, oid uint32, v int64) ([]byte, error) {
	switch oid {
	case Int2:
		if v == int64(int16(v)) {
			return binary.BigEndian.AppendUint16(buf, uint16(v)), nil
		}
	case Int4:
		if v == int64(int32(v)) {
			return binary.BigEndian.AppendUint32(buf, uint32(v)), nil
		}
	case Int8:
		return binary.BigEndian.AppendUint64(buf, uint64(v)), nil
	case OID:
		if v == int64(uint32(v)) {
			return binary.BigEndian.AppendUint32(buf, uint32(v)), nil
		}
	case Float4, Float8, Numeric:
		magnitude, neg := uint64(v), v < 0
		if neg {
			magnitude = -magnitude
		}
		if buf, ok := appendExact(buf, oid, magnitude, neg); ok {
			return buf, nil
		}
	default:
		return buf, unsupported("an integer", oid)
	}
	return buf, rangeError(oid, v)
}

// AppendUint is [AppendInt] for unsigned values.
func AppendUint(buf []byte, oid uint32, v uint64) ([]byte, error) {
	if v <= math.MaxInt64 {
		return AppendInt(buf, oid, int64(v))
	}
	switch oid {
	case Int2, Int4, Int8, OID:
	case Float4, Float8, Numeric:
		if buf, ok := appendExact(buf, oid, v, false); ok {
			return buf, nil
		}
	default:
		return buf, unsupported("an integer", oid)
	}
	return buf, rangeError(oid, v)
}

// appendExact appends v, negated if neg, as a float or a numeric; ok is false for a float that would be rounded.
func appendExact(buf []byte, oid uint32, v uint64, neg bool) (_ []byte, ok bool) {
	switch {
	case oid == Numeric:
		return appendNumericUint(buf, v, neg), true
	case oid == Float4 && significantBits(v) <= 24:
		return binary.BigEndian.AppendUint32(buf, math.Float32bits(float32(signed(v, neg)))), true
	case oid == Float8 && significantBits(v) <= 53:
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(signed(v, neg))), true
	}
	return buf, false
}

// significantBits is the size of the mantissa that holds v exactly.
func significantBits(v uint64) int {
	if v == 0 {
		return 0
	}
	return bits.Len64(v) - bits.TrailingZeros64(v)
}

func signed(v uint64, neg bool) float64 {
	if neg {
		return -float64(v)
	}
	return float64(v)
}

// AppendFloat appends v as a [Float4], [Float8] or [Numeric]. A float4 is rounded to the nearest, as PostgreSQL's cast
// does it; one that would round to infinity or to zero is a [*RangeError]. A numeric has the shortest decimal notation
// that is v and no other float64; PostgreSQL 13 and older have no numeric infinity.
func AppendFloat(buf []byte, oid uint32, v float64) ([]byte, error) {
	switch oid {
	case Float4:
		f := float32(v)
		if (math.IsInf(float64(f), 0) && !math.IsInf(v, 0)) || (f == 0 && v != 0) {
			return buf, rangeError(oid, v)
		}
		return binary.BigEndian.AppendUint32(buf, math.Float32bits(f)), nil
	case Float8:
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(v)), nil
	case Numeric:
		return appendNumericFloat(buf, v), nil
	}
	return buf, unsupported("a float", oid)
}

// AppendBool appends v as a [Bool].
func AppendBool(buf []byte, v bool) []byte {
	if v {
		return append(buf, 1)
	}
	return append(buf, 0)
}

// AppendUUID appends v as a [UUID].
func AppendUUID(buf []byte, v [16]byte) []byte { return append(buf, v[:]...) }
