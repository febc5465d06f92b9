package pgbinary

import (
	"encoding/binary"
	"math"
	"strconv"
)

// A numeric is sent as four uint16, the number of digits, the weight, the sign and the scale, and its digits, each of
// which is a uint16 below 10000. The first digit counts 10000^weight; zeros at both ends are left out. The scale is the
// number of decimal digits that are shown behind the point. See numeric_recv and make_result in numeric.c.
const (
	numericHeader = 8
	base          = 10000
	baseDigits    = 4 // decimal digits of a digit

	positive     = 0x0000
	negative     = 0x4000
	notANumber   = 0xC000
	plusInfinity = 0xD000
	lessInfinity = 0xF000

	maxScale    = 0x3FFF            // NUMERIC_DSCALE_MASK
	maxExponent = math.MaxInt32 / 2 // of the notation: see set_var_from_str
)

// problem is why text is no numeric.
type problem int

const (
	noProblem problem = iota
	badSyntax
	badRange
)

func appendNumericHeader(buf []byte, digits, weight int, sign uint16, scale int) []byte {
	buf = binary.BigEndian.AppendUint16(buf, uint16(digits))
	buf = binary.BigEndian.AppendUint16(buf, uint16(int16(weight)))
	buf = binary.BigEndian.AppendUint16(buf, sign)
	return binary.BigEndian.AppendUint16(buf, uint16(scale))
}

func appendNumericUint(buf []byte, v uint64, neg bool) []byte {
	if v == 0 {
		return appendNumericHeader(buf, 0, 0, positive, 0)
	}
	var digits [5]uint16 // 2^64 < 10000^5
	first := len(digits)
	for ; v > 0; v /= base {
		first--
		digits[first] = uint16(v % base)
	}
	weight, last := len(digits)-1-first, len(digits)
	for digits[last-1] == 0 {
		last--
	}
	var sign uint16 = positive
	if neg {
		sign = negative
	}
	buf = appendNumericHeader(buf, last-first, weight, sign, 0)
	for _, d := range digits[first:last] {
		buf = binary.BigEndian.AppendUint16(buf, d)
	}
	return buf
}

func appendNumericFloat(buf []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return appendNumericHeader(buf, 0, 0, notANumber, 0)
	case math.IsInf(v, 1):
		return appendNumericHeader(buf, 0, 0, plusInfinity, 0)
	case math.IsInf(v, -1):
		return appendNumericHeader(buf, 0, 0, lessInfinity, 0)
	}
	var text [32]byte
	buf, _ = appendDecimal(buf, strconv.AppendFloat(text[:0], v, 'e', -1, 64)) // every float64 is in range
	return buf
}

// appendDecimal appends a number in decimal notation, as numeric_in in numeric.c reads it.
func appendDecimal[S string | []byte](buf []byte, s S) ([]byte, problem) {
	d, sign, bad := scanDecimal(s)
	switch {
	case bad != noProblem:
		return buf, bad
	case sign == notANumber || sign == plusInfinity || sign == lessInfinity:
		return appendNumericHeader(buf, 0, 0, sign, 0), noProblem
	}
	scale := max(0, d.fraction-d.exponent)
	if scale > maxScale {
		return buf, badRange
	}

	// power is the power of ten of the digit at i; point and what is behind it are skipped.
	power := d.digits - d.fraction - 1 + d.exponent
	i := d.start
	for ; i < d.end && (s[i] == '0' || s[i] == '.'); i++ {
		if s[i] == '0' {
			power--
		}
	}
	if i == d.end {
		return appendNumericHeader(buf, 0, 0, positive, scale), noProblem
	}
	end, lowest := d.end, d.exponent-d.fraction
	for ; s[end-1] == '0' || s[end-1] == '.'; end-- {
		if s[end-1] == '0' {
			lowest++
		}
	}

	weight := floorDiv(int64(power), baseDigits)
	if weight > math.MaxInt16 {
		return buf, badRange
	}
	count := weight - floorDiv(int64(lowest), baseDigits) + 1
	buf = appendNumericHeader(buf, int(count), int(weight), sign, scale)
	digit := uint16(0)
	left := power - int(weight)*baseDigits // decimal digits that the current digit still lacks, less one
	for ; i < end; i++ {
		if s[i] == '.' {
			continue
		}
		digit = digit*10 + uint16(s[i]-'0')
		if left--; left < 0 {
			buf = binary.BigEndian.AppendUint16(buf, digit)
			digit, left = 0, baseDigits-1
		}
	}
	if left < baseDigits-1 {
		for ; left >= 0; left-- {
			digit *= 10
		}
		buf = binary.BigEndian.AppendUint16(buf, digit)
	}
	return buf, noProblem
}

// decimal is where the parts of a number in decimal notation are.
type decimal struct {
	start, end int // of the digits, with the point
	digits     int // without the point
	fraction   int // digits behind the point
	exponent   int
}

// scanDecimal finds the parts of a number. A special value is told by its sign only.
func scanDecimal[S string | []byte](s S) (d decimal, sign uint16, bad problem) {
	i, n := 0, len(s)
	for n > 0 && space(s[n-1]) {
		n--
	}
	for i < n && space(s[i]) {
		i++
	}
	if equalFold(s[i:n], "nan") {
		return d, notANumber, noProblem
	}
	if i < n && (s[i] == '+' || s[i] == '-') {
		if s[i] == '-' {
			sign = negative
		}
		i++
	}
	if rest := s[i:n]; equalFold(rest, "infinity") || equalFold(rest, "inf") {
		if sign == negative {
			return d, lessInfinity, noProblem
		}
		return d, plusInfinity, noProblem
	}

	d.start = i
	point := false
	for ; i < n; i++ {
		if s[i] == '.' && !point {
			point = true
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			break
		}
		d.digits++
		if point {
			d.fraction++
		}
	}
	d.end = i
	if d.digits == 0 {
		return d, sign, badSyntax
	}
	if i == n {
		return d, sign, noProblem
	}
	if s[i] != 'e' && s[i] != 'E' {
		return d, sign, badSyntax
	}
	d.exponent, bad = scanExponent(s[i+1 : n])
	return d, sign, bad
}

func scanExponent[S string | []byte](s S) (exponent int, bad problem) {
	i, minus := 0, false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		minus = s[0] == '-'
		i++
	}
	if i == len(s) {
		return 0, badSyntax
	}
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, badSyntax
		}
		if exponent = exponent*10 + int(s[i]-'0'); exponent > maxExponent {
			bad = badRange
			exponent = maxExponent / 10 // and on, for what is no digit at all
		}
	}
	if minus {
		exponent = -exponent
	}
	return exponent, bad
}

// space is isspace of the C locale.
func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// equalFold compares with lower, which is in lower case, without regard to case.
func equalFold[S string | []byte](s S, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}
