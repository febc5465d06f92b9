package datafile

import (
	"bytes"
	"database/sql/driver"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// The forms of times that a driver hands out as such.
const (
	dateForm    = "2006-01-02"
	timeForm    = "15:04:05.999999999"
	instantForm = "2006-01-02 15:04:05.999999999"
)

// appendMoment appends a date, a time of day or both. ok is false for what is none of them, in a column whose values have types of their own.
func appendMoment(buf []byte, c *Column, value driver.Value) (_ []byte, ok bool) {
	var text []byte
	switch v := value.(type) {
	case time.Time:
		form := map[dialect.Class]string{dialect.Date: dateForm, dialect.TimeOfDay: timeForm, dialect.Timestamp: instantForm}[c.Type.Class]
		return appendZone(v.UTC().AppendFormat(buf, form), c.Type.Zoned), true
	case []byte:
		text = v
	case string:
		text = []byte(v)
	default:
		return buf, false
	}
	if c.Type.Class != dialect.Timestamp {
		return append(buf, plainFraction(text)...), true
	}
	if !c.Loose {
		return appendZone(append(buf, plainFraction(text)...), c.Type.Zoned), true
	}
	return appendInstant(buf, text)
}

func appendZone(buf []byte, zoned bool) []byte {
	if zoned {
		return append(buf, "+00"...)
	}
	return buf
}

// plainFraction cuts the zeros behind the last digit of a fraction that counts.
func plainFraction(text []byte) []byte {
	if bytes.IndexByte(text, '.') < 0 {
		return text
	}
	return bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte{'.'})
}

// offsetForms are the forms of instants in SQLite files that are in another zone than UTC.
var offsetForms = []string{"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04Z07:00"}

// appendInstant appends a date and time of an SQLite file, in UTC: with a zone where the stored text has one. What is in no form that SQLite's date
// functions read stays as it is, and ok is false.
func appendInstant(buf, text []byte) (_ []byte, ok bool) {
	if len(text) < len("2006-01-02 15:04") || text[4] != '-' || text[7] != '-' || text[10] != ' ' && text[10] != 'T' || text[13] != ':' {
		return buf, len(text) == 0
	}
	local, zone := text, []byte(nil)
	if at := bytes.IndexAny(text[16:], "Z+-"); at >= 0 {
		local, zone = bytes.TrimRight(text[:16+at], " "), text[16+at:]
	}
	switch string(zone) {
	case "", "Z", "+00:00", "+00":
		from := len(buf)
		buf = append(buf, plainFraction(local)...)
		buf[from+10] = ' '
		return appendZone(buf, len(zone) > 0), true
	}
	plain := bytes.Clone(text)
	plain[10] = ' '
	for _, form := range offsetForms {
		if t, err := time.Parse(form, string(plain)); err == nil {
			return appendZone(t.UTC().AppendFormat(buf, instantForm), true), true
		}
	}
	return buf, false
}
