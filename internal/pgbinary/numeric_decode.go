package pgbinary

import (
	"encoding/binary"
	"math"
	"strconv"
)

// numeric is a numeric in binary format with its header read. Digits at either end that are zero are cut off, and so is
// what the scale hides, as numeric_recv does it.
type numeric struct {
	digits []byte
	weight int // of the first digit
	sign   uint16
	scale  int
	hidden uint16 // the last digit is a multiple of this one
}

func readNumeric(src []byte) (numeric, error) {
	if len(src) < numericHeader {
		return numeric{}, formatError(Numeric, strconv.Itoa(len(src))+" bytes are too few")
	}
	n := numeric{
		digits: src[numericHeader:],
		weight: int(int16(binary.BigEndian.Uint16(src[2:]))),
		sign:   binary.BigEndian.Uint16(src[4:]),
		scale:  int(binary.BigEndian.Uint16(src[6:])),
		hidden: 1,
	}
	if want := 2 * int(binary.BigEndian.Uint16(src)); len(n.digits) != want {
		return numeric{}, sizeError(Numeric, len(src), numericHeader+want)
	}
	switch n.sign {
	case positive, negative, notANumber, plusInfinity, lessInfinity:
	default:
		return numeric{}, formatError(Numeric, "invalid sign")
	}
	if n.scale > maxScale {
		return numeric{}, formatError(Numeric, "invalid scale")
	}
	for i := 0; i < len(n.digits); i += 2 {
		if binary.BigEndian.Uint16(n.digits[i:]) >= base {
			return numeric{}, formatError(Numeric, "invalid digit")
		}
	}
	if !n.special() {
		n.strip()
	}
	return n, nil
}

// strip cuts off what the scale hides, then the zeros at both ends.
func (n *numeric) strip() {
	shown := max(0, n.weight+1+(n.scale+baseDigits-1)/baseDigits)
	if n.count() > shown {
		n.digits = n.digits[:2*shown]
	}
	if n.count() == shown {
		switch n.scale % baseDigits {
		case 1:
			n.hidden = 1000
		case 2:
			n.hidden = 100
		case 3:
			n.hidden = 10
		}
	}
	for n.count() > 0 && n.digit(n.count()-1) == 0 {
		n.digits = n.digits[:len(n.digits)-2]
		n.hidden = 1
	}
	for n.count() > 0 && n.digit(0) == 0 {
		n.digits = n.digits[2:]
		n.weight--
	}
	if n.count() == 0 {
		n.weight, n.sign = 0, positive
	}
}

func (n *numeric) special() bool { return n.sign != positive && n.sign != negative }

func (n *numeric) count() int { return len(n.digits) / 2 }

// digit is the digit at i, which is zero on either side of those that were sent.
func (n *numeric) digit(i int) uint16 {
	if i < 0 || i >= n.count() {
		return 0
	}
	d := binary.BigEndian.Uint16(n.digits[2*i:])
	if i == n.count()-1 {
		d -= d % n.hidden
	}
	return d
}

// int reads an integer; ok is false for a fraction and for what an int64 does not hold.
func (n *numeric) int() (v int64, ok bool) {
	if n.special() || n.count() > n.weight+1 || n.weight > 4 {
		return 0, false
	}
	var magnitude uint64
	for i := range n.weight + 1 {
		if magnitude > (1<<63)/base {
			return 0, false
		}
		magnitude = magnitude*base + uint64(n.digit(i))
	}
	if n.sign == negative {
		return -int64(magnitude), magnitude <= 1<<63
	}
	return int64(magnitude), magnitude <= math.MaxInt64
}

// exact are the powers of ten that a float64 holds exactly.
var exact = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float is the nearest float64; ok is false when that is infinite.
func (n *numeric) float() (v float64, ok bool) {
	switch n.sign {
	case notANumber:
		return math.NaN(), true
	case plusInfinity:
		return math.Inf(1), true
	case lessInfinity:
		return math.Inf(-1), true
	}
	exponent := (n.weight - n.count() + 1) * baseDigits
	if n.count() <= 4 {
		var mantissa uint64
		for i := range n.count() {
			mantissa = mantissa*base + uint64(n.digit(i))
		}
		// One operation on two exact numbers rounds correctly.
		if mantissa <= 1<<53 && -22 <= exponent && exponent <= 22 {
			v = signed(mantissa, n.sign == negative)
			if exponent < 0 {
				return v / exact[-exponent], true
			}
			return v * exact[exponent], true
		}
	}
	var stack [48]byte
	text := stack[:0]
	if n.sign == negative {
		text = append(text, '-')
	}
	for i := range n.count() {
		text = appendDigit(text, n.digit(i))
	}
	text = append(text, 'e')
	text = strconv.AppendInt(text, int64(exponent), 10)
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil
}

// text is the numeric as PostgreSQL prints it: see get_str_from_var in numeric.c.
func (n *numeric) text() string {
	switch n.sign {
	case notANumber:
		return "NaN"
	case plusInfinity:
		return "Infinity"
	case lessInfinity:
		return "-Infinity"
	}
	var stack [64]byte
	text := stack[:0]
	if n.sign == negative {
		text = append(text, '-')
	}
	text = strconv.AppendUint(text, uint64(n.digit(min(0, n.weight))), 10)
	for i := 1; i <= n.weight; i++ {
		text = appendDigit(text, n.digit(i))
	}
	if n.scale > 0 {
		text = append(text, '.')
		start := len(text)
		for i := n.weight + 1; len(text)-start < n.scale; i++ {
			text = appendDigit(text, n.digit(i))
		}
		text = text[:start+n.scale]
	}
	return string(text)
}

// appendDigit appends the four decimal digits of a digit.
func appendDigit(text []byte, d uint16) []byte {
	return append(text, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
}
