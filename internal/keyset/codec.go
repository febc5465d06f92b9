package keyset

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The kinds of an encoded value, the letter that its text begins with. The texts are stored in the databases of users and read by later
// versions: a letter never changes its meaning, and what is new gets a new letter, which older versions refuse.
const (
	kindInt      = 'i' // int64, decimal
	kindUint     = 'u' // uint64, decimal
	kindFloat    = 'f' // float64, the shortest decimal that gives it back; NaN, +Inf, -Inf
	kindSingle   = 'g' // float32, likewise
	kindString   = 's' // string as it is
	kindString64 = 'S' // string in base64: one that is not UTF-8 or has a NUL
	kindBytes    = 'x' // []byte in hexadecimal
	kindBytes64  = 'X' // []byte in base64: a long one
	kindTime     = 't' // time.Time in RFC 3339
	kindFarTime  = 'T' // time.Time that RFC 3339 cannot write: seconds since 1970, nanoseconds and the offset in seconds
)

// maxHex is in bytes. The texts of longer values are for nobody's eyes, and base64 is shorter.
const maxHex = 64

// Encode writes values as one line of text, from which [Decode] makes the same values again:
//
//	["i17","seu",null,true]
//
// The text is a JSON array with a string for each value, which begins with the letter of the value's Go type; NULL is null and a bool is true or
// false. It is valid UTF-8 without NUL, whatever the values hold, so that it can be stored in a text column or as JSON.
//
// The values that drivers hand out come back exactly: int64, uint64, float64, float32, bool, string, []byte, time.Time and nil. The other
// integer types become int64 or uint64, and a nil []byte, which a driver may hand out for an empty one, becomes an empty one. A time keeps its
// nanoseconds and its offset, but not the name of its zone or a monotonic reading; a NaN keeps no payload. Any other type is an error.
func Encode(v Values) (string, error) {
	text := []byte{'['}
	for i, value := range v {
		if i > 0 {
			text = append(text, ',')
		}
		var err error
		if text, err = appendValue(text, value); err != nil {
			return "", fmt.Errorf("encode value %d: %w", i+1, err)
		}
	}
	return string(append(text, ']')), nil
}

func appendValue(text []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(text, "null"...), nil
	case bool:
		return strconv.AppendBool(text, v), nil
	case int64:
		return append(strconv.AppendInt(open(text, kindInt), v, 10), '"'), nil
	case int, int32, int16, int8:
		return fmt.Appendf(open(text, kindInt), `%d"`, v), nil
	case uint64:
		return append(strconv.AppendUint(open(text, kindUint), v, 10), '"'), nil
	case uint, uint32, uint16, uint8:
		return fmt.Appendf(open(text, kindUint), `%d"`, v), nil
	case float64:
		return append(strconv.AppendFloat(open(text, kindFloat), v, 'g', -1, 64), '"'), nil
	case float32:
		return append(strconv.AppendFloat(open(text, kindSingle), float64(v), 'g', -1, 32), '"'), nil
	case string:
		if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
			return append(base64.StdEncoding.AppendEncode(open(text, kindString64), []byte(v)), '"'), nil
		}
		return append(appendEscaped(open(text, kindString), v), '"'), nil
	case []byte:
		if len(v) > maxHex {
			return append(base64.StdEncoding.AppendEncode(open(text, kindBytes64), v), '"'), nil
		}
		return append(hex.AppendEncode(open(text, kindBytes), v), '"'), nil
	case time.Time:
		return append(appendTime(text, v), '"'), nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be stored", value)
}

// open begins the text of a value.
func open(text []byte, kind byte) []byte { return append(text, '"', kind) }

// appendEscaped writes the inside of a JSON string. s is valid UTF-8 and has no NUL.
func appendEscaped(text []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		text = append(text, s[from:i]...)
		if from = i + 1; c == '"' || c == '\\' {
			text = append(text, '\\', c)
		} else {
			text = fmt.Appendf(text, `\u%04x`, c)
		}
	}
	return append(text, s[from:]...)
}

func appendTime(text []byte, t time.Time) []byte {
	const day = 24 * 60 * 60
	year := t.Year()
	_, offset := t.Zone()
	if year < 0 || year > 9999 || offset%60 != 0 || offset <= -day || offset >= day {
		return fmt.Appendf(open(text, kindFarTime), "%d %d %d", t.Unix(), t.Nanosecond(), offset)
	}
	return t.AppendFormat(open(text, kindTime), time.RFC3339Nano)
}

// Decode reads what [Encode] wrote. A time is in UTC or in a zone without a name. Text that Encode cannot have written is an error.
func Decode(text string) (Values, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("decode values: the text is not UTF-8") // which package json would mend in silence
	}
	var parts []any
	if err := json.Unmarshal([]byte(text), &parts); err != nil {
		return nil, fmt.Errorf("decode values: %w", err)
	}
	if parts == nil {
		return nil, errors.New("decode values: null is no list of values")
	}
	v := make(Values, len(parts))
	for i, part := range parts {
		switch part := part.(type) {
		case nil, bool:
			v[i] = part
		case string:
			var err error
			if v[i], err = decodeValue(part); err != nil {
				return nil, fmt.Errorf("decode value %d: %w", i+1, err)
			}
		default:
			return nil, fmt.Errorf("decode value %d: it has no kind", i+1)
		}
	}
	return v, nil
}

func decodeValue(text string) (any, error) {
	if text == "" {
		return nil, errors.New("it has no kind")
	}
	rest := text[1:]
	switch kind := text[0]; kind {
	case kindInt:
		return strconv.ParseInt(rest, 10, 64)
	case kindUint:
		return strconv.ParseUint(rest, 10, 64)
	case kindFloat:
		return strconv.ParseFloat(rest, 64)
	case kindSingle:
		f, err := strconv.ParseFloat(rest, 32)
		return float32(f), err
	case kindString:
		return rest, nil
	case kindString64:
		b, err := base64.StdEncoding.DecodeString(rest)
		return string(b), err
	case kindBytes:
		return hex.DecodeString(rest)
	case kindBytes64:
		return base64.StdEncoding.DecodeString(rest)
	case kindTime:
		return time.ParseInLocation(time.RFC3339Nano, rest, time.UTC) // time.Parse makes use of the zone of this machine
	case kindFarTime:
		return decodeFarTime(rest)
	default:
		return nil, fmt.Errorf("unknown kind %q: it may be one of a later version of drover", kind)
	}
}

func decodeFarTime(text string) (time.Time, error) {
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return time.Time{}, fmt.Errorf("%q is no time", text)
	}
	var n [3]int64
	for i, bits := range []int{64, 31, 31} {
		var err error
		if n[i], err = strconv.ParseInt(parts[i], 10, bits); err != nil {
			return time.Time{}, err
		}
	}
	zone := time.UTC
	if n[2] != 0 {
		zone = time.FixedZone("", int(n[2]))
	}
	return time.Unix(n[0], n[1]).In(zone), nil
}
