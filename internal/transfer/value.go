package transfer

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// Values of columns travel in one form for each class, whichever database they come from:
//
//	integer                int64, or uint64 beyond it
//	decimal                string: digits, a point, a sign; no zeros that do not count
//	float                  float64
//	boolean                bool
//	text, JSON             string
//	bytes                  []byte
//	date, time of day      string: 2026-01-02, 15:04:05.123456
//	date and time          time.Time in UTC
//	UUID                   string of 36 characters in lower case
//
// NULL is nil.

// Read brings a value that a column of that kind gave into the form of its class. class is the one of the value, which a column of any kind
// leaves open.
func Read(typ dialect.Type, value any) (_ any, class dialect.Class, err error) {
	class = typ.Class
	if class == dialect.Any {
		class = classOf(value)
	}
	if value == nil {
		return nil, class, nil
	}
	switch class {
	case dialect.Integer:
		value, err = readInteger(value)
	case dialect.Decimal:
		value, err = readDecimal(value)
	case dialect.Float:
		value, err = readFloat(value)
	case dialect.Boolean:
		value, err = readBoolean(value)
	case dialect.Text, dialect.JSON:
		value, err = readText(typ, value)
	case dialect.Bytes:
		value, err = readBytes(value)
	case dialect.Date:
		value, err = readTime(value, dateForms, "a day of the calendar")
	case dialect.TimeOfDay:
		value, err = readTime(value, timeForms, "a time of day")
	case dialect.Timestamp:
		value, err = readInstant(value)
	case dialect.UUID:
		value, err = readUUID(value)
	default:
		err = fmt.Errorf("values of type %T cannot be moved to another kind of database", value)
	}
	return value, class, err
}

// classOf is the class of a value that SQLite keeps in a column without a type.
func classOf(value any) dialect.Class {
	switch value.(type) {
	case int64:
		return dialect.Integer
	case float64:
		return dialect.Float
	case []byte:
		return dialect.Bytes
	case bool:
		return dialect.Boolean
	}
	return dialect.Text
}

func readInteger(value any) (any, error) {
	switch v := value.(type) {
	case int64:
		return v, nil
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), nil
		}
		return v, nil
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, unfit(value, "an integer")
}

func readDecimal(value any) (any, error) {
	switch v := value.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return plainDecimal(strconv.FormatFloat(v, 'f', -1, 64)), nil
		}
	case string:
		if isDecimal(v) {
			return plainDecimal(v), nil
		}
	}
	return nil, unfit(value, "a decimal number")
}

func isDecimal(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, fraction, point := strings.Cut(text, ".")
	digits := strings.Trim(whole+fraction, "0123456789") == ""
	return digits && whole+fraction != "" && (!point || fraction != "")
}

// plainDecimal leaves out the zeros that do not count.
func plainDecimal(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(text, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	return whole
}

func readFloat(value any) (any, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case float32:
		return float64(v), nil
	case int64:
		if f := float64(v); int64(f) == v {
			return f, nil
		}
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f, nil
		}
	}
	return nil, unfit(value, "a number")
}

func readBoolean(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case uint64:
		if v <= 1 {
			return v == 1, nil
		}
	}
	return nil, unfit(value, "true or false")
}

func readText(typ dialect.Type, value any) (any, error) {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return nil, unfit(value, "text")
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	if typ.Padded {
		text = strings.TrimRight(text, " ")
	}
	return text, nil
}

func readBytes(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, unfit(value, "bytes")
}

// The forms in which databases write days and times; the first is the one that values travel in.
var (
	dateForms    = []string{"2006-01-02"}
	timeForms    = []string{"15:04:05.999999999", "15:04"}
	instantForms = []string{
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -07",
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999 -07", "2006-01-02 15:04", "2006-01-02",
	}
)

func parseTime(text string, forms []string) (time.Time, bool) {
	for _, form := range forms {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func readTime(value any, forms []string, wanted string) (any, error) {
	switch v := value.(type) {
	case time.Time:
		return v.Format(forms[0]), nil
	case string:
		if t, ok := parseTime(v, forms); ok {
			return t.Format(forms[0]), nil
		}
	}
	return nil, unfit(value, wanted)
}

func readInstant(value any) (any, error) {
	switch v := value.(type) {
	case time.Time:
		return v.UTC(), nil
	case string:
		if t, ok := parseTime(v, instantForms); ok {
			return t.UTC(), nil
		}
	}
	return nil, unfit(value, "a date and time that other databases know")
}

func readUUID(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		if len(v) == 16 {
			return keyset.Text(v), nil
		}
		return readUUID(string(v))
	case string:
		if b, err := hex.DecodeString(strings.ReplaceAll(v, "-", "")); err == nil && len(b) == 16 {
			return keyset.Text(b), nil
		}
	}
	return nil, unfit(value, "a UUID")
}

// unfit says that a value is not what its column should hold, or takes.
func unfit(value any, wanted string) error {
	text := fmt.Sprint(value)
	if b, ok := value.([]byte); ok {
		text = "0x" + hex.EncodeToString(b[:min(len(b), 16)])
	}
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	return fmt.Errorf("%q is not %s", text, wanted)
}

// alike reports whether two values of one class, in its form, are the same.
func alike(typ dialect.Type, a, b any) bool {
	switch a := a.(type) {
	case float64:
		if math.IsNaN(a) {
			b, ok := b.(float64)
			return ok && math.IsNaN(b)
		}
	case string:
		if b, ok := b.(string); ok && typ.Class == dialect.JSON && sameJSON(a, b) {
			return true
		}
	}
	return keyset.Values{a}.Equal(keyset.Values{b})
}

// sameJSON compares what two texts mean: databases order the members of an object and write numbers as they like.
func sameJSON(a, b string) bool {
	x, errX := foldJSON(a)
	y, errY := foldJSON(b)
	return errX == nil && errY == nil && x == y
}

func foldJSON(text string) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	out, err := json.Marshal(plainNumbers(value)) // which sorts the members
	return string(out), err
}

func plainNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			v[key] = plainNumbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = plainNumbers(element)
		}
	case json.Number:
		if isDecimal(v.String()) {
			return json.Number(plainDecimal(v.String()))
		}
	}
	return value
}
