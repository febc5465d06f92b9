package pgbinary

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// The limits of PostgreSQL's dates and timestamps: Julian day 0, which is 4713-11-24 BC, to the years 5874897 and 294276
// (src/include/datatype/timestamp.h). The ends are exclusive.
const (
	epoch    = 946684800 // 2000-01-01 in seconds since 1970
	day      = 86400
	dayMicro = day * 1e6

	minDate = -2451545
	endDate = 2145031949

	minTimestamp = -211813488000000000
	endTimestamp = 9223371331200000000
)

// AppendTime appends v as a [Timestamptz], as a [Timestamp] with the wall clock of UTC, as a [Date] of UTC, or as a
// [Time] of the day in UTC. It is cut down to a whole microsecond. What is before 4713-11-24 BC, or after the year 294276
// (5874897 for a date), is a [*RangeError].
//
// The trap is a time that was made in another zone: pgx takes the wall clock and the date of the time's own zone.
func AppendTime(buf []byte, oid uint32, v time.Time) ([]byte, error) {
	seconds := v.Unix()
	micro := int64(v.Nanosecond() / 1000)
	switch oid {
	case Timestamptz, Timestamp:
		if minTimestamp/1e6+epoch <= seconds && seconds < endTimestamp/1e6+epoch {
			return binary.BigEndian.AppendUint64(buf, uint64((seconds-epoch)*1e6+micro)), nil
		}
	case Date:
		if days := floorDiv(seconds, day) - epoch/day; days >= minDate && days < endDate {
			return binary.BigEndian.AppendUint32(buf, uint32(days)), nil
		}
	case Time:
		return binary.BigEndian.AppendUint64(buf, uint64((seconds-floorDiv(seconds, day)*day)*1e6+micro)), nil
	default:
		return buf, unsupported("a time", oid)
	}
	return buf, rangeError(oid, v)
}

// TimeValue reads a [Timestamptz], [Timestamp], [Date] or [Time], in UTC. A time of day is one of 2000-01-01, as in pgx,
// and 24:00:00 is a [*RangeError]. For infinity and -infinity the error is [ErrInfinity].
func TimeValue(oid uint32, src []byte) (time.Time, error) {
	v, infinite, err := instant(oid, src)
	switch {
	case err != nil:
		return time.Time{}, err
	case infinite > 0:
		return time.Time{}, fmt.Errorf("read a %s: %w", typeName(oid), ErrInfinity)
	case infinite < 0:
		return time.Time{}, fmt.Errorf("read a %s: -%w", typeName(oid), ErrInfinity)
	case oid == Time && v.Unix() == epoch+day:
		return time.Time{}, rangeError(oid, "24:00:00")
	}
	return v, nil
}

// instant reads a date, a timestamp or a time of day; infinite is its sign where it is infinite.
func instant(oid uint32, src []byte) (v time.Time, infinite int, err error) {
	switch oid {
	case Timestamptz, Timestamp:
		if len(src) != 8 {
			return v, 0, sizeError(oid, len(src), 8)
		}
		micro := int64(binary.BigEndian.Uint64(src))
		switch {
		case micro == math.MaxInt64:
			return v, 1, nil
		case micro == math.MinInt64:
			return v, -1, nil
		case micro < minTimestamp || micro >= endTimestamp:
			return v, 0, formatError(oid, "timestamp out of range")
		}
		return fromMicro(micro), 0, nil
	case Date:
		if len(src) != 4 {
			return v, 0, sizeError(oid, len(src), 4)
		}
		days := int32(binary.BigEndian.Uint32(src))
		switch {
		case days == math.MaxInt32:
			return v, 1, nil
		case days == math.MinInt32:
			return v, -1, nil
		case days < minDate || days >= endDate:
			return v, 0, formatError(oid, "date out of range")
		}
		return time.Unix(int64(days)*day+epoch, 0).UTC(), 0, nil
	case Time:
		if len(src) != 8 {
			return v, 0, sizeError(oid, len(src), 8)
		}
		micro := int64(binary.BigEndian.Uint64(src))
		if micro < 0 || micro > dayMicro {
			return v, 0, formatError(oid, "time out of range")
		}
		return fromMicro(micro), 0, nil
	}
	return v, 0, unsupported("a time", oid)
}

// fromMicro is the time that is micro microseconds after 2000-01-01.
func fromMicro(micro int64) time.Time {
	seconds := floorDiv(micro, 1e6)
	return time.Unix(seconds+epoch, (micro-seconds*1e6)*1000).UTC()
}

// timeText is the text of a date, a timestamp or a time of day in the notation of RFC 3339.
func timeText(oid uint32, src []byte) (string, error) {
	v, infinite, err := instant(oid, src)
	switch {
	case err != nil:
		return "", err
	case infinite > 0:
		return "infinity", nil
	case infinite < 0:
		return "-infinity", nil
	}
	switch oid {
	case Date:
		return v.Format(time.DateOnly), nil
	case Timestamp:
		return v.Format("2006-01-02T15:04:05.999999"), nil
	case Timestamptz:
		return v.Format("2006-01-02T15:04:05.999999Z"), nil
	}
	if v.Unix() == epoch+day {
		return "24:00:00", nil
	}
	return v.Format("15:04:05.999999"), nil
}

// floorDiv divides and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
