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

	"github.com/drover-dev/drover/internal/dialect"
)

// errNoWay says that there are no values of one class that the other holds.
var errNoWay = errors.New("no value of the one is a value of the other")

// ways are the classes whose values another class can hold, beside its own. What a value is then is for convert to say.
var ways = map[dialect.Class][]dialect.Class{
	dialect.Integer: {dialect.Decimal, dialect.Boolean},
	dialect.Boolean: {dialect.Integer},
	dialect.Decimal: {dialect.Text},
	dialect.UUID:    {dialect.Text, dialect.Bytes},
	dialect.JSON:    {dialect.Text},
	dialect.Text:    {dialect.JSON, dialect.UUID},
	dialect.Bytes:   {dialect.UUID},
}

// fit says whether values of one kind can go into a column of another, and what the user should know of it; "" where every value fits.
func fit(in, out dialect.Type) (note string, err error) {
	switch {
	case in.Class == dialect.Opaque || out.Class == dialect.Opaque:
		return "", errors.New("the type is known to one kind of database alone")
	case in.Class == dialect.Any:
		return "each value must be one that " + string(out.Class) + " holds", nil
	case out.Class == dialect.Any:
		return "", nil
	}
	found := in.Class == out.Class
	for _, class := range ways[in.Class] {
		found = found || class == out.Class
	}
	if !found {
		return "", errNoWay
	}
	return limits(in, out), nil
}

// limits says which values of a kind the other does not hold. Each value is looked at before it is written, or refused by the database.
func limits(in, out dialect.Type) string {
	switch {
	case in.Class == dialect.Integer && out.Class == dialect.Boolean:
		return "only 0 and 1 fit"
	case in.Class == dialect.Integer && out.Class == dialect.Integer && (in.Min < out.Min || in.Max > out.Max):
		return fmt.Sprintf("only numbers from %d to %d fit", out.Min, out.Max)
	case out.Class == dialect.Decimal && out.Approximate:
		return "only numbers of at most 15 digits fit"
	case in.Class == dialect.Decimal && out.Class == dialect.Decimal && out.Digits > 0 && (in.Digits == 0 || in.Digits-in.Scale > out.Digits-out.Scale || in.Scale > out.Scale),
		in.Class == dialect.Integer && out.Class == dialect.Decimal && out.Digits > 0 && out.Digits-out.Scale < len(strconv.FormatUint(in.Max, 10)):
		return fmt.Sprintf("only numbers of %d digits before the point and %d behind it fit", out.Digits-out.Scale, out.Scale)
	case out.Class == dialect.Float && out.Single && !in.Single:
		return "only numbers of single precision fit"
	case in.Class == dialect.Text && out.Class == dialect.UUID, in.Class == dialect.Bytes && out.Class == dialect.UUID:
		return "only UUIDs fit"
	case in.Class == dialect.Text && out.Class == dialect.JSON:
		return "only JSON fits"
	case (out.Class == dialect.Text || out.Class == dialect.Bytes) && out.Length > 0 && (in.Length == 0 || in.Length > out.Length) && in.Class != dialect.UUID:
		return fmt.Sprintf("only %s of at most %d %s fits", out.Class, out.Length, map[dialect.Class]string{dialect.Text: "characters", dialect.Bytes: "bytes"}[out.Class])
	case (out.Class == dialect.TimeOfDay || out.Class == dialect.Timestamp) && in.Scale > out.Scale:
		return fmt.Sprintf("only times of at most %d digits of a second fit", out.Scale)
	case out.Class == dialect.Timestamp && in.Zoned != out.Zoned:
		return "times without a zone are taken for UTC"
	}
	return ""
}

// convert makes the value of one class, in its form, one that a column of kind out holds, in the form of out's class. Nothing is rounded or cut.
func convert(class dialect.Class, value any, out dialect.Type) (any, error) {
	if value == nil || out.Class == dialect.Any {
		return value, nil
	}
	if class != out.Class {
		var err error
		if value, err = across(class, value, out); err != nil {
			return nil, err
		}
	}
	return value, holds(out, value)
}

// across brings a value into the form of another class.
func across(class dialect.Class, value any, out dialect.Type) (any, error) {
	switch out.Class {
	case dialect.Decimal:
		if class == dialect.Integer || class == dialect.Float {
			return readDecimal(value)
		}
	case dialect.Float:
		if class == dialect.Integer {
			return readFloat(value)
		}
	case dialect.Boolean:
		return readBoolean(value)
	case dialect.Integer:
		if v, ok := value.(bool); ok {
			return map[bool]int64{true: 1}[v], nil
		}
	case dialect.UUID:
		return readUUID(value)
	case dialect.Bytes:
		if text, ok := value.(string); ok && class == dialect.UUID {
			return hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		}
	case dialect.Text, dialect.JSON:
		if text, ok := value.(string); ok {
			return text, nil
		}
	case dialect.Date:
		return readTime(value, dateForms, "a day of the calendar")
	case dialect.TimeOfDay:
		return readTime(value, timeForms, "a time of day")
	case dialect.Timestamp:
		return readInstant(value)
	}
	return nil, unfit(value, "a value of the column's class, "+string(out.Class))
}

// holds refuses a value that the database would round or take for another one.
func holds(out dialect.Type, value any) error {
	switch out.Class {
	case dialect.Integer:
		if v, ok := value.(int64); ok && v >= out.Min && (v < 0 || uint64(v) <= out.Max) {
			return nil
		}
		if v, ok := value.(uint64); ok && v <= out.Max {
			return nil
		}
		return unfit(value, fmt.Sprintf("between %d and %d", out.Min, out.Max))
	case dialect.Decimal:
		return holdsDecimal(out, value.(string))
	case dialect.Float:
		if f := value.(float64); out.Single && float64(float32(f)) != f && !math.IsNaN(f) {
			return unfit(value, "a number of single precision")
		}
	case dialect.JSON:
		if !json.Valid([]byte(value.(string))) {
			return unfit(value, "JSON")
		}
	case dialect.Bytes:
		if b := value.([]byte); out.Padded && len(b) != out.Length {
			return unfit(value, fmt.Sprintf("%d bytes long, and would be filled up", out.Length))
		}
	case dialect.TimeOfDay:
		if _, fraction, _ := strings.Cut(value.(string), "."); len(fraction) > out.Scale {
			return unfit(value, fmt.Sprintf("a time of at most %d digits of a second", out.Scale))
		}
	case dialect.Timestamp:
		unit := time.Second
		for range out.Scale {
			unit /= 10
		}
		if t := value.(time.Time); !t.Truncate(max(unit, 1)).Equal(t) {
			return unfit(t.Format(instantForms[1]), fmt.Sprintf("a time of at most %d digits of a second", out.Scale))
		}
	}
	return nil
}

func holdsDecimal(out dialect.Type, text string) error {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if whole == "0" {
		whole = ""
	}
	switch {
	case out.Approximate && len(whole+fraction) > 15:
		return unfit(text, "a number of at most 15 digits")
	case out.Digits > 0 && (len(whole) > out.Digits-out.Scale || len(fraction) > out.Scale):
		return unfit(text, fmt.Sprintf("a number of %d digits before the point and %d behind it", out.Digits-out.Scale, out.Scale))
	}
	return nil
}

// write makes a parameter of a value in the form of its class.
func write(out dialect.Type, column dialect.Column, value any) any {
	switch v := value.(type) {
	case int64:
		if column.Unsigned {
			return uint64(v)
		}
	case time.Time:
		form := "2006-01-02 15:04:05.999999999"
		if out.Zoned && !column.Verbatim { // a session in which values are stored as they are is in UTC
			form += "-07:00"
		}
		return v.Format(form)
	}
	return value
}
