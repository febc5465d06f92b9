package transfer

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drover-dev/drover/internal/dialect"
)

// Parse returns the way from the text of a value, in the forms of package datafile, to a parameter for a column. A value that the column would
// round, cut or take for another one is an error.
func Parse(d dialect.Dialect, c dialect.Column) func(text []byte) (driver.Value, error) {
	typ := d.Type(c)
	limit := characters(typ, c)
	switch typ.Class {
	case dialect.Opaque:
		if !c.TextBytes {
			return parseBytes
		}
	case dialect.Text:
		return func(text []byte) (driver.Value, error) {
			if !utf8.Valid(text) {
				return nil, errNoUTF8
			}
			return string(text), short(limit, text)
		}
	case dialect.Bytes:
		return func(text []byte) (driver.Value, error) {
			value, err := parseBytes(text)
			if err != nil {
				return nil, err
			}
			return value, holds(typ, value)
		}
	case dialect.Integer:
		return func(text []byte) (driver.Value, error) {
			n, ok := shortInteger(text)
			if !ok {
				return parseAny(typ, c, text)
			}
			if n < typ.Min || n > 0 && uint64(n) > typ.Max {
				return nil, holds(typ, n)
			}
			return n, nil
		}
	case dialect.Boolean:
		return func(text []byte) (driver.Value, error) {
			if b, ok := boolean(text); ok {
				return b, nil
			}
			return nil, unfit(string(text), "true or false")
		}
	case dialect.Float:
		return func(text []byte) (driver.Value, error) {
			bits := 64
			if typ.Single {
				bits = 32
			}
			f, err := strconv.ParseFloat(string(text), bits)
			if err != nil {
				return nil, unfit(string(text), "a number that the column holds")
			}
			return f, d.CheckValue(f)
		}
	case dialect.Decimal:
		return func(text []byte) (driver.Value, error) {
			plain, err := decimal(typ, text)
			if err == nil && typ.Approximate { // it is kept as a binary number, which need not be read from a text once more
				return strconv.ParseFloat(string(plain), 64)
			}
			return string(plain), err
		}
	case dialect.Date, dialect.TimeOfDay, dialect.Timestamp:
		return func(text []byte) (driver.Value, error) {
			if plainMoment(typ, text) {
				return string(text), nil
			}
			return parseAny(typ, c, text)
		}
	case dialect.UUID, dialect.JSON:
		return func(text []byte) (driver.Value, error) { return parseAny(typ, c, text) }
	}
	return func(text []byte) (driver.Value, error) { return string(text), nil }
}

// Guard returns what looks at the text of a value for a column of a database that reads texts by itself, but rounds and cuts some of them: it gives the
// text that is to be sent, or says why there is none. It is nil where the database refuses what it would change.
func Guard(d dialect.Dialect, c dialect.Column) func(text []byte) ([]byte, error) {
	typ := d.Type(c)
	switch typ.Class {
	case dialect.Text:
		limit := characters(typ, c)
		if limit == 0 {
			return nil
		}
		return func(text []byte) ([]byte, error) { return text, short(limit, text) }
	case dialect.Decimal:
		if typ.Digits == 0 {
			return nil
		}
		return func(text []byte) ([]byte, error) {
			if string(text) == "NaN" {
				return text, nil
			}
			return decimal(typ, text)
		}
	case dialect.Date, dialect.TimeOfDay, dialect.Timestamp:
		return func(text []byte) ([]byte, error) {
			if plainMoment(typ, text) {
				return text, nil
			}
			if _, ok := parseTime(longZone(string(text)), instantForms); !ok {
				return text, nil // a form that the database alone knows, as infinity
			}
			value, err := parseAny(typ, c, text)
			if err != nil {
				return nil, err
			}
			return []byte(value.(string)), nil
		}
	}
	return nil
}

// characters is how many characters a column holds that was declared with their number; 0 for others, whose limit is one of bytes or none.
func characters(typ dialect.Type, c dialect.Column) int {
	if _, numbers := dialect.TypeWord(c.Type); len(numbers) == 0 {
		return 0
	}
	return typ.Length
}

// short refuses a text that is too long: a database cuts off blanks at its end without a word.
func short(limit int, text []byte) error {
	if limit > 0 && len(text) > limit {
		if n := utf8.RuneCount(text); n > limit {
			return fmt.Errorf("%.60q has %d characters, and the column holds %d", text, n, limit)
		}
	}
	return nil
}

var errNoUTF8 = errors.New("the text is not UTF-8")

// parseAny goes by the form in which values travel.
func parseAny(typ dialect.Type, c dialect.Column, text []byte) (driver.Value, error) {
	plain := string(text)
	if typ.Flag {
		if b, ok := boolean(text); ok {
			return b, nil
		}
	}
	if typ.Class == dialect.Timestamp {
		plain = longZone(plain)
	}
	value, _, err := Read(typ, plain)
	if err != nil {
		return nil, err
	}
	if err := holds(typ, value); err != nil {
		return nil, err
	}
	return write(typ, c, value), nil
}

// longZone writes a zone of whole hours, as +02, as Go wants it.
func longZone(text string) string {
	if n := len(text); n > len("2006-01-02 15:04") && (text[n-3] == '+' || text[n-3] == '-') && strings.IndexByte(text, ':') > 0 {
		return text + ":00"
	}
	return text
}

// shortInteger reads up to 18 digits.
func shortInteger(text []byte) (n int64, ok bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

func boolean(text []byte) (value, ok bool) {
	switch strings.ToLower(string(text)) {
	case "t", "true", "1", "yes", "y", "on":
		return true, true
	case "f", "false", "0", "no", "n", "off":
		return false, true
	}
	return false, false
}

// parseBytes reads \x and hexadecimal digits. Other text stands for its own bytes, if there is no backslash in it.
func parseBytes(text []byte) (driver.Value, error) {
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	if !ok {
		if bytes.IndexByte(text, '\\') >= 0 {
			return nil, unfit(text, `bytes as \x and hexadecimal digits`)
		}
		return bytes.Clone(text), nil
	}
	value := make([]byte, len(digits)/2)
	if _, err := hex.Decode(value, digits); err != nil {
		return nil, fmt.Errorf(`%.60q is not \x and an even number of hexadecimal digits`, text)
	}
	return value, nil
}

// decimal looks whether a column of decimals holds a number, and returns it without an exponent.
func decimal(typ dialect.Type, text []byte) ([]byte, error) {
	whole, fraction, ok := digitsOf(text)
	if !ok {
		plain, ok := withoutExponent(string(text))
		if !ok {
			return nil, unfit(string(text), "a decimal number")
		}
		text = []byte(plain)
		whole, fraction, _ = digitsOf(text)
	}
	if typ.Digits > 0 && whole <= typ.Digits-typ.Scale && fraction <= typ.Scale || typ.Approximate && whole+fraction <= 15 {
		return text, nil
	}
	return text, holdsDecimal(typ, plainDecimal(string(text)))
}

// digitsOf counts the digits before the point and behind it, those that do not count too. ok is false for what is no plain decimal number.
func digitsOf(text []byte) (whole, fraction int, ok bool) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	point := false
	for _, c := range text {
		switch {
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9':
			return 0, 0, false
		case point:
			fraction++
		default:
			whole++
		}
	}
	return whole, fraction, whole+fraction > 0
}

// maxExponent keeps a number with an exponent from becoming a long text.
const maxExponent = 1000

// withoutExponent writes 1.5e3 as 1500.
func withoutExponent(text string) (string, bool) {
	mantissa, power, found := strings.Cut(strings.ToLower(text), "e")
	exponent, err := strconv.Atoi(power)
	if _, _, ok := digitsOf([]byte(mantissa)); !ok || !found || err != nil || max(exponent, -exponent) > maxExponent {
		return "", false
	}
	sign := ""
	if mantissa[0] == '-' || mantissa[0] == '+' {
		sign, mantissa = strings.TrimSuffix(mantissa[:1], "+"), mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if exponent >= 0 {
		fraction += strings.Repeat("0", max(exponent-len(fraction), 0))
		whole, fraction = whole+fraction[:exponent], fraction[exponent:]
	} else {
		whole = strings.Repeat("0", max(-exponent-len(whole), 0)) + whole
		at := len(whole) + exponent
		whole, fraction = whole[:at], whole[at:]+fraction
	}
	return sign + plainDecimal(whole+"."+fraction), true
}

// plainMoment reports whether a date, a time of day or both is in the form that all databases read as it stands: with no zone, and with no more
// digits of a second than the column has.
func plainMoment(typ dialect.Type, text []byte) bool {
	if typ.Class != dialect.TimeOfDay {
		if len(text) < 10 || text[4] != '-' || text[7] != '-' {
			return false
		}
		year, month, day := number(text[:4]), number(text[5:7]), number(text[8:10])
		if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
			return false
		}
		if typ.Class == dialect.Date {
			return len(text) == 10
		}
		if len(text) < 19 || text[10] != ' ' {
			return false
		}
		text = text[11:]
	}
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return false
	}
	hour, minute, second := number(text[:2]), number(text[3:5]), number(text[6:8])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return false
	}
	fraction := text[8:]
	return len(fraction) == 0 || fraction[0] == '.' && len(fraction) > 1 && len(fraction) <= typ.Scale+1 && number(fraction[1:]) >= 0
}

// number is the number that digits spell; -1 where there is something else.
func number(digits []byte) (n int) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && (year%4 != 0 || year%100 == 0 && year%400 != 0):
		return 28
	case month == 2:
		return 29
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}
